#include "pool/local/local_opens.hpp"

#include <algorithm>
#include <utility>

namespace flotilla::pool {

using coherence::Outcome;

namespace {
/// Version 0 is a file about which nothing was ever said; a gate that knows something from before
/// has to unlearn it all the same.
void install(ports::IoGate& gate, coherence::Restrictions what, std::function<void()> drained) {
  if (what.version != 0) return gate.restrict(std::move(what), std::move(drained));
  gate.reset_version();
  what.version = 1;
  gate.restrict(std::move(what), std::move(drained));
  gate.reset_version();
}
}  // namespace

OpenIdSource::OpenIdSource(NodeId node, NtTime now) noexcept
    : prefix_(std::uint64_t{node.raw() & 0xFFFFU} << 48),
      count_((now.ticks / 100000U & 0xFFFFFFFU) << 20 | 1U) {}

void OpenIdSource::avoid(OpenId used) noexcept {
  constexpr std::uint64_t kCount = 0xFFFFFFFFFFFFULL;
  if ((used.raw() & ~kCount) != prefix_) return;
  // Half a turn of the counter ahead (two weeks) is behind, not ahead.
  const std::uint64_t ahead = (used.raw() - count_.load(std::memory_order_relaxed)) & kCount;
  if (ahead < (kCount >> 1)) count_.store((used.raw() & kCount) + 1, std::memory_order_relaxed);
}

LocalOpens::LocalOpens(std::shared_ptr<const ports::ServeLease> lease, Confirmed confirmed)
    : lease_(std::move(lease)), confirmed_(std::move(confirmed)) {}

RequestId LocalOpens::add(const FileKey& key, Request request) {
  const RequestId id{next_request_.fetch_add(1, std::memory_order_relaxed)};
  Lane& lane = lanes_[lane_of(key)];
  const std::lock_guard lock(lane.mutex);
  lane.requests.emplace(id, std::move(request));
  return id;
}

RequestId LocalOpens::add_open(const FileKey& key, OpenId open,
                               std::shared_ptr<ports::OpenEvents> events,
                               std::move_only_function<void(ports::OpenOutcome)> done,
                               std::move_only_function<void()> pending) {
  Request request;
  request.open = open;
  request.events = std::move(events);
  request.opened = std::move(done);
  request.completion.pending = std::move(pending);
  return add(key, std::move(request));
}

RequestId LocalOpens::add_reclaim(const FileKey& key, OpenId open,
                                  std::shared_ptr<ports::OpenEvents> events,
                                  std::move_only_function<void(ports::OpenOutcome)> done) {
  Request request;
  request.open = open;
  request.opened = std::move(done);
  request.events = std::move(events);
  request.reclaims = true;
  {
    Lane& lane = lanes_[lane_of(key)];
    const std::lock_guard lock(lane.mutex);
    request.new_here = !lane.opens.contains(open);
    (void)register_open(lane, key, open, request.events);
  }
  return add(key, std::move(request));
}

RequestId LocalOpens::add_command(const FileKey& key, const coherence::Body& body,
                                  ports::Completion completion) {
  Request request;
  if (const auto* close = std::get_if<coherence::Close>(&body)) request.closes = close->open;
  if (const auto* detach = std::get_if<coherence::Detach>(&body)) request.detaches = detach->open;
  request.completion = std::move(completion);
  return add(key, std::move(request));
}

namespace {
/// Of a Close, a Detach or a Reclaim; zero else.
OpenId given_back(const coherence::Body& body) {
  if (const auto* close = std::get_if<coherence::Close>(&body)) return close->open;
  if (const auto* back = std::get_if<coherence::Reclaim>(&body)) return back->open;
  const auto* detach = std::get_if<coherence::Detach>(&body);
  return detach != nullptr ? detach->open : OpenId{};
}
}  // namespace

std::shared_ptr<ports::IoGate> LocalOpens::gate_to_drain(const FileKey& key,
                                                         const coherence::Body& body) {
  const OpenId open = given_back(body);
  if (open == OpenId{}) return nullptr;
  Lane& lane = lanes_[lane_of(key)];
  const std::lock_guard lock(lane.mutex);
  const auto at = lane.opens.find(open);
  if (at == lane.opens.end() || at->second.gate->idle()) return nullptr;
  return at->second.gate;
}

void LocalOpens::drained(const std::shared_ptr<ports::IoGate>& gate, coherence::Body body,
                         std::function<void(const coherence::Body&)> then) {
  const OpenId open = given_back(body);
  gate->revoke(open,
               [gate = std::weak_ptr(gate), open, body = std::move(body), then = std::move(then)] {
                 if (const auto still = gate.lock()) still->readmit(open);
                 then(body);
               });
}

void LocalOpens::refuse(const FileKey& key, RequestId request, NtStatus status) {
  queue(LocalEffect{key, DeliverReply{request, Outcome{status, {}}}});
  drain(lane_of(key));
}

void LocalOpens::queue(LocalEffect effect) {
  Lane& lane = lanes_[lane_of(effect.key)];
  const std::lock_guard lock(lane.mutex);
  lane.effects.push_back(std::move(effect));
}

void LocalOpens::drain_all() {
  for (std::size_t lane = 0; lane < kLaneCount; ++lane) drain(lane);
}

void LocalOpens::drain(std::size_t index) {
  Lane& lane = lanes_[index];
  for (;;) {
    LocalEffect effect;
    {
      const std::lock_guard lock(lane.mutex);
      if (lane.draining || lane.effects.empty()) return;
      lane.draining = true;
      effect = std::move(lane.effects.front());
      lane.effects.pop_front();
    }
    std::visit([&](auto& what) { deliver(lane, effect.key, what); }, effect.what);
    const std::lock_guard lock(lane.mutex);
    lane.draining = false;
  }
}

void LocalOpens::confirm(const FileKey& key, ConfirmId id) const {
  if (id != ConfirmId{}) confirmed_(key, id);
}

std::shared_ptr<ports::IoGate> LocalOpens::forget_open(Lane& lane, OpenId open) {
  const auto at = lane.opens.find(open);
  if (at == lane.opens.end()) return nullptr;
  const FileKey key = at->second.key;
  std::shared_ptr<ports::IoGate> gate = std::move(at->second.gate);
  lane.opens.erase(at);
  const auto entry = lane.gates.find(key);
  if (entry != lane.gates.end() && --entry->second.open_count == 0 && gate.use_count() == 1) {
    lane.gates.erase(entry);
  }
  if (lane.gates.size() > 64 + 2 * lane.opens.size()) {
    std::erase_if(lane.gates, [](const auto& it) { return it.second.gate.expired(); });
  }
  return gate;
}

std::shared_ptr<ports::IoGate> LocalOpens::register_open(
    Lane& lane, const FileKey& key, OpenId open, std::shared_ptr<ports::OpenEvents> events) const {
  Gate& entry = lane.gates[key];
  std::shared_ptr<ports::IoGate> gate = entry.gate.lock();
  if (!gate) {
    gate = std::make_shared<ports::IoGate>(lease_);
    entry.gate = gate;
  }
  // A gate that outlived its opens knows versions of an owner that may be another now.
  if (entry.open_count == 0) {
    gate->reset_version();
    entry.known = {};
  }
  const auto [at, is_new] = lane.opens.try_emplace(open, Open{key, events, gate});
  if (is_new) {
    ++entry.open_count;
  } else {
    at->second.events = std::move(events);
  }
  return gate;
}

std::shared_ptr<ports::IoGate> LocalOpens::gate_of(Lane& lane, const FileKey& key) {
  const auto at = lane.gates.find(key);
  return at == lane.gates.end() ? nullptr : at->second.gate.lock();
}

void LocalOpens::deliver(Lane& lane, const FileKey& key, DeliverBreak& effect) {
  std::shared_ptr<ports::OpenEvents> events;
  {
    const std::lock_guard lock(lane.mutex);
    const auto at = lane.opens.find(effect.what.open);
    if (at != lane.opens.end()) events = at->second.events;
  }
  if (events) events->on_break(effect.what);
  confirm(key, effect.confirm);
}

void LocalOpens::deliver(Lane& lane, const FileKey& key, DeliverRevoke& effect) {
  std::shared_ptr<ports::OpenEvents> events;
  std::shared_ptr<ports::IoGate> gate;
  {
    const std::lock_guard lock(lane.mutex);
    const auto at = lane.opens.find(effect.open);
    // Whoever has come back for it here, and is not answered yet, has nothing to lose: this is
    // about what was here before.
    const auto back = std::find_if(lane.requests.begin(), lane.requests.end(), [&](const auto& it) {
      return it.second.reclaims && it.second.open == effect.open;
    });
    if (back != lane.requests.end()) {
      back->second.new_here = true;
      if (at != lane.opens.end()) gate = at->second.gate;
    } else if (at != lane.opens.end()) {
      events = at->second.events;
      gate = forget_open(lane, effect.open);
    }
  }
  if (gate) {
    // The gate lives until the last I/O that it admitted has ended.
    gate->revoke(effect.open, [this, key, id = effect.confirm] { confirm(key, id); });
    gate.reset();
  } else {
    confirm(key, effect.confirm);
  }
  if (events) events->on_revoked(effect.reason);
}

void LocalOpens::deliver(Lane& lane, const FileKey& key, DeliverRestrictions& effect) {
  std::shared_ptr<ports::IoGate> gate;
  {
    const std::lock_guard lock(lane.mutex);
    gate = gate_of(lane, key);
    if (gate) lane.gates[key].known = effect.what;
  }
  if (!gate) return confirm(key, effect.confirm);
  install(*gate, std::move(effect.what), [this, key, id = effect.confirm] { confirm(key, id); });
}

void LocalOpens::deliver(Lane& lane, const FileKey& key, DeliverUnsettled&) {
  std::shared_ptr<ports::IoGate> gate;
  coherence::Restrictions kept;
  {
    const std::lock_guard lock(lane.mutex);
    gate = gate_of(lane, key);
    if (!gate) return;
    Gate& entry = lane.gates[key];
    entry.known.version = 0;
    kept = entry.known;
  }
  // A cacher that is nobody's: every write asks the new owner first (must_break_readers).
  coherence::Cacher nobody;
  nobody.open = OpenId{~std::uint64_t{0}};
  nobody.client.bytes.fill(0xFF);
  nobody.key.bytes.fill(0xFF);
  kept.cachers.push_back(nobody);
  install(*gate, std::move(kept), [] {});
}

void LocalOpens::deliver(Lane& lane, const FileKey&, DeliverPending& effect) {
  std::move_only_function<void()> pending;
  {
    const std::lock_guard lock(lane.mutex);
    const auto at = lane.requests.find(effect.request);
    if (at == lane.requests.end() || at->second.pending_told) return;
    at->second.pending_told = true;
    pending = std::move(at->second.completion.pending);
  }
  if (pending) pending();
}

void LocalOpens::deliver(Lane& lane, const FileKey& key, DeliverReply& effect) {
  Request request;
  std::shared_ptr<ports::IoGate> gate;
  std::shared_ptr<ports::IoGate> closed_gate;
  coherence::Restrictions restrictions;
  {
    const std::lock_guard lock(lane.mutex);
    const auto at = lane.requests.find(effect.request);
    if (at == lane.requests.end()) return;
    request = std::move(at->second);
    lane.requests.erase(at);
    const auto* opened = std::get_if<coherence::Opened>(&effect.outcome.answer);
    const auto* back = std::get_if<coherence::Reclaimed>(&effect.outcome.answer);
    const bool granted = effect.outcome.status == NtStatus::Success &&
                         (request.reclaims ? back != nullptr : opened != nullptr);
    if (request.opened && granted) {
      gate = register_open(lane, key, request.open, request.events);
      restrictions = request.reclaims ? back->restrictions : opened->restrictions;
      Gate& entry = lane.gates[key];
      if (restrictions.version >= entry.known.version) entry.known = restrictions;
      if (request.reclaims) gate->readmit(request.open);
    } else if (request.reclaims && request.new_here) {
      closed_gate = forget_open(lane, request.open);
    }
    const bool stays = effect.outcome.status == NtStatus::Success &&
                       std::holds_alternative<std::monostate>(effect.outcome.answer);
    if (request.detaches != OpenId{} && !stays) closed_gate = forget_open(lane, request.detaches);
    // Whatever the answer to a Close was, nobody will hear of this open again.
    if (request.closes != OpenId{}) closed_gate = forget_open(lane, request.closes);
  }
  closed_gate.reset();
  if (gate) install(*gate, std::move(restrictions), [] {});
  if (request.opened) {
    request.opened(ports::OpenOutcome{std::move(effect.outcome), std::move(gate)});
  } else if (request.completion.done) {
    request.completion.done(std::move(effect.outcome));
  }
}

std::uint64_t LocalOpens::open_count() const {
  std::uint64_t count = 0;
  for (const Lane& lane : lanes_) {
    const std::lock_guard lock(lane.mutex);
    count += lane.opens.size();
  }
  return count;
}

}  // namespace flotilla::pool

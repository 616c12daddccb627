// The simulated world: time, links, and corosync's rings.
#include <algorithm>
#include <utility>

#include "pool/testing/sim_pool.hpp"

namespace flotilla::pool::testing {

using namespace std::chrono_literals;

namespace {
constexpr Timing kTiming;
/// So that all of it happens within a run: few files are kept, and soon claimed again.
constexpr ClaimOptions kClaims{3, 300ms, 10ms, 2};
}  // namespace

SimPool::SimPool(std::uint64_t seed, std::size_t node_count) : random_(seed) {
  nodes_.resize(node_count);
  for (std::size_t i = 0; i < node_count; ++i) {
    nodes_[i].id = NodeId{static_cast<std::uint32_t>(i + 1)};
    boot(nodes_[i]);
  }
}

void SimPool::at(std::chrono::nanoseconds delay, std::function<void()> what) {
  events_.emplace(std::pair{now_ + delay, next_event_++}, std::move(what));
}

std::uint64_t SimPool::at_for(SimNode& node, std::chrono::nanoseconds delay,
                              std::function<void()> what) {
  const std::uint64_t id = next_event_;
  node.membership_events.insert(id);
  at(delay, [&node, id, what = std::move(what)] {
    if (node.membership_events.erase(id) == 1) what();
  });
  return id;
}

void SimPool::advance(std::chrono::nanoseconds by) {
  const MonoTime until = now_ + by;
  while (!events_.empty() && events_.begin()->first.first <= until) {
    auto first = events_.extract(events_.begin());
    now_ = std::max(now_, first.key().first);
    first.mapped()();
  }
  now_ = until;
  for (SimNode& node : nodes_) {
    if (!node.up || node.hung) continue;
    ping(node);
    step(node, TimePasses{});
  }
}

/// What the adapter does every 50 ms: an answer of the local corosync extends the lease, unless
/// there was a pause; then only what the ring orders does.
void SimPool::ping(SimNode& node) {
  if (node.fenced || node.changing || node.machine->fencing() || !node.machine->serving() ||
      node.ring_known.empty())
    return;
  if (now_ - node.proven_at > kTiming.pause_suspected) {
    const bool told = node.ring && node.ring == node.ring_told;
    const bool intact =
        told && std::all_of(node.ring_known.begin(), node.ring_known.end(), [&](NodeId id) {
          const SimNode& other = nodes_[id.raw() - 1];
          return other.up && !other.hung && other.network == node.network &&
                 other.ring == node.ring;
        });
    if (!intact) return;
  }
  node.proven_at = now_;
  node.lease_until = now_ + kTiming.serve_lease;
}

void SimPool::boot(SimNode& node) {
  if (node.up) return;
  ++counts["boots"];
  node.up = true;
  node.hung = false;
  coherence::Limits limits;
  limits.break_timeout = 2000ms;
  node.machine = std::make_unique<OwnerMachine>(node.id, limits, kTiming, kClaims);
  node.machine->set_slice(2);
  node.agreement.emplace(node.id, fresh_++, NodeFacts{});
  node.life = {};
  node.linked.clear();
  node.ring.reset();
  node.ring_told.reset();
  node.ring_known.clear();
  node.unclean.clear();
  node.fenced = true;
  node.lease_until = {};
  clean_.erase(node.id);
  change_rings_later(100ms);
}

void SimPool::crash(SimNode& node, bool clean) {
  if (!node.up) return;
  ++counts["crashes"];
  node.up = false;
  if (clean) clean_.insert(node.id);
  node.membership_events.clear();
  node.opens.clear();
  node.caches.clear();
  node.requests.clear();
  node.known.clear();
  node.effects.clear();
  node.confirms.clear();
  node.to_acknowledge.clear();
  node.to_unlink.clear();
  for (auto& [pair, queue] : links_) {
    if (pair.first == node.id || pair.second == node.id) queue.clear();
  }
  change_rings_later(clean ? 20ms : 600ms);
}

void SimPool::hang(SimNode& node) {
  if (!node.up || node.hung) return;
  ++counts["hangs"];
  node.hung = true;
  node.hung_since = now_;
  change_rings_later(600ms, kTiming.pause_suspected);
}

void SimPool::wake(SimNode& node) {
  if (!node.up || !node.hung) return;
  node.hung = false;
  change_rings_later(300ms);
}

void SimPool::split() {
  ++counts["splits"];
  for (SimNode& node : nodes_) node.network = static_cast<int>(pick(2));
  change_rings_later(600ms);
}

void SimPool::heal() {
  for (SimNode& node : nodes_) node.network = 0;
  change_rings_later(200ms);
}

/// Who is silent for less than this is waited for, not left out.
bool SimPool::heard(const SimNode& node) const {
  return node.up && (!node.hung || now_ - node.hung_since < kTiming.pause_suspected);
}

void SimPool::change_rings_later(std::chrono::milliseconds within,
                                 std::chrono::milliseconds after) {
  const auto ms = static_cast<std::int64_t>(pick(static_cast<std::uint64_t>(within.count())) + 1);
  at(after + std::chrono::milliseconds{ms}, [this] { change_rings(); });
}

/// Extended virtual synchrony, as far as it matters: nodes that go on together have heard the same.
void SimPool::change_rings() {
  for (const int network : {0, 1}) {
    auto ring = std::make_shared<SimRing>();
    for (const SimNode& node : nodes_) {
      if (heard(node) && node.network == network) ring->members.push_back(node.id);
    }
    if (ring->members.empty()) continue;
    const std::shared_ptr<SimRing> old = nodes_[ring->members[0].raw() - 1].ring;
    const bool same = old && old->members == ring->members &&
                      std::all_of(ring->members.begin(), ring->members.end(),
                                  [&](NodeId id) { return nodes_[id.raw() - 1].ring == old; });
    if (same) continue;
    ++counts["rings"];
    for (const NodeId id : ring->members) {
      SimNode& node = nodes_[id.raw() - 1];
      const std::shared_ptr<SimRing> former = node.ring;
      if (!former || !former->view || former->installed.contains(id)) continue;
      const bool somebody_has =
          std::any_of(ring->members.begin(), ring->members.end(), [&](NodeId other) {
            return nodes_[other.raw() - 1].ring == former && former->installed.contains(other);
          });
      if (somebody_has) install(node, former);
    }
    for (const NodeId id : ring->members) {
      SimNode& node = nodes_[id.raw() - 1];
      node.membership_events.clear();
      node.ring = ring;
      const auto skew = static_cast<std::int64_t>(pick(40));
      at_for(node, std::chrono::milliseconds{skew}, [this, &node] { told_of_ring(node); });
    }
  }
}

void SimPool::told_of_ring(SimNode& node) {
  if (!node.up) return;
  if (node.hung) {
    at_for(node, 10ms, [this, &node] { told_of_ring(node); });
    return;
  }
  const std::shared_ptr<SimRing> ring = node.ring;
  for (const NodeId id : node.ring_known) {
    const bool stays =
        std::find(ring->members.begin(), ring->members.end(), id) != ring->members.end();
    if (!stays && !clean_.contains(id)) node.unclean[id] = now_;
  }
  node.ring_told = ring;
  node.ring_known = ring->members;
  node.changing = true;
  const auto quorum = static_cast<std::uint32_t>(nodes_.size() / 2 + 1);
  node.fenced = ring->members.size() < quorum;
  const Epoch recovered = node.machine->freeze();
  Hello hello = node.agreement->hello(ring->members, recovered, fresh_++);
  hello.quorum = quorum;
  for (const auto& [id, when] : node.unclean) {
    if (now_ - when < 2 * kTiming.grant_margin) hello.unclean.push_back(id);
  }
  hello.epoch_floor = Epoch{fresh_++};
  ring->hellos[node.id] = std::move(hello);
  if (ring->hellos.size() < ring->members.size()) return;
  std::vector<Hello> all;
  for (const auto& [id, it] : ring->hellos) all.push_back(it);
  ring->view = agree(all);
  for (const NodeId id : ring->members) {
    SimNode& other = nodes_[id.raw() - 1];
    if (other.ring != ring) continue;
    const auto delay = static_cast<std::int64_t>(pick(30));
    at_for(other, std::chrono::milliseconds{delay}, [this, &other, ring] { install(other, ring); });
  }
}

void SimPool::install(SimNode& node, const std::shared_ptr<SimRing>& ring) {
  if (!node.up || ring->installed.contains(node.id)) return;
  if (node.hung) {
    at_for(node, 10ms, [this, &node, ring] { install(node, ring); });
    return;
  }
  ring->installed.insert(node.id);
  ++counts["views"];
  const View view = *ring->view;
  node.agreement->installed(view);
  const MemberId life = view.quorate ? view.find(node.id)->id : MemberId{};
  std::set<MemberId> linked;
  if (view.quorate) {
    for (const Member& member : view.members) linked.insert(member.id);
  }
  for (auto& [pair, queue] : links_) {
    if (pair.first != node.id) continue;
    std::erase_if(queue,
                  [&](const Sent& sent) { return sent.from != life || !linked.contains(sent.to); });
  }
  node.life = life;
  node.linked = std::move(linked);
  node.fenced = !view.quorate;
  node.changing = false;
  step(node, ViewChange{view});
}

bool SimPool::deliver_message(bool any) {
  std::vector<std::deque<Sent>*> ready;
  for (auto& [pair, queue] : links_) {
    if (queue.empty()) continue;
    SimNode& from = nodes_[pair.first.raw() - 1];
    SimNode& to = nodes_[pair.second.raw() - 1];
    if (!to.up || to.hung || from.network != to.network) continue;
    if (to.life != queue.front().to || !to.linked.contains(queue.front().from)) continue;
    ready.push_back(&queue);
  }
  if (ready.empty()) return false;
  std::deque<Sent>& queue = *ready[pick(ready.size())];
  const std::size_t count = any ? queue.size() : 1 + pick(queue.size());
  for (std::size_t i = 0; i < count && !queue.empty(); ++i) {
    Sent sent = std::move(queue.front());
    queue.pop_front();
    Bytes bytes;
    encode(sent.message, bytes);
    auto decoded = decode_peer_message(bytes);
    if (!decoded || *decoded != sent.message) {
      wrong("a message changes on its way");
      return true;
    }
    ++counts["messages"];
    step(nodes_[sent.to.node.raw() - 1], FromPeer{sent.from, std::move(*decoded)});
  }
  return true;
}

void SimPool::step(SimNode& node, Input input) {
  OwnerOutbox out;
  trace(node, input);
  const OwnerCounters before = node.machine->counters();
  node.machine->step(std::move(input), now_, out);
  const OwnerCounters& after = node.machine->counters();
  counts["claims granted"] += after.claims_granted - before.claims_granted;
  counts["claims recalled"] += after.claims_recalled - before.claims_recalled;
  counts["claims returned"] += after.claims_returned - before.claims_returned;
  counts["commands claimed"] += after.commands_claimed - before.commands_claimed;
  for (OwnerOutbox::ToPeer& message : out.messages) {
    if (std::holds_alternative<BounceMessage>(message.message.body)) ++counts["commands bounced"];
    if (std::holds_alternative<DoomMessage>(message.message.body)) ++counts["dooms told"];
    if (std::holds_alternative<KeepMessage>(message.message.body)) ++counts["copies"];
    if (std::holds_alternative<HandOverMessage>(message.message.body)) {
      ++counts["copies handed over"];
    }
    for (const MemberId& member : node.linked) {
      if (member.node != message.to) continue;
      links_[{node.id, message.to}].push_back({node.life, member, std::move(message.message)});
      break;
    }
  }
  for (LocalEffect& effect : out.effects) node.effects.push_back(std::move(effect));
  for (const OwnerOutbox::Orphan& it : out.orphans) node.to_unlink.emplace_back(it.key, it.open);
  if (out.lost) {
    ++counts["lost"];
    node.lease_until = {};
  }
}

bool SimPool::deliver_effect(SimNode& node) {
  if (!node.up || node.hung || node.effects.empty()) return false;
  LocalEffect effect = std::move(node.effects.front());
  node.effects.pop_front();
  on_effect(node, effect);
  return true;
}

}  // namespace flotilla::pool::testing

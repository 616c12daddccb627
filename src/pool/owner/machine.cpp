// Inputs, and the way of a command from a handler to the owner.
#include "pool/owner/machine.hpp"

#include <algorithm>
#include <utility>

#include "base/log.hpp"

namespace flotilla::pool {

namespace {
/// More than this from views to come: somebody is broken, or this node is far behind.
constexpr std::size_t kFutureMessagesMax = 1'000'000;

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};

/// The file that a message is about; nothing for messages about the view.
const FileKey* key_of(const PeerMessage& message) {
  return std::visit(Overloaded{[](const AssertDoneMessage&) -> const FileKey* { return nullptr; },
                               [](const KeepMessage& body) { return &body.file.key; },
                               [](const HandOverMessage& body) { return &body.file.key; },
                               [](const auto& body) -> const FileKey* { return &body.key; }},
                    message.body);
}

/// Only these can be given up; the rest is on its way to an answer.
bool may_wait(const coherence::Body& body) {
  return std::holds_alternative<coherence::Open>(body) ||
         std::holds_alternative<coherence::Lock>(body) ||
         std::holds_alternative<coherence::BeginRename>(body) ||
         std::holds_alternative<coherence::SetDeletePending>(body);
}

bool goes_to_owner(const PeerMessage& message) {
  return std::holds_alternative<CommandMessage>(message.body) ||
         std::holds_alternative<ConfirmMessage>(message.body) ||
         std::holds_alternative<AssertMessage>(message.body) ||
         std::holds_alternative<ClaimReturnMessage>(message.body) ||
         std::holds_alternative<DoomMessage>(message.body) ||
         std::holds_alternative<HandOverMessage>(message.body);
}
}  // namespace

OwnerMachine::OwnerMachine(NodeId self, coherence::Limits limits, Timing timing,
                           ClaimOptions claims, std::size_t tolerate)
    : self_(self),
      limits_(limits),
      timing_(timing),
      claim_options_(claims),
      tolerate_(tolerate),
      table_(limits) {}

void OwnerMachine::step(Input input, MonoTime now, OwnerOutbox& out) {
  now_ = std::max(now, now_);
  out_ = &out;
  std::visit([&](auto& what) { on(what); }, input);
  run_loopback();
  out_ = nullptr;
}

void OwnerMachine::run_loopback() {
  while (!loopback_.empty()) {
    PeerMessage message = std::move(loopback_.front());
    loopback_.pop_front();
    receive(self_, message);
  }
}

NodeId OwnerMachine::owner_of(const FileKey& key) const {
  return log_.empty() ? NodeId{} : log_.owner(key).id.node;
}

void OwnerMachine::send(NodeId to, decltype(PeerMessage::body) body) {
  PeerMessage message{log_.epoch(), std::move(body)};
  if (to == self_) {
    loopback_.push_back(std::move(message));
  } else if (log_.find(to) != nullptr) {
    out_->messages.push_back({to, std::move(message)});
  }
}

void OwnerMachine::effect(const FileKey& key, decltype(LocalEffect::what) what) {
  out_->effects.push_back(LocalEffect{key, std::move(what)});
}

void OwnerMachine::on(LocalCommand& input) {
  if (!serving()) {
    if (input.request != RequestId{}) {
      effect(input.key,
             DeliverReply{input.request, coherence::Outcome{NtStatus::DeviceNotReady, {}}});
    }
    return;
  }
  if (const auto* cancel = std::get_if<coherence::Cancel>(&input.body)) {
    const auto at = inflight_.find(cancel->request);
    if (at != inflight_.end() && may_wait(at->second.body)) at->second.cancelled = true;
  }
  if (input.request != RequestId{}) {
    inflight_.insert_or_assign(input.request, holder_.begin(input.key, input.body));
  }
  route(input.key, input.request, std::move(input.body));
}

void OwnerMachine::route(const FileKey& key, RequestId request, coherence::Body body) {
  CommandMessage command{key, request, std::move(body)};
  if (HeldClaim* claim = held_claim(key)) {
    if (claim->recalled) return claim->waiting.push_back(std::move(command));
    ++counters_.commands_local;
    ++counters_.commands_claimed;
    decide_claimed(*claim, command);
    return;
  }
  const NodeId owner = log_.owner(key).id.node;
  if (owner == self_) {
    ++counters_.commands_local;
    decide(self_, command);
  } else {
    ++counters_.commands_sent;
    send(owner, std::move(command));
  }
}

ConfirmId OwnerMachine::expect(const FileKey& key, bool restrictions, std::uint64_t value) {
  const ConfirmId id{next_confirm_++};
  expected_.emplace(id, Expected{key, log_.epoch(), restrictions, value});
  return id;
}

void OwnerMachine::on(LocalConfirm& input) {
  if (fencing_.erase(input.id) > 0) {
    if (fencing_.empty() && serving()) tell_assert_done();
    return;
  }
  const auto at = expected_.find(input.id);
  if (at == expected_.end()) return;
  const Expected expected = at->second;
  expected_.erase(at);
  // Another owner has never asked; what it asked for itself comes under another number.
  if (!serving() || !log_.valid_since(expected.key, expected.epoch)) return;
  if (expected.restrictions) {
    route(expected.key, RequestId{}, coherence::RestrictionsKnown{expected.value});
  } else {
    // A claim is neither given nor returned while such a confirmation is outstanding.
    const NodeId asked = claims_.contains(expected.key) ? self_ : log_.owner(expected.key).id.node;
    send(asked, ConfirmMessage{expected.key, expected.value});
  }
}

void OwnerMachine::on(FromPeer& input) {
  if (input.message.epoch > log_.epoch()) {
    if (future_.size() >= kFutureMessagesMax) {
      log::error("pool: more than {} messages of views to come, the last of epoch {} from node {}",
                 kFutureMessagesMax, input.message.epoch.raw(), input.from.node.raw());
      future_.clear();
    }
    future_.push_back(std::move(input));
    return;
  }
  const Member* from = serving() ? log_.find(input.from.node) : nullptr;
  if (from == nullptr || from->id != input.from) {
    ++counters_.messages_stale;  // of a former life, or of a node that is not in the view
    return;
  }
  receive(input.from.node, input.message);
}

bool OwnerMachine::acceptable(NodeId from, const PeerMessage& message) const {
  if (from == self_) return true;
  const FileKey* key = key_of(message);
  if (key == nullptr || std::holds_alternative<AssertMessage>(message.body) ||
      std::holds_alternative<HandOverMessage>(message.body)) {
    if (message.epoch != log_.epoch()) return false;
  } else if (!log_.valid_since(*key, message.epoch)) {
    return false;
  }
  if (key == nullptr) return true;
  return log_.owner(*key).id.node == (goes_to_owner(message) ? self_ : from);
}

void OwnerMachine::receive(NodeId from, PeerMessage& message) {
  if (!serving()) return;
  if (!acceptable(from, message)) {
    ++counters_.messages_stale;
    return;
  }
  std::visit([&](auto& body) { receive_body(from, body); }, message.body);
}

void OwnerMachine::on(TimePasses&) {
  if (!serving()) return;
  for (auto at = going_.begin(); at != going_.end();) {
    if (at->second > now_) {
      ++at;
      continue;
    }
    const NodeId node = at->first;
    at = going_.erase(at);
    gone(node);
  }
  const auto deadline = table_.next_deadline();
  if (deadline && *deadline <= now_) {
    for (const FileKey& key : table_.due(now_)) {
      if (!decides(key) || waits_for_the_lost(key)) continue;
      apply(self_, key, kOwnRequest, coherence::Tick{});
      tell_doom(key);
    }
  }
  return_idle_claims();
  recover_when_complete();
}

std::optional<MonoTime> OwnerMachine::next_deadline() const {
  std::optional<MonoTime> next = table_.next_deadline();
  const auto sooner = [&next](MonoTime at) {
    if (!next || at < *next) next = at;
  };
  for (const auto& [node, at] : going_) sooner(at);
  if (serving() && !recovered_ && !frozen_) sooner(serve_at_);
  return next;
}

}  // namespace flotilla::pool

// What arrives about one file: at its owner from holders, at a holder from the owner.
#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "pool/owner/machine.hpp"

namespace flotilla::pool {

void OwnerMachine::receive_body(NodeId from, CommandMessage& message) {
  if (from != self_) ++counters_.commands_received;
  decide(from, message);
}

void OwnerMachine::receive_body(NodeId, ReplyMessage& message) {
  const auto at = inflight_.find(message.request);
  if (at == inflight_.end() || at->second.key != message.key) return;
  holder_.end(at->second, message.outcome);
  inflight_.erase(at);
  answered(message.key);
  effect(message.key, DeliverReply{message.request, std::move(message.outcome)});
}

bool OwnerMachine::awaits_answer(const FileKey& key) const {
  return std::any_of(inflight_.begin(), inflight_.end(),
                     [&](const auto& it) { return it.second.key == key; });
}

/// A fact that came ahead of an answer has been minded, or was in vain.
void OwnerMachine::answered(const FileKey& key) {
  if (holder_.told(key) && !awaits_answer(key)) holder_.settle(key);
}

void OwnerMachine::receive_body(NodeId, PendingMessage& message) {
  if (inflight_.contains(message.request)) effect(message.key, DeliverPending{message.request});
}

void OwnerMachine::receive_body(NodeId, BreakMessage& message) {
  holder_.on_break(message.key, message.what);
  const ConfirmId confirm =
      message.token == 0 ? ConfirmId{} : expect(message.key, false, message.token);
  effect(message.key, DeliverBreak{message.what, confirm});
}

void OwnerMachine::receive_body(NodeId, RevokeMessage& message) {
  holder_.on_revoked(message.key, message.open);
  effect(message.key, DeliverRevoke{message.open, message.reason, {}});
}

void OwnerMachine::receive_body(NodeId, RestrictMessage& message) {
  const ConfirmId confirm = expect(message.key, true, message.what.version);
  effect(message.key, DeliverRestrictions{std::move(message.what), confirm});
}

void OwnerMachine::receive_body(NodeId from, FactMessage& message) {
  holder_.on_fact(message, awaits_answer(message.key));
  if (message.token != 0) send(from, ConfirmMessage{message.key, message.token});
}

void OwnerMachine::receive_body(NodeId from, ConfirmMessage& message) {
  const auto barrier = barriers_.find(message.key);
  if (barrier == barriers_.end()) return;
  const auto token = barrier->second.tokens.find(message.token);
  if (token == barrier->second.tokens.end() || token->second.node != from) return;
  // What its former life was to be told counts until that one is fenced (end_lost).
  if (token->second.keeper == MemberId{} && ending(from)) return;
  barrier->second.tokens.erase(token);
  release(message.key);
}

void OwnerMachine::receive_body(NodeId from, AssertMessage& message) {
  // What goes on with its owner was never in doubt, and the owner knows it better.
  if (settled(message.key)) return;
  ++counters_.opens_asserted;
  if (asserted_.insert(message.key).second) forget_moved(message.key);
  const OpenId open = message.open.open.open;
  apply(from, message.key, RequestId{}, std::move(message.open));
  if (message.unlinking) apply(from, message.key, kAssertRequest, coherence::Close{open});
}

void OwnerMachine::receive_body(NodeId from, AssertDoneMessage&) {
  assert_done_.insert(from);
  if (going_.erase(from) > 0) gone(from);
  recover_when_complete();
}

}  // namespace flotilla::pool

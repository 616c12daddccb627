// This node decides: commands of all holders on the files that it owns.
#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "coherence/state.hpp"
#include "pool/owner/machine.hpp"

namespace flotilla::pool {

/// What a peer may ask for. The rest is the owner's own.
bool OwnerMachine::askable(const coherence::Body& body) {
  return !std::holds_alternative<coherence::AssertOpen>(body) &&
         !std::holds_alternative<coherence::Tick>(body) &&
         !std::holds_alternative<coherence::Restore>(body) &&
         !std::holds_alternative<coherence::AllAsserted>(body) &&
         !std::holds_alternative<coherence::NodeGone>(body);
}

/// Its owner has all that there is to know about the file.
bool OwnerMachine::settled(const FileKey& key) const { return recovered_ || log_.continuous(key); }

bool OwnerMachine::decides(const FileKey& key) const {
  const auto claim = claims_.find(key);
  if (claim != claims_.end()) return !claim->second.recalled;
  return log_.owner(key).id.node == self_ && settled(key) && !given_.contains(key);
}

MemberId OwnerMachine::life_of(NodeId node) const {
  const Member* member = log_.find(node);
  return member == nullptr ? MemberId{} : member->id;
}

/// Its former life still counts here. What the present one asks waits.
bool OwnerMachine::ending(NodeId node) const {
  return going_.contains(node) ||
         std::ranges::any_of(ending_, [node](const Ending& it) { return it.node == node; });
}

void OwnerMachine::decide(NodeId from, CommandMessage& command) {
  if (!askable(command.body)) {
    ++counters_.messages_refused;
    if (command.request != RequestId{}) {
      send(from, ReplyMessage{command.key, command.request,
                              coherence::Outcome{NtStatus::InvalidParameter, {}}});
    }
    return;
  }
  if (!settled(command.key) || ending(from)) {
    parked_.push_back({life_of(from), std::move(command)});
    return;
  }
  if (given_away(from, command)) return;
  const bool claimable = alone_with(from, command.key, command.body);
  apply(from, command.key, command.request, std::move(command.body));
  if (claimable) consider_claim(from, command.key);
}

void OwnerMachine::apply(NodeId from, const FileKey& key, RequestId request, coherence::Body body) {
  const coherence::FileState* before = table_.inspect(key);
  const bool was_pending = before != nullptr && before->delete_pending;
  const bool may_rename = before != nullptr && (before->renaming != OpenId{} ||
                                                std::holds_alternative<coherence::Renamed>(body));
  const std::string path_before = may_rename ? before->path : std::string();
  const auto* unlinked = std::get_if<coherence::Unlinked>(&body);
  const OpenId left = unlinked != nullptr && unlinked->later ? unlinked->open : OpenId{};
  // Where this step answers others too, whoever asks has to confirm like them.
  const NodeId asking = before != nullptr && !before->waiters.empty() ? NodeId{} : from;
  coherence::Outbox effects;
  table_.apply(coherence::Command{key, from, request, now_, std::move(body)}, effects);
  if (request == kOwnRequest) {
    // The answer tells whether a name is left to be removed.
    std::erase_if(effects.replies, [&](const coherence::Outbox::ReplyTo& reply) {
      if (reply.request != kOwnRequest) return false;
      const auto* closed = std::get_if<coherence::Closed>(&reply.outcome.answer);
      const coherence::FileState* file = table_.inspect(key);
      if (closed != nullptr && closed->unlink && file != nullptr) {
        out_->orphans.push_back({key, file->unlink_open, closed->path});
      }
      return true;
    });
  }
  const coherence::FileState* after = table_.inspect(key);
  if (left != OpenId{} && after != nullptr && after->unlinking && after->unlink_open == left) {
    out_->orphans.push_back({key, left, after->path});
  }
  const bool renamed = may_rename && after != nullptr && after->path != path_before;
  if (after != nullptr && (renamed || after->delete_pending != was_pending)) {
    tell_facts(key, asking);
  }
  emit(key, effects);
}

void OwnerMachine::tell_facts(const FileKey& key, NodeId except) {
  const coherence::FileState* file = table_.inspect(key);
  if (asserted_.contains(key) && !settled(key)) return;
  std::set<NodeId> holders;
  for (const auto& [id, open] : file->opens) holders.insert(open.node);
  for (const NodeId node : holders) {
    // The one that asked hears it in its answer, or here where the answer is another's.
    std::uint64_t token = 0;
    if (node != self_ && node != except && log_.find(node) != nullptr) {
      token = next_token_++;
      barriers_[key].tokens.emplace(token, Token{node});
    }
    send(node, FactMessage{key, token, file->delete_pending, file->path});
  }
}

void OwnerMachine::emit(const FileKey& key, coherence::Outbox& effects) {
  if (asserted_.contains(key) && !settled(key)) {
    // The rest is told when the file is served. Who asserts what cannot be true loses it now.
    for (const auto& it : effects.revocations) send(it.to, RevokeMessage{key, it.open, it.reason});
    return;
  }
  bool waits = false;
  if (effects.keep) {
    // Nothing of this leaves before the copies are where they belong.
    give_copies(std::move(*effects.keep));
    effects.keep.reset();
    const auto copied = barriers_.find(key);
    waits = copied != barriers_.end() && !copied->second.tokens.empty();
  }
  const auto at = barriers_.find(key);
  if (at != barriers_.end() && (waits || !at->second.waiting.empty())) {
    at->second.waiting.push_back(std::move(effects));
    return;
  }
  emit_now(key, effects);
}

/// Nobody waits for the loss of read caching to be acknowledged, so whoever caused it, and all who
/// are answered later, wait until the holder's node has been told: neither may it get lost with
/// this owner, nor come late. Of a lost node: until its clients are certainly served no more
/// (end_lost).
void OwnerMachine::tell_of_break(const FileKey& key, const coherence::Outbox::BreakTo& it) {
  std::uint64_t token = 0;
  const bool counts = log_.find(it.to) != nullptr || going_.contains(it.to);
  if (counts) {
    token = next_token_++;
    barriers_[key].tokens.emplace(token, Token{it.to});
  }
  send(it.to, BreakMessage{key, token, it.what});
}

/// What a client is told of a lease comes after all that its other nodes have said of it. True
/// where there are such nodes, and the rest of the effects waits for them.
bool OwnerMachine::tell_first(const FileKey& key, coherence::Outbox& effects) {
  const auto rest = std::ranges::stable_partition(effects.breaks,
                                                  [](const auto& it) { return it.what.elsewhere; });
  const bool any = rest.begin() != effects.breaks.begin();
  for (auto at = effects.breaks.begin(); at != rest.begin(); ++at) tell_of_break(key, *at);
  effects.breaks.erase(effects.breaks.begin(), rest.begin());
  effects.revocations.clear();
  const auto barrier = barriers_.find(key);
  return any && barrier != barriers_.end() && !barrier->second.tokens.empty();
}

void OwnerMachine::emit_now(const FileKey& key, coherence::Outbox& effects) {
  for (const auto& it : effects.revocations) send(it.to, RevokeMessage{key, it.open, it.reason});
  if (tell_first(key, effects)) {
    barriers_[key].waiting.push_back(std::move(effects));
    return;
  }
  for (const auto& it : effects.breaks) tell_of_break(key, it);
  for (auto& it : effects.restrictions) send(it.to, RestrictMessage{key, std::move(it.what)});
  // What a node asked in a former life is not answered to the one that it has now, whose own
  // requests may have the same numbers.
  for (const auto& it : effects.pendings) {
    if (!ending(it.to)) send(it.to, PendingMessage{key, it.request});
  }
  effects.revocations.clear();
  effects.breaks.clear();
  effects.restrictions.clear();
  effects.pendings.clear();
  const auto at = barriers_.find(key);
  if (at != barriers_.end() && !at->second.tokens.empty()) {
    if (!effects.replies.empty()) at->second.waiting.push_back(std::move(effects));
    return;
  }
  for (auto& it : effects.replies) {
    if (it.request == RequestId{} || ending(it.to)) continue;
    send(it.to, ReplyMessage{key, it.request, std::move(it.outcome)});
  }
  for (const auto& it : effects.owed) {
    if (!ending(it.to)) tell_of_break(key, it);
  }
}

void OwnerMachine::release(const FileKey& key) {
  for (auto at = barriers_.find(key); at != barriers_.end(); at = barriers_.find(key)) {
    if (!at->second.tokens.empty()) return;
    if (at->second.waiting.empty()) {
      barriers_.erase(at);
      const auto claim = claims_.find(key);
      if (claim != claims_.end() && claim->second.recalled) return_claim(key);
      return;
    }
    coherence::Outbox next = std::move(at->second.waiting.front());
    at->second.waiting.pop_front();
    if (next.pendings.empty() && next.replies.empty() && next.breaks.empty() &&
        next.revocations.empty() && next.restrictions.empty()) {
      continue;
    }
    for (coherence::Outbox::ReplyTo& reply : next.replies) {
      // What the client has acknowledged since must not come back with an old answer.
      auto* const opened = std::get_if<coherence::Opened>(&reply.outcome.answer);
      if (opened != nullptr) table_.refresh(key, reply.opened, *opened);
    }
    // emit_now puts what still cannot leave at the end; keep the order by taking the rest out.
    std::deque<coherence::Outbox> rest = std::move(at->second.waiting);
    at->second.waiting.clear();
    emit_now(key, next);
    auto& waiting = barriers_[key].waiting;
    waiting.insert(waiting.end(), std::make_move_iterator(rest.begin()),
                   std::make_move_iterator(rest.end()));
  }
}

}  // namespace flotilla::pool

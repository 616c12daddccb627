// Claims: given and taken back by an owner, held and returned by a holder.
#include "pool/owner/claims.hpp"

#include <algorithm>
#include <utility>

#include "coherence/state.hpp"
#include "pool/owner/machine.hpp"

namespace flotilla::pool {

namespace {
constexpr std::size_t kContendedMax = 4096;
/// Idle claims that go back in one step, and how many are looked at to find one without an open.
constexpr int kReturnsPerStep = 64;
constexpr int kEvictionLooks = 16;

/// Nothing is under way with anybody, and all of it is `holder`'s.
bool quiet(const coherence::FileState& file, NodeId holder) {
  if (!file.waiters.empty() || !file.held.empty() || file.unlinking || file.renaming != OpenId{}) {
    return false;
  }
  // What outlives its client is the owner's, whose backups keep copies of it.
  if (!file.kept.empty()) return false;
  // Node ids are the upper bits of open ids, but nothing here depends on it.
  const bool all_its_own = std::all_of(file.opens.begin(), file.opens.end(), [&](const auto& it) {
    return it.second.node == holder && it.second.answered;
  });
  return all_its_own &&
         std::none_of(file.caches.begin(), file.caches.end(),
                      [](const auto& it) { return it.second.breaking; }) &&
         std::all_of(file.nodes.begin(), file.nodes.end(), [&](const auto& it) {
           return it.first == holder && it.second.known >= it.second.sent;
         });
}

bool used_by_others(const coherence::FileState& file, NodeId node) {
  // Open ids start with their node: were there others', the first or the last would be one.
  return !file.opens.empty() &&
         (file.opens.begin()->second.node != node || file.opens.rbegin()->second.node != node);
}

bool asks_to_be_kept(const coherence::Body& body) {
  if (const auto* open = std::get_if<coherence::Open>(&body)) {
    return open->durability != coherence::Durability{};
  }
  return std::holds_alternative<coherence::UpdateKept>(body);
}

bool may_lead_to_a_claim(const coherence::Body& body) {
  return std::holds_alternative<coherence::Open>(body) ||
         std::holds_alternative<coherence::Close>(body) ||
         std::holds_alternative<coherence::Lock>(body);
}
}  // namespace

Contention::Use* Contention::find(const FileKey& key) {
  const auto young = young_.find(key);
  if (young != young_.end()) return &young->second;
  const auto old = old_.find(key);
  if (old == old_.end()) return nullptr;
  const Use use = old->second;
  old_.erase(old);
  return &young_.emplace(key, use).first->second;
}

void Contention::mark(const FileKey& key, NodeId node, MonoTime now) {
  if (young_.size() >= kContendedMax) {
    old_ = std::move(young_);
    young_.clear();
  }
  Use* use = find(key);
  if (use == nullptr) use = &young_[key];
  *use = Use{node, now, 0};
}

bool Contention::alone(const FileKey& key, NodeId node, MonoTime now, const ClaimOptions& how) {
  if (young_.empty() && old_.empty()) return true;
  Use* use = find(key);
  if (use == nullptr) return true;
  if (use->node != node) {
    *use = Use{node, now, 0};
    return false;
  }
  ++use->count;
  if (use->count < how.alone_commands || now - use->since < how.alone) return false;
  young_.erase(key);
  return true;
}

void Contention::clear() {
  young_.clear();
  old_.clear();
}

// ---- the owner's side

bool OwnerMachine::given_away(NodeId from, CommandMessage& command) {
  if (given_.empty()) return false;
  const auto at = given_.find(command.key);
  if (at == given_.end()) return false;
  GivenClaim& given = at->second;
  if (from == given.holder && !given.recalled) {
    send(from, BounceMessage{command.key, command.request, std::move(command.body)});
    return true;
  }
  if (!given.recalled) {
    given.recalled = true;
    ++counters_.claims_recalled;
    send(given.holder, RecallMessage{command.key, given.serial});
  }
  given.waiting.push_back({life_of(from), std::move(command)});
  return true;
}

bool OwnerMachine::alone_with(NodeId from, const FileKey& key, const coherence::Body& body) {
  if (claims_.contains(key)) return false;  // this node decides, but the file is another's
  const coherence::FileState* file = table_.inspect(key);
  if (file != nullptr && used_by_others(*file, from)) {
    contention_.mark(key, from, now_);
    return false;
  }
  return contention_.alone(key, from, now_, claim_options_) && may_lead_to_a_claim(body);
}

void OwnerMachine::consider_claim(NodeId holder, const FileKey& key) {
  if (holder == self_ || claim_options_.claims_max == 0 || barriers_.contains(key)) return;
  const coherence::FileState* file = table_.inspect(key);
  if (file == nullptr || !quiet(*file, holder)) return;
  ++counters_.claims_granted;
  ClaimMessage claim{key, next_serial_++, table_.take(key, now_)};
  GivenClaim& given = given_[key];
  given.holder = holder;
  given.serial = claim.serial;
  send(holder, std::move(claim));
}

void OwnerMachine::receive_body(NodeId from, ClaimReturnMessage& message) {
  const auto at = given_.find(message.key);
  if (at == given_.end() || at->second.holder != from || at->second.serial != message.serial) {
    return;
  }
  GivenClaim given = std::move(at->second);
  given_.erase(at);
  table_.put(message.key, std::move(message.file), now_);
  take_up(message.key, given);
}

void OwnerMachine::take_up(const FileKey& key, GivenClaim& given) {
  if (given.recalled) contention_.mark(key, NodeId{}, now_);
  for (Parked& it : given.waiting) {
    if (life_of(it.from.node) == it.from) decide(it.from.node, it.command);
  }
}

void OwnerMachine::receive_body(NodeId from, DoomMessage& message) {
  const auto at = given_.find(message.key);
  if (at == given_.end() || at->second.holder != from || at->second.serial != message.serial) {
    return;
  }
  at->second.doomed = message.doomed;
  at->second.doomed_open = message.open;
  at->second.doomed_path = std::move(message.path);
}

/// The holder's plain opens go with it; what it had doomed is deleted by this node.
void OwnerMachine::holder_gone(NodeId node) {
  std::vector<FileKey> keys;
  for (const auto& [key, given] : given_) {
    if (given.holder == node) keys.push_back(key);
  }
  std::sort(keys.begin(), keys.end());
  for (const FileKey& key : keys) {
    const auto at = given_.find(key);
    if (at == given_.end()) continue;
    GivenClaim given = std::move(at->second);
    given_.erase(at);
    if (given.doomed) {
      coherence::AssertOpen last;
      last.open.open = given.doomed_open;
      last.open.path = std::move(given.doomed_path);
      last.open.share = coherence::kShareRead | coherence::kShareWrite | coherence::kShareDelete;
      last.delete_pending = true;
      apply(self_, key, RequestId{}, std::move(last));
      apply(self_, key, kOwnRequest, coherence::Close{given.doomed_open});
    }
    take_up(key, given);
  }
}

// ---- the holder's side

void OwnerMachine::receive_body(NodeId, ClaimMessage& message) {
  const auto [at, is_new] = claims_.try_emplace(message.key);
  HeldClaim& claim = at->second;
  if (is_new) claim.by_use = claims_by_use_.insert(claims_by_use_.begin(), message.key);
  claim.serial = message.serial;
  claim.used = now_;
  claim.recalled = false;
  claim.may_doom = message.file.state.delete_pending;
  table_.put(message.key, std::move(message.file), now_);
  tell_doom(message.key);
  if (claims_.size() > claim_options_.claims_max) evict_claim();
}

void OwnerMachine::receive_body(NodeId, RecallMessage& message) {
  const auto at = claims_.find(message.key);
  if (at == claims_.end() || at->second.serial != message.serial) return;
  at->second.recalled = true;
  return_claim(message.key);
}

void OwnerMachine::receive_body(NodeId, BounceMessage& message) {
  if (!askable(message.body)) return;
  if (message.request != RequestId{}) {
    const auto at = inflight_.find(message.request);
    if (at == inflight_.end() || at->second.key != message.key) return;
    if (at->second.cancelled) {
      // Its Cancel may have been decided already, and found nothing.
      coherence::Outcome outcome{NtStatus::Cancelled, {}};
      holder_.end(at->second, outcome);
      inflight_.erase(at);
      answered(message.key);
      effect(message.key, DeliverReply{message.request, std::move(outcome)});
      return;
    }
  }
  route(message.key, message.request, std::move(message.body));
}

HeldClaim* OwnerMachine::held_claim(const FileKey& key) {
  if (claims_.empty()) return nullptr;
  const auto at = claims_.find(key);
  if (at == claims_.end()) return nullptr;
  at->second.used = now_;
  claims_by_use_.splice(claims_by_use_.begin(), claims_by_use_, at->second.by_use);
  return &at->second;
}

void OwnerMachine::decide_claimed(HeldClaim& claim, CommandMessage& command) {
  const FileKey key = command.key;
  if (asks_to_be_kept(command.body)) {
    claim.waiting.push_back(std::move(command));
    return return_claim(key);
  }
  const auto* open = std::get_if<coherence::Open>(&command.body);
  claim.may_doom = claim.may_doom || (open != nullptr && open->delete_on_close) ||
                   std::holds_alternative<coherence::SetDeletePending>(command.body);
  const bool may_doom = claim.may_doom;
  apply(self_, key, command.request, std::move(command.body));
  if (may_doom) tell_doom(key);
}

void OwnerMachine::return_claim(const FileKey& key) {
  const auto at = claims_.find(key);
  if (at == claims_.end()) return;
  // Answers that wait until this node's own clients have heard something: soon.
  if (barriers_.contains(key)) {
    at->second.recalled = true;
    return;
  }
  ClaimReturnMessage back{key, at->second.serial, table_.take(key, now_)};
  const NodeId owner = log_.owner(key).id.node;
  std::vector<CommandMessage> waiting = std::move(at->second.waiting);
  claims_by_use_.erase(at->second.by_use);
  claims_.erase(at);
  ++counters_.claims_returned;
  send(owner, std::move(back));
  for (CommandMessage& command : waiting) send(owner, std::move(command));
}

void OwnerMachine::evict_claim() {
  auto at = claims_by_use_.end();
  for (int looks = 0; looks < kEvictionLooks && at != claims_by_use_.begin(); ++looks) {
    --at;
    if (claims_.at(*at).recalled || table_.inspect(*at) != nullptr) continue;
    return return_claim(FileKey{*at});
  }
  return_claim(FileKey{claims_by_use_.back()});
}

void OwnerMachine::return_idle_claims() {
  for (int n = 0; n < kReturnsPerStep && !claims_by_use_.empty(); ++n) {
    const FileKey oldest = claims_by_use_.back();
    HeldClaim& claim = claims_.at(oldest);
    if (now_ - claim.used < claim_options_.idle) return;
    if (claim.recalled || table_.inspect(oldest) != nullptr) {
      claim.used = now_;
      claims_by_use_.splice(claims_by_use_.begin(), claims_by_use_, claim.by_use);
    } else {
      return_claim(oldest);
    }
  }
}

void OwnerMachine::tell_doom(const FileKey& key) {
  const auto at = claims_.find(key);
  if (at == claims_.end()) return;
  HeldClaim& claim = at->second;
  DoomMessage told{key, claim.serial, false, {}, {}};
  if (const coherence::FileState* file = table_.inspect(key)) {
    told.doomed = file->delete_pending;
    if (file->unlinking) told.open = file->unlink_open;
    for (const auto& [id, open] : file->opens) {
      if (told.open == OpenId{}) told.open = id;
      told.doomed = told.doomed || open.delete_on_close;
    }
    if (told.doomed) told.path = file->path;
  }
  if (told.doomed == claim.doom_told && told.path == claim.doomed_path) return;
  claim.doom_told = told.doomed;
  claim.doomed_path = told.path;
  send(log_.owner(key).id.node, std::move(told));
}

/// Views come and go: what does not go on with its owner is asserted, and decided elsewhere.
void OwnerMachine::drop_claims_that_moved() {
  std::vector<FileKey> moved;
  for (const auto& [key, claim] : claims_) {
    if (!log_.continuous(key)) moved.push_back(key);
  }
  for (const FileKey& key : moved) {
    const auto at = claims_.find(key);
    claims_by_use_.erase(at->second.by_use);
    claims_.erase(at);
  }
  std::erase_if(given_, [&](const auto& it) {
    return log_.owner(it.first).id.node != self_ || !log_.continuous(it.first);
  });
}

}  // namespace flotilla::pool

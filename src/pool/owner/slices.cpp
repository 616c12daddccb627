// Work about many files, after a view change or the end of a node, in slices: between two of them
// the machine decides about whatever has come meanwhile. docs/pool.md, "Recovery".
#include <algorithm>
#include <utility>

#include "coherence/state.hpp"
#include "coherence/turn.hpp"
#include "pool/owner/machine.hpp"

namespace flotilla::pool {

namespace {
bool concerns(const coherence::FileState& file, NodeId node) {
  const auto is_its = [node](const auto& it) { return it.second.node == node; };
  return std::any_of(file.opens.begin(), file.opens.end(), is_its) || file.nodes.contains(node) ||
         (file.unlinking && file.unlink_node == node) ||
         std::any_of(file.waiters.begin(), file.waiters.end(),
                     [node](const auto& it) { return it.from == node; }) ||
         std::any_of(file.held.begin(), file.held.end(),
                     [node](const auto& it) { return it.to == node; }) ||
         std::any_of(file.kept.begin(), file.kept.end(),
                     [node](const auto& it) { return it.second.last_node == node; });
}
}  // namespace

/// A lost node still counts here: what it has is detached soon, and its clients may come back to
/// it. Whoever did not answer a break because of that is not late.
bool OwnerMachine::waits_for_the_lost(const FileKey& key) const {
  if (going_.empty() && ending_.empty()) return false;
  const coherence::FileState* file = table_.inspect(key);
  if (file == nullptr) return false;
  return std::ranges::any_of(going_, [&](const auto& it) { return concerns(*file, it.first); }) ||
         std::ranges::any_of(ending_, [&](const auto& it) { return concerns(*file, it.node); });
}

bool OwnerMachine::has_work() const noexcept {
  return sweeping_.active || asserting_.active || handing_over_.active || refreshing_.active ||
         !ending_.empty() || (serving_moved_ && !frozen_);
}

void OwnerMachine::on(Work&) {
  if (!serving()) return;
  // In this order: a copy that is made of what moved away is handed over with the others.
  if (sweeping_.active) return sweep();
  if (asserting_.active) return assert_held();
  if (handing_over_.active) return hand_over_copies();
  if (!ending_.empty()) return end_lost();
  if (refreshing_.active) return refresh_all_copies();
  if (serving_moved_ && !frozen_) serve_moved();
}

void OwnerMachine::sweep() {
  for (const FileKey& key : table_.files_after(sweeping_.after, slice_)) {
    sweeping_.after = key;
    if (claims_.contains(key) || asserted_.contains(key)) continue;
    if (log_.owner(key).id.node != self_ || !log_.continuous(key)) forget_moved(key);
  }
  if (!table_.files_after(sweeping_.after, 1).empty()) return;
  sweeping_.active = false;
  tell_assert_done();
  recover_when_complete();
}

void OwnerMachine::assert_held() {
  const auto& files = holder_.files();
  auto at = asserting_.after ? files.upper_bound(*asserting_.after) : files.begin();
  for (std::size_t n = 0; n < slice_ && at != files.end(); ++n) {
    const FileKey key = at->first;
    asserting_.after = key;
    ++at;
    if (log_.continuous(key)) continue;
    effect(key, DeliverUnsettled{});
    const NodeId owner = log_.owner(key).id.node;
    for (AssertMessage& message : holder_.assertions(key)) send(owner, std::move(message));
    holder_.settle(key);
    for (const OpenId open : holder_.take_detached(key)) {
      effect(key, DeliverRevoke{open, coherence::RevokeReason::Moved, {}});
    }
  }
  if (at != files.end()) return;
  asserting_.active = false;
  tell_assert_done();
}

/// Of files whose owner is another now, or begins anew.
void OwnerMachine::hand_over_copies() {
  const auto& files = copies_.files();
  auto at = handing_over_.after ? files.upper_bound(*handing_over_.after) : files.begin();
  for (std::size_t n = 0; n < slice_ && at != files.end(); ++n, ++at) {
    handing_over_.after = at->first;
    if (log_.continuous(at->first)) continue;
    send(log_.owner(at->first).id.node, HandOverMessage{at->second});
  }
  if (at != files.end()) return;
  handing_over_.active = false;
  tell_assert_done();
}

void OwnerMachine::refresh_all_copies() {
  auto at = refreshing_.after ? keepers_.upper_bound(*refreshing_.after) : keepers_.begin();
  std::vector<FileKey> keys;
  for (; at != keepers_.end() && keys.size() < slice_; ++at) keys.push_back(at->first);
  const bool last = at == keepers_.end();
  for (const FileKey& key : keys) {
    refreshing_.after = key;
    // Of what moved here, those who hand a copy over are the keepers.
    if (log_.owner(key).id.node != self_ || !log_.continuous(key)) {
      keepers_.erase(key);
    } else {
      refresh_copies(key);
    }
  }
  if (last) refreshing_.active = false;
}

void OwnerMachine::gone(NodeId node) {
  ending_.push_back({node, {}});
  ending_.back().walk.begin();
}

void OwnerMachine::end_lost() {
  Ending& ending = ending_.front();
  const NodeId node = ending.node;
  const std::vector<FileKey> keys = table_.files_after(ending.walk.after, slice_);
  for (const FileKey& key : keys) {
    ending.walk.after = key;
    const coherence::FileState* file = table_.inspect(key);
    if (file == nullptr || !decides(key) || !concerns(*file, node)) continue;
    apply(self_, key, kOwnRequest, coherence::NodeGone{node});
  }
  if (keys.size() == slice_) return;
  holder_gone(node);
  std::vector<FileKey> freed;
  for (auto& [key, barrier] : barriers_) {
    for (coherence::Outbox& effects : barrier.waiting) {
      std::erase_if(effects.pendings, [node](const auto& it) { return it.to == node; });
      std::erase_if(effects.replies, [node](const auto& it) { return it.to == node; });
    }
    if (std::erase_if(barrier.tokens, [&](const auto& it) {
          return it.second.node == node && it.second.keeper == MemberId{};
        }) > 0) {
      freed.push_back(key);
    }
  }
  std::sort(freed.begin(), freed.end());
  for (const FileKey& key : freed) release(key);
  ending_.pop_front();
  unpark();
}

/// Everybody is through: what was asserted and handed over here is told to its holders, and when
/// that is all of it this node decides.
void OwnerMachine::serve_moved() {
  for (std::size_t n = 0; n < slice_ && !asserted_.empty(); ++n) {
    const FileKey key = *asserted_.begin();
    restore_handed(key);
    asserted_.erase(asserted_.begin());
    if (auto kept = table_.kept(key)) {
      give_copies(std::move(*kept));
    } else if (keepers_.contains(key)) {
      give_copies(coherence::KeptFile{key, 0, {}, false, {}});
    }
    const coherence::FileState* file = table_.inspect(key);
    if (file == nullptr) continue;
    const coherence::Restrictions known = coherence::restrictions_of(*file);
    std::set<NodeId> holders;
    for (const auto& [open, state] : file->opens) holders.insert(state.node);
    for (const NodeId node : holders) send(node, RestrictMessage{key, known});
    if (file->delete_pending) tell_facts(key, NodeId{});
    apply(self_, key, RequestId{}, coherence::AllAsserted{});
  }
  if (asserted_.empty()) recovered_now();
}

}  // namespace flotilla::pool

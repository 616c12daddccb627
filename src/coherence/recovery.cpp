#include "coherence/recovery.hpp"

#include <algorithm>

#include "coherence/caching.hpp"
#include "coherence/deletion.hpp"
#include "coherence/locks.hpp"
#include "coherence/share.hpp"

namespace flotilla::coherence {
namespace {

bool conflicts(const FileState& file, const AssertOpen& asserted) {
  const Open& open = asserted.open;
  for (const auto& [id, other] : file.opens) {
    if (share_conflict(other.access, other.share, open.access, open.share)) return true;
    const bool writes_cached = (asserted.held & kCacheWrite) != 0;
    if (writes_cached && (other.access & kSharedAccess) != 0 &&
        !(other.cached && same_lease(open, other.cache))) {
      return true;
    }
  }
  for (const auto& [id, cache] : file.caches) {
    if (same_lease(open, id)) continue;
    const bool both = cache.rights != 0 && asserted.held != 0;
    if (both && ((cache.rights | asserted.held) & kCacheWrite) != 0) return true;
    if ((cache.rights & kCacheWrite) != 0 && (open.access & kSharedAccess) != 0) return true;
  }
  for (const LockRange& range : asserted.locks) {
    for (const HeldLock& held : file.locks) {
      if (lock_conflict(held, open.open, range) &&
          lock_conflict({open.open, range}, held.open, held.range)) {
        return true;
      }
    }
  }
  return false;
}

void take_in_cache(Turn& turn, const AssertOpen& asserted) {
  const Open& open = asserted.open;
  const bool lease = open.cache.kind == CacheKind::Lease;
  CacheRights held = valid_rights(asserted.held);
  if (!lease && (held & kCacheWrite) == 0) held = held & kCacheRead;
  if (!asks_caching(open) || (!lease && held == 0)) return;
  const CacheId id =
      lease ? lease_id(open.client, open.cache.key) : CacheId{open.open, ClientGuid{}, LeaseKey{}};
  const auto [it, is_new] = turn.file.caches.try_emplace(id);
  Cache& cache = it->second;
  cache.kind = open.cache.kind;
  cache.version = lease ? open.cache.version : std::uint8_t{0};
  cache.has_parent = lease && open.cache.has_parent;
  if (cache.has_parent) cache.parent_key = open.cache.parent_key;
  // Holders of one lease that heard different things: the least any of them heard is true.
  cache.rights = is_new ? held : static_cast<CacheRights>(cache.rights & held);
  // A break that is under way meanwhile may have nothing left to take.
  cache.offered = static_cast<CacheRights>(cache.offered & cache.rights);
  cache.required = static_cast<CacheRights>(cache.required & cache.rights);
  if (cache.offered == cache.rights) cache.breaking = false;
  if (!cache.breaking) cache.offered = cache.required = 0;
  turn.look_again = true;
  cache.epoch = std::max(cache.epoch, asserted.lease_epoch);
  cache.opens.insert(std::lower_bound(cache.opens.begin(), cache.opens.end(), open.open),
                     open.open);
  OpenState& state = turn.file.opens.at(open.open);
  state.cached = true;
  state.cache = id;
  turn.cachers_changed = true;
}

/// Opens went without a Close: who told us removes a delete-pending name, if anybody can be asked.
Closed lost_opens(Turn& turn, NodeId told_by, OpenId last, bool answer_wanted) {
  turn.look_again = true;
  if (answer_wanted) return after_close(turn, told_by, last);
  if (turn.file.opens.empty()) turn.file.delete_pending = false;
  return {};
}

void revoke(Turn& turn, OpenId open, RevokeReason reason) {
  const auto it = turn.file.opens.find(open);
  if (it == turn.file.opens.end()) return;
  const NodeId node = it->second.node;
  turn.out.revocations.push_back({node, open, reason});
  const auto at = std::lower_bound(turn.fenced.begin(), turn.fenced.end(), node);
  if (at == turn.fenced.end() || *at != node) turn.fenced.insert(at, node);
  (void)remove_open(turn, open);
}

}  // namespace

Outcome assert_open(Turn& turn, NodeId from, const AssertOpen& asserted) {
  FileState& file = turn.file;
  const Open& open = asserted.open;
  if (open.open.raw() == 0) return {NtStatus::InvalidParameter, {}};
  const auto known = file.opens.find(open.open);
  if (known == file.opens.end()) {
    if (file.unlinking || file.opens.size() >= turn.limits.opens_per_file_max ||
        file.locks.size() + asserted.locks.size() > turn.limits.locks_per_file_max ||
        conflicts(file, asserted)) {
      turn.out.revocations.push_back({from, open.open, RevokeReason::ViewLost});
      return {NtStatus::SharingViolation, {}};
    }
    OpenState state;
    state.node = from;
    state.client = open.client;
    state.session = open.session;
    state.access = open.access;
    state.share = open.share;
    state.directory = open.directory;
    state.delete_on_close = open.delete_on_close;
    state.answered = true;
    if (file.path.empty()) file.path = open.path;
    file.opens.emplace(open.open, state);
    file.nodes.try_emplace(from);
    take_in_cache(turn, asserted);
    for (const LockRange& range : asserted.locks) file.locks.push_back({open.open, range});
    turn.locks_changed = turn.locks_changed || !asserted.locks.empty();
    file.delete_pending = file.delete_pending || asserted.delete_pending;
  } else if (known->second.node != from) {
    return {NtStatus::InvalidParameter, {}};
  }
  Opened opened;
  const OpenState& state = file.opens.at(open.open);
  if (state.cached) {
    const Cache& cache = file.caches.at(state.cache);
    opened.kind = cache.kind;
    opened.rights = cache.rights;
    opened.lease_epoch = cache.version == 2 ? cache.epoch : std::uint16_t{0};
    opened.lease_version = cache.version;
  }
  opened.restrictions = restrictions_of(file);
  return {NtStatus::Success, std::move(opened)};
}

Closed node_gone(Turn& turn, NodeId node, NodeId told_by, bool answer_wanted) {
  FileState& file = turn.file;
  std::erase_if(file.waiters, [&](const Waiter& waiter) { return waiter.from == node; });
  std::erase_if(file.held, [&](const HeldReply& reply) { return reply.to == node; });
  std::vector<OpenId> gone;
  for (const auto& [id, open] : file.opens) {
    if (open.node == node) gone.push_back(id);
  }
  const bool was_unlinking = file.unlinking && file.unlink_node == node;
  if (was_unlinking && gone.empty()) gone.push_back(file.unlink_open);
  for (const OpenId open : gone) (void)remove_open(turn, open);
  confirm_gone(turn, node);
  if (was_unlinking) file.unlinking = false;
  return gone.empty() ? Closed{} : lost_opens(turn, told_by, gone.back(), answer_wanted);
}

Closed expire_breaks(Turn& turn, NodeId told_by, bool answer_wanted) {
  std::vector<CacheId> late;
  for (const auto& [id, cache] : turn.file.caches) {
    if (cache.breaking && cache.deadline <= turn.now) late.push_back(id);
  }
  const auto& waiters = turn.file.waiters;
  const bool wanted = std::any_of(waiters.begin(), waiters.end(), [](const Waiter& waiter) {
    return !std::holds_alternative<Lock>(waiter.what);
  });
  OpenId last;
  for (const CacheId& id : late) {
    const auto it = turn.file.caches.find(id);
    if (it == turn.file.caches.end()) continue;
    Cache& cache = it->second;
    if (wanted || (cache.rights & kCacheWrite) != 0) {
      const std::vector<OpenId> opens = cache.opens;
      for (const OpenId open : opens) revoke(turn, open, RevokeReason::BreakTimedOut);
      last = opens.back();
      continue;
    }
    cache.rights = cache.required;
    cache.breaking = false;
    cache.offered = cache.required = 0;
    turn.cachers_changed = turn.look_again = true;
  }
  if (last.raw() == 0) return {};
  // A holder that was slow once may come back at once: who waited for it gets nothing to break.
  for (Waiter& waiter : turn.file.waiters) {
    if (auto* const open = std::get_if<Open>(&waiter.what)) {
      open->cache.rights = open->cache.rights & kCacheRead;
    }
  }
  return lost_opens(turn, told_by, last, answer_wanted);
}

}  // namespace flotilla::coherence

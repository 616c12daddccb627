// Opening, closing and waiting.
#include <algorithm>

#include "coherence/caching.hpp"
#include "coherence/deletion.hpp"
#include "coherence/kept.hpp"
#include "coherence/locks.hpp"
#include "coherence/share.hpp"
#include "coherence/turn.hpp"

namespace flotilla::coherence {
namespace {

/// An open that denies_delete is in the way of who wants to delete.
bool deletion_denied(const FileState& file, const Open& open) {
  if ((open.access & kDelete) == 0) return false;
  return std::any_of(file.opens.begin(), file.opens.end(),
                     [](const auto& entry) { return entry.second.denies_delete; });
}

CacheId own_cache(const Open& open) {
  return asks_lease(open) ? lease_id(open.client, open.cache.key) : CacheId{open.open, {}, {}};
}

/// Takes write caching from the others, and all caching where the open overwrites. True where the
/// open must wait: somebody may still hold written data back, or a break that it has already waited
/// for goes on by another step.
/// Spec  [MS-FSA] 2.1.4.12; 2.1.5.1.2 Open of an Existing File
bool break_for_open(Turn& turn, const Open& open, bool again) {
  const bool stat = is_stat_access(open.access) && !open.overwrites;
  if (stat) return false;
  const bool lease_stat = is_lease_stat_access(open.access) && !open.overwrites;
  const CacheRights keep =
      open.overwrites ? CacheRights{0} : static_cast<CacheRights>(kCacheRead | kCacheHandle);
  std::vector<CacheId> others;
  for (const auto& [id, cache] : turn.file.caches) {
    if (same_lease(open, id)) continue;
    if (lease_stat && cache.kind == CacheKind::Lease) continue;
    if ((cache.rights & ~keep) != 0 || cache.breaking) others.push_back(id);
  }
  bool waits = false;
  for (const CacheId& id : others) {
    take_back(turn, id, keep);
    const auto it = turn.file.caches.find(id);
    if (it == turn.file.caches.end()) continue;
    if ((it->second.rights & kCacheWrite) != 0 || (again && it->second.breaking)) waits = true;
  }
  return waits;
}

bool known_open(const FileState& file, OpenId open) {
  if (file.opens.contains(open)) return true;
  return std::any_of(file.waiters.begin(), file.waiters.end(), [&](const Waiter& waiter) {
    const auto* const other = std::get_if<Open>(&waiter.what);
    return other != nullptr && other->open == open;
  });
}

Verdict retry(Turn& turn, const Waiter& waiter) {
  if (const auto* const open = std::get_if<Open>(&waiter.what)) {
    return try_open(turn, waiter.from, waiter.request, *open, true);
  }
  if (const auto* const lock = std::get_if<Lock>(&waiter.what)) {
    return try_lock(turn, waiter.from, waiter.request, *lock);
  }
  if (const auto* const rename = std::get_if<BeginRename>(&waiter.what)) {
    return try_rename(turn, waiter.from, waiter.request, *rename);
  }
  if (const auto* const renamed = std::get_if<Renamed>(&waiter.what)) {
    return take_name(turn, waiter.from, waiter.request, *renamed);
  }
  return try_delete(turn, waiter.from, waiter.request, std::get<SetDeletePending>(waiter.what));
}

OpenId open_of(const Waiter& waiter) {
  if (const auto* const lock = std::get_if<Lock>(&waiter.what)) return lock->open;
  if (const auto* const rename = std::get_if<BeginRename>(&waiter.what)) return rename->open;
  if (const auto* const del = std::get_if<SetDeletePending>(&waiter.what)) return del->open;
  if (const auto* const renamed = std::get_if<Renamed>(&waiter.what)) return renamed->open;
  return OpenId{};
}

}  // namespace

Verdict try_open(Turn& turn, NodeId from, RequestId request, const Open& open, bool again) {
  FileState& file = turn.file;
  if (open.open.raw() == 0 || file.opens.contains(open.open) ||
      (!again && known_open(file, open.open))) {
    return {false, NtStatus::InvalidParameter};
  }
  // Who has waited for the open that took the file with it comes after the deletion.
  if (file.unlinking && again) return {true, NtStatus::Success};
  if (file.delete_pending || file.unlinking) return {false, NtStatus::DeletePending};
  if (awaits_persistent(file)) return {false, NtStatus::FileNotAvailable};
  if (file.opens.size() >= turn.limits.opens_per_file_max) {
    return {false, NtStatus::InsufficientResources};
  }
  if (share_conflict(file.shares, open.access, open.share) || deletion_denied(file, open)) {
    if (break_handles(turn, own_cache(open))) return {true, NtStatus::Success};
    // Those whose client is away may have gone at once.
    if (share_conflict(file.shares, open.access, open.share) || deletion_denied(file, open))
      return {false, NtStatus::SharingViolation};
  }
  if (break_for_open(turn, open, again)) return {true, NtStatus::Success};
  OpenState state;
  state.node = from;
  state.client = open.client;
  state.session = open.session;
  state.access = open.access;
  state.share = open.share;
  state.directory = open.directory;
  state.delete_on_close = open.delete_on_close;
  state.denies_delete = open.denies_delete;
  if (file.path.empty() || open.created) file.path = open.path;
  file.opens.emplace(open.open, state);
  count_share(file.shares, open.access, open.share, 1);
  grant_cache(turn, open);
  take_in_durability(turn, open.open, open.durability, {});
  turn.reply_opened(from, request, open.open);
  if (file.path != open.path) {
    Opened named;
    named.path = file.path;
    turn.answers.back().outcome.answer = std::move(named);
  }
  return {};
}

bool remove_open(Turn& turn, OpenId open) {
  FileState& file = turn.file;
  const auto it = file.opens.find(open);
  if (it == file.opens.end()) return false;
  turn.locks_changed = turn.locks_changed || !it->second.locks.empty();
  drop_locks(file, open);
  const OpenState state = it->second;
  leave_cache(turn, open, state);
  count_acting(file, state, -1);
  file.opens.erase(open);
  count_share(file.shares, state.access, state.share, -1);
  file.kept.erase(open);
  turn.look_again = true;
  drop_waits(turn, open);
  const auto drop = [&](const HeldReply& reply) {
    if (reply.open != open) return false;
    turn.reply(reply.to, reply.request, {NtStatus::FileClosed, {}});
    return true;
  };
  std::erase_if(file.held, drop);
  std::erase_if(turn.answers, drop);
  if (state.delete_on_close) (void)break_handles(turn, state.cached ? state.cache : CacheId{});
  if (state.delete_on_close) file.delete_pending = true;
  return true;
}

/// What waits through the open has nothing to wait for: [MS-SMB2] 3.3.5.14.2 for its locks.
void drop_waits(Turn& turn, OpenId open) {
  std::erase_if(turn.file.waiters, [&](const Waiter& waiter) {
    if (open_of(waiter) != open) return false;
    const bool lock = std::holds_alternative<Lock>(waiter.what);
    turn.reply(waiter.from, waiter.request,
               {lock ? NtStatus::RangeNotLocked : NtStatus::FileClosed, {}});
    return true;
  });
}

void resume_waiters(Turn& turn) {
  // Each round removes a waiter or ends: a grant may only add conflicts, a refusal none.
  while (turn.look_again) {
    turn.look_again = false;
    for (std::size_t i = 0; i < turn.file.waiters.size();) {
      const Waiter waiter = turn.file.waiters[i];
      const Verdict verdict = retry(turn, waiter);
      if (verdict.waits) {
        ++i;
        continue;
      }
      turn.file.waiters.erase(turn.file.waiters.begin() + static_cast<std::ptrdiff_t>(i));
      if (verdict.status != NtStatus::Success) {
        turn.reply(waiter.from, waiter.request, {verdict.status, {}});
      }
    }
  }
}

}  // namespace flotilla::coherence

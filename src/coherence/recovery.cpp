#include "coherence/recovery.hpp"

#include <algorithm>
#include <utility>

#include "coherence/caching.hpp"
#include "coherence/deletion.hpp"
#include "coherence/kept.hpp"
#include "coherence/locks.hpp"
#include "coherence/path_names.hpp"
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
    const HeldLock mine{open.open, range};
    if (file.locks.any_near(range, [&](const HeldLock& held) {
          return lock_conflict(held, open.open, range) &&
                 lock_conflict(mine, held.open, held.range);
        })) {
      return true;
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
  // A copy was made in the middle of something; what a living holder says is what its client has.
  const bool copy = turn.file.opens.at(open.open).node.raw() == 0;
  if (is_new || !copy) {
    const CacheRights told = asserted.breaking ? asserted.breaking_to : held;
    // Holders of one lease that heard different things: the least any of them heard is true.
    const CacheRights before = is_new ? held : cache.rights;
    const CacheRights left = cache.breaking ? cache.offered : before;
    cache.rights = static_cast<CacheRights>(before & held);
    cache.offered = reduced(cache.kind, cache.rights, static_cast<CacheRights>(left & told));
    cache.breaking = cache.offered != cache.rights;
    if (!cache.breaking) {
      cache.offered = 0;
      cache.untold = false;
    }
    cache.required = cache.offered;
    if (asserted.breaking) cache.told = turn.file.opens.at(open.open).node;
    cache.deadline = turn.now + turn.limits.break_timeout;
    cache.doubtful = cache.doubtful || (asserted.breaking && (held & kCacheWrite) == 0);
  }
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

/// Whether there is room for one more open of the file, and nothing stands against it.
bool fits(const Turn& turn, const AssertOpen& asserted) {
  const FileState& file = turn.file;
  return !file.unlinking && file.opens.size() < turn.limits.opens_per_file_max &&
         file.locks.size() + asserted.locks.size() <= turn.limits.locks_per_file_max &&
         !conflicts(file, asserted);
}

/// A holder that only waits for the answer to its Close was not told of a rename since: all names
/// that are asserted count, and only one of them leads to the file.
void learn_path(FileState& file, const std::string& path) {
  std::vector<std::string_view> names = names_of(file.path);
  for (const std::string_view name : names_of(path)) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
  file.path = path_of(names);
}

/// Makes the open as it was, of `node` (zero: detached).
void take_in(Turn& turn, NodeId node, const AssertOpen& asserted) {
  FileState& file = turn.file;
  const Open& open = asserted.open;
  OpenState state;
  state.node = node;
  state.client = open.client;
  state.session = open.session;
  state.access = open.access;
  state.share = open.share;
  state.directory = open.directory;
  state.delete_on_close = open.delete_on_close;
  state.answered = true;
  if (file.path.empty()) file.path = open.path;
  if (node.raw() != 0) learn_path(file, open.path);
  file.opens.emplace(open.open, state);
  count_acting(file, state, 1);
  count_share(file.shares, open.access, open.share, 1);
  if (node.raw() != 0) file.nodes.try_emplace(node);
  take_in_cache(turn, asserted);
  take_in_durability(turn, open.open, open.durability, asserted.sequences);
  for (const LockRange& range : asserted.locks) add_lock(file, open.open, range);
  turn.locks_changed = turn.locks_changed || !asserted.locks.empty();
}

/// A copy of the open came before its holder's word: the copy goes, without consequences.
void forget_copy(Turn& turn, OpenId open) {
  turn.file.opens.at(open).delete_on_close = false;
  (void)remove_open(turn, open);
}

}  // namespace

Outcome assert_open(Turn& turn, NodeId from, const AssertOpen& asserted) {
  FileState& file = turn.file;
  const Open& open = asserted.open;
  if (open.open.raw() == 0) return {NtStatus::InvalidParameter, {}};
  auto known = file.opens.find(open.open);
  if (known != file.opens.end() && is_detached(known->second)) {
    forget_copy(turn, open.open);
    known = file.opens.end();
  }
  if (known == file.opens.end()) {
    if (from.raw() == 0 || !fits(turn, asserted)) {
      turn.out.revocations.push_back({from, open.open, RevokeReason::ViewLost});
      return {NtStatus::SharingViolation, {}};
    }
    take_in(turn, from, asserted);
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

void settle_doubts(Turn& turn) {
  std::vector<CacheId> doubtful;
  for (auto& [id, cache] : turn.file.caches) {
    if (std::exchange(cache.doubtful, false)) doubtful.push_back(id);
  }
  for (const CacheId& id : doubtful) take_back(turn, id, 0);
}

NtStatus restore(Turn& turn, const KeptFile& kept) {
  FileState& file = turn.file;
  if (file.path.empty()) file.path = kept.path;
  for (const KeptOpen& copy : kept.opens) {
    const OpenId id = copy.open.open;
    const DurableKind kind = copy.open.durability.kind;
    if (id.raw() == 0 || file.opens.contains(id) || kind == DurableKind::None) continue;
    AssertOpen asserted;
    asserted.open = copy.open;
    asserted.held = copy.open.cache.rights;
    asserted.lease_epoch = copy.lease_epoch;
    asserted.locks = copy.locks;
    asserted.sequences = copy.sequences;
    asserted.open.path = kept.path;
    if (!fits(turn, asserted)) continue;
    take_in(turn, NodeId{}, asserted);
    file.delete_pending = file.delete_pending || kept.delete_pending;
  }
  return NtStatus::Success;
}

Closed node_gone(Turn& turn, NodeId node, NodeId told_by, bool answer_wanted) {
  FileState& file = turn.file;
  std::erase_if(file.waiters, [&](const Waiter& waiter) { return waiter.from == node; });
  std::erase_if(file.held, [&](const HeldReply& reply) { return reply.to == node; });
  end_rename(turn, node, OpenId{});
  std::vector<OpenId> gone;
  for (const auto& [id, open] : file.opens) {
    if (open.node == node) gone.push_back(id);
  }
  const bool was_unlinking = file.unlinking && file.unlink_node == node;
  const std::vector<CacheId> told = told_through(file, node);
  OpenId last = lose_client(turn, gone, false);
  for (const CacheId& id : told) give_time_again(turn, id);
  for (auto& [id, kept] : file.kept) {
    if (kept.last_node == node) kept.last_node = NodeId{};
  }
  confirm_gone(turn, node);
  if (was_unlinking) {
    last = file.unlink_open;
    file.unlinking = false;
  }
  return last.raw() == 0 ? Closed{} : lost_opens(turn, told_by, last, answer_wanted);
}

Closed expire_breaks(Turn& turn, NodeId told_by, bool answer_wanted) {
  const OpenId away = expire_detached(turn);
  std::vector<CacheId> late;
  for (const auto& [id, cache] : turn.file.caches) {
    if (cache.breaking && cache.deadline <= turn.now) late.push_back(id);
  }
  const auto& waiters = turn.file.waiters;
  const bool wanted = std::any_of(waiters.begin(), waiters.end(), [](const Waiter& waiter) {
    return !std::holds_alternative<Lock>(waiter.what) &&
           !std::holds_alternative<Renamed>(waiter.what);
  });
  OpenId late_open;
  for (const CacheId& id : late) {
    const auto it = turn.file.caches.find(id);
    if (it == turn.file.caches.end()) continue;
    Cache& cache = it->second;
    if (wanted || (cache.rights & kCacheWrite) != 0) {
      const std::vector<OpenId> opens = cache.opens;
      for (const OpenId open : opens) end_open(turn, open, RevokeReason::BreakTimedOut);
      late_open = opens.back();
      continue;
    }
    lapse(turn, id);
  }
  if (late_open.raw() == 0) {
    return away.raw() == 0 ? Closed{} : lost_opens(turn, told_by, away, answer_wanted);
  }
  // A holder that was slow once may come back at once: who waited for it gets nothing to break.
  for (Waiter& waiter : turn.file.waiters) {
    if (auto* const open = std::get_if<Open>(&waiter.what)) {
      open->cache.rights = open->cache.rights & kCacheRead;
    }
  }
  return lost_opens(turn, told_by, away.raw() == 0 ? late_open : away, answer_wanted);
}

}  // namespace flotilla::coherence

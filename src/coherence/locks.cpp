#include "coherence/locks.hpp"

#include "coherence/caching.hpp"
#include "coherence/kept.hpp"

namespace flotilla::coherence {
namespace {

/// [MS-SMB2] 3.3.5.14.1: elements are released one by one; what is released stays so on an error.
NtStatus unlock(Turn& turn, const Lock& lock) {
  LockSet& own = turn.file.opens.at(lock.open).locks;
  for (const LockRange& range : lock.ranges) {
    // A shared lock that lies over an exclusive one of the same range came later.
    HeldLock held{lock.open, {range.offset, range.length_bytes, true}};
    if (!own.erase(held)) {
      held.range.exclusive = false;
      if (!own.erase(held)) return NtStatus::RangeNotLocked;
    }
    (void)turn.file.locks.erase(held);
    turn.locks_changed = true;
    turn.look_again = true;
  }
  return NtStatus::Success;
}

/// [MS-SMB2] 3.3.5.14.2: all elements or none; a later one also minds the earlier ones.
bool take_all(FileState& file, const Lock& lock) {
  const LockSet before = file.locks;
  const LockSet own_before = file.opens.at(lock.open).locks;
  for (const LockRange& range : lock.ranges) {
    if (lock_refused(file, lock.open, range)) {
      file.locks = before;
      file.opens.at(lock.open).locks = own_before;
      return false;
    }
    add_lock(file, lock.open, range);
  }
  return true;
}

}  // namespace

void add_lock(FileState& file, OpenId open, const LockRange& range) {
  file.locks.insert({open, range});
  file.opens.at(open).locks.insert({open, range});
}

void drop_locks(FileState& file, OpenId open) {
  LockSet& own = file.opens.at(open).locks;
  file.locks.erase_all(own);
  own = {};
}

Verdict try_lock(Turn& turn, NodeId from, RequestId request, const Lock& lock) {
  FileState& file = turn.file;
  const auto it = file.opens.find(lock.open);
  if (it == file.opens.end()) return {false, NtStatus::FileClosed};
  if (lock.ranges.empty()) return {false, NtStatus::InvalidParameter};
  if (lock.unlock) {
    const NtStatus status = unlock(turn, lock);
    if (status != NtStatus::Success) return {false, status};
    remember_sequence(file, lock.open, lock.sequence);
    turn.reply_when_known(from, request, {});
    return {};
  }
  // Its client has gone from where it asked, and would not know what it has.
  if (it->second.node != from) return {false, NtStatus::FileClosed};
  if (!lock.fail_immediately && lock.ranges.size() != 1) {
    return {false, NtStatus::InvalidParameter};
  }
  if (file.locks.size() + lock.ranges.size() > turn.limits.locks_per_file_max) {
    return {false, NtStatus::InsufficientResources};
  }
  if (!take_all(file, lock)) {
    if (lock.fail_immediately) return {false, NtStatus::LockNotGranted};
    return {true, NtStatus::Success};
  }
  turn.locks_changed = true;
  remember_sequence(file, lock.open, lock.sequence);
  break_readers(turn, lock.open);
  turn.reply_when_known(from, request, {});
  return {};
}

}  // namespace flotilla::coherence

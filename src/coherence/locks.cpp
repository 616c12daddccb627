#include "coherence/locks.hpp"

#include <algorithm>

#include "coherence/caching.hpp"
#include "coherence/kept.hpp"

namespace flotilla::coherence {
namespace {

/// [MS-SMB2] 3.3.5.14.1: elements are released one by one; what is released stays so on an error.
NtStatus unlock(Turn& turn, const Lock& lock) {
  auto& locks = turn.file.locks;
  for (const LockRange& range : lock.ranges) {
    const auto it = std::find_if(locks.begin(), locks.end(), [&](const HeldLock& held) {
      return held.open == lock.open && held.range.offset == range.offset &&
             held.range.length_bytes == range.length_bytes;
    });
    if (it == locks.end()) return NtStatus::RangeNotLocked;
    locks.erase(it);
    turn.locks_changed = true;
    turn.look_again = true;
  }
  return NtStatus::Success;
}

/// [MS-SMB2] 3.3.5.14.2: all elements or none; a later one also minds the earlier ones.
bool take_all(FileState& file, const Lock& lock) {
  const std::size_t before = file.locks.size();
  for (const LockRange& range : lock.ranges) {
    const bool refused =
        std::any_of(file.locks.begin(), file.locks.end(),
                    [&](const HeldLock& held) { return lock_conflict(held, lock.open, range); });
    if (refused) {
      file.locks.resize(before);
      return false;
    }
    file.locks.push_back({lock.open, range});
  }
  return true;
}

}  // namespace

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

// Byte-range locks. Pure arithmetic here; waiting and answering are in locks.cpp's try_lock.
#pragma once

#include "coherence/turn.hpp"

namespace flotilla::coherence {

/// Whether two ranges touch the same byte, or a zero-length one lies strictly inside the other.
/// A range past the end of 64 bits is cut there.
/// Spec  [MS-FSA] 2.1.4.10 Algorithm for Determining If a Range Access Conflicts with Byte-Range
///       Locks
[[nodiscard]] constexpr bool ranges_overlap(const LockRange& a, const LockRange& b) noexcept {
  if (a.length_bytes == 0 && b.length_bytes == 0) return false;
  if (a.length_bytes == 0) return b.offset < a.offset && a.offset <= last_byte(b);
  if (b.length_bytes == 0) return a.offset < b.offset && b.offset <= last_byte(a);
  return a.offset <= last_byte(b) && b.offset <= last_byte(a);
}

/// Whether `asked` through `open` must wait for `held`. Shared locks never exclude each other; an
/// exclusive lock excludes all others, its own open's too; but a shared lock may be laid over an
/// exclusive one of the same open.
[[nodiscard]] constexpr bool lock_conflict(const HeldLock& held, OpenId open,
                                           const LockRange& asked) noexcept {
  if (!held.range.exclusive && !asked.exclusive) return false;
  if (held.open == open && held.range.exclusive && !asked.exclusive) return false;
  return ranges_overlap(held.range, asked);
}

/// Whether the file's locks make `asked` through `open` wait. O(log n) and the locks that overlap.
[[nodiscard]] inline bool lock_refused(const FileState& file, OpenId open, const LockRange& asked) {
  return file.locks.any_near(
      asked, [&](const HeldLock& held) { return lock_conflict(held, open, asked); });
}

/// Input  `open` is one of the file's
void add_lock(FileState& file, OpenId open, const LockRange& range);
void drop_locks(FileState& file, OpenId open);

/// Takes or releases locks. On success the answer is in `turn.answers`.
[[nodiscard]] Verdict try_lock(Turn& turn, NodeId from, RequestId request, const Lock& lock);

}  // namespace flotilla::coherence

// Byte-range locks. Pure arithmetic here; waiting and answering are in locks.cpp's try_lock.
#pragma once

#include "coherence/turn.hpp"

namespace flotilla::coherence {

/// Whether two ranges touch the same byte, or a zero-length one lies strictly inside the other.
/// A range past the end of 64 bits is cut there.
/// Spec  [MS-FSA] 2.1.4.10 Algorithm for Determining If a Range Access Conflicts with Byte-Range
///       Locks
[[nodiscard]] constexpr bool ranges_overlap(const LockRange& a, const LockRange& b) noexcept {
  const auto last = [](const LockRange& r) {
    const std::uint64_t end = r.offset + (r.length_bytes - 1);
    return end < r.offset ? ~std::uint64_t{0} : end;
  };
  if (a.length_bytes == 0 && b.length_bytes == 0) return false;
  if (a.length_bytes == 0) return b.offset < a.offset && a.offset <= last(b);
  if (b.length_bytes == 0) return a.offset < b.offset && b.offset <= last(a);
  return a.offset <= last(b) && b.offset <= last(a);
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

/// Takes or releases locks. On success the answer is in `turn.answers`.
[[nodiscard]] Verdict try_lock(Turn& turn, NodeId from, RequestId request, const Lock& lock);

}  // namespace flotilla::coherence

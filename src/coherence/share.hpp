// Share modes: which opens may coexist. Must not know about caching.
#pragma once

#include "coherence/state.hpp"

namespace flotilla::coherence {

/// Access that takes part in the share-mode check at all.
inline constexpr AccessMask kSharedAccess =
    kReadData | kWriteData | kAppendData | kExecute | kDelete;
/// Access through which data can be changed.
inline constexpr AccessMask kChangesData = kWriteData | kAppendData;
/// READ_ATTRIBUTES | WRITE_ATTRIBUTES | SYNCHRONIZE: breaks neither oplock nor lease.
inline constexpr AccessMask kStatAccess = 0x00000080 | 0x00000100 | 0x00100000;
/// READ_CONTROL besides: breaks no lease, but an oplock.
inline constexpr AccessMask kLeaseStatAccess = kStatAccess | 0x00020000;

[[nodiscard]] constexpr bool is_stat_access(AccessMask access) noexcept {
  return (access & ~kStatAccess) == 0;
}
[[nodiscard]] constexpr bool is_lease_stat_access(AccessMask access) noexcept {
  return (access & ~kLeaseStatAccess) == 0;
}

/// Whether two opens of one file exclude each other; symmetric.
/// Spec  [MS-FSA] 2.1.5.1.2.2 Algorithm to Check Sharing Access to an Existing Stream or Directory
[[nodiscard]] constexpr bool share_conflict(AccessMask access_a, ShareAccess share_a,
                                            AccessMask access_b, ShareAccess share_b) noexcept {
  const auto denied = [](AccessMask access, ShareAccess share) {
    return ((access & (kReadData | kExecute)) != 0 && (share & kShareRead) == 0) ||
           ((access & kChangesData) != 0 && (share & kShareWrite) == 0) ||
           ((access & kDelete) != 0 && (share & kShareDelete) == 0);
  };
  if ((access_a & kSharedAccess) == 0 || (access_b & kSharedAccess) == 0) return false;
  return denied(access_a, share_b) || denied(access_b, share_a);
}

/// The open comes (`by` 1) or goes (-1). One for attributes only takes no part.
constexpr void count_share(ShareCounts& counts, AccessMask access, ShareAccess share,
                           int by) noexcept {
  if ((access & kSharedAccess) == 0) return;
  const auto add = [by](std::uint32_t& count, bool counted) {
    if (counted) count += static_cast<std::uint32_t>(by);
  };
  add(counts.reads, (access & (kReadData | kExecute)) != 0);
  add(counts.writes, (access & kChangesData) != 0);
  add(counts.deletes, (access & kDelete) != 0);
  add(counts.denies_read, (share & kShareRead) == 0);
  add(counts.denies_write, (share & kShareWrite) == 0);
  add(counts.denies_delete, (share & kShareDelete) == 0);
}

/// Whether share_conflict() holds with any of the counted opens.
[[nodiscard]] constexpr bool share_conflict(const ShareCounts& counts, AccessMask access,
                                            ShareAccess share) noexcept {
  ShareCounts one;
  count_share(one, access, share, 1);
  const auto both = [](std::uint32_t does, std::uint32_t denies) {
    return does != 0 && denies != 0;
  };
  return both(one.reads, counts.denies_read) || both(counts.reads, one.denies_read) ||
         both(one.writes, counts.denies_write) || both(counts.writes, one.denies_write) ||
         both(one.deletes, counts.denies_delete) || both(counts.deletes, one.denies_delete);
}

}  // namespace flotilla::coherence

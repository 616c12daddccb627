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

}  // namespace flotilla::coherence

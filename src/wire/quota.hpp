// Quotas on the wire: [MS-SMB2] 2.2.37.1 SMB2_QUERY_QUOTA_INFO, [MS-FSCC] 2.4.40
// FileQuotaInformation.
#pragma once

#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "wire/sid.hpp"
#include "wire/wire_error.hpp"

namespace flotilla::wire {

/// [MS-SMB2] 2.2.37.1. `sids` where the client gave a list, else `start` where it gave one.
struct QueryQuotaInfo {
  bool return_single = false;
  bool restart_scan = false;
  std::optional<std::vector<Sid>> sids;
  std::optional<Sid> start;
  friend bool operator==(const QueryQuotaInfo&, const QueryQuotaInfo&) = default;
};
/// Errors  Truncated, LengthOutOfRange, ChainBroken, or a SID's
[[nodiscard]] Wire<QueryQuotaInfo> decode_query_quota(ByteView bytes);
void encode_query_quota(const QueryQuotaInfo& query, Bytes& out);

/// [MS-FSCC] 2.4.40: one user's.
struct FileQuotaEntry {
  static constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};     ///< -1
  static constexpr std::uint64_t kDelete = ~std::uint64_t{0} - 1;  ///< -2, on set: no entry
  NtTime change_time;
  std::uint64_t used_bytes = 0;
  std::uint64_t threshold_bytes = kNoLimit;
  std::uint64_t limit_bytes = kNoLimit;
  Sid sid;
  friend bool operator==(const FileQuotaEntry&, const FileQuotaEntry&) = default;
};
/// Appends entries (8-aligned, chained) until the next one would pass `limit_bytes`; how many.
std::size_t encode_quotas(const std::vector<FileQuotaEntry>& entries, std::size_t limit_bytes,
                          Bytes& out);
[[nodiscard]] Wire<std::vector<FileQuotaEntry>> decode_quotas(ByteView bytes);

}  // namespace flotilla::wire

// What a server answers to FSCTL_DFS_GET_REFERRALS.
#pragma once

#include <string>
#include <vector>

#include "wire/codec.hpp"

namespace flotilla::wire {

/// One path's targets. Version 3 and 4 entries without a list of names: where a client goes on.
struct DfsReferral {
  std::u16string dfs_path;              ///< the part of the asked path that they stand for
  std::vector<std::u16string> targets;  ///< "\server\share", best first
  std::uint32_t time_to_live_seconds = 600;
};

/// Appends RESP_GET_DFS_REFERRAL.
/// Spec    [MS-DFSC] 2.2.4 RESP_GET_DFS_REFERRAL, 2.2.5.3.1 NameListReferral Flag Set to 0, 2.2.5.4
/// Input   `level` 3 or 4: the form of the entries
void encode_dfs_referral(const DfsReferral& referral, std::uint16_t level, Bytes& out);

/// The way back, for tests and fuzzers. Errors  Truncated, BadValue (a level other than 3 and 4),
/// OffsetOutOfRange, BadText
[[nodiscard]] Wire<DfsReferral> decode_dfs_referral(ByteView bytes);

}  // namespace flotilla::wire

// Referrals to shares that live elsewhere.
#pragma once

#include <cstdint>

#include "base/result.hpp"
#include "handlers/server.hpp"
#include "wire/dfs.hpp"

namespace flotilla::handlers {

/// Where a share's clients are to go. Without one, FSCTL_DFS_GET_REFERRALS is not served at all.
/// Spec    [MS-SMB2] 3.3.5.15.2 Handling a DFS Referral Information Request; [MS-DFSC] 3.2.5.5
/// Input   `path` as asked: "\server\share" and what follows; its NUL and whatever is behind it do
///         not count
/// Errors  NotFound          no share of this name, or one that lives here
///         InvalidParameter  no such path
///         FsDriverRequired  no share of this server is elsewhere
[[nodiscard]] Result<wire::DfsReferral> refer(const Server& server, std::u16string_view path);

}  // namespace flotilla::handlers

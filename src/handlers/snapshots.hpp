// Previous versions: where a share's snapshots are, told by a pattern. Must not know who made them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "ports/backend.hpp"

namespace flotilla::handlers {

/// ShareConfig::snapshots with the time put in: the snapshot's directory, relative to the share.
/// Input   `pattern` as strftime(3) has it, UTC; not empty
[[nodiscard]] std::string snapshot_directory(const std::string& pattern, NtTime when);

/// Takes an "@GMT-2026.11.22-13.00.00" component out of `path` ('/' between components).
/// Spec    [MS-SMB2] 2.2.13 SMB2 CREATE Request (Name); [MS-SMB] 2.2.1.1.1 Previous Version Tokens
/// Output  its time; nothing, with `path` as it was, where there is none
[[nodiscard]] std::optional<NtTime> take_version_token(std::string& path);

/// The tokens of all snapshots, newest first. Blocks.
/// Input   only the pattern's last component has conversions
/// Errors  those of locating and listing; no such directory is an empty list
[[nodiscard]] Result<std::vector<std::u16string>> snapshot_tokens(ports::Backend& backend,
                                                                  const ports::Credentials& who,
                                                                  const std::string& pattern);

}  // namespace flotilla::handlers

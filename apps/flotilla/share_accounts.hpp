// The Unix users and groups that a share's configuration names.
#pragma once

#include <expected>

#include "flotilla/app_config.hpp"
#include "handlers/server.hpp"

namespace flotilla::app {

/// Fills forced_user, forced_group and gids. Asks the system's accounts: may block.
/// Errors  a sentence: which share, which key, which name does not exist
[[nodiscard]] std::expected<void, Message> find_accounts(const ports::ShareConfig& config,
                                                         handlers::Share& share);

}  // namespace flotilla::app

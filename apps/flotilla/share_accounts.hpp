// The Unix users and groups that a share's configuration names.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include "flotilla/app_config.hpp"
#include "handlers/server.hpp"

namespace flotilla::app {

/// Fills forced_user, forced_group and gids. Asks the system's accounts: may block.
/// Errors  a sentence: which share, which key, which name does not exist
[[nodiscard]] std::expected<void, Message> find_accounts(const ports::ShareConfig& config,
                                                         handlers::Share& share);

/// The machine's account of that name, or with that uid. May block.
[[nodiscard]] std::optional<handlers::UnixAccount> account_named(const std::string& name);
[[nodiscard]] std::optional<handlers::UnixAccount> account_of(std::uint32_t uid);

/// Makes the last part of `path` where it is missing: a directory of `owner`'s, mode 0700. Nothing
/// is changed of one that is there.
/// Errors  a sentence: what could not be made, and why
[[nodiscard]] std::expected<void, Message> make_user_directory(const std::string& path,
                                                               const ports::Token& owner);

}  // namespace flotilla::app

// What a share's configuration says of its users. Pure; must not know requests.
#pragma once

#include "handlers/server.hpp"
#include "ports/identity.hpp"

namespace flotilla::handlers {

/// Whether a list of names ("ann", "DOMAIN\\ann", "@staff") has `token`'s user in it. Without case.
/// A group counts where the user has a Unix identity of its own that is a member.
[[nodiscard]] bool is_listed(const std::vector<std::string>& names, const Share& share,
                             const ports::Token& token);

/// TREE_CONNECT: valid_users and invalid_users. Nobody anonymous may.
[[nodiscard]] bool may_use(const Share& share, const ports::Token& token);

/// read_only, read_list and write_list; write_list wins.
[[nodiscard]] bool only_reads(const Share& share, const ports::Token& token);

}  // namespace flotilla::handlers

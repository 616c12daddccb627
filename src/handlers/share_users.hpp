// What a share's configuration says of its users. Pure; must not know requests.
#pragma once

#include "handlers/server.hpp"
#include "ports/accounts.hpp"
#include "ports/identity.hpp"

namespace flotilla::handlers {

/// Whether a list has `token`'s user in it: "ann", "DOMAIN\\ann", "@staff", "@DOMAIN\\group", or a
/// SID with or without @. Without case. A bare name is a user of this server; who comes from a
/// domain is listed with it. A group counts by its SID, or where the user's own Unix identity is a
/// member. `accounts` null: Unix groups and SIDs only. With it and a group in the list: may block.
[[nodiscard]] bool is_listed(const std::vector<std::string>& names, const Share& share,
                             const ports::Token& token, ports::Accounts* accounts = nullptr);

/// TREE_CONNECT: valid_users and invalid_users. Nobody anonymous may. While invalid_users names a
/// group that nobody knows, nobody may at all: it cannot be told who is meant (a log line says so).
[[nodiscard]] bool may_use(const Share& share, const ports::Token& token,
                           ports::Accounts* accounts = nullptr);

/// read_only, read_list and write_list; write_list wins. A group of read_list that nobody knows is
/// everybody.
[[nodiscard]] bool only_reads(const Share& share, const ports::Token& token,
                              ports::Accounts* accounts = nullptr);

/// Whether may_use and only_reads look groups up, which may block.
[[nodiscard]] bool names_groups(const Share& share);

}  // namespace flotilla::handlers

// Asks the Samba that is installed beside an smb.conf for its domain and its users. Changes nothing
// of it.
#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <vector>

#include "auth/user_db.hpp"
#include "flotilla/import/import.hpp"

namespace flotilla::app {

/// The domain that smb.conf's server is; what cannot be read is told in `remarks`, with the command
/// that tells it.
/// Calls   reads secrets.tdb in smb.conf's "private dir", or where Debian's Samba has it; included
/// files
///         are looked for from smb.conf's folder
[[nodiscard]] SambaFacts ask_samba(const std::filesystem::path& smb_conf, std::string_view text);

struct SambaUsers {
  auth::UserDb db;
  std::vector<std::string> remarks;
};
/// Its users with their password hashes and RIDs, and groups with their RIDs.
/// Calls   runs pdbedit and net
[[nodiscard]] std::expected<SambaUsers, std::string> users_of_samba(
    const std::filesystem::path& smb_conf, const wire::Sid& domain);

}  // namespace flotilla::app

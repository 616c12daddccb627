// What Samba's own tools print of its users, groups and domain. Pure and total: text in, values
// out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/sid.hpp"

namespace flotilla::app {

struct SambaUser {
  std::string name;
  std::string nt_hash;  ///< 32 hexadecimal digits
  bool disabled = false;
  std::uint32_t rid = 0;
};

struct SambaGroup {
  std::string name;
  std::string unix_group;
  std::uint32_t rid = 0;
};

struct SambaAccounts {
  std::vector<SambaUser> users;
  std::vector<SambaGroup> groups;
  std::vector<std::string> remarks;  ///< who was left out, and why
};

/// The domain of the server `name` (in capitals), as Samba's secrets.tdb keeps it. `net
/// getlocalsid` is not asked: it makes and stores a domain where there is none.
/// Input   the bytes of the file, of a machine with this byte order; a record is a header of six
///         words (next, room, key size, value size, hash, magic), the key and the value
/// Output  nothing where there is no such record, or its value is no S-1-5-21-a-b-c
[[nodiscard]] std::optional<wire::Sid> sid_of_secrets(ByteView tdb, std::string_view name);

/// Input   `smbpasswd`  of `pdbedit -L -w`: NAME:UID:LMHASH:NTHASH:[FLAGS]:LCT-...
///         `verbose`    of `pdbedit -L -v`: "Unix username:" and "User SID:" of each user
///         `groupmap`   of `net groupmap list`: "NAME (SID) -> UNIXGROUP"
/// Output  users and groups of `domain`, in the order of the lines. Machines' accounts, and users
///         without a password, are left out with a remark.
[[nodiscard]] SambaAccounts samba_accounts(std::string_view smbpasswd, std::string_view verbose,
                                           std::string_view groupmap, const wire::Sid& domain);

}  // namespace flotilla::app

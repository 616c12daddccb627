// Accounts: names <-> SIDs, users, groups and their members, for look-ups by clients (lsarpc, samr)
// and for names in the configuration. An interface only; auth/ carries it out. Read-only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/sid.hpp"

namespace flotilla::ports {

/// Spec    [MS-SAMR] 2.2.2.3 SID_NAME_USE
enum class SidType : std::uint16_t {
  User = 1,
  Group = 2,
  Domain = 3,
  Alias = 4,
  WellKnownGroup = 5,
  DeletedAccount = 6,
  Invalid = 7,
  Unknown = 8,
  Computer = 9,
};

struct Account {
  std::string name;    ///< UTF-8, as the database spells it
  std::string domain;  ///< "FLOTILLA", "BUILTIN", "NT AUTHORITY", "Unix User"; may be empty
  wire::Sid sid;
  SidType type = SidType::Unknown;
  bool disabled = false;
  std::string comment;
};

/// Thread-safe. Calls may read the user database and nsswitch (microseconds; with a directory
/// behind nsswitch milliseconds).
class Accounts {
 public:
  virtual ~Accounts() = default;

  /// The server's own domain, the one that its users and local groups are in.
  [[nodiscard]] virtual std::string domain_name() const = 0;
  [[nodiscard]] virtual wire::Sid domain_sid() const = 0;

  /// Input   "name", "DOMAIN\name" or "name@domain"; compared without case
  [[nodiscard]] virtual std::optional<Account> find(std::string_view name) = 0;
  [[nodiscard]] virtual std::optional<Account> find(const wire::Sid& sid) = 0;

  /// A group before a user of the same name; a SID as text stands for itself.
  [[nodiscard]] virtual std::optional<Account> find_group(std::string_view name) = 0;

  /// Local users; groups ("None"); local groups of the server's domain. In the order of their RIDs.
  [[nodiscard]] virtual std::vector<Account> users() = 0;
  [[nodiscard]] virtual std::vector<Account> groups() = 0;
  [[nodiscard]] virtual std::vector<Account> aliases() = 0;
  /// S-1-5-32: Administrators, Users, Guests.
  [[nodiscard]] virtual std::vector<Account> builtin_aliases() = 0;

  /// Of a group or local group; empty where there is none.
  [[nodiscard]] virtual std::vector<wire::Sid> members_of(const wire::Sid& group) = 0;
  /// The local groups, server's and BUILTIN's, that hold one of `sids` directly.
  [[nodiscard]] virtual std::vector<wire::Sid> aliases_with(const std::vector<wire::Sid>& sids) = 0;
};

}  // namespace flotilla::ports

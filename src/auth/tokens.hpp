// From a proven name to a token: unix accounts, SIDs. Must not know how the name was proven.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/user_db.hpp"
#include "ports/id_map.hpp"
#include "ports/identity.hpp"

namespace flotilla::auth {

struct UnixAccount {
  std::string name;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;  ///< `gid` included
};

/// Asks nsswitch (getpwnam_r, getgrouplist): the name as it stands, then in lower case.
/// Thread-safe.
[[nodiscard]] std::optional<UnixAccount> find_unix_account(std::string_view name);

/// Makes tokens. Immutable, thread-safe.
class TokenMaker {
 public:
  using FindAccount = std::function<std::optional<UnixAccount>(std::string_view)>;

  /// `domain` is what tokens of local users say; `find_account` is replaced in tests.
  TokenMaker(ports::IdMap ids, std::string domain, FindAccount find_account = find_unix_account)
      : ids_(ids), domain_(std::move(domain)), find_account_(std::move(find_account)) {}

  /// A user of the database: the unix account of his name, else his ids, else the share's owner.
  [[nodiscard]] ports::TokenPtr of_user(const User& user) const;
  /// A Kerberos principal whose local name is known; nothing when the machine has no such account.
  [[nodiscard]] ports::TokenPtr of_account(std::string_view local_name, std::string realm) const;
  /// A guest: acts as `account`, or as the share's owner when that is "" or missing.
  [[nodiscard]] ports::TokenPtr of_guest(std::string_view account) const;
  [[nodiscard]] ports::TokenPtr of_anonymous() const;

  [[nodiscard]] const ports::IdMap& ids() const noexcept { return ids_; }

 private:
  void act_as(ports::Token& token, const UnixAccount& account) const;

  ports::IdMap ids_;
  std::string domain_;
  FindAccount find_account_;
};

}  // namespace flotilla::auth

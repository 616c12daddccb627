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
#include "wire/pac.hpp"

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
  using Groups = std::function<std::vector<Group>()>;

  /// `domain` is what tokens of local users say; `find_account` is replaced in tests.
  TokenMaker(ports::IdMap ids, std::string domain, FindAccount find_account = find_unix_account)
      : ids_(std::move(ids)), domain_(std::move(domain)), find_account_(std::move(find_account)) {}
  /// Where the local groups are; none until told. Call before the first token.
  void set_groups(Groups groups) { groups_ = std::move(groups); }

  /// A user of the database: the unix account of his name, else his ids, else the share's owner.
  [[nodiscard]] ports::TokenPtr of_user(const User& user) const;
  /// A Kerberos principal whose local name is known; nothing when the machine has no such account.
  [[nodiscard]] ports::TokenPtr of_account(std::string_view local_name, std::string realm) const;
  /// A user of a domain, as its controller describes him: acts as the account `local_name` where
  /// the machine has one, else with the ids that his SIDs have here (ports::DomainIds; `ids_of`,
  /// which may be empty). Nothing where he has no uid.
  /// Output  SIDs of this server's own domain and of BUILTIN are left out: who is in those groups
  ///         is not for others to say
  using IdsOfSids = std::function<std::optional<std::uint32_t>(const wire::Sid&, bool is_user)>;
  [[nodiscard]] ports::TokenPtr of_domain_user(const wire::PacLogonInfo& info,
                                               std::string_view local_name,
                                               const IdsOfSids& ids_of) const;
  /// `token`, a local user's, with the SIDs that the domain's controller gives him (those that
  /// of_domain_user() leaves out are left out here too).
  [[nodiscard]] ports::TokenPtr with_sids(const ports::Token& token,
                                          const wire::PacLogonInfo& info) const;
  /// A guest: acts as `account`, or as the share's owner when that is "" or missing.
  [[nodiscard]] ports::TokenPtr of_guest(std::string_view account) const;
  [[nodiscard]] ports::TokenPtr of_anonymous() const;

  [[nodiscard]] const ports::IdMap& ids() const noexcept { return ids_; }
  [[nodiscard]] const std::string& domain() const noexcept { return domain_; }
  [[nodiscard]] wire::Sid sid_of(const User& user) const;
  [[nodiscard]] wire::Sid sid_of(const Group& group) const;

 private:
  [[nodiscard]] std::vector<wire::Sid> sids_of_others(const wire::PacLogonInfo& info) const;
  void join_groups(ports::Token& token, std::string_view local_name) const;
  void act_as(ports::Token& token, const UnixAccount& account) const;

  ports::IdMap ids_;
  std::string domain_;
  FindAccount find_account_;
  Groups groups_;
};

}  // namespace flotilla::auth

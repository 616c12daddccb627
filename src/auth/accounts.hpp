// The names that this server knows: its local users and groups, the machine's accounts, Windows'
// well-known ones, and a directory's where winbind runs.
#pragma once

#include <string>

#include "auth/tokens.hpp"
#include "auth/user_store.hpp"
#include "auth/winbind.hpp"
#include "ports/accounts.hpp"

namespace flotilla::auth {

class LocalAccounts final : public ports::Accounts {
 public:
  /// All of them outlive this; `winbind` may be null.
  LocalAccounts(UserStore& users, const TokenMaker& tokens, const Winbind* winbind)
      : users_(users), tokens_(tokens), winbind_(winbind) {}

  [[nodiscard]] std::string domain_name() const override { return tokens_.domain(); }
  [[nodiscard]] wire::Sid domain_sid() const override { return tokens_.ids().machine_sid(); }
  [[nodiscard]] std::optional<ports::Account> find(std::string_view name) override;
  [[nodiscard]] std::optional<ports::Account> find(const wire::Sid& sid) override;
  [[nodiscard]] std::optional<ports::Account> find_group(std::string_view name) override;
  [[nodiscard]] std::vector<ports::Account> users() override;
  [[nodiscard]] std::vector<ports::Account> groups() override;
  [[nodiscard]] std::vector<ports::Account> aliases() override;
  [[nodiscard]] std::vector<ports::Account> builtin_aliases() override;
  [[nodiscard]] std::vector<wire::Sid> members_of(const wire::Sid& group) override;
  [[nodiscard]] std::vector<wire::Sid> aliases_with(const std::vector<wire::Sid>& sids) override;

 private:
  [[nodiscard]] std::optional<ports::Account> in_own_domain(std::string_view name,
                                                            bool groups_only);
  [[nodiscard]] ports::Account guest() const;
  [[nodiscard]] std::optional<ports::Account> of_unix_id(const wire::Sid& sid);
  [[nodiscard]] std::vector<wire::Sid> members_of(const Group& group);

  UserStore& users_;
  const TokenMaker& tokens_;
  const Winbind* winbind_;
};

}  // namespace flotilla::auth

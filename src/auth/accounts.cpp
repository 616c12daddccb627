#include "auth/accounts.hpp"

#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "auth/text.hpp"
#include "base/ascii.hpp"

namespace flotilla::auth {

namespace {

using ports::Account;
using ports::SidType;

std::u16string folded(std::string_view text) {
  const auto wide = wire::utf16_of(text);
  return wide ? fold_user_name(*wide) : std::u16string{};
}
bool same(std::string_view a, std::string_view b) { return folded(a) == folded(b); }

struct WellKnown {
  std::string_view domain;
  std::string_view name;
  wire::Sid sid;
  SidType type = SidType::WellKnownGroup;
};
// [MS-DTYP] 2.4.2.4 Well-Known SID Structures: those that ACLs name.
constexpr std::string_view kAuthority = "NT AUTHORITY";
constexpr std::string_view kBuiltin = "BUILTIN";
constexpr std::string_view kUnixUser = "Unix User";
constexpr std::string_view kUnixGroup = "Unix Group";
const std::array kWellKnown{
    WellKnown{"", "Everyone", wire::well_known::kEveryone},
    WellKnown{"", "CREATOR OWNER", wire::well_known::kCreatorOwner},
    WellKnown{"", "CREATOR GROUP", wire::well_known::kCreatorGroup},
    WellKnown{"", "OWNER RIGHTS", wire::well_known::kOwnerRights},
    WellKnown{kAuthority, "NETWORK", wire::well_known::kNetwork},
    WellKnown{kAuthority, "ANONYMOUS LOGON", wire::well_known::kAnonymous},
    WellKnown{kAuthority, "Authenticated Users", wire::well_known::kAuthenticatedUsers},
    WellKnown{kAuthority, "SYSTEM", wire::well_known::kLocalSystem},
    WellKnown{kAuthority, "INTERACTIVE", wire::Sid{5, {4}}},
    WellKnown{kAuthority, "SERVICE", wire::Sid{5, {6}}},
    WellKnown{kAuthority, "SELF", wire::Sid{5, {10}}},
    WellKnown{kAuthority, "LOCAL SERVICE", wire::Sid{5, {19}}},
    WellKnown{kAuthority, "NETWORK SERVICE", wire::Sid{5, {20}}},
    WellKnown{kBuiltin, "Administrators", wire::well_known::kAdministrators, SidType::Alias},
    WellKnown{kBuiltin, "Users", wire::well_known::kUsers, SidType::Alias},
    WellKnown{kBuiltin, "Guests", wire::well_known::kGuests, SidType::Alias},
    WellKnown{kBuiltin, "Power Users", wire::Sid{5, {32, 547}}, SidType::Alias},
    WellKnown{kBuiltin, "Backup Operators", wire::well_known::kBackupOperators, SidType::Alias},
    WellKnown{kBuiltin, "BUILTIN", wire::Sid{5, {32}}, SidType::Domain},
};
constexpr std::uint32_t kGuestRid = 501;
constexpr std::uint32_t kNoneRid = 513;

Account account_of(const WellKnown& known) {
  return {.name = std::string(known.name),
          .domain = std::string(known.domain),
          .sid = known.sid,
          .type = known.type};
}

template <class Entry, class Ask>
std::optional<Entry> ask_system(std::vector<char>& buffer, Ask ask) {
  Entry entry{};
  Entry* found = nullptr;
  buffer.resize(4096);
  while (ask(&entry, buffer, &found) == ERANGE && buffer.size() < (1U << 20)) {
    buffer.resize(buffer.size() * 2);
  }
  if (found == nullptr) return std::nullopt;
  return entry;
}

std::optional<std::string> name_of_uid(std::uint32_t uid) {
  std::vector<char> buffer;
  const auto entry = ask_system<passwd>(buffer, [uid](passwd* into, auto& room, passwd** found) {
    return ::getpwuid_r(uid, into, room.data(), room.size(), found);
  });
  return entry ? std::optional<std::string>(entry->pw_name) : std::nullopt;
}
std::optional<std::string> name_of_gid(std::uint32_t gid) {
  std::vector<char> buffer;
  const auto entry = ask_system<group>(buffer, [gid](group* into, auto& room, group** found) {
    return ::getgrgid_r(gid, into, room.data(), room.size(), found);
  });
  return entry ? std::optional<std::string>(entry->gr_name) : std::nullopt;
}
/// As the name stands, then in lower case.
std::optional<std::pair<std::string, std::uint32_t>> find_unix_group(std::string_view name) {
  std::string text(name);
  if (text.empty() || text.find('\0') != text.npos) return std::nullopt;
  for (int attempt = 0; attempt < 2; ++attempt) {
    std::vector<char> buffer;
    const auto entry = ask_system<group>(buffer, [&](group* into, auto& room, group** found) {
      return ::getgrnam_r(text.c_str(), into, room.data(), room.size(), found);
    });
    if (entry) return std::pair{std::string(entry->gr_name), std::uint32_t{entry->gr_gid}};
    text = ascii::lower(text);
  }
  return std::nullopt;
}

struct Qualified {
  std::string_view domain;
  std::string_view name;
};
Qualified split(std::string_view text) {
  if (const auto slash = text.find('\\'); slash != text.npos) {
    return {text.substr(0, slash), text.substr(slash + 1)};
  }
  if (const auto at = text.rfind('@'); at != text.npos && at != 0) {
    return {text.substr(at + 1), text.substr(0, at)};
  }
  return {{}, text};
}

void sort_by_rid(std::vector<Account>& list) {
  std::ranges::sort(list, {}, [](const Account& account) { return account.sid.rid(); });
}

}  // namespace

/// Whom unknown users are where guests are allowed; nobody logs on by this name.
Account LocalAccounts::guest() const {
  return {.name = "Guest",
          .domain = domain_name(),
          .sid = *domain_sid().with_rid(kGuestRid),
          .type = SidType::User,
          .disabled = true};
}

std::optional<Account> LocalAccounts::in_own_domain(std::string_view name, bool groups_only) {
  const auto own = [&](std::string text, const wire::Sid& sid, SidType type) {
    return Account{.name = std::move(text), .domain = domain_name(), .sid = sid, .type = type};
  };
  if (!groups_only) {
    if (const auto user = users_.find(name)) {
      Account out = own(user->name, tokens_.sid_of(*user), SidType::User);
      out.disabled = user->disabled;
      return out;
    }
    if (same(name, "Guest")) return guest();
  }
  for (const Group& group : users_.groups()) {
    if (!same(group.name, name)) continue;
    const wire::Sid sid = tokens_.sid_of(group);
    Account out = own(group.name, sid, SidType::Alias);
    if (!sid.is_in(domain_sid())) out.domain = kBuiltin;
    return out;
  }
  if (same(name, "None")) return own("None", *domain_sid().with_rid(kNoneRid), SidType::Group);
  if (!groups_only) {
    if (const auto account = find_unix_account(name)) {
      return own(account->name, tokens_.ids().user_sid(account->uid), SidType::User);
    }
  }
  if (const auto found = find_unix_group(name)) {
    Account out = own(found->first, tokens_.ids().group_sid(found->second), SidType::Group);
    if (!out.sid.is_in(domain_sid())) out.domain = kUnixGroup;
    return out;
  }
  return std::nullopt;
}

std::optional<Account> LocalAccounts::find(std::string_view text) {
  const auto [domain, name] = split(text);
  // The empty name is Builtin's, as Windows has it.
  if (text.empty()) return find(wire::well_known::kUsers.domain());
  if (name.empty() && !domain.empty()) {
    // "DOMAIN\" is the domain itself.
    if (same(domain, domain_name())) {
      return Account{.name = domain_name(),
                     .domain = domain_name(),
                     .sid = domain_sid(),
                     .type = SidType::Domain};
    }
    if (same(domain, kBuiltin)) return find(wire::well_known::kUsers.domain());
    return std::nullopt;
  }
  for (const WellKnown& known : kWellKnown) {
    const bool here = domain.empty() || same(domain, known.domain);
    if (here && same(name, known.name)) return account_of(known);
  }
  if (domain.empty() && same(name, domain_name())) return find(domain_name() + "\\");
  if (same(domain, kUnixUser)) {
    const auto account = find_unix_account(name);
    if (!account) return std::nullopt;
    return Account{.name = account->name,
                   .domain = std::string(kUnixUser),
                   .sid = wire::well_known::unix_user(account->uid),
                   .type = SidType::User};
  }
  if (same(domain, kUnixGroup)) {
    const auto found = find_unix_group(name);
    if (!found) return std::nullopt;
    return Account{.name = found->first,
                   .domain = std::string(kUnixGroup),
                   .sid = wire::well_known::unix_group(found->second),
                   .type = SidType::Group};
  }
  if (domain.empty() || same(domain, domain_name())) {
    if (auto account = in_own_domain(name, false)) return account;
  }
  if (winbind_ != nullptr && !same(domain, domain_name())) return winbind_->find(domain, name);
  return std::nullopt;
}

std::optional<Account> LocalAccounts::find_group(std::string_view text) {
  if (const auto sid = wire::Sid::parse(text)) {
    return Account{.name = std::string(text), .sid = *sid, .type = SidType::Group};
  }
  const auto [domain, name] = split(text);
  if (domain.empty() || same(domain, domain_name())) {
    if (auto account = in_own_domain(name, true)) return account;
  }
  auto account = find(text);
  if (account && account->type == SidType::User) return std::nullopt;
  return account;
}

/// S-1-22-1-uid, S-1-22-2-gid, and the algorithmic RIDs of the server's domain.
std::optional<Account> LocalAccounts::of_unix_id(const wire::Sid& sid) {
  const bool own = sid.is_in(domain_sid());
  if (const auto uid = tokens_.ids().uid_of(sid)) {
    const auto name = name_of_uid(*uid);
    if (!name && own) return std::nullopt;
    return Account{.name = name ? *name : std::to_string(*uid),
                   .domain = own ? domain_name() : std::string(kUnixUser),
                   .sid = sid,
                   .type = SidType::User};
  }
  if (const auto gid = tokens_.ids().gid_of(sid)) {
    const auto name = name_of_gid(*gid);
    if (!name && own) return std::nullopt;
    return Account{.name = name ? *name : std::to_string(*gid),
                   .domain = own ? domain_name() : std::string(kUnixGroup),
                   .sid = sid,
                   .type = SidType::Group};
  }
  return std::nullopt;
}

std::optional<Account> LocalAccounts::find(const wire::Sid& sid) {
  for (const WellKnown& known : kWellKnown) {
    if (known.sid == sid) return account_of(known);
  }
  if (sid == domain_sid()) return find(domain_name() + "\\");
  if (sid.is_in(domain_sid())) {
    for (const auto& list : {users(), groups(), aliases()}) {
      const auto found = std::ranges::find(list, sid, &Account::sid);
      if (found != list.end()) return *found;
    }
    if (sid.rid() == kGuestRid) return guest();
    return of_unix_id(sid);
  }
  if (sid.identifier_authority() == 22) return of_unix_id(sid);
  if (winbind_ != nullptr) return winbind_->find(sid);
  return std::nullopt;
}

std::vector<Account> LocalAccounts::users() {
  std::vector<Account> out;
  for (const User& user : users_.all()) {
    out.push_back({.name = user.name,
                   .domain = domain_name(),
                   .sid = tokens_.sid_of(user),
                   .type = SidType::User,
                   .disabled = user.disabled});
  }
  sort_by_rid(out);
  return out;
}

std::vector<Account> LocalAccounts::groups() {
  return {{.name = "None",
           .domain = domain_name(),
           .sid = *domain_sid().with_rid(kNoneRid),
           .type = SidType::Group,
           .comment = "Ordinary users"}};
}

std::vector<Account> LocalAccounts::aliases() {
  std::vector<Account> out;
  for (const Group& group : users_.groups()) {
    const wire::Sid sid = tokens_.sid_of(group);
    if (!sid.is_in(domain_sid())) continue;
    out.push_back(
        {.name = group.name, .domain = domain_name(), .sid = sid, .type = SidType::Alias});
  }
  sort_by_rid(out);
  return out;
}

std::vector<Account> LocalAccounts::builtin_aliases() {
  std::vector<Account> out;
  for (const WellKnown& known : kWellKnown) {
    if (known.domain == kBuiltin && known.type == SidType::Alias) out.push_back(account_of(known));
  }
  return out;
}

std::vector<wire::Sid> LocalAccounts::members_of(const Group& group) {
  std::vector<wire::Sid> out;
  for (const std::string& member : group.members) {
    if (const auto sid = wire::Sid::parse(member)) {
      out.push_back(*sid);
    } else if (const auto account = in_own_domain(member, false);
               account && account->type == SidType::User) {
      out.push_back(account->sid);
    }
  }
  return out;
}

std::vector<wire::Sid> LocalAccounts::members_of(const wire::Sid& sid) {
  std::vector<wire::Sid> out;
  if (sid == *domain_sid().with_rid(kNoneRid) || sid == wire::well_known::kUsers) {
    for (const Account& user : users()) out.push_back(user.sid);
  }
  for (const Group& group : users_.groups()) {
    if (tokens_.sid_of(group) != sid) continue;
    for (const wire::Sid& member : members_of(group)) {
      if (std::ranges::find(out, member) == out.end()) out.push_back(member);
    }
  }
  return out;
}

std::vector<wire::Sid> LocalAccounts::aliases_with(const std::vector<wire::Sid>& sids) {
  std::vector<wire::Sid> out;
  const auto any_of = [&](const std::vector<wire::Sid>& members) {
    return std::ranges::any_of(members, [&](const wire::Sid& member) {
      return std::ranges::find(sids, member) != sids.end();
    });
  };
  for (const auto& list : {aliases(), builtin_aliases()}) {
    for (const Account& alias : list) {
      if (any_of(members_of(alias.sid))) out.push_back(alias.sid);
    }
  }
  return out;
}

}  // namespace flotilla::auth

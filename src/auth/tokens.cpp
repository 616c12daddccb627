#include "auth/tokens.hpp"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>

#include "auth/text.hpp"

namespace flotilla::auth {

namespace {

std::optional<UnixAccount> look_up(const std::string& name) {
  std::vector<char> buffer(4096);
  passwd entry{};
  passwd* found = nullptr;
  while (::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) == ERANGE &&
         buffer.size() < (1U << 20)) {
    buffer.resize(buffer.size() * 2);
  }
  if (found == nullptr) return std::nullopt;
  UnixAccount account{found->pw_name, found->pw_uid, found->pw_gid, {}};
  std::vector<gid_t> groups(64);
  int count = static_cast<int>(groups.size());
  while (::getgrouplist(found->pw_name, found->pw_gid, groups.data(), &count) < 0 &&
         groups.size() < 65536) {
    groups.resize(std::max<std::size_t>(static_cast<std::size_t>(count), groups.size() * 2));
    count = static_cast<int>(groups.size());
  }
  groups.resize(std::min<std::size_t>(groups.size(), static_cast<std::size_t>(std::max(count, 0))));
  account.groups.assign(groups.begin(), groups.end());
  if (std::ranges::find(account.groups, account.gid) == account.groups.end()) {
    account.groups.insert(account.groups.begin(), account.gid);
  }
  return account;
}

void add_well_known(ports::Token& token, bool authenticated) {
  namespace known = wire::well_known;
  token.group_sids.push_back(known::kEveryone);
  token.group_sids.push_back(known::kNetwork);
  if (authenticated) {
    token.group_sids.push_back(known::kAuthenticatedUsers);
    token.group_sids.push_back(known::kUsers);
  }
}

}  // namespace

std::optional<UnixAccount> find_unix_account(std::string_view name) {
  const std::string exact(name);
  if (exact.empty() || exact.find('\0') != exact.npos) return std::nullopt;
  if (auto account = look_up(exact)) return account;
  std::string lower = exact;
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 0x20);
  }
  if (lower == exact) return std::nullopt;
  return look_up(lower);
}

void TokenMaker::act_as(ports::Token& token, const UnixAccount& account) const {
  token.uid = account.uid;
  token.gid = account.gid;
  token.groups = account.groups;
  token.user_sid = ids_.user_sid(account.uid);
  token.group_sids.push_back(ids_.group_sid(account.gid));
  for (const std::uint32_t gid : account.groups) {
    if (gid != account.gid) token.group_sids.push_back(ids_.group_sid(gid));
  }
  // ACLs that Samba wrote may name the same ids in its other form.
  token.group_sids.push_back(wire::well_known::unix_user(account.uid));
  for (const std::uint32_t gid : account.groups) {
    token.group_sids.push_back(wire::well_known::unix_group(gid));
  }
  if (account.uid == 0) token.group_sids.push_back(wire::well_known::kAdministrators);
}

ports::TokenPtr TokenMaker::of_user(const User& user) const {
  auto token = std::make_shared<ports::Token>();
  token->user_name = user.name;
  token->domain = domain_;
  const auto account = user.as_share_owner ? std::nullopt : find_account_(user.name);
  if (account) {
    act_as(*token, *account);
  } else if (user.uid && user.gid && !user.as_share_owner) {
    act_as(*token, UnixAccount{user.name, *user.uid, *user.gid, {*user.gid}});
  } else {
    token->use_share_owner = true;
    const auto name = wire::utf16_of(user.name);
    const std::u16string folded = name ? fold_user_name(*name) : std::u16string{};
    token->user_sid = ids_.named_user_sid(as_text(bytes_of(folded)));
    // "None", the primary group of Windows' local users.
    token->group_sids.push_back(*ids_.machine_sid().with_rid(513));
  }
  add_well_known(*token, true);
  return token;
}

ports::TokenPtr TokenMaker::of_account(std::string_view local_name, std::string realm) const {
  auto account = find_account_(local_name);
  if (!account) return nullptr;
  auto token = std::make_shared<ports::Token>();
  token->user_name = account->name;
  token->domain = std::move(realm);
  act_as(*token, *account);
  add_well_known(*token, true);
  return token;
}

ports::TokenPtr TokenMaker::of_guest(std::string_view account_name) const {
  auto token = std::make_shared<ports::Token>();
  token->user_name = "Guest";
  token->domain = domain_;
  token->guest = true;
  const auto account = account_name.empty() ? std::nullopt : find_account_(account_name);
  if (account) {
    act_as(*token, *account);
  } else {
    token->use_share_owner = true;
  }
  token->user_sid = *ids_.machine_sid().with_rid(501);
  add_well_known(*token, false);
  token->group_sids.push_back(wire::well_known::kGuests);
  return token;
}

ports::TokenPtr TokenMaker::of_anonymous() const {
  auto token = std::make_shared<ports::Token>();
  token->domain = "NT AUTHORITY";
  token->user_name = "ANONYMOUS LOGON";
  token->user_sid = wire::well_known::kAnonymous;
  token->anonymous = true;
  if (const auto nobody = find_account_("nobody")) {
    token->uid = nobody->uid;
    token->gid = nobody->gid;
  }
  token->groups = {token->gid};
  add_well_known(*token, false);
  return token;
}

}  // namespace flotilla::auth

#include "auth/tokens.hpp"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "auth/text.hpp"
#include "base/ascii.hpp"

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
  const std::string lower = ascii::lower(exact);
  if (lower == exact) return std::nullopt;
  return look_up(lower);
}

wire::Sid TokenMaker::sid_of(const User& user) const {
  if (user.rid) return *ids_.machine_sid().with_rid(*user.rid);
  const auto account = user.as_share_owner ? std::nullopt : find_account_(user.name);
  if (account) return ids_.user_sid(account->uid);
  if (user.uid && user.gid && !user.as_share_owner) return ids_.user_sid(*user.uid);
  const auto name = wire::utf16_of(user.name);
  const std::u16string folded = name ? fold_user_name(*name) : std::u16string{};
  return ids_.named_user_sid(as_text(bytes_of(folded)));
}

wire::Sid TokenMaker::sid_of(const Group& group) const {
  const auto name = wire::utf16_of(group.name);
  const std::u16string folded = name ? fold_user_name(*name) : std::u16string{};
  if (folded == u"ADMINISTRATORS") return wire::well_known::kAdministrators;
  if (folded == u"USERS") return wire::well_known::kUsers;
  if (folded == u"GUESTS") return wire::well_known::kGuests;
  if (folded == u"BACKUP OPERATORS") return wire::well_known::kBackupOperators;
  if (group.rid) return *ids_.machine_sid().with_rid(*group.rid);
  if (group.gid) return ids_.group_sid(*group.gid);
  return ids_.named_user_sid("@" + std::string(as_text(bytes_of(folded))));
}

/// Puts the token into the local groups that hold the user's name or one of its SIDs.
/// `local_name` is empty for those that are no local users.
void TokenMaker::join_groups(ports::Token& token, std::string_view local_name) const {
  if (!groups_) return;
  const auto fold = [](std::string_view text) {
    const auto wide = wire::utf16_of(text);
    return wide ? fold_user_name(*wide) : std::u16string{};
  };
  const std::u16string user = fold(local_name);
  for (const Group& group : groups_()) {
    const bool inside = std::ranges::any_of(group.members, [&](const std::string& member) {
      if (const auto sid = wire::Sid::parse(member)) return ports::holds(token, *sid);
      return !user.empty() && fold(member) == user;
    });
    if (!inside) continue;
    const wire::Sid sid = sid_of(group);
    if (!ports::holds(token, sid)) token.group_sids.push_back(sid);
    if (!group.gid || token.use_share_owner) continue;
    if (std::ranges::find(token.groups, *group.gid) == token.groups.end()) {
      token.groups.push_back(*group.gid);
    }
  }
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
    token->user_sid = sid_of(user);
  }
  if (user.rid && !token->use_share_owner && sid_of(user) != token->user_sid) {
    // Another user has this uid and another RID: what both own is shown as the other's.
    token->group_sids.push_back(std::exchange(token->user_sid, sid_of(user)));
  }
  // "None", a group of all local users; the primary one of those without a Unix group.
  token->group_sids.push_back(*ids_.machine_sid().with_rid(513));
  add_well_known(*token, true);
  join_groups(*token, user.name);
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
  join_groups(*token, account->name);
  return token;
}

namespace {

/// S-1-22 and S-1-5-88: they are this machine's ids, whoever writes them.
bool names_unix_id(const wire::Sid& sid) {
  const auto subs = sid.sub_authorities();
  return sid.identifier_authority() == 22 ||
         (sid.identifier_authority() == 5 && !subs.empty() && subs[0] == 88);
}

}  // namespace

std::vector<wire::Sid> TokenMaker::sids_of_others(const wire::PacLogonInfo& info) const {
  const wire::Sid ours = ids_.machine_sid();
  const wire::Sid builtin = wire::well_known::kUsers.domain();
  std::vector<wire::Sid> out;
  const auto take = [&](const wire::Sid& sid) {
    if (!sid.is_in(ours) && !sid.is_in(builtin) && !names_unix_id(sid)) {
      out.push_back(sid);
    }
  };
  take(info.user_sid);
  for (const wire::Sid& sid : info.group_sids) take(sid);
  return out;
}

ports::TokenPtr TokenMaker::with_sids(const ports::Token& token,
                                      const wire::PacLogonInfo& info) const {
  auto out = std::make_shared<ports::Token>(token);
  const std::vector<wire::Sid> sids = sids_of_others(info);
  out->group_sids.insert(out->group_sids.end(), sids.begin(), sids.end());
  join_groups(*out, out->user_name);
  return out;
}

ports::TokenPtr TokenMaker::of_domain_user(const wire::PacLogonInfo& info,
                                           std::string_view local_name,
                                           const IdsOfSids& ids_of) const {
  const auto id_of = [&](const wire::Sid& sid, bool is_user) -> std::optional<std::uint32_t> {
    if (const auto id = is_user ? ids_.uid_of(sid) : ids_.gid_of(sid)) return id;
    return ids_of ? ids_of(sid, is_user) : std::nullopt;
  };
  const std::vector<wire::Sid> sids = sids_of_others(info);
  if (sids.empty() || sids.front() != info.user_sid) return nullptr;
  auto token = std::make_shared<ports::Token>();
  token->user_name = wire::printable(info.account_name);
  token->domain = wire::printable(info.domain_name);
  const auto account = local_name.empty() ? std::nullopt : find_account_(local_name);
  if (account) {
    // auth_to_local says that he is this machine's user: his other SIDs are like groups to him.
    act_as(*token, *account);
    token->group_sids.insert(token->group_sids.end(), sids.begin(), sids.end());
  } else {
    token->foreign = true;
    const auto uid = id_of(info.user_sid, true);
    if (!uid) return nullptr;
    token->uid = *uid;
    token->user_sid = info.user_sid;
    token->group_sids.assign(sids.begin() + 1, sids.end());
    token->group_sids.push_back(wire::well_known::unix_user(*uid));
    token->gid = id_of(info.primary_group_sid, false).value_or(token->gid);
    token->groups = {token->gid};
  }
  for (const wire::Sid& sid : sids) {
    constexpr std::size_t kGroupsMax = 65536;  // NGROUPS_MAX
    const auto gid = id_of(sid, false);
    if (!gid || token->groups.size() == kGroupsMax ||
        std::ranges::find(token->groups, *gid) != token->groups.end()) {
      continue;
    }
    token->groups.push_back(*gid);
  }
  add_well_known(*token, true);
  join_groups(*token, account ? account->name : std::string{});
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

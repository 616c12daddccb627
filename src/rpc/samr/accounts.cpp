// samr: one user, group or local group, and who is in it.
// Spec    [MS-SAMR] 3.1.5.1.7 to .9 open, 3.1.5.5 Query Pattern, 3.1.5.8 Membership Pattern
#include "rpc/access.hpp"
#include "rpc/handles.hpp"
#include "rpc/nt_codes.hpp"
#include "rpc/samr/types.hpp"
#include "rpc/share_list.hpp"

namespace flotilla::rpc::samr {

namespace {

using ports::Account;
using ports::SidType;

// [MS-SAMR] 2.2.1.5 Group, 2.2.1.6 Alias, 2.2.1.7 User ACCESS_MASK Values
constexpr std::uint32_t kGroupAll = 0x000F001F;
constexpr std::uint32_t kGroupRead = 0x00020011;  // READ_CONTROL, READ_INFORMATION, LIST_MEMBERS
constexpr std::uint32_t kAliasAll = 0x000F001F;
constexpr std::uint32_t kAliasRead = 0x0002000C;  // READ_CONTROL, LIST_MEMBERS, READ_INFORMATION
constexpr std::uint32_t kUserAll = 0x000F07FF;
// READ_CONTROL, READ_GENERAL, READ_PREFERENCES, READ_LOGON, READ_ACCOUNT, LIST_GROUPS,
// READ_GROUP_INFORMATION
constexpr std::uint32_t kUserRead = 0x0002031B | 0x00000100;
constexpr std::uint32_t kPrimaryGroup = 513;
constexpr std::uint64_t kNever = 0x7FFFFFFFFFFFFFFFULL;

struct LogonHours {
  std::uint16_t units_per_week = 168;
  NdrUnique<NdrVarying<std::uint8_t>> bits;
  LogonHours() {
    bits.emplace();
    bits->items.assign(21, 0xFF);
    bits->max_count = 1260;
  }
  static void ndr(auto& v, auto& s) {
    v.align(4);
    v(s.units_per_week);
    v(s.bits);
  }
};

/// [MS-SAMR] SAMPR_USER_ALL_INFORMATION and what its smaller siblings take of it
struct UserInformation {
  std::uint16_t level = 0;
  NdrString name;
  NdrString full_name;
  NdrString comment;
  NdrString empty{u""};
  NdrString none;
  std::uint32_t rid = 0;
  std::uint32_t primary_group = kPrimaryGroup;
  std::uint32_t control = 0;
  NdrOldLarge zero;
  NdrOldLarge never{kNever};
  LogonHours hours;

  static void paths(auto& v, auto& s) {
    v(s.empty);  // HomeDirectory
    v(s.empty);  // HomeDirectoryDrive
    v(s.empty);  // ScriptPath
    v(s.empty);  // ProfilePath
  }
  static void counts(auto& v) {
    v(std::uint16_t{0});  // BadPasswordCount
    v(std::uint16_t{0});  // LogonCount
  }
  static void all(auto& v, auto& s) {
    v(s.zero);   // LastLogon
    v(s.never);  // LastLogoff
    v(s.zero);   // PasswordLastSet
    v(s.never);  // AccountExpires
    v(s.zero);   // PasswordCanChange
    v(s.never);  // PasswordMustChange
    v(s.name);
    v(s.full_name);
    paths(v, s);
    v(s.comment);         // AdminComment
    v(s.empty);           // WorkStations
    v(s.empty);           // UserComment
    v(s.none);            // Parameters
    v(s.none);            // LmOwfPassword: never told
    v(s.none);            // NtOwfPassword
    v(s.none);            // PrivateData
    v(std::uint32_t{0});  // SecurityDescriptor: length
    v(std::uint32_t{0});  // and null
    v(s.rid);
    v(s.primary_group);
    v(s.control);
    v(std::uint32_t{0x00FFFFFF});  // WhichFields
    v(s.hours);
    counts(v);
    v(std::uint16_t{0});  // CountryCode
    v(std::uint16_t{0});  // CodePage
    v(std::uint8_t{0});   // LmPasswordPresent
    v(std::uint8_t{1});   // NtPasswordPresent
    v(std::uint8_t{0});   // PasswordExpired
    v(std::uint8_t{0});   // PrivateDataSensitive
  }
  static void ndr(auto& v, auto& s) {
    v(s.level);
    v.align(4);
    switch (s.level) {
      case 1:
        v(s.name);
        v(s.full_name);
        v(s.primary_group);
        v(s.comment);
        return v(s.empty);
      case 2:
        v(s.empty);
        v(s.none);
        return v(std::uint32_t{0});  // CountryCode, CodePage
      case 3:
        v(s.name);
        v(s.full_name);
        v(s.rid);
        v(s.primary_group);
        paths(v, s);
        v(s.empty);
        v(s.zero);
        v(s.never);
        v(s.zero);
        v(s.zero);
        v(s.never);
        v(s.hours);
        counts(v);
        return v(s.control);
      case 4:
        return v(s.hours);
      case 5:
        v(s.name);
        v(s.full_name);
        v(s.rid);
        v(s.primary_group);
        paths(v, s);
        v(s.comment);
        v(s.empty);
        v(s.zero);
        v(s.never);
        v(s.hours);
        counts(v);
        v(s.zero);
        v(s.never);
        return v(s.control);
      case 6:
        v(s.name);
        return v(s.full_name);
      case 7:
        return v(s.name);
      case 8:
        return v(s.full_name);
      case 9:
        return v(s.primary_group);
      case 10:
        v(s.empty);
        return v(s.empty);
      case 11:
      case 12:
      case 14:
        return v(s.empty);
      case 13:
        return v(s.comment);
      case 16:
        return v(s.control);
      case 17:
        return v(s.never);
      case 20:
        return v(s.none);
      default:
        return all(v, s);
    }
  }
  [[nodiscard]] static bool known(std::uint16_t level) {
    return (level >= 1 && level <= 14) || level == 16 || level == 17 || level == 20 || level == 21;
  }
};

struct GroupInformation {
  std::uint16_t level = 0;
  NdrString name;
  std::uint32_t attributes = 7;
  std::uint32_t member_count = 0;
  NdrString comment;
  static void ndr(auto& v, auto& s) {
    v(s.level);
    v.align(4);
    switch (s.level) {
      case 2:
        return v(s.name);
      case 3:
        return v(s.attributes);
      case 4:
        return v(s.comment);
      default:
        v(s.name);
        v(s.attributes);
        v(s.member_count);
        return v(s.comment);
    }
  }
};
struct AliasInformation {
  std::uint16_t level = 0;
  NdrString name;
  std::uint32_t member_count = 0;
  NdrString comment;
  static void ndr(auto& v, auto& s) {
    v(s.level);
    v.align(4);
    if (s.level == 2) return v(s.name);
    if (s.level == 3) return v(s.comment);
    v(s.name);
    v(s.member_count);
    v(s.comment);
  }
};

struct Kind {
  HandleKind handle;
  std::uint32_t read;
  std::uint32_t all;
  NtStatus missing;
};

/// An account of the domain behind `in.handle`, if `is_one` says that it is of the kind.
template <class IsOne>
CallResult open_account(const PipeContext& context, const OpenAccountIn& in, const Kind& kind,
                        IsOne is_one) {
  const HandleTarget* const domain = context.handles->find(in.handle, HandleKind::SamDomain);
  if (!domain) return other_kind_of_handle(context, in.handle);
  const auto access = granted_access(context, in.desired_access, kind.read, kind.all);
  if (!access) return reply(NdrContextHandle{}, NtStatus::AccessDenied);
  const auto sid = domain->sid.with_rid(in.rid);
  const auto account = sid ? context.accounts->find(*sid) : std::nullopt;
  if (!account || !is_one(account->type)) return reply(NdrContextHandle{}, kind.missing);
  const auto handle = context.handles->add({kind.handle, *access, *sid});
  if (!handle) return reply(NdrContextHandle{}, NtStatus::InsufficientResources);
  return reply(*handle, NtStatus::Success);
}

/// The account behind a handle; nothing where it has gone since.
std::optional<Account> account_of(const PipeContext& context, const HandleTarget& target) {
  return context.accounts->find(target.sid);
}

}  // namespace

/// [MS-SAMR] 3.1.5.1.9 SamrOpenUser
CallResult open_user(const PipeContext& context, OpenAccountIn& in) {
  return open_account(context, in, {HandleKind::SamUser, kUserRead, kUserAll, NtStatus::NoSuchUser},
                      [](SidType type) { return type == SidType::User; });
}
/// [MS-SAMR] 3.1.5.1.7 SamrOpenGroup
CallResult open_group(const PipeContext& context, OpenAccountIn& in) {
  return open_account(context, in,
                      {HandleKind::SamGroup, kGroupRead, kGroupAll, nt_code::kNoSuchGroup},
                      [](SidType type) { return type == SidType::Group; });
}
/// [MS-SAMR] 3.1.5.1.8 SamrOpenAlias
CallResult open_alias(const PipeContext& context, OpenAccountIn& in) {
  return open_account(context, in,
                      {HandleKind::SamAlias, kAliasRead, kAliasAll, nt_code::kNoSuchAlias},
                      [](SidType type) { return type == SidType::Alias; });
}

/// [MS-SAMR] 3.1.5.5.5 SamrQueryInformationUser2, 3.1.5.5.6 SamrQueryInformationUser
CallResult query_user(const PipeContext& context, QueryIn& in) {
  const HandleTarget* const user = context.handles->find(in.handle, HandleKind::SamUser);
  if (!user) return bad_handle();
  if (!UserInformation::known(in.level)) {
    return reply(std::uint32_t{0}, NtStatus::InvalidInfoClass);
  }
  const auto account = account_of(context, *user);
  if (!account) return reply(std::uint32_t{0}, NtStatus::NoSuchUser);
  constexpr std::uint32_t kNormalAccount = 0x00000010;
  constexpr std::uint32_t kPasswordNeverExpires = 0x00000200;
  constexpr std::uint32_t kDisabled = 0x00000001;
  NdrUnique<UserInformation> info(std::in_place);
  info->level = in.level;
  info->name = info->full_name = NdrString(wide(account->name));
  info->comment = NdrString(wide(account->comment));
  info->rid = user->sid.rid();
  info->control = kNormalAccount | kPasswordNeverExpires | (account->disabled ? kDisabled : 0U);
  return reply(info, NtStatus::Success);
}

/// [MS-SAMR] 3.1.5.5.3 SamrQueryInformationGroup
CallResult query_group(const PipeContext& context, QueryIn& in) {
  const HandleTarget* const group = context.handles->find(in.handle, HandleKind::SamGroup);
  if (!group) return bad_handle();
  constexpr std::uint16_t kLevelLast = 5;
  if (in.level == 0 || in.level > kLevelLast) {
    return reply(std::uint32_t{0}, NtStatus::InvalidInfoClass);
  }
  const auto account = account_of(context, *group);
  if (!account) return reply(std::uint32_t{0}, nt_code::kNoSuchGroup);
  NdrUnique<GroupInformation> info(std::in_place);
  info->level = in.level;
  info->name = NdrString(wide(account->name));
  info->comment = NdrString(wide(account->comment));
  info->member_count = static_cast<std::uint32_t>(context.accounts->members_of(group->sid).size());
  return reply(info, NtStatus::Success);
}

/// [MS-SAMR] 3.1.5.5.4 SamrQueryInformationAlias
CallResult query_alias(const PipeContext& context, QueryIn& in) {
  const HandleTarget* const alias = context.handles->find(in.handle, HandleKind::SamAlias);
  if (!alias) return bad_handle();
  constexpr std::uint16_t kLevelLast = 3;
  if (in.level == 0 || in.level > kLevelLast) {
    return reply(std::uint32_t{0}, NtStatus::InvalidInfoClass);
  }
  const auto account = account_of(context, *alias);
  if (!account) return reply(std::uint32_t{0}, nt_code::kNoSuchAlias);
  NdrUnique<AliasInformation> info(std::in_place);
  info->level = in.level;
  info->name = NdrString(wide(account->name));
  info->comment = NdrString(wide(account->comment));
  info->member_count = static_cast<std::uint32_t>(context.accounts->members_of(alias->sid).size());
  return reply(info, NtStatus::Success);
}

/// [MS-SAMR] 3.1.5.9.1 SamrGetGroupsForUser: "None", as every local user of a server
CallResult groups_for_user(const PipeContext& context, HandleIn& in) {
  if (!context.handles->find(in.handle, HandleKind::SamUser)) return bad_handle();
  NdrUnique<Counted<Membership>> out(std::in_place, std::vector<Membership>{{kPrimaryGroup, 7}});
  return reply(out, NtStatus::Success);
}

/// [MS-SAMR] 3.1.5.13.5 SamrGetUserDomainPasswordInformation
CallResult user_password_info(const PipeContext& context, HandleIn& in) {
  if (!context.handles->find(in.handle, HandleKind::SamUser)) return bad_handle();
  return reply(PasswordInfo{}, NtStatus::Success);
}

/// [MS-SAMR] 3.1.5.8.3 SamrGetMembersInGroup
CallResult group_members(const PipeContext& context, HandleIn& in) {
  const HandleTarget* const group = context.handles->find(in.handle, HandleKind::SamGroup);
  if (!group) return bad_handle();
  NdrUnique<Members> out(std::in_place);
  std::vector<std::uint32_t> rids;
  for (const wire::Sid& member : context.accounts->members_of(group->sid)) {
    rids.push_back(member.rid());
  }
  out->count = static_cast<std::uint32_t>(rids.size());
  out->attributes.emplace(rids.size(), 7U);
  out->rids = std::move(rids);
  return reply(out, NtStatus::Success);
}

/// [MS-SAMR] 3.1.5.8.6 SamrGetMembersInAlias
CallResult alias_members(const PipeContext& context, HandleIn& in) {
  const HandleTarget* const alias = context.handles->find(in.handle, HandleKind::SamAlias);
  if (!alias) return bad_handle();
  std::vector<SidPointer> list;
  for (const wire::Sid& member : context.accounts->members_of(alias->sid)) {
    list.push_back(lsa::pointer_to(member));
  }
  return reply(Counted<SidPointer>(std::move(list)), NtStatus::Success);
}

}  // namespace flotilla::rpc::samr

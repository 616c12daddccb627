// lsarpc: privileges and the accounts that have them. Windows' names are told; those that the
// server acts on belong to Administrators and Backup Operators, and everybody who may log on may do
// so over the network. Spec    [MS-LSAD] 3.1.4.5 Account Object Methods, 3.1.4.8 Privilege Methods
#include <algorithm>
#include <array>

#include "base/ascii.hpp"
#include "rpc/access.hpp"
#include "rpc/handles.hpp"
#include "rpc/lsa/types.hpp"
#include "rpc/nt_codes.hpp"
#include "rpc/share_list.hpp"

namespace flotilla::rpc::lsa {

namespace {

struct Privilege {
  std::uint32_t value;
  std::u16string_view name;
  std::u16string_view display;
};
// [MS-LSAD] 3.1.1.2.1 Privilege Data Model
constexpr std::array<Privilege, 14> kPrivileges{{
    {6, u"SeMachineAccountPrivilege", u"Add machines to domain"},
    {8, u"SeSecurityPrivilege", u"Manage auditing and security log"},
    {9, u"SeTakeOwnershipPrivilege", u"Take ownership of files or other objects"},
    {17, u"SeBackupPrivilege", u"Back up files and directories"},
    {18, u"SeRestorePrivilege", u"Restore files and directories"},
    {24, u"SeRemoteShutdownPrivilege", u"Force shutdown from a remote system"},
    {19, u"SeShutdownPrivilege", u"Shut down the system"},
    {12, u"SeSystemtimePrivilege", u"Set the system clock"},
    {20, u"SeDebugPrivilege", u"Debug processes"},
    {10, u"SeLoadDriverPrivilege", u"Load and unload device drivers"},
    {23, u"SeChangeNotifyPrivilege", u"Bypass traverse checking"},
    {28, u"SeManageVolumePrivilege", u"Perform volume maintenance tasks"},
    {29, u"SeImpersonatePrivilege", u"Impersonate a client after authentication"},
    {27, u"SeEnableDelegationPrivilege", u"Enable accounts to be trusted for delegation"},
}};
constexpr std::u16string_view kNetworkLogon = u"SeNetworkLogonRight";
constexpr std::uint32_t kNetworkLogonAccess = 0x00000002;  // [MS-LSAD] 2.2.1.2
constexpr std::uint32_t kAccountRead = 0x00020001;         // READ_CONTROL, ACCOUNT_VIEW
constexpr std::uint32_t kAccountAll = 0x000F000F;
constexpr std::uint16_t kEnglish = 0x0409;

std::vector<wire::Sid> accounts_with_rights() {
  return {wire::well_known::kAdministrators, wire::well_known::kUsers,
          wire::well_known::kBackupOperators};
}
bool has_rights(const wire::Sid& sid) {
  const std::vector<wire::Sid> all = accounts_with_rights();
  return std::ranges::find(all, sid) != all.end();
}
/// What handlers/access grants to members: SeSecurity, SeTakeOwnership, SeBackup, SeRestore.
std::vector<std::uint32_t> privileges_of(const wire::Sid& sid) {
  if (sid == wire::well_known::kAdministrators) return {8, 9, 17, 18};
  if (sid == wire::well_known::kBackupOperators) return {17, 18};
  return {};
}

const Privilege* find_privilege(std::u16string_view name) {
  const auto found = std::ranges::find_if(kPrivileges, [&](const Privilege& each) {
    return ascii::equal_without_case(each.name, name);
  });
  return found == kPrivileges.end() ? nullptr : &*found;
}

struct PrivilegeEntry {
  NdrString name;
  Luid luid;
  static void ndr(auto& v, auto& s) {
    v(s.name);
    v(s.luid);
  }
};
/// [MS-LSAD] 2.2.5.4 LSAPR_LUID_AND_ATTRIBUTES
struct LuidAndAttributes {
  Luid luid;
  std::uint32_t attributes = 0;
  static void ndr(auto& v, auto& s) {
    v(s.luid);
    v(s.attributes);
  }
};
/// [MS-LSAD] 2.2.5.5 LSAPR_PRIVILEGE_SET
struct PrivilegeSet {
  std::vector<LuidAndAttributes> items;
  std::uint32_t control = 0;
  static void ndr(auto& v, auto& s) {
    auto count = static_cast<std::uint32_t>(s.items.size());
    v(count);  // of the array, ahead of the structure
    v(count);
    v(s.control);
    for (auto& item : s.items) v(item);
  }
};

}  // namespace

/// [MS-LSAD] 3.1.4.8.1 LsarEnumeratePrivileges
CallResult enum_privileges(const PipeContext& context, EnumIn& in) {
  if (!context.handles->find(in.handle, HandleKind::LsaPolicy)) return bad_handle();
  std::vector<PrivilegeEntry> list;
  for (std::size_t i = in.enumeration_context; i < kPrivileges.size(); ++i) {
    list.push_back({NdrString::large(kPrivileges[i].name), {kPrivileges[i].value, 0}});
  }
  if (list.empty()) {
    return reply(in.enumeration_context, Counted<PrivilegeEntry>{}, NtStatus::NoMoreEntries);
  }
  return reply(static_cast<std::uint32_t>(kPrivileges.size()),
               Counted<PrivilegeEntry>(std::move(list)), NtStatus::Success);
}

/// [MS-LSAD] 3.1.4.5.2 LsarEnumerateAccounts
CallResult enum_accounts(const PipeContext& context, EnumIn& in) {
  if (!context.handles->find(in.handle, HandleKind::LsaPolicy)) return bad_handle();
  const std::vector<wire::Sid> all = accounts_with_rights();
  std::vector<SidPointer> list;
  for (std::size_t i = in.enumeration_context; i < all.size(); ++i) {
    list.push_back(pointer_to(all[i]));
  }
  if (list.empty()) {
    return reply(in.enumeration_context, Counted<SidPointer>{}, NtStatus::NoMoreEntries);
  }
  return reply(static_cast<std::uint32_t>(all.size()), Counted<SidPointer>(std::move(list)),
               NtStatus::Success);
}

/// [MS-LSAD] 3.1.4.5.3 LsarOpenAccount
CallResult open_account(const PipeContext& context, OpenAccountIn& in) {
  if (!context.handles->find(in.handle, HandleKind::LsaPolicy)) return bad_handle();
  const auto access = granted_access(context, in.desired_access, kAccountRead, kAccountAll);
  if (!access) return reply(NdrContextHandle{}, NtStatus::AccessDenied);
  if (!has_rights(in.sid.sid)) return reply(NdrContextHandle{}, NtStatus::ObjectNameNotFound);
  const auto handle = context.handles->add({HandleKind::LsaAccount, *access, in.sid.sid});
  if (!handle) return reply(NdrContextHandle{}, NtStatus::InsufficientResources);
  return reply(*handle, NtStatus::Success);
}

/// [MS-LSAD] 3.1.4.5.4 LsarEnumeratePrivilegesAccount
CallResult account_privileges(const PipeContext& context, HandleIn& in) {
  const HandleTarget* const account = context.handles->find(in.handle, HandleKind::LsaAccount);
  if (!account) return bad_handle();
  NdrUnique<PrivilegeSet> set(std::in_place);
  for (const std::uint32_t value : privileges_of(account->sid)) {
    set->items.push_back({{value, 0}, 0});
  }
  return reply(set, NtStatus::Success);
}

/// [MS-LSAD] 3.1.4.5.7 LsarGetSystemAccessAccount
CallResult account_system_access(const PipeContext& context, HandleIn& in) {
  if (!context.handles->find(in.handle, HandleKind::LsaAccount)) return bad_handle();
  return reply(kNetworkLogonAccess, NtStatus::Success);
}

/// [MS-LSAD] 3.1.4.5.9 LsarEnumerateAccountsWithUserRight
CallResult accounts_with_right(const PipeContext& context, RightIn& in) {
  if (!context.handles->find(in.handle, HandleKind::LsaPolicy)) return bad_handle();
  const std::u16string right = in.right ? in.right->text() : std::u16string{};
  const Privilege* const privilege = find_privilege(right);
  if (!right.empty() && privilege == nullptr && !ascii::equal_without_case(right, kNetworkLogon)) {
    return reply(Counted<SidPointer>{}, nt_code::kNoSuchPrivilege);
  }
  std::vector<SidPointer> list;
  for (const wire::Sid& sid : accounts_with_rights()) {
    const std::vector<std::uint32_t> held = privileges_of(sid);
    const bool has =
        privilege == nullptr || std::ranges::find(held, privilege->value) != held.end();
    if (has) list.push_back(pointer_to(sid));
  }
  if (list.empty()) return reply(Counted<SidPointer>{}, NtStatus::NoMoreEntries);
  return reply(Counted<SidPointer>(std::move(list)), NtStatus::Success);
}

/// [MS-LSAD] 3.1.4.5.10 LsarEnumerateAccountRights
CallResult account_rights(const PipeContext& context, SidIn& in) {
  if (!context.handles->find(in.handle, HandleKind::LsaPolicy)) return bad_handle();
  if (!has_rights(in.sid.sid)) {
    return reply(Counted<NdrString>{}, NtStatus::ObjectNameNotFound);
  }
  std::vector<NdrString> names{NdrString::large(kNetworkLogon)};
  for (const std::uint32_t value : privileges_of(in.sid.sid)) {
    const auto found = std::ranges::find(kPrivileges, value, &Privilege::value);
    if (found != kPrivileges.end()) names.push_back(NdrString::large(found->name));
  }
  return reply(Counted<NdrString>(std::move(names)), NtStatus::Success);
}

/// [MS-LSAD] 3.1.4.8.2 LsarLookupPrivilegeValue
CallResult privilege_value(const PipeContext& context, PrivilegeNameIn& in) {
  if (!context.handles->find(in.handle, HandleKind::LsaPolicy)) return bad_handle();
  const Privilege* const found = find_privilege(in.name.text());
  if (found == nullptr) return reply(Luid{}, nt_code::kNoSuchPrivilege);
  return reply(Luid{found->value, 0}, NtStatus::Success);
}

/// [MS-LSAD] 3.1.4.8.3 LsarLookupPrivilegeName
CallResult privilege_name(const PipeContext& context, PrivilegeValueIn& in) {
  if (!context.handles->find(in.handle, HandleKind::LsaPolicy)) return bad_handle();
  const auto found = std::ranges::find_if(kPrivileges, [&](const Privilege& each) {
    return each.value == in.luid.low && in.luid.high == 0;
  });
  if (found == kPrivileges.end()) return reply(std::uint32_t{0}, nt_code::kNoSuchPrivilege);
  return reply(NdrUnique<NdrString>(NdrString::large(found->name)), NtStatus::Success);
}

/// [MS-LSAD] 3.1.4.8.4 LsarLookupPrivilegeDisplayName: English only
CallResult privilege_display(const PipeContext& context, PrivilegeDisplayIn& in) {
  if (!context.handles->find(in.handle, HandleKind::LsaPolicy)) return bad_handle();
  const Privilege* const found = find_privilege(in.name.text());
  if (found == nullptr) {
    return reply(std::uint32_t{0}, std::uint16_t{0}, nt_code::kNoSuchPrivilege);
  }
  return reply(NdrUnique<NdrString>(NdrString::large(found->display)), kEnglish, NtStatus::Success);
}

}  // namespace flotilla::rpc::lsa

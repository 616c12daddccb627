// lsarpc: the table of its operations, and dssetup, which lives on the same pipe.
// Spec    [MS-LSAD] 3.1.4, [MS-LSAT] 3.1.4; [MS-DSSP] 3.2.5
#include <array>

#include "rpc/lsa/types.hpp"
#include "rpc/share_list.hpp"
#include "rpc/win_error.hpp"

namespace flotilla::rpc {

namespace {

using namespace lsa;

constexpr auto kDenied = NtStatus::AccessDenied;
constexpr std::size_t kHandleWords = 5;

/// Everything that would change the policy is refused, with its [out] parameters empty.
constexpr std::array kOperations{
    row<&lsa::close>(0),
    refused<NtStatus::NotSupported>(1),  // LsarDelete: replaced by LsarDeleteObject
    row<&enum_privileges>(2),
    row<&query_security>(3),
    refused<kDenied>(4),  // LsarSetSecurityObject
    row<&open_policy>(6),
    row<&query_info_policy>(7),
    refused<kDenied>(8),                 // LsarSetInformationPolicy
    refused<kDenied, kHandleWords>(10),  // LsarCreateAccount
    row<&enum_accounts>(11),
    refused<kDenied, kHandleWords>(12),  // LsarCreateTrustedDomain
    row<&enum_trusted>(13),
    row<&lookup_names>(14),
    row<&lookup_sids>(15),
    refused<kDenied, kHandleWords>(16),  // LsarCreateSecret
    row<&open_account>(17),
    row<&account_privileges>(18),
    refused<kDenied>(19),  // LsarAddPrivilegesToAccount
    refused<kDenied>(20),  // LsarRemovePrivilegesFromAccount
    row<&account_system_access>(23),
    refused<kDenied>(24),                                     // LsarSetSystemAccessAccount
    refused<NtStatus::ObjectNameNotFound, kHandleWords>(25),  // LsarOpenTrustedDomain
    refused<NtStatus::ObjectNameNotFound, kHandleWords>(28),  // LsarOpenSecret
    row<&privilege_value>(31),
    row<&privilege_name>(32),
    row<&privilege_display>(33),
    refused<kDenied, kHandleWords>(34),  // LsarDeleteObject
    row<&accounts_with_right>(35),
    row<&account_rights>(36),
    refused<kDenied>(37),                          // LsarAddAccountRights
    refused<kDenied>(38),                          // LsarRemoveAccountRights
    refused<NtStatus::ObjectNameNotFound, 1>(39),  // LsarQueryTrustedDomainInfo
    refused<kDenied>(40),                          // LsarSetTrustedDomainInfo
    refused<kDenied>(41),                          // LsarDeleteTrustedDomain
    refused<kDenied>(42),                          // LsarStorePrivateData
    refused<NtStatus::ObjectNameNotFound, 1>(43),  // LsarRetrievePrivateData
    row<&open_policy2>(44),
    row<&get_user_name>(45),
    row<&query_info_policy>(46),
    refused<kDenied>(47),                          // LsarSetInformationPolicy2
    refused<NtStatus::ObjectNameNotFound, 1>(48),  // LsarQueryTrustedDomainInfoByName
    row<&enum_trusted>(50),
    refused<kDenied, kHandleWords>(51),  // LsarCreateTrustedDomainEx
    row<&query_domain_policy>(53),
    refused<kDenied>(54),                                     // LsarSetDomainInformationPolicy
    refused<NtStatus::ObjectNameNotFound, kHandleWords>(55),  // LsarOpenTrustedDomainByName
    row<&lookup_sids2>(57),
    row<&lookup_names2>(58),
    refused<kDenied, kHandleWords>(59),  // LsarCreateTrustedDomainEx2
    row<&lookup_names3>(68),
};
// [MS-LSAT] 3.1.4.5 and 3.1.4.9: LsarLookupNames4 and LsarLookupSids3 are for secure channels
// over TCP only.
constexpr std::uint16_t kLookupSids3 = 76;
constexpr std::uint16_t kLookupNames4 = 77;

class Lsarpc final : public Interface {
 public:
  [[nodiscard]] const wire::RpcSyntaxId& syntax() const noexcept override { return syntax_; }
  [[nodiscard]] CallResult call(const PipeContext& context, std::uint16_t opnum,
                                ByteView stub) const override {
    if (opnum == kLookupSids3 || opnum == kLookupNames4) {
      return std::unexpected(wire::rpc_fault::kAccessDenied);
    }
    return call_row(kOperations, context, opnum, stub);
  }

 private:
  wire::RpcSyntaxId syntax_{wire::uuid_of("12345778-1234-abcd-ef00-0123456789ab"), 0, 0};
};

/// [MS-DSSP] 2.2.1 DSROLER_PRIMARY_DOMAIN_INFO_BASIC
struct PrimaryDomain {
  std::uint16_t machine_role = 2;  ///< DsRole_RoleStandaloneServer
  std::uint32_t flags = 0;
  std::optional<std::u16string> domain_name_flat;
  std::optional<std::u16string> domain_name_dns;
  std::optional<std::u16string> forest_name;
  std::array<std::uint8_t, 16> domain_guid{};
  static void ndr(auto& v, auto& s) {
    v.align(4);
    v(s.machine_role);
    v(s.flags);
    v(s.domain_name_flat);
    v(s.domain_name_dns);
    v(s.forest_name);
    v(s.domain_guid);
  }
};
struct RoleInformation {
  std::uint16_t level = 1;
  PrimaryDomain basic;
  static void ndr(auto& v, auto& s) {
    v(s.level);
    v(s.basic);
  }
};
struct RoleIn {
  std::uint16_t level = 0;
  static void parameters(auto& v, auto& s) { v(s.level); }
};

/// [MS-DSSP] 3.2.5.1 DsRolerGetPrimaryDomainInformation
CallResult primary_domain(const PipeContext& context, RoleIn& in) {
  constexpr std::uint16_t kBasic = 1;
  if (in.level != kBasic) return reply(std::uint32_t{0}, WinError::InvalidParameter);
  std::optional<RoleInformation> info(std::in_place);
  info->basic.domain_name_flat = wide(context.config->workgroup);
  return reply(info, WinError::Success);
}

class Dssetup final : public Interface {
 public:
  [[nodiscard]] const wire::RpcSyntaxId& syntax() const noexcept override { return syntax_; }
  [[nodiscard]] CallResult call(const PipeContext& context, std::uint16_t opnum,
                                ByteView stub) const override {
    static constexpr std::array kRows{row<&primary_domain>(0)};
    return call_row(kRows, context, opnum, stub);
  }

 private:
  wire::RpcSyntaxId syntax_{wire::uuid_of("3919286a-b10c-11d0-9ba8-00c04fd92ef5"), 0, 0};
};

}  // namespace

const Interface& lsarpc_interface() {
  static const Lsarpc interface;
  return interface;
}

const Interface& dssetup_interface() {
  static const Dssetup interface;
  return interface;
}

}  // namespace flotilla::rpc

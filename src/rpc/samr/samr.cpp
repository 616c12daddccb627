// samr: the table of its operations. Accounts are made with `flotilla user` and in files, never
// through this pipe: everything that would change one is refused.
// Spec    [MS-SAMR] 3.1.5 Message Processing Events and Sequencing Rules
#include "rpc/samr/types.hpp"

#include <array>

namespace flotilla::rpc {

namespace {

using namespace samr;

constexpr auto kDenied = NtStatus::AccessDenied;
constexpr std::size_t kHandleWords = 5;

constexpr std::array kOperations{
    row<&samr::connect>(0),
    row<&samr::close>(1),
    refused<kDenied>(2),  // SamrSetSecurityObject
    row<&query_security>(3),
    row<&lookup_domain>(5),
    row<&enum_domains>(6),
    row<&open_domain>(7),
    row<&query_domain>(8),
    refused<kDenied>(9),                     // SamrSetInformationDomain
    refused<kDenied, kHandleWords + 1>(10),  // SamrCreateGroupInDomain
    row<&enum_groups>(11),
    refused<kDenied, kHandleWords + 1>(12),  // SamrCreateUserInDomain
    row<&enum_users>(13),
    refused<kDenied, kHandleWords + 1>(14),  // SamrCreateAliasInDomain
    row<&enum_aliases>(15),
    row<&alias_membership>(16),
    row<&lookup_names>(17),
    row<&lookup_rids>(18),
    row<&open_group>(19),
    row<&query_group>(20),
    refused<kDenied>(21),                // SamrSetInformationGroup
    refused<kDenied>(22),                // SamrAddMemberToGroup
    refused<kDenied, kHandleWords>(23),  // SamrDeleteGroup
    refused<kDenied>(24),                // SamrRemoveMemberFromGroup
    row<&group_members>(25),
    refused<kDenied>(26),  // SamrSetMemberAttributesOfGroup
    row<&open_alias>(27),
    row<&query_alias>(28),
    refused<kDenied>(29),                // SamrSetInformationAlias
    refused<kDenied, kHandleWords>(30),  // SamrDeleteAlias
    refused<kDenied>(31),                // SamrAddMemberToAlias
    refused<kDenied>(32),                // SamrRemoveMemberFromAlias
    row<&alias_members>(33),
    row<&open_user>(34),
    refused<kDenied, kHandleWords>(35),  // SamrDeleteUser
    row<&query_user>(36),
    refused<kDenied>(37),  // SamrSetInformationUser
    refused<kDenied>(38),  // SamrChangePasswordUser
    row<&groups_for_user>(39),
    row<&query_display>(40),
    refused<NtStatus::NoMoreEntries, 1>(41),  // SamrGetDisplayEnumerationIndex
    row<&user_password_info>(44),
    refused<kDenied>(45),  // SamrRemoveMemberFromForeignDomain
    row<&query_domain>(46),
    row<&query_user>(47),
    row<&query_display>(48),
    refused<NtStatus::NoMoreEntries, 1>(49),  // SamrGetDisplayEnumerationIndex2
    refused<kDenied, kHandleWords + 2>(50),   // SamrCreateUser2InDomain
    row<&query_display>(51),
    refused<kDenied>(52),  // SamrAddMultipleMembersToAlias
    refused<kDenied>(53),  // SamrRemoveMultipleMembersFromAlias
    refused<kDenied>(54),  // SamrOemChangePasswordUser2
    refused<kDenied>(55),  // SamrUnicodeChangePasswordUser2
    row<&domain_password_info>(56),
    row<&connect2>(57),
    refused<kDenied>(58),  // SamrSetInformationUser2
    row<&connect4>(62),
    refused<kDenied, 2>(63),  // SamrChangePasswordUser3
    row<&connect5>(64),
    row<&rid_to_sid>(65),
};

class Samr final : public Interface {
 public:
  [[nodiscard]] const wire::RpcSyntaxId& syntax() const noexcept override { return syntax_; }
  [[nodiscard]] CallResult call(const PipeContext& context, std::uint16_t opnum,
                                ByteView stub) const override {
    return call_row(kOperations, context, opnum, stub);
  }

 private:
  wire::RpcSyntaxId syntax_{wire::uuid_of("12345778-1234-abcd-ef00-0123456789ac"), 1, 0};
};

}  // namespace

const Interface& samr_interface() {
  static const Samr interface;
  return interface;
}

}  // namespace flotilla::rpc

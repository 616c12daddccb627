// lsarpc: policy handles and what the policy says about the server's domain.
// Spec    [MS-LSAD] 3.1.4.4 Policy Object Methods
#include "rpc/access.hpp"
#include "rpc/handles.hpp"
#include "rpc/lsa/types.hpp"
#include "rpc/share_list.hpp"
#include "wire/security_descriptor.hpp"

namespace flotilla::rpc::lsa {

namespace {

// [MS-LSAD] 2.2.1.1.2 ACCESS_MASK for Policy Objects
constexpr std::uint32_t kPolicyAllAccess = 0x000F1FFF;
// READ_CONTROL, VIEW_LOCAL_INFORMATION, VIEW_AUDIT_INFORMATION, LOOKUP_NAMES
constexpr std::uint32_t kPolicyRead = 0x00020803;

CallResult open(const PipeContext& context, std::uint32_t desired_access) {
  const auto access = granted_access(context, desired_access, kPolicyRead, kPolicyAllAccess);
  if (!access) return reply(NdrContextHandle{}, NtStatus::AccessDenied);
  const auto handle = context.handles->add({HandleKind::LsaPolicy, *access, {}});
  if (!handle) return reply(NdrContextHandle{}, NtStatus::InsufficientResources);
  return reply(*handle, NtStatus::Success);
}

/// [MS-LSAD] 2.2.4.2 LSAPR_POLICY_INFORMATION: the arms that are answered
struct AuditEvents {
  std::uint8_t auditing = 0;
  NdrUnique<std::vector<std::uint32_t>> options;
  std::uint32_t count = 0;
  static void ndr(auto& v, auto& s) {
    v.align(4);
    v(s.auditing);
    v(s.options);
    v(s.count);
  }
};
struct DnsDomainInfo {
  NdrString name;
  NdrString dns_domain;
  NdrString dns_forest;
  std::array<std::uint8_t, 16> guid{};
  NdrUnique<NdrSid> sid;
  static void ndr(auto& v, auto& s) {
    v(s.name);
    v(s.dns_domain);
    v(s.dns_forest);
    v(s.guid);
    v(s.sid);
  }
};
struct PolicyInformation {
  std::uint16_t level = 0;
  AuditEvents audit;
  DomainInfo domain;
  std::uint32_t server_role = 3;  ///< primary; 32 bits, as Samba and its tests have it
  DnsDomainInfo dns;
  static void ndr(auto& v, auto& s) {
    v(s.level);
    switch (s.level) {
      case 2:
        return v(s.audit);
      case 3:
      case 5:
      case 14:
        return v(s.domain);
      case 4:
        return v(s.domain.name);
      case 6:
        return v(s.server_role);
      default:
        return v(s.dns);
    }
  }
};

}  // namespace

CallResult open_policy(const PipeContext& context, OpenPolicyIn& in) {
  return open(context, in.desired_access);
}

CallResult open_policy2(const PipeContext& context, OpenPolicy2In& in) {
  return open(context, in.desired_access);
}

/// [MS-LSAD] 3.1.4.9.4 LsarClose
CallResult close(const PipeContext& context, HandleIn& in) {
  if (!context.handles->close(in.handle)) return bad_handle();
  return reply(NdrContextHandle{}, NtStatus::Success);
}

/// [MS-LSAD] 3.1.4.4.3, 3.1.4.4.4 LsarQueryInformationPolicy2, LsarQueryInformationPolicy.
/// A server that is in no domain: its primary domain is the workgroup and has no SID.
CallResult query_info_policy(const PipeContext& context, QueryInfoIn& in) {
  if (!context.handles->find(in.handle, HandleKind::LsaPolicy)) return bad_handle();
  const auto refuse = [](NtStatus status) { return reply(std::uint32_t{0}, status); };
  NdrUnique<PolicyInformation> info(std::in_place);
  info->level = in.level;
  switch (in.level) {
    case 2: {
      constexpr std::uint32_t kAuditCategories = 9;
      info->audit.options.emplace(kAuditCategories, 0U);
      info->audit.count = kAuditCategories;
      break;
    }
    case 3:
      info->domain.name = NdrString::large(wide(context.config->workgroup));
      break;
    case 4:
      info->domain.name = NdrString(u"");
      break;
    case 5:
    case 14:
      info->domain.name = NdrString::large(wide(context.accounts->domain_name()));
      info->domain.sid = NdrSid{context.accounts->domain_sid()};
      break;
    case 6:
      break;
    case 12:
    case 13:
      info->dns.name = NdrString::large(wide(context.config->workgroup));
      info->dns.dns_domain = NdrString::large(u"");
      info->dns.dns_forest = NdrString::large(u"");
      break;
    case 1:
    case 7:
    case 8:
    case 9:
    case 11:
      return refuse(NtStatus::NotImplemented);
    default:
      return refuse(NtStatus::InvalidParameter);
  }
  return reply(info, NtStatus::Success);
}

/// [MS-LSAD] 3.1.4.4.7 LsarQueryDomainInformationPolicy: there is no domain policy
CallResult query_domain_policy(const PipeContext& context, QueryInfoIn& in) {
  if (!context.handles->find(in.handle, HandleKind::LsaPolicy)) return bad_handle();
  return reply(std::uint32_t{0}, NtStatus::ObjectNameNotFound);
}

/// [MS-LSAD] 3.1.4.9.1 LsarQuerySecurityObject: Everyone reads, Administrators have all
CallResult query_security(const PipeContext& context, SecurityIn& in) {
  if (!context.handles->find(in.handle)) return bad_handle();
  wire::SecurityDescriptor descriptor;
  descriptor.owner = wire::well_known::kAdministrators;
  descriptor.group = wire::well_known::kLocalSystem;
  descriptor.dacl.emplace();
  descriptor.dacl->aces = {{.type = wire::AceType::AccessAllowed,
                            .mask = kPolicyRead,
                            .sid = wire::well_known::kEveryone},
                           {.type = wire::AceType::AccessAllowed,
                            .mask = kPolicyAllAccess,
                            .sid = wire::well_known::kAdministrators}};
  NdrUnique<SecurityBuffer> buffer(std::in_place);
  Bytes flat;
  descriptor.encode(flat);
  buffer->length = static_cast<std::uint32_t>(flat.size());
  buffer->descriptor.emplace(flat.begin(), flat.end());
  return reply(buffer, NtStatus::Success);
}

/// [MS-LSAD] 3.1.4.7.8 LsarEnumerateTrustedDomains: none
CallResult enum_trusted(const PipeContext& context, EnumIn& in) {
  if (!context.handles->find(in.handle, HandleKind::LsaPolicy)) return bad_handle();
  return reply(in.enumeration_context, Counted<DomainInfo>{}, NtStatus::NoMoreEntries);
}

}  // namespace flotilla::rpc::lsa

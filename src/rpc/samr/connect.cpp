// samr: server and domain handles. Two domains: the server's own, and Builtin.
// Spec    [MS-SAMR] 3.1.5.1 Open Pattern, 3.1.5.2 Enumerate Pattern, 3.1.5.5 Query Pattern
#include "base/ascii.hpp"
#include "rpc/access.hpp"
#include "rpc/handles.hpp"
#include "rpc/samr/types.hpp"
#include "rpc/share_list.hpp"
#include "wire/security_descriptor.hpp"

namespace flotilla::rpc::samr {

namespace {

// [MS-SAMR] 2.2.1.3 Server ACCESS_MASK Values, 2.2.1.4 Domain ACCESS_MASK Values
constexpr std::uint32_t kServerAll = 0x000F003F;
constexpr std::uint32_t kServerRead = 0x00020031;  // READ_CONTROL, CONNECT, ENUMERATE, LOOKUP
constexpr std::uint32_t kDomainAll = 0x000F07FF;
// READ_CONTROL, READ_PASSWORD_PARAMETERS, READ_OTHER_PARAMETERS, GET_ALIAS_MEMBERSHIP,
// LIST_ACCOUNTS, LOOKUP
constexpr std::uint32_t kDomainRead = 0x00020385;
const wire::Sid kBuiltin{5, {32}};
constexpr std::uint64_t kNever = 0x8000000000000000ULL;

std::expected<NdrContextHandle, NtStatus> connected(const PipeContext& context,
                                                    std::uint32_t desired_access) {
  if (!is_known_user(context)) return std::unexpected(NtStatus::AccessDenied);
  const auto access = granted_access(context, desired_access, kServerRead, kServerAll);
  if (!access) return std::unexpected(NtStatus::AccessDenied);
  const auto handle = context.handles->add({HandleKind::SamServer, *access, {}});
  if (!handle) return std::unexpected(NtStatus::InsufficientResources);
  return *handle;
}

CallResult answer(const std::expected<NdrContextHandle, NtStatus>& handle) {
  if (!handle) return reply(NdrContextHandle{}, handle.error());
  return reply(*handle, NtStatus::Success);
}

/// [MS-SAMR] SAMPR_DOMAIN_INFO_BUFFER
struct General {
  NdrOldLarge force_logoff{kNever};
  NdrString comment;
  NdrString domain_name;
  NdrString replica_source;
  NdrOldLarge modified_count{1};
  std::uint32_t server_state = 1;  ///< enabled
  std::uint32_t server_role = 3;   ///< primary
  std::uint8_t uas_compatible = 1;
  std::uint32_t user_count = 0;
  std::uint32_t group_count = 0;
  std::uint32_t alias_count = 0;
  static void ndr(auto& v, auto& s) {
    v(s.force_logoff);
    v(s.comment);
    v(s.domain_name);
    v(s.replica_source);
    v(s.modified_count);
    v(s.server_state);
    v(s.server_role);
    v(s.uas_compatible);
    v(s.user_count);
    v(s.group_count);
    v(s.alias_count);
  }
};
struct Passwords {
  std::uint16_t min_length = 0;
  std::uint16_t history_length = 0;
  std::uint32_t properties = 0;
  NdrOldLarge max_age{kNever};
  NdrOldLarge min_age;
  static void ndr(auto& v, auto& s) {
    v.align(4);
    v(s.min_length);
    v(s.history_length);
    v(s.properties);
    v(s.max_age);
    v(s.min_age);
  }
};
struct Lockout {
  NdrOldLarge duration{static_cast<std::uint64_t>(-18'000'000'000LL)};  ///< 30 minutes
  NdrOldLarge window{static_cast<std::uint64_t>(-18'000'000'000LL)};
  std::uint16_t threshold = 0;  ///< nobody is locked out: answers get slower
  static void ndr(auto& v, auto& s) {
    v.align(4);
    v(s.duration);
    v(s.window);
    v(s.threshold);
  }
};
struct DomainInformation {
  std::uint16_t level = 0;
  General general;
  Passwords passwords;
  Lockout lockout;
  NdrOldLarge zero;
  static void ndr(auto& v, auto& s) {
    v(s.level);
    switch (s.level) {
      case 1:
        return v(s.passwords);
      case 2:
        return v(s.general);
      case 3:
        return v(s.general.force_logoff);
      case 4:
        return v(s.general.comment);
      case 5:
        return v(s.general.domain_name);
      case 6:
        return v(s.general.replica_source);
      case 7:
        v.align(4);
        return v(s.general.server_role);
      case 8:
        v(s.general.modified_count);
        return v(s.zero);  // CreationTime
      case 9:
        v.align(4);
        return v(s.general.server_state);
      case 11:
        v(s.general);
        return v(s.lockout);
      case 12:
        return v(s.lockout);
      default:
        v(s.general.modified_count);
        v(s.zero);
        return v(s.zero);
    }
  }
};

}  // namespace

/// [MS-SAMR] 3.1.5.1.4 SamrConnect
CallResult connect(const PipeContext& context, ConnectIn& in) {
  return answer(connected(context, in.desired_access));
}
/// [MS-SAMR] 3.1.5.1.3 SamrConnect2
CallResult connect2(const PipeContext& context, Connect2In& in) {
  return answer(connected(context, in.desired_access));
}
/// [MS-SAMR] 3.1.5.1.2 SamrConnect4
CallResult connect4(const PipeContext& context, Connect4In& in) {
  return answer(connected(context, in.desired_access));
}
/// [MS-SAMR] 3.1.5.1.1 SamrConnect5
CallResult connect5(const PipeContext& context, Connect5In& in) {
  const auto refuse = [](NtStatus status) {
    return reply(std::uint32_t{1}, RevisionInfo{}, NdrContextHandle{}, status);
  };
  if (in.in_version != 1 || in.in_revision.version != 1) return refuse(NtStatus::NotSupported);
  const auto handle = connected(context, in.desired_access);
  if (!handle) return refuse(handle.error());
  return reply(std::uint32_t{1}, RevisionInfo{}, *handle, NtStatus::Success);
}

/// [MS-SAMR] 3.1.5.13.1 SamrCloseHandle
CallResult close(const PipeContext& context, HandleIn& in) {
  if (!context.handles->close(in.handle)) return bad_handle();
  return reply(NdrContextHandle{}, NtStatus::Success);
}

/// [MS-SAMR] 3.1.5.12.2 SamrQuerySecurityObject: Everyone reads, Administrators have all
CallResult query_security(const PipeContext& context, SecurityIn& in) {
  const HandleTarget* const target = context.handles->find(in.handle);
  if (!target) return bad_handle();
  constexpr std::uint32_t kReadAll = 0x00020000 | 0x0000FFFF;
  wire::SecurityDescriptor descriptor;
  descriptor.owner = descriptor.group = wire::well_known::kAdministrators;
  descriptor.dacl.emplace();
  descriptor.dacl->aces = {
      {.mask = target->kind == HandleKind::SamServer ? kServerRead : kDomainRead & kReadAll,
       .sid = wire::well_known::kEveryone},
      {.mask = target->kind == HandleKind::SamServer ? kServerAll : kDomainAll,
       .sid = wire::well_known::kAdministrators}};
  NdrUnique<SecurityBuffer> buffer(std::in_place);
  Bytes flat;
  descriptor.encode(flat);
  buffer->length = static_cast<std::uint32_t>(flat.size());
  buffer->descriptor.emplace(flat.begin(), flat.end());
  return reply(buffer, NtStatus::Success);
}

/// [MS-SAMR] 3.1.5.2.1 SamrEnumerateDomainsInSamServer
CallResult enum_domains(const PipeContext& context, EnumIn& in) {
  if (!context.handles->find(in.handle, HandleKind::SamServer)) return bad_handle();
  const std::u16string names[] = {wide(context.accounts->domain_name()), u"Builtin"};
  std::vector<RidEntry> list;
  for (std::size_t i = in.enumeration_context; i < std::size(names); ++i) {
    list.push_back({static_cast<std::uint32_t>(i), NdrString(names[i])});
  }
  const auto count = static_cast<std::uint32_t>(list.size());
  NdrUnique<Counted<RidEntry>> out(std::in_place, std::move(list));
  return reply(static_cast<std::uint32_t>(std::size(names)), out, count, NtStatus::Success);
}

/// [MS-SAMR] 3.1.5.11.1 SamrLookupDomainInSamServer
CallResult lookup_domain(const PipeContext& context, LookupDomainIn& in) {
  if (!context.handles->find(in.handle, HandleKind::SamServer)) return bad_handle();
  const std::u16string name = in.name.text();
  if (name.empty()) return reply(std::uint32_t{0}, NtStatus::InvalidParameter);
  NdrUnique<NdrSid> sid;
  if (ascii::equal_without_case(name, wide(context.accounts->domain_name()))) {
    sid = NdrSid{context.accounts->domain_sid()};
  } else if (ascii::equal_without_case(name, u"builtin")) {
    sid = NdrSid{kBuiltin};
  }
  return reply(sid, sid ? NtStatus::Success : NtStatus::NoSuchDomain);
}

/// [MS-SAMR] 3.1.5.1.5 SamrOpenDomain
CallResult open_domain(const PipeContext& context, OpenDomainIn& in) {
  if (!context.handles->find(in.handle, HandleKind::SamServer)) {
    return other_kind_of_handle(context, in.handle);
  }
  const auto access = granted_access(context, in.desired_access, kDomainRead, kDomainAll);
  if (!access) return reply(NdrContextHandle{}, NtStatus::AccessDenied);
  if (in.domain.sid != context.accounts->domain_sid() && in.domain.sid != kBuiltin) {
    return reply(NdrContextHandle{}, NtStatus::NoSuchDomain);
  }
  const auto handle = context.handles->add({HandleKind::SamDomain, *access, in.domain.sid});
  if (!handle) return reply(NdrContextHandle{}, NtStatus::InsufficientResources);
  return reply(*handle, NtStatus::Success);
}

/// [MS-SAMR] 3.1.5.5.1 SamrQueryInformationDomain2, 3.1.5.5.2 SamrQueryInformationDomain
CallResult query_domain(const PipeContext& context, QueryIn& in) {
  const HandleTarget* const domain = context.handles->find(in.handle, HandleKind::SamDomain);
  if (!domain) return bad_handle();
  constexpr std::uint16_t kLevelLast = 13;
  if (in.level == 0 || in.level == 10 || in.level > kLevelLast) {
    return reply(std::uint32_t{0}, NtStatus::InvalidInfoClass);
  }
  ports::Accounts& accounts = *context.accounts;
  const bool builtin = domain->sid == kBuiltin;
  NdrUnique<DomainInformation> info(std::in_place);
  info->level = in.level;
  General& general = info->general;
  general.comment = NdrString(wide(context.config->comment));
  general.domain_name = NdrString(builtin ? u"Builtin" : wide(accounts.domain_name()));
  general.replica_source = NdrString(u"");
  if (in.level == 2 || in.level == 11) {
    const auto count = [](const auto& list) { return static_cast<std::uint32_t>(list.size()); };
    general.alias_count = count(builtin ? accounts.builtin_aliases() : accounts.aliases());
    if (!builtin) {
      general.user_count = count(accounts.users());
      general.group_count = count(accounts.groups());
    }
  }
  return reply(info, NtStatus::Success);
}

/// [MS-SAMR] 3.1.5.13.4 SamrGetDomainPasswordInformation
CallResult domain_password_info(const PipeContext&, DomainNameIn&) {
  return reply(PasswordInfo{}, NtStatus::Success);
}

}  // namespace flotilla::rpc::samr

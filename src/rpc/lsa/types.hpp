// [MS-LSAD] and [MS-LSAT] structures as NDR declarations. An In struct lists an operation's [in]
// parameters; what is answered with reply() needs none.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/nt_status.hpp"
#include "rpc/calls.hpp"
#include "wire/ndr_types.hpp"

namespace flotilla::rpc::lsa {

using wire::NdrContextHandle;
using wire::NdrSid;
using wire::NdrString;
using wire::NdrUnique;

/// [MS-LSAT] 2.2.12 LSAPR_REFERENCED_DOMAIN_LIST's elements; [MS-LSAD] 2.2.4.5 as well
struct DomainInfo {
  NdrString name;
  NdrUnique<NdrSid> sid;
  static void ndr(auto& v, auto& s) {
    v(s.name);
    v(s.sid);
  }
};
struct ReferencedDomains {
  std::uint32_t entries = 0;
  NdrUnique<std::vector<DomainInfo>> domains;
  std::uint32_t max_entries = 0;
  static void ndr(auto& v, auto& s) {
    v(s.entries);
    v(s.domains);
    v(s.max_entries);
  }
};

/// A count and that many elements behind a pointer: most lists of LSA and SAM.
template <class T>
struct Counted {
  std::uint32_t count = 0;
  NdrUnique<std::vector<T>> items;
  Counted() = default;
  explicit Counted(std::vector<T> list)
      : count(static_cast<std::uint32_t>(list.size())), items(std::move(list)) {}
  static void ndr(auto& v, auto& s) {
    v(s.count);
    v(s.items);
  }
};

struct SidPointer {
  NdrUnique<NdrSid> sid;
  static void ndr(auto& v, auto& s) { v(s.sid); }
};
[[nodiscard]] inline SidPointer pointer_to(const wire::Sid& sid) { return {NdrSid{sid}}; }

/// [MS-LSAT] 2.2.15 LSA_TRANSLATED_SID, 2.2.17 _EX, 2.2.25 _EX2: `Generation` 1, 2, 3
template <int Generation>
struct TranslatedSid {
  std::uint16_t use = 8;
  std::uint32_t relative_id = 0;  ///< not in generation 3
  NdrUnique<NdrSid> sid;          ///< in generation 3 only
  std::uint32_t domain_index = 0xFFFFFFFF;
  std::uint32_t flags = 0;  ///< from generation 2 on
  static void ndr(auto& v, auto& s) {
    v.align(4);
    v(s.use);
    if constexpr (Generation == 3) {
      v(s.sid);
    } else {
      v(s.relative_id);
    }
    v(s.domain_index);
    if constexpr (Generation >= 2) v(s.flags);
  }
};
/// [MS-LSAT] 2.2.19 LSAPR_TRANSLATED_NAME, 2.2.21 _EX
template <int Generation>
struct TranslatedName {
  std::uint16_t use = 8;
  NdrString name;
  std::uint32_t domain_index = 0xFFFFFFFF;
  std::uint32_t flags = 0;
  static void ndr(auto& v, auto& s) {
    v.align(4);
    v(s.use);
    v(s.name);
    v(s.domain_index);
    if constexpr (Generation >= 2) v(s.flags);
  }
};

struct HandleIn {
  NdrContextHandle handle;
  static void parameters(auto& v, auto& s) { v(s.handle); }
};

/// [MS-LSAD] 2.2.2.4 LSAPR_OBJECT_ATTRIBUTES: ignored but for its being there
struct SecurityQos {
  std::uint32_t length = 0;
  std::uint16_t impersonation_level = 0;
  std::uint8_t tracking_mode = 0;
  std::uint8_t effective_only = 0;
  static void ndr(auto& v, auto& s) {
    v(s.length);
    v(s.impersonation_level);
    v(s.tracking_mode);
    v(s.effective_only);
  }
};
struct ObjectAttributes {
  std::uint32_t length = 0;
  NdrUnique<std::uint8_t> root_directory;
  NdrUnique<NdrString> object_name;
  std::uint32_t attributes = 0;
  NdrUnique<std::uint32_t> security_descriptor;
  NdrUnique<SecurityQos> qos;
  static void ndr(auto& v, auto& s) {
    v(s.length);
    v(s.root_directory);
    v(s.object_name);
    v(s.attributes);
    v(s.security_descriptor);
    v(s.qos);
  }
};
/// Opnum 6: one character of the name. Opnum 44: all of it.
struct OpenPolicyIn {
  NdrUnique<std::uint16_t> system_name;
  ObjectAttributes attributes;
  std::uint32_t desired_access = 0;
  static void parameters(auto& v, auto& s) {
    v(s.system_name);
    v(s.attributes);
    v(s.desired_access);
  }
};
struct OpenPolicy2In {
  std::optional<std::u16string> system_name;
  ObjectAttributes attributes;
  std::uint32_t desired_access = 0;
  static void parameters(auto& v, auto& s) {
    v(s.system_name);
    v(s.attributes);
    v(s.desired_access);
  }
};
struct QueryInfoIn {
  NdrContextHandle handle;
  std::uint16_t level = 0;
  static void parameters(auto& v, auto& s) {
    v(s.handle);
    v(s.level);
  }
};
/// EnumAccounts, EnumPrivs, EnumTrustDom, EnumTrustedDomainsEx
struct EnumIn {
  NdrContextHandle handle;
  std::uint32_t enumeration_context = 0;
  std::uint32_t prefered_maximum_length = 0;
  static void parameters(auto& v, auto& s) {
    v(s.handle);
    v(s.enumeration_context);
    v(s.prefered_maximum_length);
  }
};
struct SidIn {
  NdrContextHandle handle;
  NdrSid sid;
  std::uint32_t desired_access = 0;  ///< OpenAccount only
  static void parameters(auto& v, auto& s) {
    v(s.handle);
    v(s.sid);
  }
};
struct OpenAccountIn : SidIn {
  static void parameters(auto& v, auto& s) {
    v(s.handle);
    v(s.sid);
    v(s.desired_access);
  }
};
struct RightIn {
  NdrContextHandle handle;
  NdrUnique<NdrString> right;
  static void parameters(auto& v, auto& s) {
    v(s.handle);
    v(s.right);
  }
};
struct PrivilegeNameIn {
  NdrContextHandle handle;
  NdrString name;
  static void parameters(auto& v, auto& s) {
    v(s.handle);
    v(s.name);
  }
};
struct PrivilegeDisplayIn {
  NdrContextHandle handle;
  NdrString name;
  std::uint16_t language = 0;
  std::uint16_t default_language = 0;
  static void parameters(auto& v, auto& s) {
    v(s.handle);
    v(s.name);
    v(s.language);
    v(s.default_language);
  }
};
/// [MS-DTYP] 2.3.7 LUID
struct Luid {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  static void ndr(auto& v, auto& s) {
    v(s.low);
    v(s.high);
  }
};
struct PrivilegeValueIn {
  NdrContextHandle handle;
  Luid luid;
  static void parameters(auto& v, auto& s) {
    v(s.handle);
    v(s.luid);
  }
};
struct SecurityIn {
  NdrContextHandle handle;
  std::uint32_t security_information = 0;
  static void parameters(auto& v, auto& s) {
    v(s.handle);
    v(s.security_information);
  }
};
/// [MS-LSAD] LSAPR_SR_SECURITY_DESCRIPTOR, SAMPR_SR_SECURITY_DESCRIPTOR
struct SecurityBuffer {
  std::uint32_t length = 0;
  NdrUnique<std::vector<std::uint8_t>> descriptor;
  static void ndr(auto& v, auto& s) {
    v(s.length);
    v(s.descriptor);
  }
};

/// [MS-LSAT] 3.1.4.6 to 3.1.4.8: `Generation` as in TranslatedSid
template <int Generation>
struct LookupNamesIn {
  NdrContextHandle handle;
  std::uint32_t count = 0;
  std::vector<NdrString> names;
  Counted<TranslatedSid<Generation>> translated;
  std::uint16_t lookup_level = 0;
  std::uint32_t mapped_count = 0;
  std::uint32_t lookup_options = 0;
  std::uint32_t client_revision = 0;
  static void parameters(auto& v, auto& s) {
    v(s.handle);
    v(s.count);
    v(s.names);
    v(s.translated);
    v(s.lookup_level);
    v(s.mapped_count);
    if constexpr (Generation >= 2) {
      v(s.lookup_options);
      v(s.client_revision);
    }
  }
};
/// [MS-LSAT] 3.1.4.10, 3.1.4.11
template <int Generation>
struct LookupSidsIn {
  NdrContextHandle handle;
  Counted<SidPointer> sids;
  Counted<TranslatedName<Generation>> translated;
  std::uint16_t lookup_level = 0;
  std::uint32_t mapped_count = 0;
  std::uint32_t lookup_options = 0;
  std::uint32_t client_revision = 0;
  static void parameters(auto& v, auto& s) {
    v(s.handle);
    v(s.sids);
    v(s.translated);
    v(s.lookup_level);
    v(s.mapped_count);
    if constexpr (Generation >= 2) {
      v(s.lookup_options);
      v(s.client_revision);
    }
  }
};
struct GetUserNameIn {
  std::optional<std::u16string> system_name;
  NdrUnique<NdrString> account_name;
  NdrUnique<NdrUnique<NdrString>> authority_name;
  static void parameters(auto& v, auto& s) {
    v(s.system_name);
    v(s.account_name);
    v(s.authority_name);
  }
};

// lookup.cpp
[[nodiscard]] CallResult lookup_names(const PipeContext& context, LookupNamesIn<1>& in);
[[nodiscard]] CallResult lookup_names2(const PipeContext& context, LookupNamesIn<2>& in);
[[nodiscard]] CallResult lookup_names3(const PipeContext& context, LookupNamesIn<3>& in);
[[nodiscard]] CallResult lookup_sids(const PipeContext& context, LookupSidsIn<1>& in);
[[nodiscard]] CallResult lookup_sids2(const PipeContext& context, LookupSidsIn<2>& in);
[[nodiscard]] CallResult get_user_name(const PipeContext& context, GetUserNameIn& in);

// rights.cpp
[[nodiscard]] CallResult enum_privileges(const PipeContext& context, EnumIn& in);
[[nodiscard]] CallResult enum_accounts(const PipeContext& context, EnumIn& in);
[[nodiscard]] CallResult open_account(const PipeContext& context, OpenAccountIn& in);
[[nodiscard]] CallResult account_privileges(const PipeContext& context, HandleIn& in);
[[nodiscard]] CallResult account_system_access(const PipeContext& context, HandleIn& in);
[[nodiscard]] CallResult accounts_with_right(const PipeContext& context, RightIn& in);
[[nodiscard]] CallResult account_rights(const PipeContext& context, SidIn& in);
[[nodiscard]] CallResult privilege_value(const PipeContext& context, PrivilegeNameIn& in);
[[nodiscard]] CallResult privilege_name(const PipeContext& context, PrivilegeValueIn& in);
[[nodiscard]] CallResult privilege_display(const PipeContext& context, PrivilegeDisplayIn& in);

// policy.cpp
[[nodiscard]] CallResult open_policy(const PipeContext& context, OpenPolicyIn& in);
[[nodiscard]] CallResult open_policy2(const PipeContext& context, OpenPolicy2In& in);
[[nodiscard]] CallResult close(const PipeContext& context, HandleIn& in);
[[nodiscard]] CallResult query_info_policy(const PipeContext& context, QueryInfoIn& in);
[[nodiscard]] CallResult query_domain_policy(const PipeContext& context, QueryInfoIn& in);
[[nodiscard]] CallResult query_security(const PipeContext& context, SecurityIn& in);
[[nodiscard]] CallResult enum_trusted(const PipeContext& context, EnumIn& in);

}  // namespace flotilla::rpc::lsa

// [MS-SAMR] structures as NDR declarations. An In struct lists an operation's [in] parameters.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/nt_status.hpp"
#include "rpc/calls.hpp"
#include "rpc/lsa/types.hpp"
#include "wire/ndr_types.hpp"

namespace flotilla::rpc::samr {

using lsa::Counted;
using lsa::SecurityBuffer;
using lsa::SidPointer;
using wire::NdrContextHandle;
using wire::NdrOldLarge;
using wire::NdrSid;
using wire::NdrString;
using wire::NdrUnique;
using wire::NdrVarying;

/// SamrConnect: one character of the name. SamrConnect2: all of it.
struct ConnectIn {
  NdrUnique<std::uint16_t> server_name;
  std::uint32_t desired_access = 0;
  static void parameters(auto& v, auto& s) {
    v(s.server_name);
    v(s.desired_access);
  }
};
struct Connect2In {
  std::optional<std::u16string> server_name;
  std::uint32_t desired_access = 0;
  static void parameters(auto& v, auto& s) {
    v(s.server_name);
    v(s.desired_access);
  }
};
struct Connect4In {
  std::optional<std::u16string> server_name;
  std::uint32_t client_revision = 0;
  std::uint32_t desired_access = 0;
  static void parameters(auto& v, auto& s) {
    v(s.server_name);
    v(s.client_revision);
    v(s.desired_access);
  }
};
/// [MS-SAMR] 2.2.7.15 SAMPR_REVISION_INFO: a union of one arm
struct RevisionInfo {
  std::uint32_t version = 1;
  std::uint32_t revision = 3;
  std::uint32_t supported_features = 0;
  static void ndr(auto& v, auto& s) {
    v(s.version);
    if (s.version != 1) return;
    v(s.revision);
    v(s.supported_features);
  }
};
struct Connect5In {
  std::optional<std::u16string> server_name;
  std::uint32_t desired_access = 0;
  std::uint32_t in_version = 0;
  RevisionInfo in_revision;
  static void parameters(auto& v, auto& s) {
    v(s.server_name);
    v(s.desired_access);
    v(s.in_version);
    v(s.in_revision);
  }
};
struct HandleIn {
  NdrContextHandle handle;
  static void parameters(auto& v, auto& s) { v(s.handle); }
};
struct LookupDomainIn {
  NdrContextHandle handle;
  NdrString name;
  static void parameters(auto& v, auto& s) {
    v(s.handle);
    v(s.name);
  }
};
struct OpenDomainIn {
  NdrContextHandle handle;
  std::uint32_t desired_access = 0;
  NdrSid domain;
  static void parameters(auto& v, auto& s) {
    v(s.handle);
    v(s.desired_access);
    v(s.domain);
  }
};
/// SamrOpenUser, SamrOpenGroup, SamrOpenAlias
struct OpenAccountIn {
  NdrContextHandle handle;
  std::uint32_t desired_access = 0;
  std::uint32_t rid = 0;
  static void parameters(auto& v, auto& s) {
    v(s.handle);
    v(s.desired_access);
    v(s.rid);
  }
};
struct RidIn {
  NdrContextHandle handle;
  std::uint32_t rid = 0;
  static void parameters(auto& v, auto& s) {
    v(s.handle);
    v(s.rid);
  }
};
struct QueryIn {
  NdrContextHandle handle;
  std::uint16_t level = 0;
  static void parameters(auto& v, auto& s) {
    v(s.handle);
    v(s.level);
  }
};
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
struct EnumUsersIn {
  NdrContextHandle handle;
  std::uint32_t enumeration_context = 0;
  std::uint32_t user_account_control = 0;
  std::uint32_t prefered_maximum_length = 0;
  static void parameters(auto& v, auto& s) {
    v(s.handle);
    v(s.enumeration_context);
    v(s.user_account_control);
    v(s.prefered_maximum_length);
  }
};
struct LookupNamesIn {
  NdrContextHandle handle;
  std::uint32_t count = 0;
  NdrVarying<NdrString> names;
  static void parameters(auto& v, auto& s) {
    v(s.handle);
    v(s.count);
    v(s.names);
  }
};
struct LookupRidsIn {
  NdrContextHandle handle;
  std::uint32_t count = 0;
  NdrVarying<std::uint32_t> rids;
  static void parameters(auto& v, auto& s) {
    v(s.handle);
    v(s.count);
    v(s.rids);
  }
};
struct AliasMembershipIn {
  NdrContextHandle handle;
  Counted<SidPointer> sids;
  static void parameters(auto& v, auto& s) {
    v(s.handle);
    v(s.sids);
  }
};
struct DisplayIn {
  NdrContextHandle handle;
  std::uint16_t level = 0;
  std::uint32_t index = 0;
  std::uint32_t entry_count = 0;
  std::uint32_t prefered_maximum_length = 0;
  static void parameters(auto& v, auto& s) {
    v(s.handle);
    v(s.level);
    v(s.index);
    v(s.entry_count);
    v(s.prefered_maximum_length);
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
struct DomainNameIn {
  NdrUnique<NdrString> name;
  static void parameters(auto& v, auto& s) { v(s.name); }
};

/// [MS-SAMR] 2.2.7.2 SAMPR_RID_ENUMERATION
struct RidEntry {
  std::uint32_t rid = 0;
  NdrString name;
  static void ndr(auto& v, auto& s) {
    v(s.rid);
    v(s.name);
  }
};
/// [MS-SAMR] GROUP_MEMBERSHIP
struct Membership {
  std::uint32_t rid = 0;
  std::uint32_t attributes = 7;  ///< mandatory, enabled by default, enabled
  static void ndr(auto& v, auto& s) {
    v(s.rid);
    v(s.attributes);
  }
};
/// [MS-SAMR] SAMPR_GET_MEMBERS_BUFFER
struct Members {
  std::uint32_t count = 0;
  NdrUnique<std::vector<std::uint32_t>> rids;
  NdrUnique<std::vector<std::uint32_t>> attributes;
  static void ndr(auto& v, auto& s) {
    v(s.count);
    v(s.rids);
    v(s.attributes);
  }
};
/// [MS-SAMR] USER_DOMAIN_PASSWORD_INFORMATION
struct PasswordInfo {
  std::uint16_t min_length = 0;
  std::uint32_t properties = 0;
  static void ndr(auto& v, auto& s) {
    v.align(4);
    v(s.min_length);
    v(s.properties);
  }
};

// connect.cpp: servers, domains and handles
[[nodiscard]] CallResult connect(const PipeContext& context, ConnectIn& in);
[[nodiscard]] CallResult connect2(const PipeContext& context, Connect2In& in);
[[nodiscard]] CallResult connect4(const PipeContext& context, Connect4In& in);
[[nodiscard]] CallResult connect5(const PipeContext& context, Connect5In& in);
[[nodiscard]] CallResult close(const PipeContext& context, HandleIn& in);
[[nodiscard]] CallResult query_security(const PipeContext& context, SecurityIn& in);
[[nodiscard]] CallResult enum_domains(const PipeContext& context, EnumIn& in);
[[nodiscard]] CallResult lookup_domain(const PipeContext& context, LookupDomainIn& in);
[[nodiscard]] CallResult open_domain(const PipeContext& context, OpenDomainIn& in);
[[nodiscard]] CallResult query_domain(const PipeContext& context, QueryIn& in);
[[nodiscard]] CallResult domain_password_info(const PipeContext& context, DomainNameIn& in);

// domain.cpp: what a domain's handle lists
[[nodiscard]] CallResult enum_users(const PipeContext& context, EnumUsersIn& in);
[[nodiscard]] CallResult enum_groups(const PipeContext& context, EnumIn& in);
[[nodiscard]] CallResult enum_aliases(const PipeContext& context, EnumIn& in);
[[nodiscard]] CallResult alias_membership(const PipeContext& context, AliasMembershipIn& in);
[[nodiscard]] CallResult lookup_names(const PipeContext& context, LookupNamesIn& in);
[[nodiscard]] CallResult lookup_rids(const PipeContext& context, LookupRidsIn& in);
[[nodiscard]] CallResult query_display(const PipeContext& context, DisplayIn& in);
[[nodiscard]] CallResult rid_to_sid(const PipeContext& context, RidIn& in);

// accounts.cpp: users, groups, aliases
[[nodiscard]] CallResult open_user(const PipeContext& context, OpenAccountIn& in);
[[nodiscard]] CallResult open_group(const PipeContext& context, OpenAccountIn& in);
[[nodiscard]] CallResult open_alias(const PipeContext& context, OpenAccountIn& in);
[[nodiscard]] CallResult query_user(const PipeContext& context, QueryIn& in);
[[nodiscard]] CallResult query_group(const PipeContext& context, QueryIn& in);
[[nodiscard]] CallResult query_alias(const PipeContext& context, QueryIn& in);
[[nodiscard]] CallResult groups_for_user(const PipeContext& context, HandleIn& in);
[[nodiscard]] CallResult user_password_info(const PipeContext& context, HandleIn& in);
[[nodiscard]] CallResult group_members(const PipeContext& context, HandleIn& in);
[[nodiscard]] CallResult alias_members(const PipeContext& context, HandleIn& in);

}  // namespace flotilla::rpc::samr

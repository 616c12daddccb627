// What a domain controller says of a user in a Kerberos ticket: KERB_VALIDATION_INFO of the PAC.
// Spec    [MS-PAC] 2.5 KERB_VALIDATION_INFO; [MS-RPCE] 2.2.6 Type Serialization Version 1
// Who signed it is not judged here: see auth/krb5.
#pragma once

#include <string>
#include <vector>

#include "wire/ndr_types.hpp"

namespace flotilla::wire {

/// What of it decides who somebody is.
struct PacLogonInfo {
  std::u16string account_name;  ///< EffectiveName
  std::u16string full_name;
  std::u16string domain_name;  ///< NetBIOS
  Sid domain_sid;
  Sid user_sid;
  Sid primary_group_sid;
  /// Primary group, GroupIds, ExtraSids and resource groups: each once, in that order. ExtraSids
  /// and resource groups only where UserFlags say that they count.
  std::vector<Sid> group_sids;
  std::uint32_t user_account_control = 0;
};

/// Input   the buffer of type 1 (logon information), serialization headers included
/// Errors  Truncated, BadValue, CountOutOfRange: as NDR, wrong headers, no domain SID, more than
///         kPacSidsMax SIDs
inline constexpr std::size_t kPacSidsMax = 4096;
[[nodiscard]] Wire<PacLogonInfo> decode_pac_logon_info(ByteView buffer);

/// [MS-PAC] 2.5, all fields; tests and fuzzers write it.
struct GroupMembership {
  std::uint32_t relative_id = 0;
  std::uint32_t attributes = 7;
  static void ndr(auto& v, auto& s) {
    v(s.relative_id);
    v(s.attributes);
  }
};
struct SidAndAttributes {
  NdrUnique<NdrSid> sid;
  std::uint32_t attributes = 7;
  static void ndr(auto& v, auto& s) {
    v(s.sid);
    v(s.attributes);
  }
};
struct KerbValidationInfo {
  std::array<NdrOldLarge, 6> times;  ///< logon, logoff, kick off, password set, can, must change
  NdrString effective_name;
  NdrString full_name;
  NdrString logon_script;
  NdrString profile_path;
  NdrString home_directory;
  NdrString home_directory_drive;
  std::uint16_t logon_count = 0;
  std::uint16_t bad_password_count = 0;
  std::uint32_t user_id = 0;
  std::uint32_t primary_group_id = 0;
  std::uint32_t group_count = 0;
  NdrUnique<std::vector<GroupMembership>> group_ids;
  std::uint32_t user_flags = 0;
  std::array<std::uint8_t, 16> user_session_key{};
  NdrString logon_server;
  NdrString logon_domain_name;
  NdrUnique<NdrSid> logon_domain_id;
  std::array<std::uint32_t, 2> reserved1{};
  std::uint32_t user_account_control = 0;
  std::uint32_t sub_auth_status = 0;
  NdrOldLarge last_successful_logon;
  NdrOldLarge last_failed_logon;
  std::uint32_t failed_logon_count = 0;
  std::uint32_t reserved3 = 0;
  std::uint32_t sid_count = 0;
  NdrUnique<std::vector<SidAndAttributes>> extra_sids;
  NdrUnique<NdrSid> resource_group_domain_sid;
  std::uint32_t resource_group_count = 0;
  NdrUnique<std::vector<GroupMembership>> resource_group_ids;

  static void ndr(auto& v, auto& s) {
    for (auto& time : s.times) v(time);
    v(s.effective_name);
    v(s.full_name);
    v(s.logon_script);
    v(s.profile_path);
    v(s.home_directory);
    v(s.home_directory_drive);
    v(s.logon_count);
    v(s.bad_password_count);
    v(s.user_id);
    v(s.primary_group_id);
    v(s.group_count);
    v(s.group_ids);
    v(s.user_flags);
    v(s.user_session_key);
    v(s.logon_server);
    v(s.logon_domain_name);
    v(s.logon_domain_id);
    for (auto& word : s.reserved1) v(word);
    v(s.user_account_control);
    v(s.sub_auth_status);
    v(s.last_successful_logon);
    v(s.last_failed_logon);
    v(s.failed_logon_count);
    v(s.reserved3);
    v(s.sid_count);
    v(s.extra_sids);
    v(s.resource_group_domain_sid);
    v(s.resource_group_count);
    v(s.resource_group_ids);
  }
};
namespace pac_user_flags {
inline constexpr std::uint32_t kExtraSids = 0x00000020;
inline constexpr std::uint32_t kResourceGroups = 0x00000200;
}  // namespace pac_user_flags
[[nodiscard]] Bytes encode_pac_logon_info(const KerbValidationInfo& info);

}  // namespace flotilla::wire

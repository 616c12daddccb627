// Security descriptors: owner, group, ACLs; self-relative bytes both ways.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "wire/sid.hpp"
#include "wire/wire_error.hpp"

namespace flotilla::wire {

/// [MS-DTYP] 2.4.4.1 ACE_HEADER, AceType.
enum class AceType : std::uint8_t {
  AccessAllowed = 0x00,
  AccessDenied = 0x01,
  SystemAudit = 0x02,
  AccessAllowedObject = 0x05,
  AccessDeniedObject = 0x06,
  SystemAuditObject = 0x07,
  AccessAllowedCallback = 0x09,
  AccessDeniedCallback = 0x0A,
  AccessAllowedCallbackObject = 0x0B,
  AccessDeniedCallbackObject = 0x0C,
  SystemAuditCallback = 0x0D,
  SystemAuditCallbackObject = 0x0F,
  SystemMandatoryLabel = 0x11,
  SystemResourceAttribute = 0x12,
  SystemScopedPolicyId = 0x13,
};
namespace ace_flags {
inline constexpr std::uint8_t kObjectInherit = 0x01;
inline constexpr std::uint8_t kContainerInherit = 0x02;
inline constexpr std::uint8_t kNoPropagateInherit = 0x04;
inline constexpr std::uint8_t kInheritOnly = 0x08;
inline constexpr std::uint8_t kInherited = 0x10;
inline constexpr std::uint8_t kSuccessfulAccess = 0x40;
inline constexpr std::uint8_t kFailedAccess = 0x80;
}  // namespace ace_flags

/// One ACE. Types that are not in AceType keep their bytes in `application_data` (mask and sid are
/// then empty), so that what a client stored comes back as it was.
/// Spec    [MS-DTYP] 2.4.4 ACE
struct Ace {
  AceType type = AceType::AccessAllowed;
  std::uint8_t flags = 0;  ///< ace_flags
  std::uint32_t mask = 0;  ///< access
  Sid sid;
  /// Object ACEs: Flags bit 0 = object_type present, bit 1 = inherited_object_type present.
  std::uint32_t object_flags = 0;
  std::array<std::uint8_t, 16> object_type{};
  std::array<std::uint8_t, 16> inherited_object_type{};
  Bytes application_data;  ///< behind the SID: callback condition, resource attribute
  friend bool operator==(const Ace&, const Ace&) = default;
};
[[nodiscard]] bool has_known_layout(AceType type) noexcept;
[[nodiscard]] bool is_object_ace(AceType type) noexcept;

/// [MS-DTYP] 2.4.5 ACL
struct Acl {
  static constexpr std::uint8_t kRevision = 2;
  static constexpr std::uint8_t kRevisionDs = 4;  ///< 3 is old, and what smbcacls --set sends
  std::uint8_t revision = kRevision;
  std::vector<Ace> aces;
  friend bool operator==(const Acl&, const Acl&) = default;
};

namespace sd_control {
inline constexpr std::uint16_t kOwnerDefaulted = 0x0001;
inline constexpr std::uint16_t kGroupDefaulted = 0x0002;
inline constexpr std::uint16_t kDaclPresent = 0x0004;
inline constexpr std::uint16_t kDaclDefaulted = 0x0008;
inline constexpr std::uint16_t kSaclPresent = 0x0010;
inline constexpr std::uint16_t kSaclDefaulted = 0x0020;
inline constexpr std::uint16_t kDaclTrusted = 0x0040;
inline constexpr std::uint16_t kServerSecurity = 0x0080;
inline constexpr std::uint16_t kDaclAutoInheritReq = 0x0100;
inline constexpr std::uint16_t kSaclAutoInheritReq = 0x0200;
inline constexpr std::uint16_t kDaclAutoInherited = 0x0400;
inline constexpr std::uint16_t kSaclAutoInherited = 0x0800;
inline constexpr std::uint16_t kDaclProtected = 0x1000;
inline constexpr std::uint16_t kSaclProtected = 0x2000;
inline constexpr std::uint16_t kRmControlValid = 0x4000;
inline constexpr std::uint16_t kSelfRelative = 0x8000;
}  // namespace sd_control

/// Spec    [MS-DTYP] 2.4.6 SECURITY_DESCRIPTOR
/// A DACL that is present and null (everybody may do all) is kDaclPresent with `dacl` empty; a DACL
/// with no ACE (nobody may do anything) is an Acl without aces.
struct SecurityDescriptor {
  std::uint16_t control = sd_control::kSelfRelative;  ///< sd_control
  std::optional<Sid> owner;
  std::optional<Sid> group;
  std::optional<Acl> sacl;
  std::optional<Acl> dacl;

  /// Errors  Truncated, BadValue (revision, not self-relative, ACE type's layout),
  ///         OffsetOutOfRange, LengthOutOfRange, CountOutOfRange. At most 64 KiB per ACL by its
  ///         form.
  [[nodiscard]] static Wire<SecurityDescriptor> decode(ByteView bytes);
  /// Appends owner, group, sacl, dacl in Windows' order: SACL, DACL, owner, group. kSelfRelative is
  /// set, kDaclPresent/kSaclPresent where there is one.
  void encode(Bytes& out) const;
  friend bool operator==(const SecurityDescriptor&, const SecurityDescriptor&) = default;
};

}  // namespace flotilla::wire

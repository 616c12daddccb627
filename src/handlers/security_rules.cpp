#include "handlers/security_rules.hpp"

#include <algorithm>

#include "handlers/access.hpp"
#include "wire/smb2_constants.hpp"

namespace flotilla::handlers {

namespace {

namespace a = wire::access;
namespace flag = wire::ace_flags;
namespace control = wire::sd_control;

bool allows(wire::AceType type) noexcept { return type == wire::AceType::AccessAllowed; }
bool denies(wire::AceType type) noexcept { return type == wire::AceType::AccessDenied; }

bool inheritable(const wire::Ace& ace, bool directory) noexcept {
  if (!directory) return (ace.flags & flag::kObjectInherit) != 0;
  if ((ace.flags & flag::kContainerInherit) != 0) return true;
  return (ace.flags & flag::kObjectInherit) != 0 && (ace.flags & flag::kNoPropagateInherit) == 0;
}

/// The DACL_AUTO_INHERIT_REQ dance: both bits set in a request turn auto-inheritance on, anything
/// else turns it off ([MS-DTYP] 2.4.6, Control AR and AI).
std::uint16_t dacl_control(std::uint16_t asked) noexcept {
  std::uint16_t out = asked & control::kDaclProtected;
  constexpr std::uint16_t kBoth = control::kDaclAutoInherited | control::kDaclAutoInheritReq;
  if ((asked & kBoth) == kBoth) out |= control::kDaclAutoInherited;
  return out;
}

}  // namespace

bool SidSet::holds(const wire::Sid& sid) const noexcept {
  return std::ranges::find(sids, sid) != sids.end();
}

coherence::AccessMask rights_by(const wire::SecurityDescriptor& descriptor, const SidSet& who) {
  if (!descriptor.dacl) return a::kFileAllAccess;
  const bool owner = descriptor.owner && who.holds(*descriptor.owner);
  const auto counts = [](const wire::Ace& ace) { return !(ace.flags & flag::kInheritOnly); };
  const bool owner_rights = std::ranges::any_of(descriptor.dacl->aces, [&](const wire::Ace& ace) {
    return counts(ace) && ace.sid == wire::well_known::kOwnerRights;
  });
  coherence::AccessMask granted = 0;
  coherence::AccessMask denied = 0;
  if (owner && !owner_rights) granted = a::kReadControl | a::kWriteDac;
  for (const wire::Ace& ace : descriptor.dacl->aces) {
    if (!counts(ace)) continue;
    const bool meant = ace.sid == wire::well_known::kOwnerRights ? owner : who.holds(ace.sid);
    if (!meant) continue;
    const coherence::AccessMask mask = map_generic(ace.mask) & a::kFileAllAccess;
    if (allows(ace.type)) granted |= mask & ~denied;
    if (denies(ace.type)) denied |= mask & ~granted;
  }
  return granted;
}

void map_generic_aces(wire::Acl& acl) {
  for (wire::Ace& ace : acl.aces) ace.mask = map_generic(ace.mask);
}

std::optional<wire::SecurityDescriptor> inherited(const wire::SecurityDescriptor& parent,
                                                  const wire::Sid& owner, const wire::Sid& group,
                                                  bool directory) {
  if (!parent.dacl) return std::nullopt;
  const bool marks = (parent.control & control::kDaclAutoInherited) != 0;
  const std::uint8_t mark = marks ? flag::kInherited : 0;
  wire::Acl dacl;
  for (const wire::Ace& from : parent.dacl->aces) {
    if (!inheritable(from, directory)) continue;
    std::uint8_t flags = 0;
    if (directory) {
      flags =
          from.flags & (flag::kObjectInherit | flag::kContainerInherit | flag::kNoPropagateInherit);
      if (!(flags & flag::kContainerInherit)) flags |= flag::kInheritOnly;
      if (flags & flag::kNoPropagateInherit) flags = 0;
    }
    wire::Ace ace = from;
    const bool creator_owner = from.sid == wire::well_known::kCreatorOwner;
    const bool creator_group = from.sid == wire::well_known::kCreatorGroup;
    if (creator_owner || creator_group) {
      const wire::Sid meant = creator_owner ? owner : group;
      if (directory && (flags & flag::kContainerInherit)) {
        // For this directory the creator, for what comes below the placeholder again.
        ace.sid = meant;
        ace.flags = mark;
        dacl.aces.push_back(ace);
        ace.sid = from.sid;
        flags |= flag::kInheritOnly;
      } else if (!(directory && (flags & flag::kInheritOnly))) {
        ace.sid = meant;
      }
    }
    ace.flags = static_cast<std::uint8_t>(flags | mark);
    dacl.aces.push_back(ace);
  }
  if (dacl.aces.empty()) return std::nullopt;
  dacl.revision = parent.dacl->revision;
  wire::SecurityDescriptor out;
  out.owner = owner;
  out.group = group;
  out.dacl = std::move(dacl);
  out.control = control::kSelfRelative | control::kDaclPresent;
  if (marks) out.control |= control::kDaclAutoInherited;
  return out;
}

Result<wire::SecurityDescriptor> with_parts(const wire::SecurityDescriptor& present,
                                            const wire::SecurityDescriptor& asked,
                                            std::uint32_t security_information, const SidSet& who,
                                            bool any_owner) {
  namespace info = wire::security_information;
  wire::SecurityDescriptor out = present;
  if ((security_information & info::kOwner) && asked.owner) {
    if (asked.owner != present.owner && !any_owner && !who.holds(*asked.owner)) {
      return fail(kInvalidOwner);
    }
    out.owner = asked.owner;
  }
  if ((security_information & info::kGroup) && asked.group) out.group = asked.group;
  if (security_information & info::kDacl) {
    constexpr std::uint16_t kDaclBits = control::kDaclPresent | control::kDaclDefaulted |
                                        control::kDaclProtected | control::kDaclAutoInherited |
                                        control::kDaclAutoInheritReq;
    out.dacl = asked.dacl;
    if (out.dacl) map_generic_aces(*out.dacl);
    out.control = static_cast<std::uint16_t>((out.control & ~kDaclBits) | control::kDaclPresent |
                                             dacl_control(asked.control));
  }
  if (security_information & info::kSacl) {
    constexpr std::uint16_t kSaclBits = control::kSaclPresent | control::kSaclDefaulted |
                                        control::kSaclProtected | control::kSaclAutoInherited |
                                        control::kSaclAutoInheritReq;
    out.sacl = asked.sacl;
    out.control = static_cast<std::uint16_t>((out.control & ~kSaclBits) |
                                             (asked.control & kSaclBits) | control::kSaclPresent);
  }
  return out;
}

}  // namespace flotilla::handlers

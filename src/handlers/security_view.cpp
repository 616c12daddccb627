#include "handlers/security_view.hpp"

#include "handlers/system_rights.hpp"
#include "wire/smb2_constants.hpp"

namespace flotilla::handlers {

Result<wire::SecurityDescriptor> security_of(ports::BackendFile& file, const ports::IdMap& ids) {
  const auto stored = file.stored_security();
  if (!stored) return fail(stored.error());
  if (*stored) {
    if (auto descriptor = wire::SecurityDescriptor::decode(**stored)) return std::move(*descriptor);
  }
  const auto facts = file.facts();
  if (!facts) return fail(facts.error());
  const auto rights = file.system_rights();
  if (!rights) return fail(rights.error());
  return security_from_rights(*facts, *rights, ids);
}

wire::SecurityDescriptor select_parts(const wire::SecurityDescriptor& whole,
                                      std::uint32_t security_information) {
  namespace info = wire::security_information;
  namespace control = wire::sd_control;
  wire::SecurityDescriptor part;
  std::uint16_t keep = control::kSelfRelative | control::kRmControlValid;
  if (security_information & info::kOwner) {
    part.owner = whole.owner;
    keep |= control::kOwnerDefaulted;
  }
  if (security_information & info::kGroup) {
    part.group = whole.group;
    keep |= control::kGroupDefaulted;
  }
  if (security_information & info::kDacl) {
    part.dacl = whole.dacl;
    keep |= control::kDaclPresent | control::kDaclDefaulted | control::kDaclAutoInheritReq |
            control::kDaclAutoInherited | control::kDaclProtected | control::kDaclTrusted;
  }
  if (security_information & info::kSacl) {
    part.sacl = whole.sacl;
    keep |= control::kSaclPresent | control::kSaclDefaulted | control::kSaclAutoInheritReq |
            control::kSaclAutoInherited | control::kSaclProtected;
  }
  part.control = static_cast<std::uint16_t>((whole.control & keep) | control::kSelfRelative);
  return part;
}

}  // namespace flotilla::handlers

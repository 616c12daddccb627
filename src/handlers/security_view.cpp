#include "handlers/security_view.hpp"

#include <sys/stat.h>

#include "wire/smb2_constants.hpp"

namespace flotilla::handlers {

namespace {

std::uint32_t mask_of(std::uint32_t bits) noexcept {
  if (bits == 7) return wire::access::kFileAllAccess;
  std::uint32_t mask = 0;
  if (bits & 4) mask |= wire::access::kFileGenericRead;
  if (bits & 2) mask |= wire::access::kFileGenericWrite;
  if (bits & 1) mask |= wire::access::kFileGenericExecute;
  return mask;
}

wire::Ace allow(std::uint32_t mask, const wire::Sid& sid) {
  wire::Ace ace;
  ace.mask = mask;
  ace.sid = sid;
  return ace;
}

}  // namespace

wire::SecurityDescriptor security_from_mode(const ports::FileFacts& facts,
                                            const ports::IdMap& ids) {
  wire::SecurityDescriptor descriptor;
  descriptor.owner = ids.user_sid(facts.uid);
  descriptor.group = ids.group_sid(facts.gid);
  wire::Acl dacl;
  // The owner may always read and change the rights and the attributes, whatever the mode says.
  const std::uint32_t owner = mask_of(facts.mode >> 6 & 7) | wire::access::kReadControl |
                              wire::access::kWriteDac | wire::access::kWriteOwner |
                              wire::access::kReadAttributes | wire::access::kWriteAttributes |
                              wire::access::kSynchronize;
  dacl.aces.push_back(allow(owner, *descriptor.owner));
  if (const std::uint32_t group = mask_of(facts.mode >> 3 & 7)) {
    dacl.aces.push_back(allow(group, *descriptor.group));
  }
  if (const std::uint32_t others = mask_of(facts.mode & 7)) {
    dacl.aces.push_back(allow(others, wire::well_known::kEveryone));
  }
  descriptor.dacl = std::move(dacl);
  descriptor.control = wire::sd_control::kSelfRelative | wire::sd_control::kDaclPresent;
  return descriptor;
}

Result<wire::SecurityDescriptor> security_of(ports::BackendFile& file, const ports::IdMap& ids) {
  const auto stored = file.stored_security();
  if (!stored) return fail(stored.error());
  if (*stored) {
    if (auto descriptor = wire::SecurityDescriptor::decode(**stored)) return std::move(*descriptor);
  }
  const auto facts = file.facts();
  if (!facts) return fail(facts.error());
  return security_from_mode(*facts, ids);
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

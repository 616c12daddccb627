// What a security descriptor says: who may do what, what a new file gets from its directory, and
// what a change of its parts leads to. Pure: no file system.
#pragma once

#include <optional>
#include <vector>

#include "base/result.hpp"
#include "coherence/types.hpp"
#include "wire/security_descriptor.hpp"

namespace flotilla::handlers {

/// STATUS_INVALID_OWNER ([MS-ERREF] 2.3.1).
inline constexpr auto kInvalidOwner = static_cast<NtStatus>(0xC000005A);

/// Everybody that a user is: [MS-DTYP] 2.5.2 Token.Sids. `sids[0]` is the user.
struct SidSet {
  std::vector<wire::Sid> sids;
  [[nodiscard]] bool holds(const wire::Sid& sid) const noexcept;
};

/// Every right that the descriptor gives: the owner's READ_CONTROL and WRITE_DAC (or what OWNER
/// RIGHTS says instead), and the DACL in its order. A missing DACL gives everything. Nobody has a
/// privilege, so ACCESS_SYSTEM_SECURITY is never among them.
/// Spec    [MS-DTYP] 2.5.3.2 Access Check Algorithm Pseudocode, MAXIMUM_ALLOWED
[[nodiscard]] coherence::AccessMask rights_by(const wire::SecurityDescriptor& descriptor,
                                              const SidSet& who);

/// Generic rights in all ACEs become a file's specific ones.
void map_generic_aces(wire::Acl& acl);

/// What a new file or directory inherits; nothing where the parent has nothing to inherit, so that
/// the rights come from the mode bits.
/// Spec    [MS-DTYP] 2.5.3.4 Algorithm for Creating a Security Descriptor; ACEs are marked as
///         inherited where the parent's DACL is auto-inherited, as Samba does
[[nodiscard]] std::optional<wire::SecurityDescriptor> inherited(
    const wire::SecurityDescriptor& parent, const wire::Sid& owner, const wire::Sid& group,
    bool directory);

/// `present` with the parts of `asked` that `security_information` names.
/// `any_owner`: the caller may give files away (SeRestorePrivilege).
/// Errors  kInvalidOwner  the new owner is neither the old one nor among `who`
[[nodiscard]] Result<wire::SecurityDescriptor> with_parts(const wire::SecurityDescriptor& present,
                                                          const wire::SecurityDescriptor& asked,
                                                          std::uint32_t security_information,
                                                          const SidSet& who, bool any_owner);

}  // namespace flotilla::handlers

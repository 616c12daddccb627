// Security descriptors as clients see them: what Samba stored, or one made from the mode bits.
#pragma once

#include "base/result.hpp"
#include "ports/backend.hpp"
#include "ports/id_map.hpp"
#include "wire/security_descriptor.hpp"

namespace flotilla::handlers {

/// The descriptor that mode bits amount to, as Samba shows it: an ACE each for owner, group and
/// Everyone; r, w and x become the file-generic rights, rwx becomes full access.
/// Spec    [MS-DTYP] 2.4.6; Samba's default for files without an NT ACL
[[nodiscard]] wire::SecurityDescriptor security_from_mode(const ports::FileFacts& facts,
                                                          const ports::IdMap& ids);

/// The stored one where there is one that can be read, else that of the mode bits.
/// Errors  those of the backend
[[nodiscard]] Result<wire::SecurityDescriptor> security_of(ports::BackendFile& file,
                                                           const ports::IdMap& ids);

/// Only the parts that `security_information` (wire::security_information) asks for.
[[nodiscard]] wire::SecurityDescriptor select_parts(const wire::SecurityDescriptor& whole,
                                                    std::uint32_t security_information);

}  // namespace flotilla::handlers

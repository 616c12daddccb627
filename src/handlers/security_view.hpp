// Security descriptors as clients see them: what Samba stored, or one made from mode bits and ACLs.
#pragma once

#include "base/result.hpp"
#include "ports/backend.hpp"
#include "ports/id_map.hpp"
#include "wire/security_descriptor.hpp"

namespace flotilla::handlers {

/// The stored one where there is one that can be read, else that of mode bits and ACLs.
/// Errors  those of the backend
[[nodiscard]] Result<wire::SecurityDescriptor> security_of(ports::BackendFile& file,
                                                           const ports::IdMap& ids);

/// Only the parts that `security_information` (wire::security_information) asks for.
[[nodiscard]] wire::SecurityDescriptor select_parts(const wire::SecurityDescriptor& whole,
                                                    std::uint32_t security_information);

}  // namespace flotilla::handlers

// Who may do what with a file, as an access mask. Today from the kernel's mode bits; stored ACLs
// come with the issue about permissions and change this file only.
#pragma once

#include <string_view>

#include "base/result.hpp"
#include "coherence/types.hpp"
#include "ports/backend.hpp"

namespace flotilla::handlers {

/// Rights that change a file: refused on read-only shares.
inline constexpr coherence::AccessMask kWritingAccess = 0x00000002 | 0x00000004 | 0x00000010 |
                                                        0x00000040 | 0x00000100 | 0x00010000 |
                                                        0x00040000 | 0x00080000;

/// `maximal`  every right that the user has on the file ([MS-DTYP] 2.5.3.2, MAXIMUM_ALLOWED)
struct Rights {
  coherence::AccessMask maximal = 0;
};

/// Blocks. `path` is the file's; its parent decides about DELETE, as in POSIX.
/// A reader may execute too: that is what Windows programs expect of a share without ACLs.
[[nodiscard]] Result<Rights> rights_on(ports::Backend& backend, const ports::Credentials& who,
                                       ports::BackendFile& file, std::string_view path);

/// Generic bits to specific ones ([MS-SMB2] 2.2.13.1, [MS-DTYP] 2.4.3).
[[nodiscard]] coherence::AccessMask map_generic(coherence::AccessMask desired) noexcept;

/// The access a request is granted.
/// Input   `desired` as on the wire, not 0
/// Errors  AccessDenied      a right that `maximal` has not, or no defined right at all
///         PrivilegeNotHeld  ACCESS_SYSTEM_SECURITY
[[nodiscard]] Result<coherence::AccessMask> grant_access(coherence::AccessMask desired,
                                                         coherence::AccessMask maximal) noexcept;

/// The directory that holds `path`; "" for names in the root.
[[nodiscard]] std::string_view parent_of(std::string_view path) noexcept;

}  // namespace flotilla::handlers

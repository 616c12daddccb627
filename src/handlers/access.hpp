// Who may do what with a file, as an access mask: from the stored security descriptor where there
// is one, else from the kernel's mode bits.
#pragma once

#include <memory>
#include <string_view>

#include "base/result.hpp"
#include "coherence/types.hpp"
#include "handlers/security_rules.hpp"
#include "ports/backend.hpp"
#include "ports/id_map.hpp"

namespace flotilla::session {
struct Session;
}

namespace flotilla::handlers {

class Server;
struct Share;

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

/// Who asks, in both worlds.
struct Requester {
  ports::Credentials kernel;
  SidSet sids;
  ports::IdMap ids;
  wire::Sid owner;  ///< of what it makes
  wire::Sid group;
  bool privileged = false;  ///< see is_privileged()
  bool backs_up = false;    ///< see act_by_privilege()
};

/// Members of Administrators have SeSecurityPrivilege (the SACL), SeTakeOwnershipPrivilege and
/// SeRestorePrivilege as far as it gives files away ([MS-LSAD] 3.1.1.2.1), but on shares where
/// everybody acts as one user.
[[nodiscard]] bool is_privileged(const session::Session& session, const Share& share);

/// What FILE_OPEN_FOR_BACKUP_INTENT gives beside what descriptors and modes do, to one who has
/// SeBackupPrivilege (to read) and SeRestorePrivilege (to write and to make).
/// Spec    [MS-FSA] 2.1.5.1 Server Requests an Open of a File; [MS-SMB2] 2.2.13 CreateOptions
inline constexpr coherence::AccessMask kBackupAccess = 0x011200A9;
inline constexpr coherence::AccessMask kRestoreAccess = 0x011F0116;

/// Members of Administrators and of Backup Operators have both privileges, but on shares where
/// everybody acts as one user.
[[nodiscard]] bool may_back_up(const session::Session& session, const Share& share);

/// From now on the kernel sees the daemon. What is made is still the user's own.
void act_by_privilege(ports::Credentials& who);

[[nodiscard]] Requester requester_of(Server& server, const session::Session& session,
                                     const Share& share);
/// The same, made once for as long as the session's credentials are what they are.
[[nodiscard]] const std::shared_ptr<const Requester>& requester_for(Server& server,
                                                                    const session::Session& session,
                                                                    const Share& share);

/// The rights that the token has by the stored descriptors of the file and of its directory (which
/// may give DELETE and FILE_READ_ATTRIBUTES), or as rights_on says where none is stored. A user who
/// has a Unix identity gets no data right that the kernel would refuse. `path` is the file's.
/// Spec    [MS-FSA] 2.1.5.1.2.1 Algorithm to Check Access to an Existing File
[[nodiscard]] Rights rights_by_facts(const Requester& who, const ports::AccessFacts& facts,
                                     std::string_view path);

/// The same without what the directory gives: what the file itself allows. Blocks.
[[nodiscard]] Result<Rights> own_rights_for(ports::Backend& backend, const Requester& who,
                                            ports::BackendFile& file, std::string_view path);

/// Whether a file or directory may be made at `path`, and the descriptor that it gets: `asked`
/// (the SecD context) over what it inherits; nothing where neither is there. Blocks.
/// Spec    [MS-FSA] 2.1.5.1.1 Creation of a New File
/// Errors  AccessDenied  the directory's descriptor does not let
///         InvalidOwner  as with_parts
[[nodiscard]] Result<std::optional<wire::SecurityDescriptor>> security_of_new(
    ports::Backend& backend, const Requester& who, std::string_view path, bool directory,
    const std::optional<wire::SecurityDescriptor>& asked);

/// Generic bits to specific ones ([MS-SMB2] 2.2.13.1, [MS-DTYP] 2.4.3).
[[nodiscard]] coherence::AccessMask map_generic(coherence::AccessMask desired) noexcept;

/// The access a request is granted.
/// Input   `desired` as on the wire, not 0
/// Errors  AccessDenied      a right that `maximal` has not, or no defined right at all
///         PrivilegeNotHeld  ACCESS_SYSTEM_SECURITY for one who is not privileged
[[nodiscard]] Result<coherence::AccessMask> grant_access(coherence::AccessMask desired,
                                                         coherence::AccessMask maximal,
                                                         bool privileged) noexcept;

/// The directory that holds `path`; "" for names in the root.
[[nodiscard]] std::string_view parent_of(std::string_view path) noexcept;

}  // namespace flotilla::handlers

// A security descriptor and the rights that the kernel knows, turned into each other: who is given
// something by a descriptor works with his own kernel credentials, so the kernel must let him.
#pragma once

#include "base/result.hpp"
#include "handlers/access.hpp"
#include "ports/backend.hpp"
#include "ports/id_map.hpp"
#include "wire/security_descriptor.hpp"

namespace flotilla::handlers {

/// The ACL that lets everybody do what `descriptor` gives him, as far as it can be said in r, w and
/// x and for SIDs that have an id here:
/// - the file's owner keeps what `present` gives it (it could take it back anyway),
/// - Everyone, Authenticated Users, NETWORK and Users are the others,
/// - who may read or write a directory may pass through it.
/// A right too many for a member of several groups is refused by the descriptor itself; local
/// programs and NFS see this ACL only. Pure.
[[nodiscard]] ports::PosixAcl acl_meant_by(const wire::SecurityDescriptor& descriptor,
                                           const ports::IdMap& ids, const ports::FileFacts& facts,
                                           const ports::PosixAcl& present);

/// The default ACL for what local programs make in a directory with this descriptor; nothing where
/// it gives nobody anything below it. ACEs that allow count when files and directories inherit them
/// at every level, those that deny always. Who makes something has all rights on it, as its owner
/// could take them anyway; CREATOR GROUP is its group. Pure.
[[nodiscard]] std::optional<ports::PosixAcl> default_acl_meant_by(
    const wire::SecurityDescriptor& descriptor, const ports::IdMap& ids);

/// The descriptor that mode bits and ACLs amount to: an ACE for each entry within its mask, then
/// those of the default ACL for what is made in a directory. Pure.
[[nodiscard]] wire::SecurityDescriptor security_from_rights(const ports::FileFacts& facts,
                                                            const ports::SystemRights& rights,
                                                            const ports::IdMap& ids);

/// Stores `descriptor` and brings owner, group and ACL in the file system in line with it. On an
/// error the rights are what they were. Blocks.
/// Input   the change has been allowed; `who` is not believed any more than that: a group that is
///         none of its own only shows in the descriptor, unless it is privileged
/// Errors  those of BackendFile::store_security, set_system_acl and set_owner
[[nodiscard]] Status keep_security(ports::BackendFile& file, const Requester& who,
                                   const wire::SecurityDescriptor& descriptor);

}  // namespace flotilla::handlers

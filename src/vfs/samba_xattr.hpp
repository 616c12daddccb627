// Samba's on-disk formats, so that a share can move between Samba and Flotilla: the DOS attributes
// in user.DOSATTRIB and the security descriptor in security.NTACL. Bytes only; must not know how an
// xattr is read.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/time.hpp"

namespace flotilla::vfs {

inline constexpr const char* kDosAttribXattr = "user.DOSATTRIB";
inline constexpr const char* kNtAclXattr = "security.NTACL";

/// FILE_ATTRIBUTE_*, [MS-FSCC] 2.6.
inline constexpr std::uint32_t kAttributeReadonly = 0x1;
inline constexpr std::uint32_t kAttributeHidden = 0x2;
inline constexpr std::uint32_t kAttributeSystem = 0x4;
inline constexpr std::uint32_t kAttributeDirectory = 0x10;
inline constexpr std::uint32_t kAttributeArchive = 0x20;
inline constexpr std::uint32_t kAttributeNormal = 0x80;
inline constexpr std::uint32_t kAttributeTemporary = 0x100;
inline constexpr std::uint32_t kAttributeSparse = 0x200;
inline constexpr std::uint32_t kAttributeCompressed = 0x800;  ///< the file system's, never stored
inline constexpr std::uint32_t kAttributeOffline = 0x1000;
inline constexpr std::uint32_t kAttributeNotContentIndexed = 0x2000;

/// What is kept of the attributes: Samba's and two more, which Samba passes over.
inline constexpr std::uint32_t kAttributesStored =
    kAttributeReadonly | kAttributeHidden | kAttributeSystem | kAttributeDirectory |
    kAttributeArchive | kAttributeTemporary | kAttributeSparse | kAttributeOffline |
    kAttributeNotContentIndexed;

struct DosAttrib {
  std::optional<std::uint32_t> attributes;
  std::optional<NtTime> created;
  /// A change time that a client has set: it holds while the file system's own is `changed_at`.
  std::optional<NtTime> changed;
  NtTime changed_at;
};

/// Reads xattr_DOSATTRIB in any of its versions: NDR 1 to 5, and the bare text "0x20" before them.
/// Nothing where the bytes are no such thing.
[[nodiscard]] std::optional<DosAttrib> decode_dos_attrib(ByteView bytes) noexcept;

/// Version 5, as Samba 4.16 and later write it. 24 bytes.
[[nodiscard]] Bytes encode_dos_attrib(std::uint32_t attributes, NtTime created);

/// Version 3, the only one with a change time; Samba reads attributes and creation time from it.
/// `changed_at` is where it has the size, with the flag that would make it one left out. 52 bytes.
[[nodiscard]] Bytes encode_dos_attrib(std::uint32_t attributes, NtTime created, NtTime changed,
                                      NtTime changed_at);

/// The self-relative security descriptor inside xattr_NTACL (versions 1 to 4), or nothing where
/// the bytes are no such thing. Only the wrapper is judged, and that the descriptor's header fits.
[[nodiscard]] std::optional<Bytes> decode_nt_acl(ByteView bytes);

/// The file's own ACL and mode as Samba hashes them, so that a descriptor counts only as long as
/// nobody has changed the rights behind its back: an ACL in system.posix_acl_access' form each.
struct SystemAcl {
  Bytes access;      ///< empty: the mode says all
  Bytes by_default;  ///< empty: none
  std::uint32_t owner = 0;
  std::uint32_t group = 0;
  std::uint32_t mode = 0;  ///< st_mode
};

/// False where the rights beside a descriptor have changed since it was stored, by chmod(1) or
/// setfacl(1): Samba does not count it then. True where that cannot be told (other versions).
[[nodiscard]] bool nt_acl_is_current(ByteView blob, const SystemAcl& system);

/// xattr_NTACL version 4 around a self-relative descriptor, as acl_xattr writes it: SHA-256 of the
/// system ACL, the description "posix_acl". `descriptor` must have a header of 20 bytes.
[[nodiscard]] Bytes encode_nt_acl(ByteView descriptor, const SystemAcl& system, NtTime now);

/// Samba's vfs_streams_xattr: the value of "user.DosStream.NAME:$DATA" ends in a NUL byte.
inline constexpr const char* kStreamXattrPrefix = "user.DosStream.";
inline constexpr const char* kStreamXattrSuffix = ":$DATA";

}  // namespace flotilla::vfs

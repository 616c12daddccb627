// ACLs of acl(5) as the kernel keeps them in xattrs. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "ports/posix_acl.hpp"

namespace flotilla::vfs {

// linux/posix_acl_xattr.h: a 4-byte version, then entries of 8 bytes (tag, rights, id).
inline constexpr std::uint32_t kPosixAclVersion = 2;
inline constexpr std::uint16_t kAclUserObj = 0x01;
inline constexpr std::uint16_t kAclUser = 0x02;
inline constexpr std::uint16_t kAclGroupObj = 0x04;
inline constexpr std::uint16_t kAclGroup = 0x08;
inline constexpr std::uint16_t kAclMask = 0x10;
inline constexpr std::uint16_t kAclOther = 0x20;

/// Nothing where the bytes are no ACL.
[[nodiscard]] std::optional<ports::PosixAcl> decode_posix_acl(ByteView bytes);

/// In the order that the kernel asks for. `mask` must be there where entries are.
[[nodiscard]] Bytes encode_posix_acl(const ports::PosixAcl& acl);

}  // namespace flotilla::vfs

// The rights that the kernel knows: mode bits, access and default ACL, owner and group.
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "vfs/errno_table.hpp"
#include "vfs/posix/share.hpp"
#include "vfs/posix/system_acl.hpp"

namespace flotilla::vfs {
namespace {

constexpr const char* kAccessXattr = "system.posix_acl_access";
constexpr const char* kDefaultXattr = "system.posix_acl_default";
constexpr std::uint32_t kNoId = 0xFFFFFFFF;
/// What a file system keeps at most: ext4 a block, others 64 KiB.
constexpr std::size_t kAclBytesMax = 65536;

/// Empty where there is none.
Bytes read_acl(int fd, const char* name) {
  Bytes acl(4096);
  ssize_t size = ::getxattr(ProcPath(fd).c_str(), name, acl.data(), acl.size());
  if (size < 0 && errno == ERANGE) {
    acl.resize(kAclBytesMax);
    size = ::getxattr(ProcPath(fd).c_str(), name, acl.data(), acl.size());
  }
  acl.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return acl;
}

void put_entry(ByteWriter& out, std::uint16_t tag, std::uint8_t rights, std::uint32_t id) {
  out.u16(tag);
  out.u16(rights & 7);
  out.u32(id);
}

std::uint32_t mode_of(const ports::PosixAcl& acl) {
  return static_cast<std::uint32_t>(acl.owner << 6 | acl.mask.value_or(acl.group) << 3 |
                                    acl.others);
}

}  // namespace

std::optional<ports::PosixAcl> decode_posix_acl(ByteView bytes) {
  ByteReader reader(bytes);
  if (reader.u32() != kPosixAclVersion) return std::nullopt;
  ports::PosixAcl acl;
  bool owner = false;
  bool others = false;
  while (reader.remaining() >= 8) {
    const std::uint16_t tag = reader.u16();
    const auto rights = static_cast<std::uint8_t>(reader.u16() & 7U);
    const std::uint32_t id = reader.u32();
    switch (tag) {
      case kAclUserObj:
        acl.owner = rights;
        owner = true;
        break;
      case kAclUser:
        acl.users.push_back({id, rights});
        break;
      case kAclGroupObj:
        acl.group = rights;
        break;
      case kAclGroup:
        acl.groups.push_back({id, rights});
        break;
      case kAclMask:
        acl.mask = rights;
        break;
      case kAclOther:
        acl.others = rights;
        others = true;
        break;
      default:
        return std::nullopt;
    }
  }
  if (!owner || !others) return std::nullopt;
  return acl;
}

Bytes encode_posix_acl(const ports::PosixAcl& acl) {
  Bytes out;
  ByteWriter writer(out);
  writer.u32(kPosixAclVersion);
  put_entry(writer, kAclUserObj, acl.owner, kNoId);
  const auto put_sorted = [&](std::vector<ports::PosixAcl::Entry> entries, std::uint16_t tag) {
    std::ranges::sort(entries, {}, &ports::PosixAcl::Entry::id);
    for (const auto& entry : entries) put_entry(writer, tag, entry.rights, entry.id);
  };
  put_sorted(acl.users, kAclUser);
  put_entry(writer, kAclGroupObj, acl.group, kNoId);
  put_sorted(acl.groups, kAclGroup);
  if (acl.mask) put_entry(writer, kAclMask, *acl.mask, kNoId);
  put_entry(writer, kAclOther, acl.others, kNoId);
  return out;
}

Result<SystemAcl> system_acl_of(int fd) {
  struct statx st{};
  if (const Status ok = stat_of(fd, "", st); !ok) return fail(ok.error());
  SystemAcl system;
  system.owner = st.stx_uid;
  system.group = st.stx_gid;
  system.mode = st.stx_mode;
  system.access = read_acl(fd, kAccessXattr);
  if (S_ISDIR(st.stx_mode)) system.by_default = read_acl(fd, kDefaultXattr);
  return system;
}

Result<ports::SystemRights> system_rights_of(const Share& share, int fd) {
  const ActAsDaemon daemon(share);
  const auto system = system_acl_of(fd);
  if (!system) return fail(system.error());
  ports::SystemRights out;
  out.access = decode_posix_acl(system->access).value_or(ports::PosixAcl::of_mode(system->mode));
  out.by_default = decode_posix_acl(system->by_default);
  return out;
}

Status change_system_acl(const Share& share, int fd, const ports::PosixAcl& acl) {
  const ActAsDaemon daemon(share);
  const ProcPath path(fd);
  const Bytes bytes = encode_posix_acl(acl);
  if (::setxattr(path.c_str(), kAccessXattr, bytes.data(), bytes.size(), 0) == 0) return {};
  if (errno == ENOSPC || errno == E2BIG || errno == ERANGE) return fail(NtStatus::DiskFull);
  if (errno == EPERM) return fail(NtStatus::NotSupported);
  if (errno != EOPNOTSUPP) return fail_errno(During::Change);
  struct statx st{};
  if (const Status ok = stat_of(fd, "", st); !ok) return ok;
  if (::chmod(path.c_str(), (st.stx_mode & 07000U) | mode_of(acl)) == 0) return {};
  return errno == EPERM ? Status(fail(NtStatus::NotSupported)) : Status(fail_errno(During::Change));
}

Status change_default_acl(const Share& share, int fd, const std::optional<ports::PosixAcl>& acl) {
  const ActAsDaemon daemon(share);
  const ProcPath path(fd);
  int done = 0;
  if (acl) {
    const Bytes bytes = encode_posix_acl(*acl);
    done = ::setxattr(path.c_str(), kDefaultXattr, bytes.data(), bytes.size(), 0);
  } else {
    done = ::removexattr(path.c_str(), kDefaultXattr);
    if (done != 0 && errno == ENODATA) return {};
  }
  if (done == 0) return {};
  if (errno == ENOSPC || errno == E2BIG || errno == ERANGE) return fail(NtStatus::DiskFull);
  if (errno == EPERM || errno == EOPNOTSUPP) return fail(NtStatus::NotSupported);
  return fail_errno(During::Change);
}

Status change_owner(const Share& share, int fd, std::optional<std::uint32_t> uid,
                    std::optional<std::uint32_t> gid) {
  const ActAsDaemon daemon(share);
  if (::chown(ProcPath(fd).c_str(), uid.value_or(kNoId), gid.value_or(kNoId)) == 0) return {};
  return fail_errno(During::Change);
}

}  // namespace flotilla::vfs

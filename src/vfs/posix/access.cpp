// What the kernel would let a user do: mode bits and the POSIX access ACL, weighed as acl(5) says.
// access(2) cannot be asked: it looks at the real or effective uid, not at fsuid.
#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/bytes.hpp"
#include "vfs/names.hpp"
#include "vfs/posix/share.hpp"
#include "vfs/posix/system_acl.hpp"

namespace flotilla::vfs {
namespace {

// [MS-SMB2] 2.2.13.1.1 File_Pipe_Printer_Access_Mask.
constexpr std::uint32_t kReadData = 0x1, kWriteData = 0x2, kAppendData = 0x4, kReadEa = 0x8,
                        kWriteEa = 0x10, kExecute = 0x20, kDeleteChild = 0x40,
                        kReadAttributes = 0x80, kWriteAttributes = 0x100, kDelete = 0x10000,
                        kReadControl = 0x20000, kWriteDac = 0x40000, kWriteOwner = 0x80000,
                        kSynchronize = 0x100000;

struct Person {
  std::uint32_t uid = 0;
  std::vector<std::uint32_t> groups;
  [[nodiscard]] bool in(std::uint32_t gid) const {
    return std::find(groups.begin(), groups.end(), gid) != groups.end();
  }
};

Person person_of(const Share& share, const ports::Credentials& who) {
  Person out;
  if (!share.can_switch) {  // everybody acts as the daemon
    out.uid = ::geteuid();
    std::array<gid_t, 1024> groups;
    const int count = ::getgroups(groups.size(), groups.data());
    if (count > 0) out.groups.assign(groups.begin(), groups.begin() + count);
    out.groups.push_back(::getegid());
  } else if (who.use_share_owner) {
    out.uid = share.owner_uid;
    out.groups = {share.owner_gid};
  } else {
    out.uid = who.uid;
    out.groups = who.groups;
    out.groups.push_back(who.gid);
  }
  return out;
}

/// The kernel wants one group entry that grants everything asked; bits of several do not add up for
/// one question, but each question here is about one bit.
unsigned by_acl(const Person& person, const struct statx& st, const ports::PosixAcl& acl) {
  if (person.uid == st.stx_uid) return acl.owner;
  const unsigned mask = acl.mask.value_or(7);
  for (const auto& entry : acl.users) {
    if (entry.id == person.uid) return entry.rights & mask;
  }
  unsigned groups = 0;
  bool in_group = person.in(st.stx_gid);
  if (in_group) groups = acl.group;
  for (const auto& entry : acl.groups) {
    if (!person.in(entry.id)) continue;
    in_group = true;
    groups |= entry.rights;
  }
  return in_group ? groups & mask : acl.others;
}

unsigned rights_of(const Person& person, int fd, const struct statx& st) {
  const unsigned mode = st.stx_mode;
  if (person.uid == 0) {  // CAP_DAC_OVERRIDE: execute only where somebody may
    return S_ISDIR(mode) || (mode & 0111) != 0 ? 7 : 6;
  }
  std::array<std::uint8_t, 4096> acl;
  const ssize_t size =
      ::getxattr(ProcPath(fd).c_str(), "system.posix_acl_access", acl.data(), acl.size());
  if (size > 0) {
    const auto known = decode_posix_acl(ByteView(acl).first(static_cast<std::size_t>(size)));
    if (known) return by_acl(person, st, *known);
  }
  if (person.uid == st.stx_uid) return (mode >> 6) & 7;
  if (person.in(st.stx_gid)) return (mode >> 3) & 7;
  return mode & 7;
}

std::uint32_t own_mask(const Person& person, int fd, const struct statx& st) {
  const unsigned rights = rights_of(person, fd, st);
  std::uint32_t mask = kReadAttributes | kReadControl | kSynchronize;
  if ((rights & 4) != 0) mask |= kReadData | kReadEa;
  if ((rights & 2) != 0) mask |= kWriteData | kAppendData | kWriteEa | kWriteAttributes;
  if ((rights & 1) != 0) mask |= kExecute;
  if (S_ISDIR(st.stx_mode) && (rights & 3) == 3) mask |= kDeleteChild;
  if (person.uid == st.stx_uid || person.uid == 0) mask |= kWriteAttributes | kWriteDac;
  if (person.uid == 0) mask |= kWriteOwner;
  return mask;
}

/// Whether the name may be removed is the parent's decision. kDelete or nothing.
std::uint32_t mask_from_parent(const Person& person, const struct statx& st, int parent,
                               const struct statx& above) {
  if ((rights_of(person, parent, above) & 3) != 3) return 0;
  const bool sticky = (above.stx_mode & S_ISVTX) != 0;
  const bool owns = person.uid == 0 || person.uid == st.stx_uid || person.uid == above.stx_uid;
  return !sticky || owns ? kDelete : 0;
}

/// The directory of a file: the share's root is open already.
class ParentFd {
 public:
  ParentFd(const Share& share, std::string_view path, Naming naming) {
    const std::string parent(split(path).parent);
    if (parent.empty()) {
      fd_ = share.root.get();
      return;
    }
    opened_ = Fd(open_beneath(share, parent.c_str(), O_PATH | O_DIRECTORY, 0, naming));
    fd_ = opened_.get();
  }
  /// -1: it could not be opened.
  [[nodiscard]] int get() const noexcept { return fd_; }

 private:
  Fd opened_;
  int fd_ = -1;
};

/// For what is remembered of a directory whose change time is looked at anyway: by its time of
/// birth, which takes a call less than key_of's generation.
FileKey cache_key_of(const struct statx& st) noexcept {
  const auto seconds = static_cast<std::uint64_t>(st.stx_btime.tv_sec);
  return {device_of(st), st.stx_ino, mix64(seconds * 1'000'000'000 + st.stx_btime.tv_nsec)};
}

}  // namespace

unsigned kernel_rights(const Share& share, const ports::Credentials& who, int fd,
                       const struct statx& st) {
  return rights_of(person_of(share, who), fd, st);
}

std::uint32_t access_mask_of(const Share& share, const ports::Credentials& who, int fd,
                             std::string_view path) {
  struct statx st{};
  if (!stat_of(fd, "", st)) return 0;
  const Person person = person_of(share, who);
  const std::uint32_t mask = own_mask(person, fd, st);
  if (path.empty()) return mask;
  const ParentFd parent(share, path, Naming::WithoutCase);
  struct statx above{};
  if (parent.get() < 0 || !stat_of(parent.get(), "", above)) return mask;
  return mask | mask_from_parent(person, st, parent.get(), above);
}

Result<ports::AccessFacts> access_facts_of(Share& share, const ports::Credentials& who,
                                           const FileKey& key, int fd, std::string_view path) {
  struct statx st{};
  if (const Status ok = stat_of(fd, "", st); !ok) return std::unexpected(ok.error());
  const Person person = person_of(share, who);
  ports::AccessFacts out;
  out.granted = own_mask(person, fd, st);
  const ActAsDaemon daemon(share);
  out.file = facts_of(share, key, fd, "", split(path).name, st);
  auto security = stored_security_of(share, key, fd, st);
  if (!security) return std::unexpected(security.error());
  out.security = *std::move(security);
  if (path.empty()) return out;
  const auto parent = [&] {
    const ActAsUser user(share, who);
    return user.ok() ? std::optional<ParentFd>(std::in_place, share, path, naming_of(who))
                     : std::nullopt;
  }();
  struct statx above{};
  if (!parent || parent->get() < 0 || !stat_of(parent->get(), "", above)) return out;
  out.granted |= mask_from_parent(person, st, parent->get(), above);
  auto above_security = stored_security_of(share, cache_key_of(above), parent->get(), above);
  if (!above_security) return std::unexpected(above_security.error());
  out.reaches_above = true;
  out.above = *std::move(above_security);
  return out;
}

}  // namespace flotilla::vfs

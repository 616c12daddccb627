#include "vfs/posix/name_changes.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#include <atomic>
#include <cerrno>

#include "ports/short_name.hpp"
#include "vfs/errno_table.hpp"
#include "vfs/names.hpp"
#include "vfs/samba_xattr.hpp"

namespace flotilla::vfs {
namespace {

/// Locks one or two directories against other name changes of this process, in one order.
class NameLocks {
 public:
  NameLocks(Share& share, const FileKey& a, const FileKey& b)
      : first_(&share.name_lock(a)), second_(&share.name_lock(b)) {
    if (first_ == second_) {
      first_->lock();
    } else {
      std::lock(*first_, *second_);
    }
  }
  ~NameLocks() {
    first_->unlock();
    if (second_ != first_) second_->unlock();
  }
  NameLocks(const NameLocks&) = delete;
  NameLocks& operator=(const NameLocks&) = delete;

 private:
  std::mutex* first_;
  std::mutex* second_;
};

/// The key of what `name` in `place` leads to: the file itself, or a link's target.
Result<FileKey> key_behind(Share& share, const Place& place) {
  struct statx st{};
  if (const Status ok = stat_of(place.parent.get(), place.stored.c_str(), st); !ok) {
    return std::unexpected(ok.error());
  }
  if (!S_ISLNK(st.stx_mode)) return key_of(share, place.parent.get(), place.stored.c_str(), st);
  const auto target = resolve(share, join(place.parent_path, place.stored));
  if (!target) return std::unexpected(target.error());
  if (const Status ok = stat_of(target->fd.get(), "", st); !ok) {
    return std::unexpected(ok.error());
  }
  return key_of(share, target->fd.get(), "", st);
}

/// Best effort, like Samba: a file system without user xattrs still takes files.
void store_attributes(int fd, const struct statx& st, std::uint32_t attributes) {
  const NtTime created = (st.stx_mask & STATX_BTIME) != 0
                             ? nt_time_of(st.stx_btime.tv_sec, st.stx_btime.tv_nsec)
                             : nt_time_of(st.stx_mtime.tv_sec, st.stx_mtime.tv_nsec);
  const Bytes blob = encode_dos_attrib(attributes, created);
  (void)::fsetxattr(fd, kDosAttribXattr, blob.data(), blob.size(), 0);
}

bool is_directory(const Place& place) noexcept {
  struct statx st{};
  return stat_of(place.parent.get(), place.stored.c_str(), st) && S_ISDIR(st.stx_mode);
}

/// renameat2 without replacing; where the file system has no such flag the caller's own check
/// under the lock must do.
int rename_exclusively(int from_fd, const char* from, int to_fd, const char* to) noexcept {
  if (::renameat2(from_fd, from, to_fd, to, RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return -1;
  struct statx st{};
  if (stat_of(to_fd, to, st)) {
    errno = EEXIST;
    return -1;
  }
  return ::renameat(from_fd, from, to_fd, to);
}

std::int64_t seconds_now() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec;
}

std::string temporary_name() {
  static std::atomic<std::uint64_t> counter{0};
  return ".flotilla-link-" + std::to_string(::getpid()) + "-" + std::to_string(++counter);
}

}  // namespace

void Share::Tunnel::remember(const FileKey& directory, std::string_view name) {
  if (ports::is_short_name(name)) return;
  const std::lock_guard lock(mutex);
  if (names.size() == kNamesMax) names.pop_front();
  names.push_back({directory, ports::short_name_of(name), std::string(name), seconds_now()});
}

std::string Share::Tunnel::find(const FileKey& directory, std::string_view short_name) {
  if (!ports::may_be_mangled(short_name)) return {};
  const std::int64_t now = seconds_now();
  const std::lock_guard lock(mutex);
  while (!names.empty() && now - names.front().at_seconds > kSeconds) names.pop_front();
  for (auto gone = names.rbegin(); gone != names.rend(); ++gone) {
    if (gone->directory == directory && equal_without_case(gone->short_name, short_name)) {
      return gone->name;
    }
  }
  return {};
}

Result<std::unique_ptr<ports::BackendFile>> create_name(const SharePtr& share,
                                                        const ports::Credentials& who,
                                                        std::string_view path, bool directory,
                                                        std::uint32_t attributes) {
  if (path.empty()) return fail(NtStatus::ObjectNameCollision);
  const ActAsUser user(*share, who);
  if (!user.ok()) return fail(NtStatus::AccessDenied);
  auto place = find_place(*share, path, naming_of(who));
  if (!place) return std::unexpected(place.error());
  const std::lock_guard lock(share->name_lock(place->parent_key));
  if (const Status ok = find_in_place(*share, *place, naming_of(who)); !ok)
    return std::unexpected(ok.error());
  if (!place->stored.empty()) {
    // A link that leads nowhere can be neither opened nor made: say so, or callers retry forever.
    const auto behind = key_behind(*share, *place);
    return fail(behind ? NtStatus::ObjectNameCollision : NtStatus::AccessDenied);
  }
  const int parent = place->parent.get();
  if (std::string long_name = share->tunnel.find(place->parent_key, place->wanted);
      !long_name.empty()) {
    place->wanted = std::move(long_name);
  }
  const char* name = place->wanted.c_str();
  const auto before = stamp_of(parent);
  Fd fd;
  if (directory) {
    if (::mkdirat(parent, name, share->options.directory_mode) != 0) {
      return fail_errno(During::Change);
    }
    fd = Fd(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) fd = Fd(::openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  } else {
    fd = Fd(::openat(parent, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                     share->options.file_mode));
  }
  if (!fd) return fail_errno(During::Change);
  // mkdir(2) takes no set-id bits, which a share may ask for all the same.
  const std::uint32_t mode = share->options.directory_mode;
  if (directory && (mode & (S_ISUID | S_ISGID)) != 0) {
    (void)::chmod(ProcPath(fd.get()).c_str(), mode);
  }
  share->indexes.changed(parent, place->parent_key, before, {}, place->wanted);
  struct statx st{};
  if (const Status ok = stat_of(fd.get(), "", st); !ok) return std::unexpected(ok.error());
  attributes &= kAttributesStored & ~(kAttributeDirectory | kAttributeSparse | kAttributeReparse);
  attributes |= directory ? kAttributeDirectory : kAttributeArchive;
  {
    const ActAsDaemon daemon(*share);
    store_attributes(fd.get(), st, attributes);
  }
  const FileKey key = key_of(*share, fd.get(), "", st);
  return make_posix_file(
      share, Found{std::move(fd), join(place->parent_path, place->wanted), !directory}, st, key);
}

Status remove_name(Share& share, const ports::Credentials& who, std::string_view path,
                   const FileKey& key, bool directory) {
  if (path.empty()) return fail(NtStatus::AccessDenied);
  const ActAsUser user(share, who);
  if (!user.ok()) return fail(NtStatus::AccessDenied);
  auto place = find_place(share, path, naming_of(who));
  if (!place) return std::unexpected(place.error());
  const std::lock_guard lock(share.name_lock(place->parent_key));
  if (const Status ok = find_in_place(share, *place, naming_of(who)); !ok) return ok;
  if (place->stored.empty()) return fail(NtStatus::ObjectNameNotFound);
  const int parent = place->parent.get();
  struct statx st{};
  if (const Status ok = stat_of(parent, place->stored.c_str(), st); !ok) return ok;
  if (key_of(share, parent, place->stored.c_str(), st) != key) {
    const auto now = key_behind(share, *place);
    if (!now) return std::unexpected(now.error());
    if (*now != key) return fail(NtStatus::ObjectNameNotFound);
  }
  const auto before = stamp_of(parent);
  // A link is removed itself, whatever it leads to.
  if (::unlinkat(parent, place->stored.c_str(),
                 directory && is_directory(*place) ? AT_REMOVEDIR : 0) != 0) {
    return fail_errno(During::Change);
  }
  share.indexes.changed(parent, place->parent_key, before, place->stored, {});
  share.tunnel.remember(place->parent_key, place->stored);
  return {};
}

Status may_remove_name(const Share& share, const ports::Credentials& who, std::string_view path,
                       int fd) {
  const ActAsDaemon daemon(share);
  const Fd parent(
      open_beneath(share, std::string(split(path).parent).c_str(), O_PATH | O_DIRECTORY));
  if (!parent) return {};  // renamed meanwhile: remove() finds out
  struct statvfs fs{};
  if (::fstatvfs(parent.get(), &fs) == 0 && (fs.f_flag & ST_RDONLY) != 0) {
    return fail(NtStatus::MediaWriteProtected);
  }
  constexpr std::uint64_t kFixed = STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND;
  struct statx st{};
  if (const Status ok = stat_of(fd, "", st); !ok) return ok;
  if ((st.stx_attributes & kFixed) != 0) return fail(NtStatus::CannotDelete);
  if (const Status ok = stat_of(parent.get(), "", st); !ok) return ok;
  if ((st.stx_attributes & kFixed) != 0) return fail(NtStatus::AccessDenied);
  // Whoever may by a descriptor is helped by the share's owner: see handlers/close.cpp.
  ports::Credentials owner;
  owner.use_share_owner = true;
  constexpr std::uint32_t kDelete = 0x10000;
  const std::uint32_t either =
      access_mask_of(share, who, fd, path) | access_mask_of(share, owner, fd, path);
  return (either & kDelete) != 0 ? Status{} : Status(fail(NtStatus::AccessDenied));
}

Status rename_name(Share& share, const ports::Credentials& who, std::string_view from_path,
                   std::string_view to_path, bool replace) {
  if (from_path.empty() || to_path.empty()) return fail(NtStatus::AccessDenied);
  const ActAsUser user(share, who);
  if (!user.ok()) return fail(NtStatus::AccessDenied);
  auto from = find_place(share, from_path, naming_of(who));
  if (!from) return std::unexpected(from.error());
  auto to = find_place(share, to_path, naming_of(who));
  if (!to) return std::unexpected(to.error());
  if (from->parent_key.volume != to->parent_key.volume) return fail(NtStatus::NotSameDevice);
  const NameLocks locks(share, from->parent_key, to->parent_key);
  if (const Status ok = find_in_place(share, *from, naming_of(who)); !ok) return ok;
  if (from->stored.empty()) return fail(NtStatus::ObjectNameNotFound);
  if (const Status ok = find_in_place(share, *to, naming_of(who)); !ok) return ok;

  const bool same_parent = from->parent_key == to->parent_key;
  const bool same_entry = same_parent && from->stored == to->stored;
  const int from_fd = from->parent.get();
  const int to_fd = to->parent.get();
  const auto from_before = stamp_of(from_fd);
  const auto to_before = stamp_of(to_fd);
  std::string replaced;
  if (to->stored.empty() || same_entry) {
    if (same_entry && from->stored == to->wanted) return {};
    if (rename_exclusively(from_fd, from->stored.c_str(), to_fd, to->wanted.c_str()) != 0) {
      // A directory into itself: Windows and Samba deny it.
      if (errno == EINVAL) return fail(NtStatus::AccessDenied);
      return fail_errno(During::Change);
    }
  } else {
    if (!replace) return fail(NtStatus::ObjectNameCollision);
    // [MS-FSA] 2.1.5.15.11: a directory is never replaced.
    if (is_directory(*to) || is_directory(*from)) return fail(NtStatus::AccessDenied);
    // In one step over the old name, whatever its case; then its case becomes the wanted one.
    if (::renameat(from_fd, from->stored.c_str(), to_fd, to->stored.c_str()) != 0) {
      return fail_errno(During::Change);
    }
    // Two hard links of one file: rename(2) does nothing then, so the old name goes by itself.
    struct statx st{};
    if (stat_of(from_fd, from->stored.c_str(), st)) {
      (void)::unlinkat(from_fd, from->stored.c_str(), 0);
    }
    replaced = to->stored;
    if (to->stored != to->wanted) {
      (void)rename_exclusively(to_fd, to->stored.c_str(), to_fd, to->wanted.c_str());
    }
  }
  if (!replaced.empty() && replaced != to->wanted) {
    share.indexes.forget(to->parent_key);
    share.indexes.forget(from->parent_key);
  } else if (same_parent) {
    share.indexes.changed(from_fd, from->parent_key, from_before, from->stored,
                          replaced.empty() ? to->wanted : std::string());
  } else {
    share.indexes.changed(from_fd, from->parent_key, from_before, from->stored, {});
    share.indexes.changed(to_fd, to->parent_key, to_before, {},
                          replaced.empty() ? to->wanted : std::string());
  }
  return {};
}

Status link_name(Share& share, const ports::Credentials& who, std::string_view from_path,
                 std::string_view to_path, bool replace) {
  if (to_path.empty()) return fail(NtStatus::AccessDenied);
  const ActAsUser user(share, who);
  if (!user.ok()) return fail(NtStatus::AccessDenied);
  auto from = resolve(share, from_path, naming_of(who));
  if (!from) return std::unexpected(from.error());
  struct statx st{};
  if (const Status ok = stat_of(from->fd.get(), "", st); !ok) return ok;
  if (S_ISDIR(st.stx_mode)) return fail(NtStatus::FileIsADirectory);
  if (!S_ISREG(st.stx_mode)) return fail(NtStatus::AccessDenied);
  auto to = find_place(share, to_path, naming_of(who));
  if (!to) return std::unexpected(to.error());
  const std::lock_guard lock(share.name_lock(to->parent_key));
  if (const Status ok = find_in_place(share, *to, naming_of(who)); !ok) return ok;
  const int parent = to->parent.get();
  const ProcPath source(from->fd.get());
  if (!to->stored.empty()) {
    if (!replace) return fail(NtStatus::ObjectNameCollision);
    if (is_directory(*to)) return fail(NtStatus::AccessDenied);
    const auto behind = key_behind(share, *to);
    if (behind && *behind == key_of(share, from->fd.get(), "", st)) return {};
    const std::string temporary = temporary_name();
    if (::linkat(AT_FDCWD, source.c_str(), parent, temporary.c_str(), AT_SYMLINK_FOLLOW) != 0) {
      return fail_errno(During::Change);
    }
    if (::renameat(parent, temporary.c_str(), parent, to->stored.c_str()) != 0) {
      const int error = errno;
      (void)::unlinkat(parent, temporary.c_str(), 0);
      return fail(nt_status_of(error, During::Change));
    }
    share.indexes.forget(to->parent_key);
    return {};
  }
  const auto before = stamp_of(parent);
  if (::linkat(AT_FDCWD, source.c_str(), parent, to->wanted.c_str(), AT_SYMLINK_FOLLOW) != 0) {
    return fail_errno(During::Change);
  }
  share.indexes.changed(parent, to->parent_key, before, {}, to->wanted);
  return {};
}

}  // namespace flotilla::vfs

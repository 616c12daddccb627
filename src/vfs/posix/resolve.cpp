// From a path to a descriptor: exact case in one openat2, else component by component through the
// directory indexes. The kernel alone decides what is inside the share.
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "ports/short_name.hpp"
#include "vfs/errno_table.hpp"
#include "vfs/names.hpp"
#include "vfs/posix/getdents.hpp"
#include "vfs/posix/share.hpp"
#include "vfs/samba_xattr.hpp"

namespace flotilla::vfs {
namespace {

constexpr int kRaceRetries = 64;
constexpr int kLinksMax = 16;

Result<Found> open_found(Share& share, std::string path, std::uint64_t flags, During during) {
  Fd fd(open_beneath(share, path.c_str(), O_PATH | flags));
  if (!fd) return fail_errno(during);
  return Found{std::move(fd), std::move(path)};
}

/// A directory by its path, without case.
Result<Found> resolve_directory(Share& share, std::string_view path);

/// The name whose short name `name` is; "" where there is none. Searches the whole directory, which
/// only a name that looks mangled and is no file's own is worth.
Result<std::string> stored_by_short_name(Share& share, const Found& parent, std::string_view name) {
  const ActAsDaemon daemon(share);
  const Fd fd(::open(ProcPath(parent.fd.get()).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_errno(During::Path);
  const auto entries = std::make_unique<Getdents>(fd.get());
  const std::string wanted = fold(name);
  std::string best;
  for (;;) {
    const auto raw = entries->next();
    if (!raw) return std::unexpected(raw.error());
    if (!*raw) return best;
    const std::string_view each = (*raw)->name;
    if (each == "." || each == ".." || ports::is_short_name(each) || !valid_utf8(each)) continue;
    // Where two names share one, the smallest by bytes, so that all nodes agree.
    if (fold(ports::short_name_of(each)) == wanted && (best.empty() || each < best)) best = each;
  }
}

/// The name in `parent` that stands for `name`; "" where there is none.
Result<std::string> stored_name(Share& share, const Found& parent, const FileKey& parent_key,
                                std::string_view name) {
  struct statx st{};
  const std::string exact(name);
  if (::statx(parent.fd.get(), exact.c_str(), AT_SYMLINK_NOFOLLOW, STATX_TYPE, &st) == 0) {
    return exact;
  }
  if (errno != ENOENT) return fail_errno(During::Name);
  for (int attempt = 0; attempt < 2; ++attempt) {
    Result<std::optional<std::string>> hit;
    {
      const ActAsDaemon daemon(share);
      hit = share.indexes.find(parent.fd.get(), parent_key, name);
    }
    if (!hit) return std::unexpected(hit.error());
    if (!*hit) {
      if (!ports::may_be_mangled(name)) return std::string();
      return stored_by_short_name(share, parent, name);
    }
    if (::statx(parent.fd.get(), (*hit)->c_str(), AT_SYMLINK_NOFOLLOW, STATX_TYPE, &st) == 0) {
      return std::move(**hit);
    }
    if (errno != ENOENT) return fail_errno(During::Name);
    share.indexes.forget(parent_key);
  }
  return std::string();
}

Result<FileKey> directory_key(Share& share, int fd) {
  struct statx st{};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st) != 0) return fail_errno(During::Path);
  return key_of(share, fd, "", st);
}

/// Opens `name` of `parent` as stored, following a link that stays inside.
/// An absolute link is taken as relative to the share's root where it begins with the root's own
/// path; whatever comes of that is resolved beneath the root again, so the text decides nothing.
Result<Found> open_child(Share& share, const Found& parent, const std::string& stored,
                         std::uint64_t flags, During during) {
  std::string path = join(parent.path, stored);
  std::string target = path;
  for (int links = 0; links < kLinksMax; ++links) {
    Fd fd(open_beneath(share, target.c_str(), O_PATH | flags));
    if (fd) {
      // Below a directory the kernel must be able to go on, so its own path goes on; a file keeps
      // the link's name, which is what a removal means.
      return Found{std::move(fd), during == During::Path ? std::move(target) : std::move(path)};
    }
    if (errno != EXDEV || !share.options.follow_links) return fail_errno(during);
    std::array<char, 4096> text;
    const Fd link(open_beneath(share, target.c_str(), O_PATH | O_NOFOLLOW));
    const ssize_t size =
        link ? ::readlinkat(link.get(), "", text.data(), text.size()) : ssize_t{-1};
    if (size <= 0) return fail(NtStatus::AccessDenied);
    const std::string_view read(text.data(), static_cast<std::size_t>(size));
    if (!read.starts_with(share.real_path + "/")) return fail(NtStatus::AccessDenied);
    target = read.substr(share.real_path.size() + 1);
    if (target.empty()) return fail(NtStatus::AccessDenied);
  }
  return fail(NtStatus::ObjectPathNotFound);
}

bool is_reparse_point(Share& share, int fd) noexcept {
  const ActAsDaemon daemon(share);
  return ::getxattr(ProcPath(fd).c_str(), kReparseXattr, nullptr, 0) > 0;
}

/// A path of a client that follows links itself.
Result<Found> resolve_exactly(Share& share, std::string_view path) {
  const std::string text(path);
  Fd fd(open_beneath(share, text.c_str(), O_PATH | O_NOFOLLOW, 0, Naming::Exact));
  if (fd) return Found{std::move(fd), text};
  if (errno == ELOOP) return fail(NtStatus::StoppedOnSymlink);
  if (errno != ENOENT || path.empty()) return fail_errno(During::Name);
  const std::string parent(split(path).parent);
  const Fd above(open_beneath(share, parent.c_str(), O_PATH | O_DIRECTORY, 0, Naming::Exact));
  return fail(above ? NtStatus::ObjectNameNotFound : NtStatus::ObjectPathNotFound);
}

Result<Found> resolve_child(Share& share, const Found& parent, std::string_view name,
                            std::uint64_t flags, During during) {
  const auto key = directory_key(share, parent.fd.get());
  if (!key) return std::unexpected(key.error());
  auto stored = stored_name(share, parent, *key, name);
  if (!stored) {
    return fail(stored.error() == NtStatus::ObjectNameNotFound ? NtStatus::ObjectPathNotFound
                                                               : stored.error());
  }
  if (stored->empty()) {
    if (share.indexes.holds_nothing(*key) && is_reparse_point(share, parent.fd.get())) {
      return fail(NtStatus::StoppedOnSymlink);
    }
    return fail(nt_status_of(ENOENT, during));
  }
  return open_child(share, parent, *stored, flags, during);
}

Result<Found> resolve_directory(Share& share, std::string_view path) {
  // The longest prefix that exists in this very case, from the end: usually all of it.
  std::string_view prefix = path;
  Result<Found> at = fail(NtStatus::ObjectPathNotFound);
  for (;;) {
    at = open_found(share, std::string(prefix), O_DIRECTORY, During::Path);
    if (at) break;
    const int error = errno;
    if ((error != ENOENT && error != EXDEV) || prefix.empty()) {
      return std::unexpected(at.error());
    }
    prefix = split(prefix).parent;
  }
  std::string_view rest = path.substr(prefix.size());
  while (!rest.empty()) {
    if (rest.front() == '/') rest.remove_prefix(1);
    const std::size_t slash = rest.find('/');
    const std::string_view name = rest.substr(0, slash);
    at = resolve_child(share, *at, name, O_DIRECTORY, During::Path);
    if (!at) return at;
    rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash);
  }
  return at;
}

}  // namespace

int open_beneath(const Share& share, const char* path, std::uint64_t flags, std::uint64_t mode,
                 Naming naming) noexcept {
  struct open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  if (!share.options.follow_links || naming == Naming::Exact) how.resolve |= RESOLVE_NO_SYMLINKS;
  if (*path == '\0') path = ".";
  for (int attempt = 0;; ++attempt) {
    const long fd = ::syscall(SYS_openat2, share.root.get(), path, &how, sizeof how);
    if (fd >= 0) return static_cast<int>(fd);
    // EAGAIN: a rename anywhere on the system raced with "..": the kernel could not be sure.
    if ((errno != EAGAIN && errno != EINTR) || attempt == kRaceRetries) return -1;
  }
}

std::uint64_t device_of(const struct statx& st) noexcept {
  return (std::uint64_t{st.stx_dev_major} << 32) | st.stx_dev_minor;
}

FileKey key_of(Share& share, int fd, const char* name, const struct statx& st) {
  FileKey key;
  key.inode = st.stx_ino;
  key.volume = share.volume_id;
  if (const std::uint64_t device = device_of(st); device != share.root_device) {
    const std::lock_guard lock(share.volumes_mutex);
    auto [found, fresh] = share.volumes.try_emplace(device, 0);
    if (fresh) {
      struct statfs fs{};
      std::uint64_t fsid = device;
      const bool asked =
          *name == '\0' ? ::fstatfs(fd, &fs) == 0 : ::statfs(ProcPath(fd, name).c_str(), &fs) == 0;
      if (asked) std::memcpy(&fsid, &fs.f_fsid, sizeof fsid);
      found->second = mix64(share.volume_id ^ mix64(fsid + 1));
    }
    key.volume = found->second;
  }
  struct {
    struct file_handle head;
    unsigned char bytes[MAX_HANDLE_SZ];
  } handle{};
  handle.head.handle_bytes = MAX_HANDLE_SZ;
  int mount = 0;
  if (::name_to_handle_at(fd, name, &handle.head, &mount, *name == '\0' ? AT_EMPTY_PATH : 0) == 0) {
    const std::uint64_t hash = hash_of_text(
        {reinterpret_cast<const char*>(handle.head.f_handle), handle.head.handle_bytes});
    key.generation = mix64(hash ^ static_cast<std::uint32_t>(handle.head.handle_type));
  }
  return key;
}

Result<Found> resolve(Share& share, std::string_view path, Naming naming) {
  if (naming == Naming::Exact) return resolve_exactly(share, path);
  Fd fd(open_beneath(share, std::string(path).c_str(), O_PATH));
  if (fd) return Found{std::move(fd), std::string(path)};
  if (errno != ENOENT && errno != EXDEV && errno != ENOTDIR) return fail_errno(During::Name);
  if (path.empty()) return fail_errno(During::Name);
  const SplitPath parts = split(path);
  const auto parent = resolve_directory(share, parts.parent);
  if (!parent) return std::unexpected(parent.error());
  return resolve_child(share, *parent, parts.name, 0, During::Name);
}

Result<Place> find_place(Share& share, std::string_view path, Naming naming) {
  if (path.empty()) return fail(NtStatus::AccessDenied);  // the root has no place
  const SplitPath parts = split(path);
  auto parent = naming == Naming::Exact ? resolve_exactly(share, parts.parent)
                                        : resolve_directory(share, parts.parent);
  if (!parent) return std::unexpected(parent.error());
  const auto key = directory_key(share, parent->fd.get());
  if (!key) return std::unexpected(key.error());
  Place place;
  place.parent = std::move(parent->fd);
  place.parent_key = *key;
  place.parent_path = std::move(parent->path);
  place.wanted = parts.name;
  return place;
}

Status find_in_place(Share& share, Place& place, Naming naming) {
  if (naming == Naming::Exact) {
    struct statx st{};
    const bool there = ::statx(place.parent.get(), place.wanted.c_str(), AT_SYMLINK_NOFOLLOW,
                               STATX_TYPE, &st) == 0;
    if (!there && errno != ENOENT) return fail_errno(During::Name);
    place.stored = there ? place.wanted : std::string();
    return {};
  }
  Found parent;
  parent.fd = Fd(::fcntl(place.parent.get(), F_DUPFD_CLOEXEC, 0));
  if (!parent.fd) return fail_errno(During::Other);
  auto stored = stored_name(share, parent, place.parent_key, place.wanted);
  if (!stored) return std::unexpected(stored.error());
  place.stored = std::move(*stored);
  return {};
}

}  // namespace flotilla::vfs

#include "vfs/posix/posix_backend.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "vfs/errno_table.hpp"
#include "vfs/names.hpp"
#include "vfs/posix/name_changes.hpp"
#include "vfs/posix/quota.hpp"
#include "vfs/posix/share.hpp"

namespace flotilla::vfs {
namespace {

/// File systems whose calls wait for this machine's disks only.
bool is_local(std::uint64_t magic) noexcept {
  constexpr std::array<std::uint64_t, 12> kLocal = {
      EXT4_SUPER_MAGIC,      0x58465342 /* xfs */, BTRFS_SUPER_MAGIC,     TMPFS_MAGIC,
      OVERLAYFS_SUPER_MAGIC, RAMFS_MAGIC,          0xF2F52010 /* f2fs */, 0xCA451A4E /* bcachefs */,
      0x2FC12FC1 /* zfs */,  SQUASHFS_MAGIC,       0x3153464A /* jfs */,  REISERFS_SUPER_MAGIC};
  for (const std::uint64_t known : kLocal) {
    if (known == magic) return true;
  }
  return false;
}

bool keeps_change_times(std::uint64_t magic) noexcept {
  return magic == EXT4_SUPER_MAGIC || magic == 0x58465342 /* xfs */ || magic == BTRFS_SUPER_MAGIC;
}

class PosixBackendImpl final : public PosixBackend {
 public:
  explicit PosixBackendImpl(SharePtr share) : share_(std::move(share)) {}

  Result<std::unique_ptr<ports::BackendFile>> locate(const ports::Credentials& who,
                                                     std::string_view path) override {
    if (const Status ok = check_path(path); !ok) return std::unexpected(ok.error());
    if (vetoed(path)) return fail(NtStatus::ObjectNameNotFound);
    const ActAsUser user(*share_, who);
    if (!user.ok()) return fail(NtStatus::AccessDenied);
    auto found = resolve(*share_, path, naming_of(who));
    if (!found) return std::unexpected(found.error());
    struct statx st{};
    if (const Status ok = stat_of(found->fd.get(), "", st); !ok) {
      return std::unexpected(ok.error());
    }
    const FileKey key = key_of(*share_, found->fd.get(), "", st);
    return make_posix_file(share_, std::move(*found), st, key);
  }

  Result<std::unique_ptr<ports::BackendFile>> create(const ports::Credentials& who,
                                                     std::string_view path, bool directory,
                                                     std::uint32_t attributes) override {
    if (const Status ok = check_path(path); !ok) return std::unexpected(ok.error());
    if (vetoed(path)) return fail(NtStatus::AccessDenied);
    return create_name(share_, who, path, directory, attributes);
  }

  Status remove(const ports::Credentials& who, std::string_view path, const FileKey& key,
                bool directory) override {
    if (const std::size_t colon = path.rfind(':');
        colon != std::string_view::npos && path.find('/', colon) == std::string_view::npos) {
      return remove_stream(who, path.substr(0, colon), path.substr(colon + 1), key);
    }
    if (const Status ok = check_path(path); !ok) return ok;
    return remove_name(*share_, who, path, key, directory);
  }

  Status may_remove(const ports::Credentials& who, std::string_view path,
                    ports::BackendFile& file) override {
    const int fd = descriptor_of(file);
    return fd < 0 ? Status{} : may_remove_name(*share_, who, path, fd);
  }

  Status rename(const ports::Credentials& who, std::string_view from, std::string_view to,
                bool replace) override {
    if (const Status ok = check_path(from); !ok) return ok;
    if (const Status ok = check_path(to); !ok) return ok;
    if (vetoed(to)) return fail(NtStatus::AccessDenied);
    return rename_name(*share_, who, from, to, replace);
  }

  Status link(const ports::Credentials& who, std::string_view from, std::string_view to,
              bool replace) override {
    if (const Status ok = check_path(from); !ok) return ok;
    if (const Status ok = check_path(to); !ok) return ok;
    if (vetoed(to)) return fail(NtStatus::AccessDenied);
    return link_name(*share_, who, from, to, replace);
  }

  Result<std::uint32_t> granted_access(const ports::Credentials& who,
                                       ports::BackendFile& file) override {
    const int fd = descriptor_of(file);
    if (fd < 0) return fail(NtStatus::InvalidHandle);
    return access_mask_of(*share_, who, fd, file.located_path());
  }

  Result<ports::AccessFacts> access_facts(const ports::Credentials& who,
                                          ports::BackendFile& file) override {
    const int fd = descriptor_of(file);
    if (fd < 0) return PosixBackend::access_facts(who, file);
    return access_facts_of(*share_, who, file.key(), fd, file.located_path());
  }

  Result<ports::VolumeFacts> volume() override {
    struct statvfs fs{};
    if (::fstatvfs(share_->root.get(), &fs) != 0) return fail_errno(During::Other);
    struct statx st{};
    if (const Status ok = stat_of(share_->root.get(), "", st); !ok) {
      return std::unexpected(ok.error());
    }
    ports::VolumeFacts out;
    const std::uint64_t unit = fs.f_frsize != 0 ? fs.f_frsize : fs.f_bsize;
    out.total_bytes = fs.f_blocks * unit;
    out.free_bytes = fs.f_bfree * unit;
    out.available_bytes = fs.f_bavail * unit;
    out.block_bytes = static_cast<std::uint32_t>(unit);
    out.serial = share_->volume_id & 0xFFFFFFFF;
    out.created = (st.stx_mask & STATX_BTIME) != 0
                      ? nt_time_of(st.stx_btime.tv_sec, st.stx_btime.tv_nsec)
                      : nt_time_of(st.stx_ctime.tv_sec, st.stx_ctime.tv_nsec);
    out.read_only = (fs.f_flag & ST_RDONLY) != 0;
    struct statfs kind{};
    if (::fstatfs(share_->root.get(), &kind) == 0) {
      out.compresses = out.clones = kind.f_type == BTRFS_SUPER_MAGIC;
    }
    return out;
  }

  Result<ports::QuotaState> quota_state() override {
    return kernel_quota_state(share_->root.get());
  }
  Result<ports::UserQuota> quota_of(std::uint32_t uid) override {
    return kernel_quota_of(share_->root.get(), uid);
  }
  Result<std::optional<ports::UserQuota>> next_quota(std::uint32_t uid) override {
    return kernel_next_quota(share_->root.get(), uid);
  }
  Status set_quota(const ports::UserQuota& quota) override {
    return set_kernel_quota(share_->root.get(), quota);
  }

  std::uint64_t volume_id() const noexcept override { return share_->volume_id; }
  std::uint32_t owner_uid() const noexcept override { return share_->owner_uid; }
  std::uint32_t owner_gid() const noexcept override { return share_->owner_gid; }
  bool local() const noexcept override { return share_->local; }

  PosixStatistics statistics() const noexcept override {
    const IndexCounters& counters = share_->indexes.counters();
    return {counters.scans.load(), counters.getdents_calls.load()};
  }

 private:
  [[nodiscard]] bool vetoed(std::string_view path) const {
    return component_matches(share_->options.veto_files, path);
  }
  Status remove_stream(const ports::Credentials& who, std::string_view path, std::string_view name,
                       const FileKey& key) {
    auto base = locate(who, path);
    if (!base) return std::unexpected(base.error());
    if (stream_key((*base)->key(), name) != key) return fail(NtStatus::ObjectNameNotFound);
    return (*base)->remove_stream(who, name);
  }

  SharePtr share_;
};

std::unexpected<std::string> problem(const std::string& path, const char* expected, int error,
                                     const char* remedy) {
  return std::unexpected("share directory \"" + path + "\": expected " + expected + ", got " +
                         std::strerror(error) + "; " + remedy);
}

}  // namespace

std::expected<std::unique_ptr<PosixBackend>, std::string> open_posix_backend(PosixOptions options) {
  const SwitchAbility ability = probe_switch_ability();
  if (!ability.problem.empty()) {
    return std::unexpected("share directory \"" + options.path + "\": " + ability.problem);
  }
  auto share = std::make_shared<Share>(std::move(options));
  share->can_switch = ability.can_switch;
  const std::string& path = share->options.path;
  share->root = Fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!share->root) {
    return problem(path, "a directory that the daemon can open", errno,
                   "create it or correct the share's path");
  }
  std::array<char, PATH_MAX> real;
  if (::realpath(path.c_str(), real.data()) != nullptr) share->real_path = real.data();
  const Fd proof(open_beneath(*share, "", O_PATH | O_DIRECTORY));
  if (!proof) {
    return problem(path, "openat2 with RESOLVE_BENEATH (Linux 5.6 or later)", errno,
                   "use a newer kernel, or allow openat2 in the container's seccomp profile");
  }
  const Fd reopened(::open(ProcPath(share->root.get()).c_str(), O_PATH | O_CLOEXEC));
  if (!reopened) {
    return problem(path, "/proc/self/fd to be usable", errno, "mount /proc");
  }
  struct statfs fs{};
  struct statx st{};
  if (::fstatfs(share->root.get(), &fs) != 0 || !stat_of(share->root.get(), "", st)) {
    return problem(path, "statfs and statx to answer", errno, "check the file system");
  }
  const std::uint64_t magic = static_cast<std::uint64_t>(fs.f_type) & 0xFFFFFFFF;
  share->local = is_local(magic);
  share->keeps_change_times = keeps_change_times(magic);
  share->root_device = device_of(st);
  share->owner_uid = st.stx_uid;
  share->owner_gid = st.stx_gid;
  if (!share->options.volume_override.empty()) {
    share->volume_id = mix64(hash_of_text(share->options.volume_override));
  } else {
    std::uint64_t fsid = 0;
    std::memcpy(&fsid, &fs.f_fsid, sizeof fsid);
    share->volume_id = mix64(fsid + 0x9E3779B97F4A7C15ULL);
  }
  return std::make_unique<PosixBackendImpl>(std::move(share));
}

}  // namespace flotilla::vfs

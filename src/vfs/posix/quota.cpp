#include "vfs/posix/quota.hpp"

#include <linux/dqblk_xfs.h>
#include <linux/quota.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "vfs/errno_table.hpp"

namespace flotilla::vfs {

namespace {

#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443
#endif

/// quotactl_fd(2), Linux 5.14. Needs no name of a block device, which the daemon might not see.
Status call(int fd, unsigned command, std::uint32_t id, void* data) {
  // The kernel's macro shifts a signed int out of its range.
  const unsigned packed = command << SUBCMDSHIFT | (USRQUOTA & SUBCMDMASK);
  if (::syscall(SYS_quotactl_fd, fd, packed, id, data) == 0) return {};
  switch (errno) {
    case ENOSYS:  // no quotas in this kernel, or in this file system
    case ESRCH:   // none turned on
    case EOPNOTSUPP:
    case EINVAL:
    case ENOTBLK:
      return fail(NtStatus::NotSupported);
    default:
      return fail(nt_status_of(errno, During::Other));
  }
}

constexpr std::uint64_t kBlockBytes = QIF_DQBLKSIZE;

/// Limits are whole blocks; one that is no limit to the kernel must not come out of rounding.
std::uint64_t blocks_of(std::uint64_t bytes) noexcept {
  return bytes / kBlockBytes + (bytes % kBlockBytes != 0 ? 1 : 0);
}

}  // namespace

Result<ports::QuotaState> kernel_quota_state(int fd) {
  fs_quota_statv state{};
  state.qs_version = FS_QSTATV_VERSION1;
  if (const Status done = call(fd, Q_XGETQSTATV, 0, &state); !done) return fail(done.error());
  return ports::QuotaState{(state.qs_flags & FS_QUOTA_UDQ_ACCT) != 0,
                           (state.qs_flags & FS_QUOTA_UDQ_ENFD) != 0};
}

Result<ports::UserQuota> kernel_quota_of(int fd, std::uint32_t uid) {
  if_dqblk block{};
  if (const Status done = call(fd, Q_GETQUOTA, uid, &block); !done) return fail(done.error());
  return ports::UserQuota{uid, block.dqb_curspace, block.dqb_bsoftlimit * kBlockBytes,
                          block.dqb_bhardlimit * kBlockBytes};
}

Result<std::optional<ports::UserQuota>> kernel_next_quota(int fd, std::uint32_t uid) {
  if_nextdqblk block{};
  if (!call(fd, Q_GETNEXTQUOTA, uid, &block) || block.dqb_id < uid) {
    // Beyond the last entry the kernel says what it says where there are no quotas: ESRCH or
    // ENOENT. Asking for the quota of `uid` would tell too, but makes an entry of it.
    if (const auto state = kernel_quota_state(fd); !state) return fail(state.error());
    return std::nullopt;
  }
  return ports::UserQuota{block.dqb_id, block.dqb_curspace, block.dqb_bsoftlimit * kBlockBytes,
                          block.dqb_bhardlimit * kBlockBytes};
}

Status set_kernel_quota(int fd, const ports::UserQuota& quota) {
  if_dqblk block{};
  block.dqb_bsoftlimit = blocks_of(quota.soft_bytes);
  block.dqb_bhardlimit = blocks_of(quota.hard_bytes);
  block.dqb_valid = QIF_BLIMITS;
  return call(fd, Q_SETQUOTA, quota.uid, &block);
}

}  // namespace flotilla::vfs

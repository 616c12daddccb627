// Where a file has data: holes, ranges, shared extents.
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "vfs/errno_table.hpp"
#include "vfs/posix/share.hpp"

namespace flotilla::vfs {

Status zero_data(int fd, std::uint64_t size_bytes, ports::DataRange range, bool punch) {
  if (range.offset >= size_bytes) return {};
  range.length = std::min(range.length, size_bytes - range.offset);
  if (range.length == 0) return {};
  const int mode = FALLOC_FL_KEEP_SIZE | (punch ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE);
  for (;;) {
    if (::fallocate(fd, mode, static_cast<off_t>(range.offset), static_cast<off_t>(range.length)) ==
        0) {
      return {};
    }
    if (errno == EINTR) continue;
    if (errno != EOPNOTSUPP && errno != ENOSYS) return fail_errno(During::Data);
    break;
  }
  static constexpr std::array<std::uint8_t, 65536> kZeroes{};
  while (range.length > 0) {
    const std::size_t part = std::min<std::uint64_t>(kZeroes.size(), range.length);
    const ssize_t put = ::pwrite(fd, kZeroes.data(), part, static_cast<off_t>(range.offset));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return fail_errno(During::Data);
    range.offset += static_cast<std::uint64_t>(put);
    range.length -= static_cast<std::uint64_t>(put);
  }
  return {};
}

Result<std::vector<ports::DataRange>> data_ranges(int fd, std::uint64_t size_bytes,
                                                  ports::DataRange range) {
  std::vector<ports::DataRange> out;
  if (range.offset >= size_bytes) return out;
  const std::uint64_t end = range.offset + std::min(range.length, size_bytes - range.offset);
  std::uint64_t at = range.offset;
  while (at < end) {
    const off_t data = ::lseek(fd, static_cast<off_t>(at), SEEK_DATA);
    if (data < 0) {
      if (errno == ENXIO) break;  // only a hole is left
      return fail_errno(During::Data);
    }
    const auto from = static_cast<std::uint64_t>(data);
    if (from >= end) break;
    const off_t hole = ::lseek(fd, data, SEEK_HOLE);
    if (hole < 0) return fail_errno(During::Data);
    const std::uint64_t to = std::min(static_cast<std::uint64_t>(hole), end);
    out.push_back({from, to - from});
    at = to;
  }
  return out;
}

Status share_extents(int from, std::uint64_t from_offset, int to, ports::DataRange range) {
  struct file_clone_range clone{};
  clone.src_fd = from;
  clone.src_offset = from_offset;
  clone.src_length = range.length;
  clone.dest_offset = range.offset;
  if (::ioctl(to, FICLONERANGE, &clone) == 0) return {};
  if (errno == EOPNOTSUPP || errno == ENOTTY || errno == EXDEV) {
    return fail(NtStatus::NotSupported);
  }
  if (errno == EINVAL) return fail(NtStatus::InvalidParameter);
  return fail_errno(During::Data);
}

Status compress(int fd, bool compressed) {
  // ext4 keeps the flag, but nothing comes of it.
  struct statfs kind{};
  if (::fstatfs(fd, &kind) != 0) return fail_errno(During::Other);
  if (kind.f_type != BTRFS_SUPER_MAGIC && kind.f_type != F2FS_SUPER_MAGIC) {
    return fail(NtStatus::NotSupported);
  }
  const Fd data(::open(ProcPath(fd).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  unsigned long word = 0;  // the kernel takes an int's worth of it: FS_IOC_GETFLAGS' wrong type
  if (data.get() < 0) return fail_errno(During::Other);
  if (::ioctl(data.get(), FS_IOC_GETFLAGS, &word) != 0) return fail(NtStatus::NotSupported);
  const auto now = static_cast<unsigned int>(word);
  constexpr unsigned int kBoth = FS_COMPR_FL | FS_NOCOMP_FL;
  word = compressed ? (now & ~kBoth) | FS_COMPR_FL : now & ~kBoth;
  if (word == now) return {};
  if (::ioctl(data.get(), FS_IOC_SETFLAGS, &word) == 0) return {};
  if (errno == EOPNOTSUPP || errno == ENOTTY || errno == EINVAL) {
    return fail(NtStatus::NotSupported);
  }
  return fail_errno(During::Other);
}

}  // namespace flotilla::vfs

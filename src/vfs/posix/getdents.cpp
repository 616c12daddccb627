#include "vfs/posix/getdents.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "vfs/errno_table.hpp"

namespace flotilla::vfs {
namespace {

// struct linux_dirent64: d_ino, d_off, d_reclen, d_type, d_name.
constexpr std::size_t kRecordLengthAt = 16;
constexpr std::size_t kTypeAt = 18;
constexpr std::size_t kNameAt = 19;

}  // namespace

Result<std::optional<RawEntry>> Getdents::next() noexcept {
  if (at_ >= end_) {
    long got = 0;
    do {
      got = ::syscall(SYS_getdents64, fd_, buffer_.data(), buffer_.size());
    } while (got < 0 && errno == EINTR);
    ++calls_;
    if (got < 0) {
      // ENOENT: the directory was removed while open; it has no entries any more.
      if (errno == ENOENT) return std::optional<RawEntry>();
      return fail_errno(During::Other);
    }
    if (got == 0) return std::optional<RawEntry>();
    at_ = 0;
    end_ = static_cast<std::size_t>(got);
  }
  const char* record = buffer_.data() + at_;
  std::uint16_t length = 0;
  std::memcpy(&length, record + kRecordLengthAt, sizeof length);
  at_ += length;
  const char* name = record + kNameAt;
  return std::optional(RawEntry{name, name, static_cast<unsigned char>(record[kTypeAt])});
}

Status Getdents::rewind() noexcept {
  at_ = end_ = 0;
  if (::lseek(fd_, 0, SEEK_SET) < 0) return fail_errno(During::Other);
  return {};
}

}  // namespace flotilla::vfs

// Getdents: the entries of an open directory through one fixed buffer.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.hpp"

namespace flotilla::vfs {

struct RawEntry {
  const char* c_name = nullptr;  ///< NUL-terminated; valid until the next call
  std::string_view name;
  unsigned char type = 0;  ///< DT_*; DT_UNKNOWN where the file system does not say
};

class Getdents {
 public:
  /// Borrows `fd`, a directory opened for reading.
  explicit Getdents(int fd) noexcept : fd_(fd) {}

  /// The next entry, "." and ".." included where the file system gives them; nothing at the end.
  [[nodiscard]] Result<std::optional<RawEntry>> next() noexcept;
  Status rewind() noexcept;
  /// Buffers fetched since the last asking.
  [[nodiscard]] std::uint64_t take_calls() noexcept {
    const std::uint64_t calls = calls_;
    calls_ = 0;
    return calls;
  }

 private:
  int fd_;
  std::size_t at_ = 0;
  std::size_t end_ = 0;
  std::uint64_t calls_ = 0;
  alignas(8) std::array<char, 32768> buffer_;
};

}  // namespace flotilla::vfs

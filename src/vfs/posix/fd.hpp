// Fd: a file descriptor that somebody owns. And the /proc path through which an O_PATH descriptor
// is reopened.
#pragma once

#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

namespace flotilla::vfs {

class Fd {
 public:
  Fd() noexcept = default;
  explicit Fd(int raw) noexcept : raw_(raw) {}
  Fd(Fd&& other) noexcept : raw_(std::exchange(other.raw_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.raw_, -1));
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  [[nodiscard]] int get() const noexcept { return raw_; }
  explicit operator bool() const noexcept { return raw_ >= 0; }
  /// Keeps errno, so that a failing function may close on its way out.
  void reset(int raw = -1) noexcept {
    const int old = std::exchange(raw_, raw);
    if (old >= 0) {
      const int error = errno;
      ::close(old);
      errno = error;
    }
  }

 private:
  int raw_ = -1;
};

/// "/proc/self/fd/N", or with "/name" behind it. Resolving it checks rights on the file only, not
/// on the directories above. Valid while both the descriptor and this live; `name` is one
/// component of at most 255 bytes.
class ProcPath {
 public:
  explicit ProcPath(int fd, const char* name = nullptr) noexcept {
    static constexpr char kPrefix[] = "/proc/self/fd/";
    std::memcpy(text_.data(), kPrefix, sizeof kPrefix - 1);
    char* end = std::to_chars(text_.data() + sizeof kPrefix - 1, text_.data() + 40, fd).ptr;
    if (name != nullptr) {
      *end++ = '/';
      const std::size_t size = strnlen(name, text_.size() - 48);
      std::memcpy(end, name, size);
      end += size;
    }
    *end = '\0';
  }
  [[nodiscard]] const char* c_str() const noexcept { return text_.data(); }

 private:
  std::array<char, 384> text_;
};

}  // namespace flotilla::vfs

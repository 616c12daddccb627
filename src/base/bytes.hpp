// Bytes: little-endian cursors over memory that somebody else owns. Everything that arrives from a
// client, a peer or a disk is read through ByteReader, so that no offset is checked twice or never.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace flotilla {

using ByteView = std::span<const std::uint8_t>;  ///< borrowed, valid as long as its owner says
using MutableBytes = std::span<std::uint8_t>;
using Bytes = std::vector<std::uint8_t>;

static_assert(std::endian::native == std::endian::little,
              "load_le and store_le copy bytes as they are");

/// Loads a little-endian integer; `at` must have sizeof(T) readable bytes.
template <class T>
[[nodiscard]] inline T load_le(const std::uint8_t* at) noexcept {
  static_assert(std::is_integral_v<T>);
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

template <class T>
inline void store_le(std::uint8_t* at, T value) noexcept {
  static_assert(std::is_integral_v<T>);
  std::memcpy(at, &value, sizeof value);
}

[[nodiscard]] inline ByteView as_bytes(std::string_view text) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
[[nodiscard]] inline std::string_view as_text(ByteView bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Reads forward. After the first read past the end every read gives zero and `ok()` is false:
/// callers decode a whole struct and ask once.
class ByteReader {
 public:
  explicit ByteReader(ByteView bytes) noexcept : bytes_(bytes) {}

  [[nodiscard]] bool ok() const noexcept { return ok_; }
  [[nodiscard]] std::size_t position() const noexcept { return position_; }
  [[nodiscard]] std::size_t remaining() const noexcept { return bytes_.size() - position_; }

  template <class T>
  [[nodiscard]] T take() noexcept {
    if (remaining() < sizeof(T)) {
      fail();
      return T{};
    }
    const T value = load_le<T>(bytes_.data() + position_);
    position_ += sizeof(T);
    return value;
  }
  [[nodiscard]] std::uint8_t u8() noexcept { return take<std::uint8_t>(); }
  [[nodiscard]] std::uint16_t u16() noexcept { return take<std::uint16_t>(); }
  [[nodiscard]] std::uint32_t u32() noexcept { return take<std::uint32_t>(); }
  [[nodiscard]] std::uint64_t u64() noexcept { return take<std::uint64_t>(); }

  /// A view of the next `size_bytes`; empty, with ok() false, where so many are not left.
  [[nodiscard]] ByteView view(std::size_t size_bytes) noexcept {
    if (remaining() < size_bytes) {
      fail();
      return {};
    }
    const ByteView part = bytes_.subspan(position_, size_bytes);
    position_ += size_bytes;
    return part;
  }
  void skip(std::size_t size_bytes) noexcept { (void)view(size_bytes); }
  template <std::size_t N>
  [[nodiscard]] std::array<std::uint8_t, N> array() noexcept {
    std::array<std::uint8_t, N> out{};
    const ByteView part = view(N);
    if (part.size() == N) std::memcpy(out.data(), part.data(), N);
    return out;
  }
  void fail() noexcept {
    ok_ = false;
    position_ = bytes_.size();
  }

 private:
  ByteView bytes_;
  std::size_t position_ = 0;
  bool ok_ = true;
};

/// Appends to a buffer that the caller owns.
class ByteWriter {
 public:
  explicit ByteWriter(Bytes& out) noexcept : out_(out) {}

  [[nodiscard]] std::size_t position() const noexcept { return out_.size(); }
  template <class T>
  void put(T value) {
    static_assert(std::is_integral_v<T>);
    const std::size_t at = out_.size();
    out_.resize(at + sizeof(T));
    store_le(out_.data() + at, value);
  }
  void u8(std::uint8_t value) { put(value); }
  void u16(std::uint16_t value) { put(value); }
  void u32(std::uint32_t value) { put(value); }
  void u64(std::uint64_t value) { put(value); }
  void bytes(ByteView view) { out_.insert(out_.end(), view.begin(), view.end()); }
  void zeros(std::size_t count) { out_.resize(out_.size() + count); }
  /// Pads with zeros until the distance from `origin` is a multiple of `boundary` (a power of two).
  void align(std::size_t boundary, std::size_t origin = 0) {
    const std::size_t past = (out_.size() - origin) & (boundary - 1);
    if (past != 0) zeros(boundary - past);
  }
  /// Overwrites what was written before; `at` + sizeof(T) must not pass the end.
  template <class T>
  void patch(std::size_t at, T value) {
    store_le(out_.data() + at, value);
  }

 private:
  Bytes& out_;
};

}  // namespace flotilla

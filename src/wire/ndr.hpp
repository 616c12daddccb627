// NDR 2.0 (32-bit pointers, little-endian): [C706] chapter 14. A struct is declared once:
//
//   struct ShareInfo1 { std::optional<std::u16string> netname; std::uint32_t type = 0; ... };
//   template <class V> void ndr_fields(V& v, auto& s) is spelled as a static member:
//   struct ShareInfo1 { ...; static void ndr(auto& v, auto& s) { v(s.netname); v(s.type); } };
//
// and `v` is an NdrReader or an NdrWriter. What a member's type means:
//   integer, enum            that integer, aligned to its size
//   std::array<u8, N>        N bytes, no alignment (a GUID: align by hand with v.align(4))
//   NdrUnique<T>             [unique] pointer: referent id here, T behind the outermost struct
//   std::optional<u16string> [unique, string] wchar_t*: conformant varying, NUL-terminated
//   std::u16string           [ref, string] wchar_t*, inline: top-level parameters only
//   std::vector<T>           conformant array, inline; behind a pointer as NdrUnique<vector<T>>
//   a struct with ndr()      its fields
// Deferred pointees are written when the outermost `v(...)` call ends, in order, as NDR requires;
// so call v(parameter) once per top-level parameter.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "wire/utf16.hpp"
#include "wire/wire_error.hpp"

namespace flotilla::wire {

/// A [unique] pointer: null or a value.
template <class T>
using NdrUnique = std::optional<T>;

namespace detail {
template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;
template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class T>
inline constexpr bool is_byte_array = false;
template <std::size_t N>
inline constexpr bool is_byte_array<std::array<std::uint8_t, N>> = true;
}  // namespace detail

/// Reads a stub. After the first fault every read gives zero and ok() is false.
class NdrReader {
 public:
  static constexpr bool kReading = true;
  /// An array's or string's count is never trusted further than the bytes that are left.
  explicit NdrReader(ByteView stub) noexcept : stub_(stub) {}

  [[nodiscard]] bool ok() const noexcept { return !error_; }
  [[nodiscard]] WireError error() const noexcept { return error_.value_or(WireError{}); }
  [[nodiscard]] std::size_t position() const noexcept { return at_; }
  [[nodiscard]] std::size_t remaining() const noexcept { return stub_.size() - at_; }

  template <class T>
  void operator()(T& value) {
    ++depth_;
    item(value);
    if (--depth_ == 0) run_deferred();
  }
  void align(std::size_t boundary) { take_alignment(boundary); }
  template <class T>
  [[nodiscard]] T take() {
    T value{};
    (*this)(value);
    return value;
  }
  void fail(WireFault fault, const char* what) {
    if (!error_) error_ = WireError{fault, at_, what};
    at_ = stub_.size();
  }

 private:
  template <class T>
  void item(T& value) {
    if constexpr (std::is_enum_v<T>) {
      std::underlying_type_t<T> raw{};
      item(raw);
      value = static_cast<T>(raw);
    } else if constexpr (std::is_integral_v<T>) {
      take_alignment(sizeof(T));
      const ByteView part = take_bytes(sizeof(T));
      value = part.empty() ? T{} : load_le<T>(part.data());
    } else if constexpr (detail::is_byte_array<T>) {
      const ByteView part = take_bytes(value.size());
      for (std::size_t i = 0; i < part.size(); ++i) value[i] = part[i];
    } else if constexpr (std::is_same_v<T, std::u16string>) {
      take_string(value);
    } else if constexpr (detail::is_optional<T>) {
      value.reset();
      if (take_u32() == 0 || !ok()) return;
      value.emplace();
      auto* target = &*value;
      deferred_.push_back([this, target] { item(*target); });
    } else if constexpr (detail::is_vector<T>) {
      const std::uint32_t count = take_u32();
      using Element = typename T::value_type;
      constexpr std::size_t kLeast = std::is_integral_v<Element> ? sizeof(Element) : 4;
      if (count > remaining() / kLeast) return fail(WireFault::CountOutOfRange, "conformant array");
      value.assign(count, Element{});
      for (Element& element : value) item(element);
    } else {
      T::ndr(*this, value);
    }
  }
  // Called through v(member) inside T::ndr: depth_ > 0, so nothing is flushed there.

  std::uint32_t take_u32() {
    std::uint32_t value = 0;
    item(value);
    return value;
  }
  void take_string(std::u16string& value);
  void take_alignment(std::size_t boundary);
  ByteView take_bytes(std::size_t count);
  void run_deferred();

  ByteView stub_;
  std::size_t at_ = 0;
  int depth_ = 0;
  std::optional<WireError> error_;
  std::vector<std::function<void()>> deferred_;
};

/// Writes a stub; the counterpart of NdrReader. Alignment counts from where the writer began.
class NdrWriter {
 public:
  static constexpr bool kReading = false;
  explicit NdrWriter(Bytes& out) noexcept : out_(out), origin_(out.size()) {}

  template <class T>
  void operator()(const T& value) {
    ++depth_;
    item(value);
    if (--depth_ == 0) run_deferred();
  }
  void align(std::size_t boundary);

 private:
  template <class T>
  void item(const T& value) {
    if constexpr (std::is_enum_v<T>) {
      item(static_cast<std::underlying_type_t<T>>(value));
    } else if constexpr (std::is_integral_v<T>) {
      align(sizeof(T));
      put(&value, sizeof(T));
    } else if constexpr (detail::is_byte_array<T>) {
      put(value.data(), value.size());
    } else if constexpr (std::is_same_v<T, std::u16string>) {
      put_string(value);
    } else if constexpr (detail::is_optional<T>) {
      put_u32(value ? next_referent() : 0U);
      if (!value) return;
      const auto* target = &*value;
      deferred_.push_back([this, target] { item(*target); });
    } else if constexpr (detail::is_vector<T>) {
      put_u32(static_cast<std::uint32_t>(value.size()));
      for (const auto& element : value) item(element);
    } else {
      T::ndr(*this, value);
    }
  }
  std::uint32_t next_referent() noexcept { return referent_ += 4; }
  void put_u32(std::uint32_t value) { item(value); }
  void put(const void* data, std::size_t size_bytes);
  void put_string(const std::u16string& value);
  void run_deferred();

  Bytes& out_;
  std::size_t origin_;
  int depth_ = 0;
  std::uint32_t referent_ = 0x00020000 - 4;
  std::vector<std::function<void()>> deferred_;
};

}  // namespace flotilla::wire

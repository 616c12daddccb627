// What the visitors of fields.hpp share: layouts, slots, kinds of fields.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "wire/codec.hpp"
#include "wire/utf16.hpp"
#include "wire/wire_error.hpp"

namespace flotilla::wire {

template <class T>
struct Fields;

/// Base of a Fields<T> whose struct follows an SMB2 header; offsets count from the header.
struct MessageLayout {
  static constexpr std::size_t kOrigin = 64;
  static constexpr bool kPadsOddSize = false;
};
/// The same, and the one byte that an odd StructureSize counts is sent where there is no variable
/// part: servers check requests for it; of the responses only ERROR has it.
struct PaddedMessageLayout : MessageLayout {
  static constexpr bool kPadsOddSize = true;
};
/// Base of a Fields<T> whose offsets count from its own first byte.
struct PayloadLayout {
  static constexpr std::size_t kOrigin = 0;
  static constexpr bool kPadsOddSize = false;
};

/// Where a variable part is: filled by the decoder from the fixed part; for the encoder, the places
/// to patch.
struct Slot {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::size_t offset_at = 0;
  std::size_t length_at = 0;
  std::uint8_t offset_width = 0;
  std::uint8_t length_width = 0;
};

/// What Offset says for a part that is empty.
enum class WhenEmpty : std::uint8_t { Position, Zero };

namespace detail {
template <class T>
struct IsId : std::false_type {};
template <class Tag, class Int>
struct IsId<Id<Tag, Int>> : std::true_type {};
template <class T>
struct IsId16 : std::false_type {};
template <class Tag>
struct IsId16<Id16<Tag>> : std::true_type {};
template <class T>
struct IsByteArray : std::false_type {};
template <std::size_t N>
struct IsByteArray<std::array<std::uint8_t, N>> : std::true_type {};

/// Calls `f(integer or array)` for each primitive that a field consists of.
template <class T, class F>
void primitives(T& x, F&& f) {
  using V = std::remove_const_t<T>;
  if constexpr (std::is_enum_v<V>) {
    auto raw = static_cast<std::underlying_type_t<V>>(x);
    f(raw);
    if constexpr (!std::is_const_v<T>) x = static_cast<V>(raw);
  } else if constexpr (IsId<V>::value) {
    auto raw = x.raw();
    f(raw);
    if constexpr (!std::is_const_v<T>) x = V{raw};
  } else if constexpr (IsId16<V>::value) {
    f(x.bytes);
  } else if constexpr (std::is_same_v<V, FileId>) {
    f(x.persistent_id);
    f(x.volatile_id);
  } else if constexpr (std::is_same_v<V, NtTime>) {
    f(x.ticks);
  } else {
    static_assert(std::is_integral_v<V> || IsByteArray<V>::value, "no such kind of field");
    f(x);
  }
}
}  // namespace detail

}  // namespace flotilla::wire

// Types that many RPC interfaces share, as NDR declarations (ndr.hpp says what a member means).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/ndr.hpp"
#include "wire/sid.hpp"

namespace flotilla::wire {

/// Conformant varying array: its capacity, 0, how many are there, those.
/// Errors  BadValue: an offset, or more elements than capacity; CountOutOfRange
template <class T>
struct NdrVarying {
  std::vector<T> items;
  std::uint32_t max_count = 0;  ///< on the wire no smaller than the number of items
  static void ndr(auto& v, auto& s) {
    using V = std::remove_reference_t<decltype(v)>;
    constexpr std::size_t kLeast = std::is_integral_v<T> ? sizeof(T) : 4;
    auto max_count = s.max_count;
    auto actual = static_cast<std::uint32_t>(s.items.size());
    std::uint32_t offset = 0;
    if constexpr (!V::kReading) max_count = std::max(max_count, actual);
    v(max_count);
    v(offset);
    v(actual);
    if constexpr (V::kReading) {
      if (!v.ok()) return;
      if (offset != 0 || actual > max_count) {
        return v.fail(WireFault::BadValue, "varying array's counts");
      }
      if (actual > v.remaining() / kLeast) {
        return v.fail(WireFault::CountOutOfRange, "varying array");
      }
      s.max_count = max_count;
      s.items.assign(actual, T{});
    }
    for (auto& item : s.items) v(item);
  }
};

/// Spec    [MS-DTYP] 2.3.10 RPC_UNICODE_STRING: not NUL-terminated; null is not the empty string
struct NdrString {
  std::uint16_t length_bytes = 0;
  std::uint16_t maximum_bytes = 0;
  NdrUnique<NdrVarying<char16_t>> buffer;

  NdrString() = default;
  /// Longer than 32766 units: cut.
  explicit NdrString(std::u16string_view text) {
    constexpr std::size_t kUnitsMax = 32766;
    if (text.size() > kUnitsMax) text = text.substr(0, kUnitsMax);
    length_bytes = maximum_bytes = static_cast<std::uint16_t>(text.size() * 2);
    buffer.emplace();
    buffer->items.assign(text.begin(), text.end());
  }
  /// What Windows' LSA sends: room for a NUL behind the text ("lsa_StringLarge").
  [[nodiscard]] static NdrString large(std::u16string_view text) {
    NdrString out(text);
    out.maximum_bytes = static_cast<std::uint16_t>(out.length_bytes + 2);
    out.buffer->max_count = out.maximum_bytes / 2U;
    return out;
  }
  [[nodiscard]] std::u16string text() const {
    if (!buffer) return {};
    return {buffer->items.begin(), buffer->items.end()};
  }
  static void ndr(auto& v, auto& s) {
    v.align(4);
    v(s.length_bytes);
    v(s.maximum_bytes);
    v(s.buffer);
  }
};

/// Spec    [MS-DTYP] 2.4.2.3 RPC_SID: a conformant structure, its count in front
struct NdrSid {
  Sid sid;
  static void ndr(auto& v, auto& s) {
    using V = std::remove_reference_t<decltype(v)>;
    std::uint32_t conformance = static_cast<std::uint32_t>(s.sid.sub_authorities().size());
    v(conformance);
    if constexpr (V::kReading) {
      if (!v.ok()) return;
      if (conformance > Sid::kSubAuthoritiesMax) {
        return v.fail(WireFault::CountOutOfRange, "SID");
      }
      // The structure is the SID's own layout from here, and little-endian words stay aligned.
      Bytes flat(8 + 4 * std::size_t{conformance});
      for (std::uint8_t& byte : flat) v(byte);
      const auto decoded = Sid::decode(flat);
      if (!v.ok()) return;
      if (!decoded || decoded->sub_authorities().size() != conformance) {
        return v.fail(WireFault::BadValue, "SID");
      }
      s.sid = *decoded;
    } else {
      Bytes flat;
      s.sid.encode(flat);
      for (const std::uint8_t byte : flat) v(byte);
    }
  }
};

/// Spec    [MS-DTYP] 2.3.7 / [MS-SAMR] 2.2.2.2 OLD_LARGE_INTEGER: 64 bits, aligned to four bytes
struct NdrOldLarge {
  std::uint64_t value = 0;
  static void ndr(auto& v, auto& s) {
    auto low = static_cast<std::uint32_t>(s.value);
    auto high = static_cast<std::uint32_t>(s.value >> 32);
    v(low);
    v(high);
    if constexpr (std::remove_reference_t<decltype(v)>::kReading) {
      s.value = (std::uint64_t{high} << 32) | low;
    }
  }
};

/// Spec    [C706] N.2 IDL data type declarations, ndr_context_handle: attributes and a UUID. All
/// zero is no handle.
struct NdrContextHandle {
  std::uint32_t attributes = 0;
  std::array<std::uint8_t, 16> uuid{};
  static void ndr(auto& v, auto& s) {
    v(s.attributes);
    v(s.uuid);
  }
  friend bool operator==(const NdrContextHandle&, const NdrContextHandle&) = default;
};

}  // namespace flotilla::wire

// WireError: what was wrong with bytes that somebody sent. Decoding judges form, never meaning.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string_view>

#include "base/nt_status.hpp"

namespace flotilla::wire {

enum class WireFault : std::uint8_t {
  Truncated,         ///< the bytes end before the fixed part does
  StructureSize,     ///< StructureSize differs from the specification's number
  ProtocolId,        ///< not the magic number that belongs here
  OffsetOutOfRange,  ///< an offset that points into a fixed part or past the end
  LengthOutOfRange,  ///< offset + length passes the end, or a length that is no multiple of its
                     ///< unit
  CountOutOfRange,   ///< more elements than bytes can hold
  ChainBroken,       ///< NextEntryOffset goes backwards, overlaps or is misaligned
  BadText,           ///< lone surrogate, odd number of bytes, or invalid UTF-8
  BadValue,          ///< a discriminator that decides the layout has an unknown value
};

/// `offset` counts from the first byte that was given to the decoder. `what` names the field;
/// static.
struct WireError {
  WireFault fault = WireFault::Truncated;
  std::size_t offset = 0;
  const char* what = "";
  friend bool operator==(const WireError& a, const WireError& b) noexcept {
    return a.fault == b.fault && a.offset == b.offset && std::string_view(a.what) == b.what;
  }
};

template <class T>
using Wire = std::expected<T, WireError>;

[[nodiscard]] std::string_view name_of(WireFault fault) noexcept;

/// The answer that [MS-SMB2] 3.3.5 gives to a malformed request: InvalidParameter, and
/// ObjectNameInvalid where text was not UTF-16.
[[nodiscard]] constexpr NtStatus status_of(const WireError& error) noexcept {
  return error.fault == WireFault::BadText ? NtStatus::ObjectNameInvalid
                                           : NtStatus::InvalidParameter;
}

}  // namespace flotilla::wire

// Time as types. Nothing here reads a clock: see ports/clock.hpp.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace flotilla {

/// FILETIME: 100-nanosecond intervals since 1601-01-01 UTC ([MS-DTYP] 2.3.3). 0 is "not given".
struct NtTime {
  std::uint64_t ticks = 0;
  friend constexpr auto operator<=>(NtTime, NtTime) noexcept = default;
};

/// Ticks between 1601-01-01 and 1970-01-01.
inline constexpr std::uint64_t kUnixEpochTicks = 116444736000000000ULL;

[[nodiscard]] constexpr NtTime nt_time_of(std::int64_t unix_seconds, std::uint32_t nanoseconds) {
  return NtTime{kUnixEpochTicks + static_cast<std::uint64_t>(unix_seconds) * 10000000ULL +
                nanoseconds / 100U};
}

/// Whole seconds since 1970, towards the past.
[[nodiscard]] constexpr std::int64_t unix_seconds_of(NtTime time) {
  return static_cast<std::int64_t>(time.ticks / 10000000ULL) -
         static_cast<std::int64_t>(kUnixEpochTicks / 10000000ULL);
}

/// Nanoseconds on a monotonic clock of this node since an arbitrary start; never sent to a peer.
struct MonoTime {
  std::int64_t ns = 0;
  friend constexpr auto operator<=>(MonoTime, MonoTime) noexcept = default;
  friend constexpr MonoTime operator+(MonoTime at, std::chrono::nanoseconds by) noexcept {
    return MonoTime{at.ns + by.count()};
  }
  friend constexpr std::chrono::nanoseconds operator-(MonoTime a, MonoTime b) noexcept {
    return std::chrono::nanoseconds{a.ns - b.ns};
  }
};

}  // namespace flotilla

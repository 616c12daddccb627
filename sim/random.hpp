// All chance of a simulation, from one seed: the same on every machine and in every build.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/ids.hpp"

namespace flotilla::sim {

class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(mix64(seed + 1)) {}

  [[nodiscard]] std::uint64_t next() noexcept { return mix64(state_ += 0x9E3779B97F4A7C15ULL); }
  /// Below `below`, which is not 0.
  [[nodiscard]] std::uint64_t pick(std::uint64_t below) noexcept { return next() % below; }
  [[nodiscard]] bool percent(unsigned chance) noexcept { return pick(100) < chance; }
  [[nodiscard]] bool one_in(std::uint64_t n) noexcept { return pick(n) == 0; }
  /// Half-open: from `from` to `to`.
  [[nodiscard]] std::chrono::microseconds between(std::chrono::microseconds from,
                                                  std::chrono::microseconds to) noexcept {
    const auto span = static_cast<std::uint64_t>((to - from).count());
    return from + std::chrono::microseconds{static_cast<std::int64_t>(span == 0 ? 0 : pick(span))};
  }
  template <class T, std::size_t N>
  [[nodiscard]] const T& of(const T (&values)[N]) noexcept {
    return values[pick(N)];
  }

 private:
  std::uint64_t state_;
};

}  // namespace flotilla::sim

// Ports for what differs between two runs: clocks and randomness. Implemented by runtime users in
// apps/ for real and in sim/ and tests virtually.
#pragma once

#include "base/bytes.hpp"
#include "base/time.hpp"

namespace flotilla::ports {

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual MonoTime mono()
      const noexcept = 0;  ///< CLOCK_BOOTTIME-like: counts suspends
  [[nodiscard]] virtual NtTime wall() const noexcept = 0;
};

class Entropy {
 public:
  virtual ~Entropy() = default;
  /// Fills `out` with unpredictable bytes; callable from any thread.
  virtual void fill(MutableBytes out) noexcept = 0;
};

}  // namespace flotilla::ports

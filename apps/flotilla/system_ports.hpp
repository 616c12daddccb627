// The real clock and the real randomness behind ports::Clock and ports::Entropy.
#pragma once

#include <sys/random.h>
#include <time.h>

#include "base/check.hpp"
#include "ports/clock.hpp"

namespace flotilla::app {

class SystemClock final : public ports::Clock {
 public:
  [[nodiscard]] MonoTime mono() const noexcept override {
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return MonoTime{now.tv_sec * 1000000000LL + now.tv_nsec};
  }
  [[nodiscard]] NtTime wall() const noexcept override {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    return nt_time_of(now.tv_sec, static_cast<std::uint32_t>(now.tv_nsec));
  }
};

class SystemEntropy final : public ports::Entropy {
 public:
  void fill(MutableBytes out) noexcept override {
    while (!out.empty()) {
      const ssize_t count = getrandom(out.data(), out.size(), 0);
      FLOTILLA_CHECK(count > 0);  // only a kernel without getrandom(2) refuses
      out = out.subspan(static_cast<std::size_t>(count));
    }
  }
};

}  // namespace flotilla::app

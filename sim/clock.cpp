// The system's clock as src/ports/io_gate.cpp sees it in the simulator: see CMakeLists.txt.
#include <time.h>

#include "sim/schedule.hpp"

extern "C" int flotilla_sim_clock_gettime(clockid_t /*clock*/, timespec* now) noexcept {
  const flotilla::sim::Schedule* schedule = flotilla::sim::Schedule::current();
  const std::int64_t ns = schedule == nullptr ? 0 : schedule->now().ns;
  now->tv_sec = ns / 1'000'000'000;
  now->tv_nsec = ns % 1'000'000'000;
  return 0;
}

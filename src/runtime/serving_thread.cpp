#include "runtime/serving_thread.hpp"

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace flotilla::runtime {
namespace {

/// What a request costs, and some: the least that the kernel takes.
constexpr std::uint64_t kTurnNs = 100'000;

/// sched_setattr(2), which glibc 2.36 does not declare.
struct SchedulingAttributes {
  std::uint32_t size = 48;
  std::uint32_t policy = 0;
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime_ns = 0;
  std::uint64_t deadline_ns = 0;
  std::uint64_t period_ns = 0;
};

}  // namespace

void begin_serving_thread(const char* name) noexcept {
  pthread_setname_np(pthread_self(), name);
  SchedulingAttributes now;
  if (syscall(SYS_sched_getattr, 0, &now, sizeof now, 0) != 0 || now.policy != SCHED_OTHER) return;
  now.runtime_ns = kTurnNs;
  now.flags = 0;
  (void)syscall(SYS_sched_setattr, 0, &now, 0);
}

}  // namespace flotilla::runtime

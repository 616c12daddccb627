// Executors: where code runs and when. Production: one Asio io_context per shard; tests and sim:
// virtual time. Knows nothing of SMB.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "base/ids.hpp"
#include "base/time.hpp"

namespace flotilla::runtime {

using Work = std::move_only_function<void()>;
using TimerId = Id<struct TimerIdTag, std::uint64_t>;

/// One thread's queue. Work posted from one thread runs in the order of posting.
class Executor {
 public:
  virtual ~Executor() = default;

  /// Runs `work` later on this executor's thread; callable from any thread. Never runs it inline.
  virtual void post(Work work) = 0;
  /// Runs `work` on this thread not before `delay` has passed. Callable on this executor's thread
  /// only.
  virtual TimerId schedule_after(std::chrono::nanoseconds delay, Work work) = 0;
  /// Forgets a timer; no effect where it has fired. Same thread as schedule_after.
  virtual void cancel(TimerId timer) = 0;
  /// True on this executor's own thread.
  [[nodiscard]] virtual bool in_thread() const noexcept = 0;
  [[nodiscard]] virtual MonoTime now() const noexcept = 0;
};

/// Threads for calls that may block (a stalled file system, a KDC). `run` never blocks the caller.
class BlockingPool {
 public:
  virtual ~BlockingPool() = default;
  virtual void run(Work work) = 0;
};

}  // namespace flotilla::runtime

// The production executor: one epoll instance, one thread.
#pragma once

#include <memory>

#include "runtime/io_executor.hpp"

namespace flotilla::runtime {

class EpollExecutor final : public IoExecutor {
 public:
  /// `poll_window`: for so long, at most, a busy thread looks for more before it sleeps (IdlePoll).
  explicit EpollExecutor(std::chrono::nanoseconds poll_window = {});
  ~EpollExecutor() override;
  EpollExecutor(const EpollExecutor&) = delete;
  EpollExecutor& operator=(const EpollExecutor&) = delete;

  /// Makes the calling thread this executor's thread until stop(); then runs what is posted already
  /// (so that coroutines which were about to resume end), and returns. Timers that are not due are
  /// forgotten with the executor.
  void run();
  /// Ends run(); callable from any thread, more than once.
  void stop();
  /// After run() has ended: runs, on the calling thread as this executor's, what was posted since.
  /// Gives how many ran.
  std::size_t drain();

  void post(Work work) override;
  /// Fires within a millisecond after its time.
  TimerId schedule_after(std::chrono::nanoseconds delay, Work work) override;
  void cancel(TimerId timer) override;
  [[nodiscard]] bool in_thread() const noexcept override;
  /// CLOCK_BOOTTIME, comparable with ports::Clock::mono() of apps/.
  [[nodiscard]] MonoTime now() const noexcept override;
  [[nodiscard]] std::unique_ptr<FdWatch> watch(int fd, FdEvents& events) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace flotilla::runtime

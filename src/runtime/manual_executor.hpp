// An executor on virtual time for tests and sim/: nothing runs but when the driver says so.
#pragma once

#include <deque>
#include <limits>
#include <mutex>
#include <thread>

#include "runtime/executor.hpp"
#include "runtime/timer_queue.hpp"

namespace flotilla::runtime {

/// post() may come from any thread; everything else from the thread that made it, the driver's.
class ManualExecutor final : public Executor {
 public:
  explicit ManualExecutor(MonoTime start = MonoTime{1'000'000'000}) : now_(start) {}

  void post(Work work) override;
  TimerId schedule_after(std::chrono::nanoseconds delay, Work work) override;
  void cancel(TimerId timer) override { timers_.cancel(timer); }
  [[nodiscard]] bool in_thread() const noexcept override {
    return std::this_thread::get_id() == driver_;
  }
  [[nodiscard]] MonoTime now() const noexcept override { return now_; }

  /// Runs posted work, and what it posts, until none is left; gives how many ran.
  std::size_t run_ready();
  /// Moves time on by `step`, stopping at every deadline on the way; runs what becomes ready.
  void advance(std::chrono::nanoseconds step);
  /// Destroys what waits for its time, without running it: it may hold what must die earlier than
  /// this.
  void drop_timers() {
    while (timers_.pop_due(MonoTime{std::numeric_limits<std::int64_t>::max()})) {
    }
  }
  [[nodiscard]] std::size_t timer_count() const noexcept { return timers_.count(); }
  [[nodiscard]] std::optional<MonoTime> next_due() const { return timers_.next_due(); }

 private:
  const std::thread::id driver_ = std::this_thread::get_id();
  std::mutex mutex_;
  std::deque<Work> posted_;
  TimerQueue timers_;
  MonoTime now_;
};

/// A blocking pool that runs its work when the driver says so.
class ManualBlockingPool final : public BlockingPool {
 public:
  void run(Work work) override { queue_.push_back(std::move(work)); }
  std::size_t run_ready();
  [[nodiscard]] std::size_t waiting() const noexcept { return queue_.size(); }

 private:
  std::deque<Work> queue_;
};

}  // namespace flotilla::runtime

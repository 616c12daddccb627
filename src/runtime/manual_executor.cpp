#include "runtime/manual_executor.hpp"

#include <utility>

namespace flotilla::runtime {

void ManualExecutor::post(Work work) {
  const std::scoped_lock lock(mutex_);
  posted_.push_back(std::move(work));
}

TimerId ManualExecutor::schedule_after(std::chrono::nanoseconds delay, Work work) {
  return timers_.add(now_ + delay, std::move(work));
}

std::size_t ManualExecutor::run_ready() {
  std::size_t count = 0;
  for (;; ++count) {
    Work work;
    {
      const std::scoped_lock lock(mutex_);
      if (posted_.empty()) return count;
      work = std::move(posted_.front());
      posted_.pop_front();
    }
    work();
  }
}

void ManualExecutor::advance(std::chrono::nanoseconds step) {
  const MonoTime end = now_ + step;
  run_ready();
  for (std::optional<MonoTime> due = timers_.next_due(); due && *due <= end;
       due = timers_.next_due()) {
    if (now_ < *due) now_ = *due;
    while (std::optional<Work> work = timers_.pop_due(now_)) (*work)();
    run_ready();
  }
  now_ = end;
}

std::size_t ManualBlockingPool::run_ready() {
  std::size_t count = 0;
  for (; !queue_.empty(); ++count) {
    Work work = std::move(queue_.front());
    queue_.pop_front();
    work();
  }
  return count;
}

}  // namespace flotilla::runtime

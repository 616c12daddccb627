// Virtual time: what happens next, and when. Events of one moment run in the order in which they
// were asked for.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <utility>

#include "base/time.hpp"

namespace flotilla::sim {

class Schedule {
 public:
  using Event = std::move_only_function<void()>;

  Schedule() { current_ = this; }
  ~Schedule() { current_ = nullptr; }
  Schedule(const Schedule&) = delete;
  Schedule& operator=(const Schedule&) = delete;

  [[nodiscard]] MonoTime now() const noexcept { return now_; }
  /// The last one made: what CLOCK_BOOTTIME says in code that asks the system (serve leases).
  [[nodiscard]] static const Schedule* current() noexcept { return current_; }
  void in(std::chrono::nanoseconds delay, Event event) {
    events_.emplace(std::pair{now_ + delay, ++count_}, std::move(event));
  }
  /// Runs the next event if it is due by `until`, and moves time to it; else time becomes `until`
  /// and the answer is false.
  bool run_next(MonoTime until) {
    const auto first = events_.begin();
    if (first == events_.end() || first->first.first > until) {
      now_ = until;
      return false;
    }
    now_ = first->first.first;
    Event event = std::move(first->second);
    events_.erase(first);
    event();
    return true;
  }
  /// Nothing happens any more; what events held is let go.
  void clear() {
    while (!events_.empty()) std::exchange(events_, {}).clear();
  }

 private:
  static inline const Schedule* current_ = nullptr;  // NOLINT: one simulation at a time
  MonoTime now_{1'000'000'000};
  std::uint64_t count_ = 0;
  std::map<std::pair<MonoTime, std::uint64_t>, Event> events_;
};

}  // namespace flotilla::sim

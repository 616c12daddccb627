// IdlePoll: whether a thread that ran out of work should look for more for a moment before it goes
// to sleep. Waking a sleeping thread costs 20 to 50 microseconds in a virtual machine and an
// interrupt to the core it sleeps on; a client that waits for each answer pays that every time.
#pragma once

#include <sched.h>

#include <algorithm>
#include <chrono>

namespace flotilla::runtime {

/// Learns from the last idle periods: looking pays where most of them were short, and where nobody
/// else wants the core. One thread's.
class IdlePoll {
 public:
  using Clock = std::chrono::steady_clock;

  /// `window`: how long to look, at most; 0: never.
  explicit IdlePoll(std::chrono::nanoseconds window) : window_(window) {}

  /// Asks `probe` again and again until it says true, as long as that is worth it: true then. False
  /// where the thread should sleep, and tell slept(). In between, other threads have their turn.
  template <class Probe>
  [[nodiscard]] bool look(Probe&& probe) {
    begin_ = Clock::now();
    looked_ = pays(begin_);
    if (!looked_) return false;
    for (Clock::time_point now = begin_, before = begin_; now - begin_ < window_; before = now) {
      sched_yield();
      const bool found = probe();
      now = Clock::now();
      if (found) {
        ended(now - begin_, false);
        return true;
      }
      if (now - before > kSwitchedOut) {
        contended(now);
        break;
      }
    }
    ended(2 * window_, false);
    return false;
  }
  /// After look() gave false: the thread slept, and has work again.
  void slept() noexcept {
    if (!looked_) ended(Clock::now() - begin_, true);
  }

  [[nodiscard]] bool pays(Clock::time_point now) const noexcept {
    return score_ >= kEnough && now >= not_before_;
  }
  /// An idle period ended after `length`; one that was slept through includes the waking.
  void ended(std::chrono::nanoseconds length, bool with_sleep) noexcept {
    const bool is_short = window_.count() > 0 && length <= (with_sleep ? 2 : 1) * window_;
    score_ += ((is_short ? kOne : 0) - score_) / kMemory;
  }
  /// Somebody took the core for long when this thread offered it. Who offers is put behind those
  /// that compute, and would be late for its own work.
  void contended(Clock::time_point now) noexcept {
    const bool again = now - not_before_ < 10 * pause_;
    pause_ = again ? std::min(kPauseMax, 2 * pause_) : kPauseMin;
    not_before_ = now + pause_;
  }

 private:
  static constexpr int kOne = 1024;
  static constexpr int kEnough = 512;
  static constexpr int kMemory = 8;
  static constexpr std::chrono::nanoseconds kSwitchedOut = std::chrono::microseconds{300};
  static constexpr std::chrono::nanoseconds kPauseMin = std::chrono::milliseconds{5};
  static constexpr std::chrono::nanoseconds kPauseMax = std::chrono::seconds{1};

  std::chrono::nanoseconds window_;
  std::chrono::nanoseconds pause_ = kPauseMin;
  Clock::time_point not_before_{};
  Clock::time_point begin_{};
  bool looked_ = false;
  int score_ = 0;  ///< the share of short ones, lately, of kOne
};

}  // namespace flotilla::runtime

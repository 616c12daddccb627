// IdlePoll: whether a thread that ran out of work should look for more for a moment before it goes
// to sleep. Waking a sleeping thread costs 20 to 50 microseconds in a virtual machine and an
// interrupt to the core it sleeps on; a client that waits for each answer pays that every time.
#pragma once

#include <chrono>

namespace flotilla::runtime {

/// Learns from the last idle periods: looking pays where most of them were short. A thread that is
/// idle, or whose requests come seldom, looks no more than once in a while by mistake.
class IdlePoll {
 public:
  /// `window`: how long to look, at most; 0: never.
  explicit IdlePoll(std::chrono::nanoseconds window) : window_(window) {}

  [[nodiscard]] std::chrono::nanoseconds window() const noexcept {
    return score_ >= kEnough ? window_ : std::chrono::nanoseconds{0};
  }
  /// An idle period ended after `length`; one that was slept through includes the waking.
  void ended(std::chrono::nanoseconds length, bool slept) noexcept {
    const bool is_short = length <= (slept ? 2 * window_ : window_);
    score_ += ((is_short ? kOne : 0) - score_) / kMemory;
  }

 private:
  static constexpr int kOne = 1024;
  static constexpr int kEnough = 512;
  static constexpr int kMemory = 8;
  std::chrono::nanoseconds window_;
  int score_ = 0;  ///< the share of short ones, lately, of kOne
};

}  // namespace flotilla::runtime

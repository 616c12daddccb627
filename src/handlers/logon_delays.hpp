// LogonDelays: who guesses passwords is answered ever later; everybody else at once. Pure but for
// its mutex: the time is given.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/time.hpp"

namespace flotilla::handlers {

/// Thread-safe. A table of bounded size: what failed longest ago makes room.
class LogonDelays {
 public:
  static constexpr std::size_t kEntriesMax = 4096;
  static constexpr std::uint32_t kFreeFailures = 3;  ///< typing errors cost nothing
  static constexpr std::chrono::milliseconds kFirst{500};
  static constexpr std::chrono::milliseconds kMost{8000};
  static constexpr std::chrono::minutes kForgottenAfter{15};

  /// A wrong password. Output: how long its answer waits: nothing for the first three of this user
  /// from this address, then 0.5 s, 1 s, 2 s, ... 8 s.
  [[nodiscard]] std::chrono::milliseconds failed(std::string_view user, std::string_view address,
                                                 MonoTime now);
  /// The right one. It waits as long as a wrong one would have, so that the waiting tells nothing;
  /// then all is forgotten.
  [[nodiscard]] std::chrono::milliseconds succeeded(std::string_view user, std::string_view address,
                                                    MonoTime now);
  [[nodiscard]] std::size_t size() const;

 private:
  struct Entry {
    std::string key;
    std::uint32_t failures = 0;
    MonoTime last;
  };
  using Order = std::list<Entry>;  ///< the longest ago in front

  [[nodiscard]] static std::string key_of(std::string_view user, std::string_view address);
  [[nodiscard]] static std::chrono::milliseconds delay_of(std::uint32_t failures);
  void forget_old(MonoTime now);

  mutable std::mutex mutex_;
  Order order_;
  std::unordered_map<std::string_view, Order::iterator> by_key_;  ///< views of Entry::key
};

}  // namespace flotilla::handlers

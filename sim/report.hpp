// What a simulation found, what it did, and (where wanted) all that was said.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/time.hpp"

namespace flotilla::sim {

/// DESIGN.md section 3's invariants by their numbers; Liveness is that whoever waits is answered
/// and that nothing is left behind, Machinery what no simulation should ever see.
enum class Rule {
  Machinery = 0,
  ShareModes = 1,
  CachingRights = 2,
  Locks = 3,
  Deletion = 4,
  Kept = 5,
  OneDecider = 6,
  Liveness = 7,
};

[[nodiscard]] constexpr const char* name_of(Rule rule) noexcept {
  constexpr const char* kNames[] = {"machinery",
                                    "invariant 1 (share modes)",
                                    "invariant 2 (caching rights)",
                                    "invariant 3 (locks and I/O)",
                                    "invariant 4 (deletion)",
                                    "invariant 5 (kept opens)",
                                    "invariant 6 (one decider)",
                                    "liveness"};
  return kNames[static_cast<int>(rule)];
}

struct Violation {
  Rule rule = Rule::Machinery;
  MonoTime at;
  std::string what;
};

class Report {
 public:
  void wrong(MonoTime at, Rule rule, std::string what) {
    if (violations_.size() < 8) violations_.push_back({rule, at, std::move(what)});
  }
  [[nodiscard]] const std::vector<Violation>& violations() const noexcept { return violations_; }

  void count(const char* what, std::uint64_t by = 1) { counts_[what] += by; }
  [[nodiscard]] const std::map<std::string, std::uint64_t>& counts() const noexcept {
    return counts_;
  }

  /// Changes with every message and every answer: two runs of one seed have the same.
  void mix(std::uint64_t value) noexcept { digest_ = mix_of(digest_ ^ value); }
  [[nodiscard]] std::uint64_t digest() const noexcept { return digest_; }

 private:
  static std::uint64_t mix_of(std::uint64_t x) noexcept {
    x *= 0x9FB21C651E98DF25ULL;
    return x ^ (x >> 32);
  }
  std::vector<Violation> violations_;
  std::map<std::string, std::uint64_t> counts_;
  std::uint64_t digest_ = 1;
};

}  // namespace flotilla::sim

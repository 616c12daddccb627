// MessageIds: which message ids of a connection were used, as far as the front sees them.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace flotilla::front {

/// A sliding window below and above the largest id seen. Tolerates ids that it never sees (inner
/// requests of compounds, sealed ones), so it refuses only what is certainly wrong: an id that was
/// used, and one further from the largest than any window can reach.
/// Spec    [MS-SMB2] 3.3.5.2.3 Verifying the Sequence Number
/// Deviation: the ids between what was granted and `reach` are accepted; several nodes grant.
class MessageIds {
 public:
  enum class Verdict : std::uint8_t { Fresh, Used, OutOfReach };

  /// Ids below `next` count as used. Memory: reach / 4 bytes at most.
  void start(std::uint64_t next, std::uint32_t reach) {
    next_ = next;
    reach_ = reach;
    bits_.assign(std::bit_ceil(std::uint64_t{reach} + 64) / 64, ~std::uint64_t{0});
  }

  /// Takes the ids [id, id + max(1, charge)). Nothing is taken where the verdict is not Fresh.
  [[nodiscard]] Verdict take(std::uint64_t id, std::uint16_t charge) {
    const std::uint64_t count = std::max<std::uint64_t>(1, charge);
    if (id > ~std::uint64_t{0} - count) return Verdict::OutOfReach;
    const std::uint64_t end = id + count;
    if (end > next_ && end - next_ > reach_) return Verdict::OutOfReach;
    if (id < next_ && next_ - id > reach_) return Verdict::Used;  // or never to be used any more
    for (std::uint64_t at = id; at < std::min(end, next_); ++at)
      if (test(at)) return Verdict::Used;
    for (; next_ < end; ++next_) clear(next_);
    for (std::uint64_t at = id; at < end; ++at) set(at);
    return Verdict::Fresh;
  }

  /// One more than the largest id taken.
  [[nodiscard]] std::uint64_t next() const noexcept { return next_; }

 private:
  [[nodiscard]] std::uint64_t& word(std::uint64_t id) {
    return bits_[(id / 64) & (bits_.size() - 1)];
  }
  [[nodiscard]] bool test(std::uint64_t id) { return (word(id) >> (id % 64) & 1) != 0; }
  void set(std::uint64_t id) { word(id) |= std::uint64_t{1} << (id % 64); }
  void clear(std::uint64_t id) { word(id) &= ~(std::uint64_t{1} << (id % 64)); }

  std::vector<std::uint64_t> bits_;  ///< a ring; ids not below next_ have no meaning in it
  std::uint64_t next_ = 0;
  std::uint64_t reach_ = 0;
};

}  // namespace flotilla::front

// MatchFinder: where the bytes at a position were seen before. Shared by the three LZ encoders;
// must not know how a match is written down.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "base/bytes.hpp"

namespace flotilla::crypto {

struct Match {
  std::size_t distance = 0;
  std::size_t length = 0;  ///< 0: none; else at least kMatchBytesMin
};

inline constexpr std::size_t kMatchBytesMin = 3;

/// A hash table of the last position of every three bytes: one probe each, so the time is linear in
/// the input whatever the input is. `input` is borrowed and shorter than 4 GiB.
class MatchFinder {
 public:
  explicit MatchFinder(ByteView input) : input_(input), heads_(std::size_t{1} << kHashBits, 0) {}

  /// The match for the bytes at `at`, which is remembered. Calls go upwards.
  /// Input   `from`: the first position that may be referred to; `length_max` from `at`
  [[nodiscard]] Match find(std::size_t at, std::size_t from, std::size_t length_max) noexcept {
    Match match;
    length_max = std::min(length_max, input_.size() - at);
    if (length_max < kMatchBytesMin || input_.size() - at < kMatchBytesMin) return match;
    std::uint32_t& head = heads_[hash(at)];
    const std::size_t candidate = head;  // one past the position, so that zero is none
    head = static_cast<std::uint32_t>(at + 1);
    if (candidate == 0 || candidate - 1 < from) return match;
    const std::uint8_t* const old = input_.data() + candidate - 1;
    const std::uint8_t* const now = input_.data() + at;
    std::size_t length = 0;
    while (length < length_max && old[length] == now[length]) ++length;
    if (length < kMatchBytesMin) return match;
    return {at - (candidate - 1), length};
  }

  /// Remembers a position inside a match.
  void note(std::size_t at) noexcept {
    if (input_.size() - at >= kMatchBytesMin) heads_[hash(at)] = static_cast<std::uint32_t>(at + 1);
  }

 private:
  static constexpr unsigned kHashBits = 14;
  [[nodiscard]] std::size_t hash(std::size_t at) const noexcept {
    const std::uint32_t three = std::uint32_t{input_[at]} | std::uint32_t{input_[at + 1]} << 8 |
                                std::uint32_t{input_[at + 2]} << 16;
    return (three * 2654435761U) >> (32 - kHashBits);
  }

  ByteView input_;
  std::vector<std::uint32_t> heads_;
};

/// Copies a match inside `out`, whose first `at` bytes are there already.
/// False where it begins before `out` does or would pass its end; nothing is written then.
[[nodiscard]] inline bool copy_match(MutableBytes out, std::size_t& at, std::size_t distance,
                                     std::size_t length) noexcept {
  if (distance == 0 || distance > at || length > out.size() - at) return false;
  std::uint8_t* const to = out.data() + at;
  const std::uint8_t* const from = to - distance;
  if (distance >= length) {
    std::copy_n(from, length, to);
  } else {
    for (std::size_t i = 0; i < length; ++i) to[i] = from[i];  // it may read what it wrote
  }
  at += length;
  return true;
}

}  // namespace flotilla::crypto

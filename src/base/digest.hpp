// Digests of bytes: the same on every node and in every build. Not against somebody who wants them
// equal.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "base/ids.hpp"

namespace flotilla {

/// Of `bytes`, with zeros up to a multiple of 8: who needs their length puts it into `seed`.
[[nodiscard]] inline std::uint64_t digest_of(ByteView bytes, std::uint64_t seed = 0) noexcept {
  std::uint64_t digest = seed;
  for (std::size_t at = 0; at < bytes.size(); at += 8) {
    std::uint64_t word = 0;
    if (bytes.size() - at >= 8) {
      word = load_le<std::uint64_t>(bytes.data() + at);
    } else {
      for (std::size_t i = at; i < bytes.size(); ++i) {
        word |= static_cast<std::uint64_t>(bytes[i]) << (8 * (i - at));
      }
    }
    digest = mix64(digest + 0x9E3779B97F4A7C15ULL + word);
  }
  return digest;
}

}  // namespace flotilla

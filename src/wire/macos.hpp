// Apple's create context AAPL: what a macOS client asks of a server and is told.
#pragma once

#include <string>

#include "wire/codec.hpp"

namespace flotilla::wire {

namespace macos {
inline constexpr std::uint32_t kServerQuery = 1;
inline constexpr std::uint64_t kAsksServerCapabilities = 1;
inline constexpr std::uint64_t kAsksVolumeCapabilities = 2;
inline constexpr std::uint64_t kAsksModel = 4;
inline constexpr std::uint64_t kListings = 1;   ///< capability: MacListing (fscc_directory.hpp)
inline constexpr std::uint64_t kUnixBased = 4;  ///< capability
inline constexpr std::uint64_t kFullSync = 4;   ///< of a volume: FLUSH goes down to the disk
}  // namespace macos

struct MacServerQuery {
  std::uint32_t command = macos::kServerQuery;
  std::uint64_t asks = 0;
  std::uint64_t client_capabilities = 0;
};

/// The answer has the parts that `asks` names, in their order.
struct MacServerAnswer {
  std::uint64_t asks = 0;
  std::uint64_t server_capabilities = 0;
  std::uint64_t volume_capabilities = 0;
  std::u16string model;
};

}  // namespace flotilla::wire

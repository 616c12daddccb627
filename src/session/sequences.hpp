// Channel sequence and lock sequence: how a server tells a repeated request from a new one.
#pragma once

#include <cstdint>
#include <vector>

#include "coherence/types.hpp"

namespace flotilla::session {

/// Spec    [MS-SMB2] 3.3.5.2.10 Verifying the Channel Sequence Number
/// Output  true: carry on, and `open_sequence` may have moved forward; false: a request of a
/// channel
///         that failed before: FileNotAvailable for WRITE, SET_INFO and IOCTL
[[nodiscard]] bool admit_channel_sequence(std::uint16_t& open_sequence,
                                          std::uint16_t request_sequence) noexcept;

/// Open.LockSequenceArray, [MS-SMB2] 3.3.1.10 and 3.3.5.14: 64 entries, index 1 to 64.
class LockSequences {
 public:
  /// `lock_sequence`: LockSequenceNumber in bits 0-3, LockSequenceIndex in bits 4-31.
  /// Output  true: this lock or unlock was carried out before: answer Success at once
  /// Effect  an entry with another number becomes invalid
  [[nodiscard]] static bool replayed(std::vector<std::uint8_t>& entries,
                                     std::uint32_t lock_sequence);
  /// As the engine keeps it; index 0 where it names no valid bucket.
  [[nodiscard]] static coherence::LockSequence parts(std::uint32_t lock_sequence) noexcept {
    const std::uint32_t index = lock_sequence >> 4;
    if (index == 0 || index > kIndexMax) return {};
    return {static_cast<std::uint8_t>(index), static_cast<std::uint8_t>(lock_sequence & 15U)};
  }
  /// The request has succeeded: remember its number.
  static void remember(std::vector<std::uint8_t>& entries, std::uint32_t lock_sequence);

 private:
  static constexpr std::uint32_t kIndexMax = 64;
  static constexpr std::uint8_t kInvalid = 0xFF;
};

}  // namespace flotilla::session

// Preauthentication integrity: the running hash over the messages that lead to a session.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/bytes.hpp"

namespace flotilla::crypto {

/// A value: copy the connection's for each session that starts on it.
/// Spec    [MS-SMB2] 3.3.5.4, 3.3.5.5: hash = SHA-512(previous hash || whole message)
class PreauthHash {
 public:
  PreauthHash() noexcept = default;
  /// Goes on from a value that came from elsewhere (the front's hash of NEGOTIATE).
  explicit PreauthHash(const std::array<std::uint8_t, 64>& value) noexcept : value_(value) {}

  /// `message` is the whole SMB2 message from its header, without the 4 bytes of the frame.
  void add(ByteView message) noexcept;

  [[nodiscard]] std::span<const std::uint8_t, 64> value() const noexcept { return value_; }
  friend bool operator==(const PreauthHash&, const PreauthHash&) noexcept = default;

 private:
  std::array<std::uint8_t, 64> value_{};
};

}  // namespace flotilla::crypto

// The window of MessageIds that a connection may use. Must not know who receives messages: the
// front keeps one per connection, since it alone sees all of them.
#pragma once

#include <cstdint>
#include <vector>

#include "base/ids.hpp"

namespace flotilla::session {

/// Spec    [MS-SMB2] 3.3.1.1 Algorithm for Handling Available Message Sequence Numbers by the
///         Server, 3.3.5.2.3 Verifying the Sequence Number
/// The window is [low, low + size): `low` is the smallest id that was not used yet. An id may be
/// used once, and only inside the window; a request with CreditCharge n uses n consecutive ids.
/// Deviation: the window does not grow credit by credit but has its full size from the start. A
/// client that overdraws what it was granted gains nothing: what it may have in flight is the same.
class MessageWindow {
 public:
  /// `size`: how far ids may run ahead of the oldest unused one; at least 1, at most 65535.
  explicit MessageWindow(std::uint32_t size);

  /// Uses `credit_charge` ids (0 counts as 1) from `id` on.
  /// Output  false: an id was used before or lies outside the window: the connection must end
  /// Effect  none when false
  [[nodiscard]] bool use(MessageId id, std::uint16_t credit_charge);

  [[nodiscard]] std::uint64_t low() const noexcept { return low_; }

 private:
  [[nodiscard]] bool used(std::uint64_t id) const noexcept {
    return (bits_[(id % span_) / 64] >> (id % span_ % 64) & 1U) != 0;
  }
  std::uint64_t size_;
  std::uint64_t span_;  ///< bits in the ring: size rounded up to a multiple of 64
  std::uint64_t low_ = 0;
  std::vector<std::uint64_t> bits_;
};

}  // namespace flotilla::session

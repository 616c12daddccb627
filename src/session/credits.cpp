#include "session/credits.hpp"

#include <algorithm>

namespace flotilla::session {

std::uint16_t CreditGranter::grant(std::uint16_t consumed, std::uint16_t requested) noexcept {
  const std::uint32_t used = std::max<std::uint32_t>(consumed, 1);
  const std::uint32_t wanted = std::max<std::uint32_t>(requested, 1);
  if (wanted <= used) {
    extra_left_ += used - wanted;  // the client shrinks its window: others may grow theirs
    return static_cast<std::uint16_t>(wanted);
  }
  const std::uint32_t extra = std::min(wanted - used, extra_left_);
  extra_left_ -= extra;
  return static_cast<std::uint16_t>(used + extra);
}

bool charge_suffices(std::uint16_t credit_charge, std::uint64_t send_bytes,
                     std::uint64_t receive_bytes) noexcept {
  const std::uint64_t bytes = std::max(send_bytes, receive_bytes);
  const std::uint64_t needed = bytes == 0 ? 1 : (bytes - 1) / 65536 + 1;
  return std::max<std::uint64_t>(credit_charge, 1) >= needed;
}

}  // namespace flotilla::session

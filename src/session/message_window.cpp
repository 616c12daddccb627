#include "session/message_window.hpp"

#include <algorithm>

namespace flotilla::session {

MessageWindow::MessageWindow(std::uint32_t size)
    : size_(std::clamp<std::uint64_t>(size, 1, 65535)),
      span_((size_ + 63) / 64 * 64),
      bits_(span_ / 64, 0) {}

bool MessageWindow::use(MessageId id, std::uint16_t credit_charge) {
  const std::uint64_t first = id.raw();
  const std::uint64_t count = std::max<std::uint64_t>(credit_charge, 1);
  if (first < low_ || count > size_ || first - low_ > size_ - count) return false;
  for (std::uint64_t at = first; at < first + count; ++at) {
    if (used(at)) return false;
  }
  for (std::uint64_t at = first; at < first + count; ++at) {
    bits_[at % span_ / 64] |= std::uint64_t{1} << (at % span_ % 64);
  }
  while (used(low_)) {
    bits_[low_ % span_ / 64] &= ~(std::uint64_t{1} << (low_ % span_ % 64));
    ++low_;
  }
  return true;
}

}  // namespace flotilla::session

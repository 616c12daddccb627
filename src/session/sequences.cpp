#include "session/sequences.hpp"

namespace flotilla::session {

bool admit_channel_sequence(std::uint16_t& open_sequence, std::uint16_t request_sequence) noexcept {
  const auto ahead = static_cast<std::uint16_t>(request_sequence - open_sequence);
  if (ahead == 0) return true;
  if (ahead >= 0x8000) return false;
  open_sequence = request_sequence;
  return true;
}

bool LockSequences::replayed(std::vector<std::uint8_t>& entries, std::uint32_t lock_sequence) {
  const std::uint32_t index = lock_sequence >> 4;
  if (index == 0 || index > kIndexMax || index >= entries.size()) return false;
  if (entries[index] == kInvalid) return false;
  if (entries[index] == (lock_sequence & 0xF)) return true;
  entries[index] = kInvalid;
  return false;
}

void LockSequences::remember(std::vector<std::uint8_t>& entries, std::uint32_t lock_sequence) {
  const std::uint32_t index = lock_sequence >> 4;
  if (index == 0 || index > kIndexMax) return;
  if (entries.size() <= kIndexMax) entries.resize(kIndexMax + 1, kInvalid);
  entries[index] = static_cast<std::uint8_t>(lock_sequence & 0xF);
}

}  // namespace flotilla::session

// What the visitors share and templates need not repeat.
#include "wire/codec.hpp"

#include "wire/fields.hpp"

namespace flotilla::wire {

std::string_view name_of(WireFault fault) noexcept {
  switch (fault) {
    case WireFault::Truncated:
      return "Truncated";
    case WireFault::StructureSize:
      return "StructureSize";
    case WireFault::ProtocolId:
      return "ProtocolId";
    case WireFault::OffsetOutOfRange:
      return "OffsetOutOfRange";
    case WireFault::LengthOutOfRange:
      return "LengthOutOfRange";
    case WireFault::CountOutOfRange:
      return "CountOutOfRange";
    case WireFault::ChainBroken:
      return "ChainBroken";
    case WireFault::BadText:
      return "BadText";
    case WireFault::BadValue:
      return "BadValue";
  }
  return "Unknown";
}

void Printer::append_number(std::uint64_t value, std::string& out) {
  if (value < 10) {
    out.push_back(static_cast<char>('0' + value));
    return;
  }
  static constexpr char kDigits[] = "0123456789abcdef";
  char text[16];
  std::size_t n = 0;
  for (; value != 0; value >>= 4) text[n++] = kDigits[value & 15];
  out += "0x";
  while (n != 0) out.push_back(text[--n]);
}

void Printer::append_hex(ByteView bytes, std::string& out) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (const std::uint8_t byte : bytes) {
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
}

}  // namespace flotilla::wire

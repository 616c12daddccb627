// Views of UTF-16 text as NTLM hashes it, and names for the log. Conversions are wire/utf16.hpp's.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "wire/utf16.hpp"

namespace flotilla::auth {

[[nodiscard]] inline ByteView bytes_of(std::u16string_view text) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size() * 2};
}

/// A name off the wire as a log line may show it: control characters become ?, and 80 bytes are the
/// end, so that nobody writes lines of his own into the log.
[[nodiscard]] inline std::string for_log(std::string_view name) {
  constexpr std::size_t kBytesMax = 80;
  std::string out(name.substr(0, kBytesMax));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  if (name.size() > kBytesMax) out += "...";
  return out;
}

}  // namespace flotilla::auth

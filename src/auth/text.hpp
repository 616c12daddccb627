// Views of UTF-16 text as NTLM hashes it. Conversions are wire/utf16.hpp's.
#pragma once

#include <string_view>

#include "base/bytes.hpp"
#include "wire/utf16.hpp"

namespace flotilla::auth {

[[nodiscard]] inline ByteView bytes_of(std::u16string_view text) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size() * 2};
}

}  // namespace flotilla::auth

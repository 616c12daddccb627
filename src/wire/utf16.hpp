// Text: UTF-8 inside, UTF-16LE on the wire.
// Policy: a lone surrogate is refused (WireFault::BadText, which status_of turns into
// ObjectNameInvalid) and never mapped to a private code: two different names would else meet in one
// file, and Linux programs would see names that are no UTF-8. Likewise for bytes that are no UTF-8
// (overlong forms, surrogates, above U+10FFFF) on the way out: the caller hides such a file or
// escapes its name.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "wire/wire_error.hpp"

namespace flotilla::wire {

/// `offset` of an error counts UTF-16 units resp. bytes.
[[nodiscard]] Wire<std::string> utf8_of(std::u16string_view text);
[[nodiscard]] Wire<std::u16string> utf16_of(std::string_view utf8);

/// Little-endian bytes -> units; an odd number of bytes is BadText. Surrogates are not judged here.
[[nodiscard]] Wire<std::u16string> utf16_of_bytes(ByteView bytes);
void append_utf16le(std::u16string_view text, Bytes& out);

/// For logs only: U+FFFD stands for what is no text.
[[nodiscard]] std::string printable(std::u16string_view text);

}  // namespace flotilla::wire

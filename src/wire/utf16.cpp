#include "wire/utf16.hpp"

#include <cstring>

namespace flotilla::wire {
namespace {

constexpr bool is_high(char16_t unit) noexcept { return (unit & 0xFC00) == 0xD800; }
constexpr bool is_low(char16_t unit) noexcept { return (unit & 0xFC00) == 0xDC00; }

void append_utf8(char32_t c, std::string& out) {
  if (c < 0x80) {
    out.push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    out.push_back(static_cast<char>(0xC0 | (c >> 6)));
    out.push_back(static_cast<char>(0x80 | (c & 0x3F)));
  } else if (c < 0x10000) {
    out.push_back(static_cast<char>(0xE0 | (c >> 12)));
    out.push_back(static_cast<char>(0x80 | ((c >> 6) & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (c & 0x3F)));
  } else {
    out.push_back(static_cast<char>(0xF0 | (c >> 18)));
    out.push_back(static_cast<char>(0x80 | ((c >> 12) & 0x3F)));
    out.push_back(static_cast<char>(0x80 | ((c >> 6) & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (c & 0x3F)));
  }
}

/// Decodes one code point from the front of `text`; 0 bytes used where it is no UTF-8.
struct CodePoint {
  char32_t value = 0;
  std::size_t used = 0;
};
CodePoint next_code_point(std::string_view text) noexcept {
  const auto at = [&](std::size_t i) -> std::uint32_t {
    return static_cast<unsigned char>(text[i]);
  };
  const std::uint32_t first = at(0);
  if (first < 0x80) return {first, 1};
  std::size_t size = 0;
  std::uint32_t value = 0;
  std::uint32_t least = 0;
  if ((first & 0xE0) == 0xC0) {
    size = 2, value = first & 0x1F, least = 0x80;
  } else if ((first & 0xF0) == 0xE0) {
    size = 3, value = first & 0x0F, least = 0x800;
  } else if ((first & 0xF8) == 0xF0) {
    size = 4, value = first & 0x07, least = 0x10000;
  } else {
    return {};
  }
  if (text.size() < size) return {};
  for (std::size_t i = 1; i < size; ++i) {
    if ((at(i) & 0xC0) != 0x80) return {};
    value = (value << 6) | (at(i) & 0x3F);
  }
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < least || value > 0x10FFFF || surrogate) return {};
  return {value, size};
}

template <bool kLenient>
Wire<std::string> to_utf8(std::u16string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char16_t unit = text[i];
    if (is_high(unit) && i + 1 < text.size() && is_low(text[i + 1])) {
      const char32_t c = 0x10000 + ((static_cast<char32_t>(unit) & 0x3FF) << 10) +
                         (static_cast<char32_t>(text[i + 1]) & 0x3FF);
      append_utf8(c, out);
      ++i;
    } else if (is_high(unit) || is_low(unit)) {
      if (!kLenient) return std::unexpected(WireError{WireFault::BadText, i, "lone surrogate"});
      append_utf8(0xFFFD, out);
    } else {
      append_utf8(unit, out);
    }
  }
  return out;
}

}  // namespace

Wire<std::string> utf8_of(std::u16string_view text) { return to_utf8<false>(text); }

std::string printable(std::u16string_view text) { return *to_utf8<true>(text); }

Wire<std::u16string> utf16_of(std::string_view utf8) {
  std::u16string out;
  out.reserve(utf8.size());
  for (std::size_t i = 0; i < utf8.size();) {
    const CodePoint c = next_code_point(utf8.substr(i));
    if (c.used == 0) return std::unexpected(WireError{WireFault::BadText, i, "UTF-8"});
    if (c.value < 0x10000) {
      out.push_back(static_cast<char16_t>(c.value));
    } else {
      out.push_back(static_cast<char16_t>(0xD800 + ((c.value - 0x10000) >> 10)));
      out.push_back(static_cast<char16_t>(0xDC00 + ((c.value - 0x10000) & 0x3FF)));
    }
    i += c.used;
  }
  return out;
}

Wire<std::u16string> utf16_of_bytes(ByteView bytes) {
  if (bytes.size() % 2 != 0) {
    return std::unexpected(WireError{WireFault::BadText, bytes.size(), "odd number of bytes"});
  }
  std::u16string out(bytes.size() / 2, u'\0');
  if (!bytes.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

void append_utf16le(std::u16string_view text, Bytes& out) {
  const auto* from = reinterpret_cast<const std::uint8_t*>(text.data());
  out.insert(out.end(), from, from + text.size() * 2);
}

}  // namespace flotilla::wire

// ASCII letters without case: A to Z are folded, all other bytes stay as they are. For names of
// shares, pipes, users and keywords; file names fold by Unicode (vfs/names.hpp).
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace flotilla::ascii {

[[nodiscard]] constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

[[nodiscard]] constexpr char16_t lower(char16_t c) noexcept {
  return c >= u'A' && c <= u'Z' ? static_cast<char16_t>(c - u'A' + u'a') : c;
}

[[nodiscard]] inline std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = lower(c);
  return out;
}

[[nodiscard]] constexpr bool equal_without_case(std::string_view a, std::string_view b) noexcept {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

[[nodiscard]] constexpr bool equal_without_case(std::u16string_view a,
                                                std::u16string_view b) noexcept {
  return std::ranges::equal(a, b, [](char16_t x, char16_t y) { return lower(x) == lower(y); });
}

}  // namespace flotilla::ascii

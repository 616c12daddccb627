#include "handlers/wildcard.hpp"

#include <unicode/uchar.h>
#include <unicode/utf16.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace flotilla::handlers {

namespace {

constexpr char16_t kDosStar = u'<';
constexpr char16_t kDosQm = u'>';
constexpr char16_t kDosDot = u'"';

/// Positions in the pattern that a prefix of the name can have led to. State i: the first i units
/// of the pattern are used up.
class States {
 public:
  explicit States(std::size_t count) : count_(count) {
    if (count > kInline) large_.resize(2 * count);
    clear(now());
    clear(next());
  }
  std::uint8_t* now() { return base() + (flipped_ ? count_ : 0); }
  std::uint8_t* next() { return base() + (flipped_ ? 0 : count_); }
  void flip() {
    flipped_ = !flipped_;
    clear(next());
  }

 private:
  static constexpr std::size_t kInline = 256;
  std::uint8_t* base() { return large_.empty() ? small_.data() : large_.data(); }
  void clear(std::uint8_t* states) { std::fill_n(states, count_, std::uint8_t{0}); }
  std::size_t count_;
  bool flipped_ = false;
  std::array<std::uint8_t, 2 * kInline> small_;
  std::vector<std::uint8_t> large_;
};

/// Follows what may match nothing at this place of the name.
void close_over(std::uint8_t* states, std::u16string_view pattern, bool at_end, bool at_dot) {
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (!states[i]) continue;
    const char16_t c = pattern[i];
    const bool skips = c == u'*' || c == kDosStar || (c == kDosDot && at_end) ||
                       (c == kDosQm && (at_end || at_dot));
    if (skips) states[i + 1] = 1;
  }
}

}  // namespace

std::u16string fold_case(std::u16string_view text) {
  std::u16string out;
  out.reserve(text.size());
  const auto size = static_cast<std::int32_t>(text.size());
  for (std::int32_t at = 0; at < size;) {
    UChar32 c = 0;
    U16_NEXT(text.data(), at, size, c);
    const UChar32 folded = u_foldCase(c, U_FOLD_CASE_DEFAULT);
    if (folded <= 0xFFFF) {
      out.push_back(static_cast<char16_t>(folded));
    } else {
      out.push_back(static_cast<char16_t>(U16_LEAD(folded)));
      out.push_back(static_cast<char16_t>(U16_TRAIL(folded)));
    }
  }
  return out;
}

bool has_wildcards(std::u16string_view pattern) noexcept {
  return pattern.find_first_of(u"*?<>\"") != std::u16string_view::npos;
}

bool matches_folded(std::u16string_view name, std::u16string_view pattern) {
  if (name.empty() || pattern.empty()) return name.empty() && pattern.empty();
  if (pattern == u"*" || pattern == u"*.*") return true;
  if (!has_wildcards(pattern)) return name == pattern;
  if (pattern.front() == u'*' && !has_wildcards(pattern.substr(1))) {
    return name.ends_with(pattern.substr(1));
  }
  const std::size_t last_dot = name.rfind(u'.');
  States states(pattern.size() + 1);
  states.now()[0] = 1;
  for (std::size_t at = 0; at < name.size(); ++at) {
    const char16_t c = name[at];
    close_over(states.now(), pattern, false, c == u'.');
    std::uint8_t* const now = states.now();
    std::uint8_t* const next = states.next();
    bool any = false;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
      if (!now[i]) continue;
      switch (pattern[i]) {
        case u'*':
          next[i] = 1;
          any = true;
          break;
        case kDosStar:  // everything but the name's last dot
          if (at != last_dot) {
            next[i] = 1;
            any = true;
          }
          break;
        case u'?':
          next[i + 1] = 1;
          any = true;
          break;
        case kDosQm:
          if (c != u'.') {
            next[i + 1] = 1;
            any = true;
          }
          break;
        case kDosDot:
          if (c == u'.') {
            next[i + 1] = 1;
            any = true;
          }
          break;
        default:
          if (c == pattern[i]) {
            next[i + 1] = 1;
            any = true;
          }
      }
    }
    if (!any) return false;
    states.flip();
  }
  close_over(states.now(), pattern, true, false);
  return states.now()[pattern.size()] != 0;
}

bool matches(std::u16string_view name, std::u16string_view pattern) {
  return matches_folded(fold_case(name), fold_case(pattern));
}

}  // namespace flotilla::handlers

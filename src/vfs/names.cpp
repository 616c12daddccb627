#include "vfs/names.hpp"

#include <algorithm>

#include <unicode/uchar.h>
#include <xxhash.h>

#include "base/ascii.hpp"

namespace flotilla::vfs {
namespace {

bool all_ascii(std::string_view text) noexcept {
  unsigned char seen = 0;
  for (const char c : text) seen |= static_cast<unsigned char>(c);
  return seen < 0x80;
}

/// The code point at `at`, which moves behind it; -1 for a byte that begins none (moves by one).
/// Refuses overlong forms, surrogates and what lies past U+10FFFF.
UChar32 next_code_point(std::string_view text, std::size_t& at) noexcept {
  const auto byte = [&](std::size_t i) -> std::uint32_t {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const std::uint32_t lead = byte(at);
  const std::size_t start = at++;
  if (lead < 0x80) return static_cast<UChar32>(lead);
  const std::size_t more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
  if (lead < 0xC2 || lead > 0xF4) return -1;
  std::uint32_t c = lead & (0x3FU >> more);
  for (std::size_t i = 1; i <= more; ++i) {
    const std::uint32_t next = byte(start + i);
    if ((next & 0xC0) != 0x80) return -1;
    c = (c << 6) | (next & 0x3F);
  }
  if ((more == 2 && (c < 0x800 || (c >= 0xD800 && c < 0xE000))) ||
      (more == 3 && (c < 0x10000 || c > 0x10FFFF))) {
    return -1;
  }
  at = start + 1 + more;
  return static_cast<UChar32>(c);
}

void append_utf8(std::string& out, UChar32 c) {
  const auto u = static_cast<std::uint32_t>(c);
  const auto put = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (u < 0x80) {
    put(u);
  } else if (u < 0x800) {
    put(0xC0 | (u >> 6));
    put(0x80 | (u & 0x3F));
  } else if (u < 0x10000) {
    put(0xE0 | (u >> 12));
    put(0x80 | ((u >> 6) & 0x3F));
    put(0x80 | (u & 0x3F));
  } else {
    put(0xF0 | (u >> 18));
    put(0x80 | ((u >> 12) & 0x3F));
    put(0x80 | ((u >> 6) & 0x3F));
    put(0x80 | (u & 0x3F));
  }
}

}  // namespace

std::string fold(std::string_view name) {
  if (all_ascii(name)) return ascii::lower(name);
  std::string out;
  out.reserve(name.size());
  for (std::size_t at = 0; at < name.size();) {
    const std::size_t start = at;
    const UChar32 c = next_code_point(name, at);
    if (c < 0) {
      out.append(name.substr(start, at - start));
    } else {
      append_utf8(out, u_foldCase(c, U_FOLD_CASE_DEFAULT));
    }
  }
  return out;
}

bool equal_without_case(std::string_view a, std::string_view b) { return fold(a) == fold(b); }

std::uint64_t hash_of_text(std::string_view text) noexcept {
  return XXH3_64bits(text.data(), text.size());
}

bool valid_utf8(std::string_view text) noexcept {
  if (all_ascii(text)) return true;
  for (std::size_t at = 0; at < text.size();) {
    if (next_code_point(text, at) < 0) return false;
  }
  return true;
}

Status check_path(std::string_view path) noexcept {
  if (path.empty()) return {};
  if (path.size() > 4095 || path.find('\0') != std::string_view::npos || !valid_utf8(path)) {
    return fail(NtStatus::ObjectNameInvalid);
  }
  for (std::size_t at = 0;;) {
    const std::size_t slash = path.find('/', at);
    const std::string_view part =
        path.substr(at, slash == std::string_view::npos ? slash : slash - at);
    if (part.empty() || part == "." || part == "..") return fail(NtStatus::ObjectPathSyntaxBad);
    if (part.size() > 255) return fail(NtStatus::ObjectNameInvalid);
    if (slash == std::string_view::npos) return {};
    at = slash + 1;
  }
}

SplitPath split(std::string_view path) noexcept {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {{}, path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

std::string join(std::string_view parent, std::string_view name) {
  std::string out;
  out.reserve(parent.size() + 1 + name.size());
  out.append(parent);
  if (!parent.empty()) out.push_back('/');
  out.append(name);
  return out;
}

namespace {

/// The bytes of the code point at `at`.
std::size_t character_bytes(std::string_view text, std::size_t at) noexcept {
  std::size_t end = at + 1;
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
  return end - at;
}

/// Both folded. Goes back to the last * only, so that it takes O(name * pattern).
bool glob(std::string_view pattern, std::string_view name) noexcept {
  std::size_t p = 0;
  std::size_t n = 0;
  std::size_t star = std::string_view::npos;
  std::size_t after_star = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      after_star = n;
    } else if (p < pattern.size() && pattern[p] == '?') {
      ++p;
      n += character_bytes(name, n);
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++after_star;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

}  // namespace

bool matches_any(const std::vector<std::string>& patterns, std::string_view name) {
  if (patterns.empty()) return false;
  const std::string folded = fold(name);
  return std::ranges::any_of(
      patterns, [&](const std::string& pattern) { return glob(fold(pattern), folded); });
}

bool component_matches(const std::vector<std::string>& patterns, std::string_view path) {
  if (patterns.empty()) return false;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    if (matches_any(patterns, path.substr(0, slash))) return true;
    if (slash == std::string_view::npos) return false;
    path.remove_prefix(slash + 1);
  }
  return false;
}

bool is_dot_file(std::string_view name) noexcept {
  return name.size() > 1 && name.front() == '.' && name != "..";
}

}  // namespace flotilla::vfs

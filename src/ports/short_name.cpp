#include "ports/short_name.hpp"

#include <algorithm>
#include <cstdint>

namespace flotilla::ports {

namespace {

constexpr std::size_t kBaseMax = 8;
constexpr std::size_t kExtensionMax = 3;
constexpr std::size_t kTildeAt = 6;
constexpr std::string_view kDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

char upper(char c) noexcept { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

bool is_plain(char c) noexcept {
  const auto u = static_cast<unsigned char>(c);
  return u > 0x20 && u < 0x7F &&
         std::string_view(".\"/\\[]:;|=,+*?<>").find(c) == std::string_view::npos;
}

bool all_plain(std::string_view part) noexcept { return std::ranges::all_of(part, is_plain); }

bool is_letter_or_digit(char c) noexcept {
  return kDigits.find(upper(c)) != std::string_view::npos;
}

std::uint64_t hash_of(std::string_view name) noexcept {  // FNV-1a, finished by a mix
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  for (const char c : name) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001B3ULL;
  }
  hash ^= hash >> 32;
  return hash * 0x9E3779B97F4A7C15ULL >> 16;
}

}  // namespace

bool is_short_name(std::string_view name) noexcept {
  const std::size_t dot = name.find('.');
  const std::string_view base = name.substr(0, dot);
  if (base.empty() || base.size() > kBaseMax || !all_plain(base)) return false;
  if (dot == std::string_view::npos) return true;
  const std::string_view extension = name.substr(dot + 1);
  return !extension.empty() && extension.size() <= kExtensionMax && all_plain(extension);
}

std::string short_name_of(std::string_view name) {
  std::string out;
  if (is_short_name(name)) {
    for (const char c : name) out.push_back(upper(c));
    return out;
  }
  const auto first = std::ranges::find_if(name, is_letter_or_digit);
  out.push_back(first != name.end() ? upper(*first) : '_');
  std::uint64_t hash = hash_of(name);
  for (std::size_t digit = 0; digit < 6; ++digit) {
    if (out.size() == kTildeAt) out.push_back('~');
    out.push_back(kDigits[hash % kDigits.size()]);
    hash /= kDigits.size();
  }
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return out;
  std::string extension;
  for (const char c : name.substr(dot + 1)) {
    if (is_letter_or_digit(c) && extension.size() < kExtensionMax) extension.push_back(upper(c));
  }
  return extension.empty() ? out : out + "." + extension;
}

bool may_be_mangled(std::string_view name) noexcept {
  return name.size() >= kBaseMax && name.size() <= kBaseMax + 1 + kExtensionMax &&
         name[kTildeAt] == '~' && (name.size() == kBaseMax || name[kBaseMax] == '.') &&
         is_short_name(name);
}

}  // namespace flotilla::ports

#include "handlers/snapshots.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <functional>

namespace flotilla::handlers {

namespace {

constexpr const char* kTokenFormat = "@GMT-%Y.%m.%d-%H.%M.%S";
constexpr std::size_t kTokenBytes = 24;

/// The whole of `text` as `format` says, UTC.
std::optional<std::time_t> time_in(const std::string& text, const char* format) {
  std::tm parts{};
  const char* const end = ::strptime(text.c_str(), format, &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return ::timegm(&parts);
}

std::string text_of(std::time_t time, const char* format) {
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  std::array<char, 1024> text{};
  return {text.data(), std::strftime(text.data(), text.size(), format, &parts)};
}

}  // namespace

std::string snapshot_directory(const std::string& pattern, NtTime when) {
  return text_of(static_cast<std::time_t>(unix_seconds_of(when)), pattern.c_str());
}

std::optional<NtTime> take_version_token(std::string& path) {
  for (std::size_t at = path.find("@GMT-"); at != std::string::npos;
       at = path.find("@GMT-", at + 1)) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    if ((at != 0 && path[at - 1] != '/') || end - at != kTokenBytes) continue;
    const auto time = time_in(path.substr(at, kTokenBytes), kTokenFormat);
    if (!time) continue;
    if (end < path.size()) {
      path.erase(at, kTokenBytes + 1);
    } else {
      path.erase(at == 0 ? 0 : at - 1);
    }
    return nt_time_of(*time, 0);
  }
  return std::nullopt;
}

Result<std::vector<std::u16string>> snapshot_tokens(ports::Backend& backend,
                                                    const ports::Credentials& who,
                                                    const std::string& pattern) {
  const std::size_t slash = pattern.rfind('/');
  const std::string parent = slash == std::string::npos ? std::string() : pattern.substr(0, slash);
  const std::string format = slash == std::string::npos ? pattern : pattern.substr(slash + 1);
  std::vector<std::u16string> tokens;
  const auto directory = backend.locate(who, parent);
  if (!directory) {
    if (directory.error() == NtStatus::ObjectNameNotFound) return tokens;
    return fail(directory.error());
  }
  auto cursor = (*directory)->list(who);
  if (!cursor) return fail(cursor.error());
  for (;;) {
    const auto entry = (*cursor)->next();
    if (!entry) return fail(entry.error());
    if (!*entry) break;
    const auto time = time_in((*entry)->name, format.c_str());
    if (!time) continue;
    const std::string token = text_of(*time, kTokenFormat);
    tokens.emplace_back(token.begin(), token.end());
  }
  std::ranges::sort(tokens, std::ranges::greater{});
  return tokens;
}

}  // namespace flotilla::handlers

#include "handlers/create/create_name.hpp"

#include <algorithm>

#include "handlers/share_path.hpp"
#include "handlers/snapshots.hpp"
#include "wire/utf16.hpp"

namespace flotilla::handlers {

namespace {

constexpr std::size_t kComponentUnitsMax = 255;
constexpr std::size_t kPathBytesMax = 4095;

bool is_forbidden(char16_t unit) noexcept {
  switch (unit) {
    case u'"':
    case u'*':
    case u'/':
    case u':':
    case u'<':
    case u'>':
    case u'?':
    case u'|':
      return true;
    default:
      return unit < 0x20;
  }
}

bool equal_ascii(std::u16string_view text, std::string_view upper) noexcept {
  if (text.size() != upper.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char16_t unit =
        text[i] >= u'a' && text[i] <= u'z' ? static_cast<char16_t>(text[i] - 32) : text[i];
    if (unit != static_cast<char16_t>(upper[i])) return false;
  }
  return true;
}

Status check_component(std::u16string_view component) {
  if (component.empty() || component.size() > kComponentUnitsMax || component == u".") {
    return fail(NtStatus::ObjectNameInvalid);
  }
  for (const char16_t unit : component) {
    if (is_forbidden(unit)) return fail(NtStatus::ObjectNameInvalid);
  }
  return {};
}

}  // namespace

Result<std::string> parse_stream_name(std::u16string_view text) {
  if (!text.starts_with(u':')) return fail(NtStatus::ObjectNameInvalid);
  text.remove_prefix(1);
  std::u16string_view name = text;
  if (const std::size_t colon = text.find(u':'); colon != std::u16string_view::npos) {
    if (!equal_ascii(text.substr(colon), ":$DATA")) return fail(NtStatus::ObjectNameInvalid);
    name = text.substr(0, colon);
  } else if (name.empty()) {
    return fail(NtStatus::ObjectNameInvalid);
  }
  if (name.size() > kComponentUnitsMax) return fail(NtStatus::ObjectNameInvalid);
  for (const char16_t unit : name) {
    if (unit == u'/' || unit == u'\\' || unit == 0) return fail(NtStatus::ObjectNameInvalid);
  }
  auto utf8 = wire::utf8_of(name);
  if (!utf8) return fail(NtStatus::ObjectNameInvalid);
  return *std::move(utf8);
}

Result<CreateName> parse_create_name(std::u16string_view given) {
  CreateName out;
  // Deviation: '/' in a path separates as '\\' does, as in Samba; nothing could be named by it.
  std::u16string slashed;
  std::u16string_view name = given;
  if (const std::u16string_view path = given.substr(0, given.find(u':'));
      path.find(u'/') != std::u16string_view::npos) {
    slashed = given;
    std::replace(slashed.begin(), slashed.begin() + static_cast<std::ptrdiff_t>(path.size()), u'/',
                 u'\\');
    name = slashed;
  }
  if (name.starts_with(u'\\')) return fail(NtStatus::InvalidParameter);
  if (name.ends_with(u'\\')) {
    name.remove_suffix(1);
    out.needs_directory = true;
  }
  if (name.empty()) return out;
  const std::size_t last = name.rfind(u'\\') == std::u16string_view::npos ? 0 : name.rfind(u'\\');
  if (const std::size_t colon = name.find(u':', last); colon != std::u16string_view::npos) {
    if (out.needs_directory) return fail(NtStatus::ObjectNameInvalid);
    auto stream = parse_stream_name(name.substr(colon));
    if (!stream) return fail(stream.error());
    out.unnamed_stream = stream->empty();
    out.stream = std::move(*stream);
    name = name.substr(0, colon);
    if (name.empty() && !out.stream.empty()) return out;  // of the share's root
  }
  std::u16string kept;
  for (std::u16string_view rest = name;;) {
    const std::size_t slash = rest.find(u'\\');
    const std::u16string_view component = rest.substr(0, slash);
    if (component == u"..") {
      if (kept.empty()) return fail(NtStatus::ObjectPathSyntaxBad);  // out of the share
      const std::size_t parent = kept.rfind(u'\\');
      kept.resize(parent == std::u16string::npos ? 0 : parent);
    } else {
      const Status good = check_component(component);
      if (!good) return fail(good.error());
      if (!kept.empty()) kept.push_back(u'\\');
      kept += component;
    }
    if (slash == std::u16string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  auto text = wire::utf8_of(kept);
  if (!text || text->size() > kPathBytesMax) return fail(NtStatus::ObjectNameInvalid);
  out.path = *std::move(text);
  for (char& c : out.path) {
    if (c == '\\') c = '/';
  }
  return out;
}

Result<bool> enter_snapshot(CreateName& name, std::optional<NtTime> version,
                            const std::string& pattern) {
  if (!pattern.empty() && !version) version = take_version_token(name.path);
  if (!version) return false;
  if (pattern.empty()) return fail(NtStatus::ObjectNameNotFound);
  std::string place = snapshot_directory(pattern, *version);
  name.path = name.path.empty() ? std::move(place) : join_path(place, name.path);
  return true;
}

}  // namespace flotilla::handlers

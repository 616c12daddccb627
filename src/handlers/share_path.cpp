#include "handlers/share_path.hpp"

#include <algorithm>

#include "handlers/wildcard.hpp"
#include "wire/utf16.hpp"

namespace flotilla::handlers {

namespace {

bool valid_component(std::u16string_view component) noexcept {
  return !component.empty() && std::ranges::all_of(component, [](char16_t c) {
    return c >= 0x20 && std::u16string_view(u"\"*/:<>?|").find(c) == std::u16string_view::npos;
  });
}

}  // namespace

Result<SharePath> parse_share_path(std::u16string_view name) {
  if (name.starts_with(u'\\')) name.remove_prefix(1);
  SharePath result;
  std::u16string_view stream;
  const std::size_t last = name.rfind(u'\\');
  const std::size_t colon = name.find(u':', last == std::u16string_view::npos ? 0 : last);
  if (colon != std::u16string_view::npos) {
    stream = name.substr(colon + 1);
    name = name.substr(0, colon);
    if (const std::size_t type = stream.find(u':'); type != std::u16string_view::npos) {
      if (fold_case(stream.substr(type + 1)) != u"$data") return fail(NtStatus::ObjectNameInvalid);
      stream = stream.substr(0, type);
    } else if (stream.empty()) {
      return fail(NtStatus::ObjectNameInvalid);
    }
    if (!stream.empty() && !valid_component(stream)) return fail(NtStatus::ObjectNameInvalid);
  }
  std::u16string_view rest = name;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(u'\\'), rest.size());
    const std::u16string_view component = rest.substr(0, end);
    if (component == u"." || component == u"..") return fail(NtStatus::ObjectPathSyntaxBad);
    if (!valid_component(component)) return fail(NtStatus::ObjectNameInvalid);
    const auto utf8 = wire::utf8_of(component);
    if (!utf8) return fail(NtStatus::ObjectNameInvalid);
    if (!result.path.empty()) result.path.push_back('/');
    result.path += *utf8;
    if (end == rest.size()) break;
    rest.remove_prefix(end + 1);
    if (rest.empty()) return fail(NtStatus::ObjectNameInvalid);  // a trailing backslash
  }
  const auto stream_utf8 = wire::utf8_of(stream);
  if (!stream_utf8) return fail(NtStatus::ObjectNameInvalid);
  result.stream = *stream_utf8;
  return result;
}

std::string_view last_component(std::string_view path) noexcept {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string join_path(std::string_view parent, std::string_view name) {
  std::string path(parent);
  if (!path.empty()) path.push_back('/');
  path += name;
  return path;
}

std::u16string wire_path(std::string_view path) {
  std::u16string wide = wire::utf16_of(path).value_or(u"");
  std::ranges::replace(wide, u'/', u'\\');
  return wide;
}

}  // namespace flotilla::handlers

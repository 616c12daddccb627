#include "handlers/share_path.hpp"

#include <algorithm>

#include "wire/utf16.hpp"

namespace flotilla::handlers {

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

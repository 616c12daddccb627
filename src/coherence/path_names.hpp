// The names that a file may have: one, or several while somebody renames it (RenameStage). A path
// in the state and in all that is made of it is these, the newest first, separated by NUL, which no
// name contains. Whoever acts on a path tries them in turn: only one leads to the file.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace flotilla::coherence {

/// Never empty: an empty path is one name, the share's root. Views into `path`.
[[nodiscard]] inline std::vector<std::string_view> names_of(std::string_view path) {
  std::vector<std::string_view> names;
  for (std::size_t end = path.find('\0'); end != path.npos; end = path.find('\0')) {
    names.push_back(path.substr(0, end));
    path.remove_prefix(end + 1);
  }
  names.push_back(path);
  return names;
}

/// Of all who rename a file at a time, more are not remembered.
inline constexpr std::size_t kNamesMax = 8;

/// The path of these names, or of the first kNamesMax of them.
/// Input   `names` is not empty
[[nodiscard]] inline std::string path_of(const std::vector<std::string_view>& names) {
  std::string path(names.front());
  for (std::size_t i = 1; i < std::min(names.size(), kNamesMax); ++i) {
    path += '\0';
    path += names[i];
  }
  return path;
}

}  // namespace flotilla::coherence

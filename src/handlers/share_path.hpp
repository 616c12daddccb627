// Names that clients send -> share-relative paths, judged once. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace flotilla::handlers {

struct SharePath {
  std::string path;    ///< UTF-8, '/'-separated, no leading slash; "" is the share's root
  std::string stream;  ///< "name" of "file:name" or "file:name:$DATA"; "" for the file itself
};

/// Spec    [MS-FSCC] 2.1.5 Pathname, 2.1.5.2 Filename, 2.1.5.3 Streamname
/// Input   a backslash-separated name; one leading backslash is forgiven
/// Errors  ObjectNameInvalid    a character that names cannot have, an empty component, a lone
///                              surrogate, a stream type other than $DATA
///         ObjectPathSyntaxBad  "." or ".." as a component
[[nodiscard]] Result<SharePath> parse_share_path(std::u16string_view name);

/// The last component of a path; "" for the root.
[[nodiscard]] std::string_view last_component(std::string_view path) noexcept;
/// `parent`/`name`, or `name` where the parent is the root.
[[nodiscard]] std::string join_path(std::string_view parent, std::string_view name);
/// UTF-16 with backslashes; empty where the path is no UTF-8.
[[nodiscard]] std::u16string wire_path(std::string_view path);

}  // namespace flotilla::handlers

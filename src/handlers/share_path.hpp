// Share-relative paths, '/'-separated UTF-8, taken apart and put on the wire. Pure.
#pragma once

#include <string>
#include <string_view>

namespace flotilla::handlers {

/// The last component of a path; "" for the root.
[[nodiscard]] std::string_view last_component(std::string_view path) noexcept;
/// `parent`/`name`, or `name` where the parent is the root.
[[nodiscard]] std::string join_path(std::string_view parent, std::string_view name);
/// UTF-16 with backslashes; empty where the path is no UTF-8.
[[nodiscard]] std::u16string wire_path(std::string_view path);

}  // namespace flotilla::handlers

// Names and share-relative paths: validity, splitting, and what "equal without case" means.
// Must not know any file system.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace flotilla::vfs {

/// `name` with simple case folding of every code point: one to one, without locale, so ß is not
/// ss and dotless ı is not i, as on NTFS. Bytes that are not UTF-8 stay as they are.
[[nodiscard]] std::string fold(std::string_view name);

[[nodiscard]] bool equal_without_case(std::string_view a, std::string_view b);

/// The same on every node and in every build.
[[nodiscard]] std::uint64_t hash_of_text(std::string_view text) noexcept;

[[nodiscard]] bool valid_utf8(std::string_view text) noexcept;

/// Whether `path` keeps ports::Backend's form.
/// Errors  ObjectPathSyntaxBad  "." or ".." as a component, a leading, trailing or doubled '/'
///         ObjectNameInvalid    a NUL byte, invalid UTF-8, a component of more than 255 bytes, or
///                              more than 4095 bytes in all
[[nodiscard]] Status check_path(std::string_view path) noexcept;

struct SplitPath {
  std::string_view parent;  ///< "" for the root
  std::string_view name;    ///< "" where the path is the root itself
};
[[nodiscard]] SplitPath split(std::string_view path) noexcept;

/// `parent`/`name`, or `name` where `parent` is the root.
[[nodiscard]] std::string join(std::string_view parent, std::string_view name);

/// Whether one of `patterns` is `name`, without case: * is any text, ? one character.
[[nodiscard]] bool matches_any(const std::vector<std::string>& patterns, std::string_view name);
/// Whether it is so for one of the path's components.
[[nodiscard]] bool component_matches(const std::vector<std::string>& patterns,
                                     std::string_view path);

/// A dot file: shown with FILE_ATTRIBUTE_HIDDEN, as Samba's `hide dot files` does by default.
[[nodiscard]] bool is_dot_file(std::string_view name) noexcept;

}  // namespace flotilla::vfs

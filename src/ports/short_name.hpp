// 8.3 names: which names are their own, and the one that any other name gets. A function of the
// name alone, so that listings, CREATE and every node agree without a table.
#pragma once

#include <string>
#include <string_view>

namespace flotilla::ports {

/// Whether `name` (UTF-8) is a short name itself. Spec [MS-FSCC] 2.1.5.2.1 8.3 Filename
[[nodiscard]] bool is_short_name(std::string_view name) noexcept;

/// The short name of `name`: itself in upper case where it is one, else "PHHHHH~H.EXT": its first
/// letter or digit, a hash in base 36, and up to three characters of its extension.
[[nodiscard]] std::string short_name_of(std::string_view name);

/// Whether `name` may be one that short_name_of made of another name: cheap, to be asked before a
/// directory is searched.
[[nodiscard]] bool may_be_mangled(std::string_view name) noexcept;

}  // namespace flotilla::ports

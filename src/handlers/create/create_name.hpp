// The name in a CREATE (and in a rename): from the wire's form to the backend's. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace flotilla::handlers {

/// `path`            '/'-separated UTF-8 as ports::Backend wants it; "" is the share's root
/// `needs_directory` the name ended in a backslash
struct CreateName {
  std::string path;
  bool needs_directory = false;
};

/// Spec    [MS-SMB2] 3.3.5.9 (Path Name Validation), 2.2.13; [MS-FSCC] 2.1.5 Pathname
/// Errors  InvalidParameter     a leading backslash
///         ObjectNameInvalid    a character that no name has, an empty component, ".", more than
///         255
///                              units in a component, a lone surrogate, a named stream (not served)
///         ObjectPathSyntaxBad  ".."
/// "name::$DATA" is the file itself.
[[nodiscard]] Result<CreateName> parse_create_name(std::u16string_view name);

}  // namespace flotilla::handlers

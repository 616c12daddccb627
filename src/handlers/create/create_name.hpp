// The name in a CREATE (and in a rename): from the wire's form to the backend's. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"

namespace flotilla::handlers {

/// `path`            '/'-separated UTF-8 as ports::Backend wants it; "" is the share's root
/// `needs_directory` the name ended in a backslash
struct CreateName {
  std::string path;
  bool needs_directory = false;
  std::string stream;           ///< a named stream, without ":$DATA"; "" for the file itself
  bool unnamed_stream = false;  ///< "::$DATA" was said: a directory will not do
};

/// Spec    [MS-SMB2] 3.3.5.9 (Path Name Validation), 2.2.13; [MS-FSCC] 2.1.5 Pathname
/// Errors  InvalidParameter     a leading backslash
///         ObjectNameInvalid    a character that no name has, an empty component, ".", more than
///                              255 units in a component, a lone surrogate, a stream of another
///                              type than $DATA
///         ObjectPathSyntaxBad  ".." leads out of the share; within it, it takes a name away
/// "name::$DATA" is the file itself. A stream's name may hold what a file's may not, but for
/// slashes and colons ([MS-FSCC] 2.1.5.3).
[[nodiscard]] Result<CreateName> parse_create_name(std::u16string_view name);

/// ":stream", ":stream:$DATA" or "::$DATA" to the stream's name, "" for the last.
/// Errors  ObjectNameInvalid
[[nodiscard]] Result<std::string> parse_stream_name(std::u16string_view text);

/// A previous version is a file of its snapshot, which nobody writes.
/// Spec    [MS-SMB2] 3.3.5.9.11 Handling the SMB2_CREATE_TIMEWARP_TOKEN Create Context
/// Input   `version` TWrp's; where there is none, an @GMT component of the name says so.
///         `pattern` ShareConfig::snapshots
/// Output  true: one was asked for, and `name` is that of its file
/// Errors  ObjectNameNotFound  the share has no snapshots
[[nodiscard]] Result<bool> enter_snapshot(CreateName& name, std::optional<NtTime> version,
                                          const std::string& pattern);

}  // namespace flotilla::handlers

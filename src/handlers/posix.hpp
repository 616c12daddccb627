// The POSIX extensions of SMB 3.1.1: modes, owners and names as they are on the server.
#pragma once

#include <optional>
#include <string_view>

#include "base/result.hpp"
#include "handlers/create/create_name.hpp"
#include "handlers/request.hpp"
#include "ports/backend.hpp"
#include "wire/fscc_directory.hpp"
#include "wire/security_descriptor.hpp"

namespace flotilla::handlers {

/// Whether the session's client uses them: the Linux kernel's client agrees on them for every
/// connection, and means it only where a share is mounted so.
[[nodiscard]] bool speaks_posix(const Request& request);
/// A CREATE came with their context: from now on the session's names mean what they say.
void learn_posix(Request& request);

[[nodiscard]] wire::PosixFacts posix_facts_of(const ports::FileFacts& facts);

/// A name with '/' between its components, each of any characters but that and NUL; streams have
/// none such. Errors  ObjectNameInvalid, ObjectPathSyntaxBad ("." and "..")
[[nodiscard]] Result<CreateName> parse_posix_name(std::u16string_view name);

/// parse_posix_name() or, where a backslash or another client says so, parse_create_name().
[[nodiscard]] Result<CreateName> parse_name(const Request& request, std::u16string_view name);

/// The mode that a client means by a DACL: its ACE of S-1-5-88-3-MODE, or what it allows the owner,
/// the group and everyone.
[[nodiscard]] std::optional<std::uint32_t> mode_meant_by(const wire::SecurityDescriptor& asked,
                                                         const wire::Sid& owner,
                                                         const wire::Sid& group);

}  // namespace flotilla::handlers

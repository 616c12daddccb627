// What macOS' client asks for beyond [MS-SMB2]: the AAPL create context, and listings that tell of
// resource forks and the Finder's information, which are the streams AFP_Resource and AFP_AfpInfo.
#pragma once

#include "handlers/access.hpp"
#include "handlers/request.hpp"
#include "wire/create_contexts.hpp"
#include "wire/fscc_directory.hpp"

namespace flotilla::handlers {

/// Answers the AAPL context where there is one that asks for the server's capabilities.
/// Effect  the tree remembers that its client wants listings with wire::MacListing in them
void answer_macos(const Request& request, const wire::CreateRequest& body,
                  wire::CreateContextList& answers);

/// What a listing tells of one file. Blocks. Zeros where it cannot be had.
[[nodiscard]] wire::MacListing mac_listing(ports::Backend& backend, const Requester& who,
                                           std::string_view path);

}  // namespace flotilla::handlers

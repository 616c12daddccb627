// The share that a TREE_CONNECT names: a configured one, or one that is its user's.
#pragma once

#include <string>

#include "base/result.hpp"
#include "runtime/task.hpp"

namespace flotilla::handlers {

struct Request;
struct Share;

/// Whether the user may use it is not asked here.
/// Output  lives as long as the server
/// Errors  BadNetworkName: there is none of that name, or the user has none; told in the log.
///         UserSessionDeleted: the session ended meanwhile
runtime::Task<Result<const Share*>> share_named(Request& request, std::string name);

}  // namespace flotilla::handlers

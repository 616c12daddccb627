// What a pipe of IPC$ is told of its caller and of the server.
#pragma once

#include "rpc/pipe_server.hpp"

namespace flotilla::handlers {

struct Request;

/// Of the request's session; on its home's thread.
[[nodiscard]] rpc::PipeContext pipe_context_of(Request& request);

}  // namespace flotilla::handlers

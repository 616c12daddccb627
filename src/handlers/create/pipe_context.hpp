// What a pipe of IPC$ is told of its caller and of the server.
#pragma once

#include "rpc/pipe_server.hpp"
#include "runtime/executor.hpp"

namespace flotilla::handlers {

struct Request;
class Server;

/// What there is of the server: for a caller who is told of elsewhere. `home` runs the pipe.
[[nodiscard]] rpc::PipeContext pipe_context_of(Server& server, runtime::Executor& home);
/// Of the request's session; on its home's thread.
[[nodiscard]] rpc::PipeContext pipe_context_of(Request& request);

}  // namespace flotilla::handlers

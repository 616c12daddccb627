// The serving end of one named pipe of IPC$: bytes in, PDUs out. Knows nothing of SMB:
// handlers/pipe turns WRITE, READ and IOCTL into these calls.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "ports/clock.hpp"
#include "ports/config.hpp"
#include "ports/identity.hpp"

namespace flotilla::rpc {

/// Who calls whom. `config` and `clock` outlive every pipe.
struct PipeContext {
  const ports::ServerConfig* config = nullptr;
  const ports::Clock* clock = nullptr;
  ports::TokenPtr caller;
  std::string peer_address;
};

/// Takes one whole PDU (one pipe message). Called on the thread that called receive(), or later on
/// the session's executor where the answer comes from elsewhere.
using ReplySink = std::move_only_function<void(Bytes pdu)>;

class PipeServer {
 public:
  virtual ~PipeServer() = default;
  /// Any number of bytes: part of a PDU, or several. The bytes are copied where they are kept.
  /// Errors  PipeDisconnected  a PDU before was no DCE/RPC: the pipe is dead
  /// Effect  what is answered at once has gone into the sink when this returns; malformed bytes are
  ///         answered by a fault or bind_nak PDU and end the pipe
  [[nodiscard]] virtual Status receive(ByteView data) = 0;
};

/// `name` without "\PIPE\", in any case of letters: "srvsvc", "wkssvc".
/// Errors  ObjectNameNotFound
/// The seam for further interfaces: rpc/endpoints.cpp lists what each pipe serves; a forwarding
/// pipe is another PipeServer.
[[nodiscard]] Result<std::unique_ptr<PipeServer>> open_pipe_server(std::string_view name,
                                                                   PipeContext context,
                                                                   ReplySink sink);
[[nodiscard]] bool pipe_exists(std::string_view name) noexcept;

}  // namespace flotilla::rpc

// The serving end of one named pipe of IPC$: bytes in, PDUs out. Knows nothing of SMB:
// handlers/pipe turns WRITE, READ and IOCTL into these calls.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "ports/accounts.hpp"
#include "ports/clock.hpp"
#include "ports/config.hpp"
#include "ports/identity.hpp"

namespace flotilla::rpc {

class HandleTable;

/// Who is connected and what is open on this node, for administrators.
struct SessionFacts {
  std::string user;
  std::string client;  ///< address
  bool guest = false;
  std::uint32_t seconds = 0;                                  ///< since the logon
  std::vector<std::pair<std::string, std::uint32_t>> shares;  ///< connected ones, with their opens
};
struct FileFacts {
  std::uint32_t id = 0;
  std::string path;
  std::string user;
  bool may_read = false;
  bool may_write = false;
};
struct Listing {
  std::vector<SessionFacts> sessions;
  std::vector<FileFacts> files;
};

/// Who calls whom. `config`, `clock` and `accounts` outlive every pipe.
struct PipeContext {
  const ports::ServerConfig* config = nullptr;
  const ports::Clock* clock = nullptr;
  ports::Accounts* accounts = nullptr;   ///< null: there are no pipes that look names up
  std::shared_ptr<HandleTable> handles;  ///< the dispatcher's own
  ports::TokenPtr caller;
  /// Makes a listing and gives it back later on the pipe's thread; empty: there is none.
  std::function<void(std::move_only_function<void(Listing)>)> list;
  /// Runs `work` where it may block, then `then` on the pipe's thread; empty: it may block here.
  std::function<void(std::move_only_function<void()> work, std::move_only_function<void()> then)>
      elsewhere;
  std::shared_ptr<const Listing> listing;  ///< the dispatcher's: of the call that is under way
  std::string peer_address;
  Bytes session_key;  ///< for forwarded pipes; may be empty
};

/// Takes one whole PDU (one pipe message); an empty one says that nothing will come any more.
/// Called on the thread that called receive(), or later on the session's executor where the answer
/// comes from elsewhere.
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

// Pipes that somebody else serves: Samba's samba-dcerpcd on this machine, or another node's. The
// port that handlers and apps meet at, and the local way.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "rpc/pipe_server.hpp"
#include "runtime/executor.hpp"

namespace flotilla::rpc {

/// Opens pipes elsewhere. Thread-safe.
class PipeForwarder {
 public:
  virtual ~PipeForwarder() = default;
  using Opened = std::move_only_function<void(Result<std::unique_ptr<PipeServer>>)>;
  /// `done` runs once, on `executor`; `sink` there too, as long as the PipeServer lives.
  /// Errors  ObjectNameNotFound   nobody serves a pipe of that name
  ///         PipeNotAvailable     its server does not answer
  ///         InsufficientResources  kForwardedMax pipes are open
  virtual void open(const std::string& name, PipeContext context, runtime::Executor& executor,
                    ReplySink sink, Opened done) = 0;
  /// True: `name` goes here even where this server could serve it itself.
  [[nodiscard]] virtual bool takes(std::string_view) const noexcept { return false; }
};

inline constexpr std::size_t kForwardedMax = 512;

/// What Samba's server wants to know of a caller, as bytes.
/// Spec    librpc/idl/named_pipe_auth.idl of Samba 4.16 to 4.20: named_pipe_auth_req, level 7
/// Input   the token's own uid and gid; the session key for those operations that seal with it
[[nodiscard]] Bytes encode_named_pipe_auth(const PipeContext& context);
/// Errors  BadValue: no "NPAM", another level; the NTSTATUS that it carries otherwise
[[nodiscard]] Status check_named_pipe_auth_reply(ByteView reply);
inline constexpr std::size_t kNamedPipeAuthReplyBytes = 36;

/// After the greeting each message of the pipe has its length in front, 16 bits, little-endian,
/// both ways: Samba's libcli/named_pipe_auth for a pipe in message mode.
///
/// The local one: `directory` is samba-dcerpcd's "ncalrpc dir"; each pipe is a socket in its np/.
/// A pipe has a thread of its own, which connects the two streams and ends with the pipe.
[[nodiscard]] std::shared_ptr<PipeForwarder> make_local_forwarder(std::filesystem::path directory);

}  // namespace flotilla::rpc

// One request on its way through a handler: what every handler gets, and how it answers.
// The dispatcher (channel.cpp) makes it, verifies the signature, finds session and tree, calls the
// handler of the command and sends what comes back. Handlers run on the session's home executor.
#pragma once

#include <functional>
#include <memory>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "crypto/signing.hpp"
#include "runtime/task.hpp"
#include "session/session.hpp"
#include "wire/smb2_header.hpp"

namespace flotilla::handlers {

class Server;
class ServerChannel;
class ReplyFrame;  // handlers/reply.hpp
struct ChannelSession;

/// Offset of the SMB2 header in `Request::out`: the frame's length comes before it.
inline constexpr std::size_t kFramePrefixBytes = 4;
inline constexpr std::size_t kBodyOffset = kFramePrefixBytes + 64;

/// What one request of a compound hands to the next related one ([MS-SMB2] 3.3.5.2.7.2).
struct Chain {
  SessionId session;
  TreeId tree;
  FileId file = kRelatedFileId;
  NtStatus status = NtStatus::Success;  ///< of the last request; an error of CREATE fails the rest
};

/// Lives for the whole handler coroutine, at one address. `message` is valid as long as it lives.
struct Request {
  Server& server;
  std::shared_ptr<ServerChannel> channel;
  std::shared_ptr<session::Session> session;  ///< null before SESSION_SETUP has made one
  std::shared_ptr<session::Tree> tree;        ///< null for commands that need none
  wire::Smb2Header header;
  ByteView message;  ///< this request from its header to its end
  Chain& chain;
  bool related = false;
  bool last_in_compound = true;
  /// The answer: kFramePrefixBytes + 64 zero bytes, then the body that the handler appends. A
  /// handler that returns an error and has appended nothing gets the SMB2 ERROR Response made for
  /// it.
  Bytes out;

  /// The open that `id` names (with kRelatedFileId: the chain's), of this session and tree.
  /// Errors  FileClosed. Sets chain.file. Spec [MS-SMB2] 3.3.5.2.7.2 and each command's section
  [[nodiscard]] Result<std::shared_ptr<session::Open>> find_open(const FileId& id);

  /// Tells the client that the answer will take a while: sends the interim STATUS_PENDING response
  /// once, and makes the request cancellable: `on_cancel` runs on this executor when CANCEL names
  /// it or the connection goes. Spec [MS-SMB2] 3.3.4.2 Sending an Interim Response
  void go_async(std::function<void()> on_cancel);

  /// The executor this request's session lives on.
  [[nodiscard]] runtime::Executor& executor() const;

  /// A CREATE that its client may replay through another channel goes on without the connection
  /// that it came by, as long as the session has one. Spec [MS-SMB2] 3.3.5.9.10
  bool outlives_channel = false;

  /// After a co_await: false where the session, its tree or the connection has gone meanwhile, so
  /// that nothing new may be hung on them.
  [[nodiscard]] bool alive() const;

  // The dispatcher's own:
  ReplyFrame* reply = nullptr;
  std::shared_ptr<const crypto::Signer> signer;  ///< verified the request; signs the answer
  bool sealed = false;  ///< came sealed; its answer leaves sealed and unsigned
  bool is_async = false;
  bool credits_granted = false;  ///< by the interim response
};

/// A handler's verdict. Warnings and successes need a body in `out`; errors may leave it empty.
using HandlerTask = runtime::Task<NtStatus>;

// One per command; each in its own file.
HandlerTask handle_session_setup(Request& request);
HandlerTask handle_logoff(Request& request);
HandlerTask handle_tree_connect(Request& request);
HandlerTask handle_tree_disconnect(Request& request);
HandlerTask handle_create(Request& request);
HandlerTask handle_close(Request& request);
HandlerTask handle_flush(Request& request);
HandlerTask handle_read(Request& request);
HandlerTask handle_write(Request& request);
HandlerTask handle_lock(Request& request);
HandlerTask handle_ioctl(Request& request);
HandlerTask handle_echo(Request& request);
HandlerTask handle_query_directory(Request& request);
HandlerTask handle_change_notify(Request& request);
HandlerTask handle_query_info(Request& request);
HandlerTask handle_set_info(Request& request);
HandlerTask handle_oplock_break(Request& request);

}  // namespace flotilla::handlers

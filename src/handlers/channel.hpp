// ServerChannel: one client connection's sessions on one shard: verifies, dispatches and answers
// what arrives. Must not know sockets, nor what a command means.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "crypto/preauth.hpp"
#include "crypto/signing.hpp"
#include "handlers/reply.hpp"
#include "handlers/request.hpp"
#include "handlers/server.hpp"
#include "ports/channel.hpp"
#include "session/compound.hpp"
#include "session/credits.hpp"
#include "session/session.hpp"

namespace flotilla::handlers {

/// A session as this connection sees it: [MS-SMB2] 3.3.1.8 with its 3.3.1.14 Channel.
struct ChannelSession {
  std::shared_ptr<session::Session> session;
  std::shared_ptr<const crypto::Signer> signer;   ///< null: cannot sign (yet)
  std::shared_ptr<ports::AuthExchange> exchange;  ///< an authentication is under way
  crypto::PreauthHash preauth;                    ///< [MS-SMB2] 3.3.1.16 PreauthSession
  bool busy = false;                              ///< a SESSION_SETUP is being carried out
  bool binding = false;  ///< this connection is not yet a channel of the session: 3.3.5.5
};

/// Requests start in the order of their arrival; each runs until its first suspension before the
/// next one starts. Thread: the channel's executor, for everything.
/// The front has checked MessageIds against the connection's window (session::MessageWindow), since
/// it alone sees all of them.
class ServerChannel final : public ports::Channel,
                            public std::enable_shared_from_this<ServerChannel> {
 public:
  ServerChannel(Server& server, ports::ConnectionFacts facts, runtime::Executor& executor,
                std::uint16_t shard, std::shared_ptr<ports::FrameSink> sink);
  ~ServerChannel() override;

  void on_frame(Bytes frame) override;
  void on_closed() override;

  [[nodiscard]] const ports::ConnectionFacts& facts() const noexcept { return facts_; }
  [[nodiscard]] runtime::Executor& executor() const noexcept { return executor_; }
  [[nodiscard]] std::uint16_t shard() const noexcept { return shard_; }
  [[nodiscard]] Server& server() const noexcept { return server_; }
  [[nodiscard]] bool closed() const noexcept { return sink_ == nullptr; }
  [[nodiscard]] std::size_t queued_bytes() const noexcept {
    return sink_ ? sink_->queued_bytes() : 0;
  }
  [[nodiscard]] std::size_t async_count() const noexcept { return async_.size(); }

  [[nodiscard]] std::shared_ptr<ChannelSession> find_session(SessionId id) const;
  [[nodiscard]] const std::map<SessionId, std::shared_ptr<ChannelSession>>& sessions()
      const noexcept {
    return sessions_;
  }
  void add_session(std::shared_ptr<ChannelSession> entry);
  /// Ends a session on all its channels: its waiting requests are cancelled, its opens closed, its
  /// trees gone. Done when the engine has confirmed every Close and what was to be deleted is. Spec
  /// [MS-SMB2] 3.3.7.1 Handling Loss of a Connection, 3.3.5.6
  runtime::Task<void> close_session(SessionId id);
  /// The same without a channel at hand. Calls: the session's home executor
  static runtime::Task<void> end_session(Server& server, runtime::Executor& executor,
                                         std::shared_ptr<session::Session> session);
  /// Takes back add_session() of a binding that failed.
  void forget_session(SessionId id) { sessions_.erase(id); }
  /// Ends a tree connect with its opens. Spec [MS-SMB2] 3.3.5.8
  runtime::Task<void> close_tree(std::shared_ptr<session::Session> session, TreeId id);

  /// Sends a message that answers nothing: OPLOCK_BREAK notifications ([MS-SMB2] 3.3.4.6, 3.3.4.7).
  /// `frame`: prefix, a header that is filled in here, the body. `sealing` null: in the clear.
  void send_notification(Bytes frame, SessionSealing* sealing);
  void disconnect(std::string_view reason);

  std::uint8_t read_padding = 0;  ///< handlers/torture_fsctls.hpp

  void begin_async(Request& request, std::function<void()> on_cancel);

 private:
  struct AsyncEntry {
    SessionId session;
    TreeId tree;
    std::function<void()> on_cancel;
    bool outlives_channel = false;
  };
  static runtime::Task<void> process(std::shared_ptr<ServerChannel> self, Bytes frame);
  runtime::Task<NtStatus> carry_out(Request& request, const session::CompoundPart& part);
  /// Opens a sealed frame in place. The part of `frame` that is SMB2; nothing: disconnected.
  [[nodiscard]] std::optional<ByteView> unseal(Bytes& frame, ReplyFrame& reply);
  [[nodiscard]] NtStatus verify(Request& request);
  [[nodiscard]] NtStatus locate(Request& request);
  void finish(Request& request, NtStatus status);
  void cancel(const wire::Smb2Header& header, ByteView message, bool sealed);
  /// A busy machine may be late to prove that this node is in the pool: that is a delay to its
  /// clients. Who is out of it for good ends its connections (Front::set_serving).
  void wait_to_serve(std::chrono::milliseconds patience);
  void take_held_back();
  void cancel_where(const std::function<bool(const AsyncEntry&)>& which);
  [[nodiscard]] bool has_valid_session() const;

  Server& server_;
  const ports::ConnectionFacts facts_;
  runtime::Executor& executor_;
  const std::uint16_t shard_;
  bool after_cancel_ = false;               ///< a cancelled request is about to be answered
  bool waits_to_serve_ = false;             ///< the node may not serve just now
  std::vector<Bytes> held_back_;            ///< what came behind that CANCEL, or meanwhile
  std::shared_ptr<ports::FrameSink> sink_;  ///< null once the connection is gone
  session::CreditGranter credits_;
  std::map<SessionId, std::shared_ptr<ChannelSession>> sessions_;
  std::unordered_map<std::uint64_t, AsyncEntry> async_;  ///< by MessageId, which is the AsyncId too
};

}  // namespace flotilla::handlers

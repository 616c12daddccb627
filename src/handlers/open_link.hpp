// OpenLink: what the engine tells an open out of the blue, brought to the executor of the session
// that has the open, and from there to the client. A detached open has no client to ask; the engine
// knows.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "ports/engine.hpp"
#include "runtime/executor.hpp"
#include "session/session.hpp"

namespace flotilla::handlers {

class Server;
class ServerChannel;

/// Calls   any thread, unless said otherwise
class OpenLink final : public ports::OpenEvents, public std::enable_shared_from_this<OpenLink> {
 public:
  explicit OpenLink(const std::shared_ptr<ServerChannel>& channel);

  void on_break(const coherence::Break& what) override;
  void on_revoked(coherence::RevokeReason reason) override;

  /// The engine has answered. Calls  in the order of the file's breaks
  void granted() { granted_.store(true, std::memory_order_release); }
  /// A break of its lease that is told through another open, while this one is being made: the
  /// CREATE response will know of it.
  void hear_early(const coherence::Break& what);
  /// What was heard so, between the grant and the response: the lease as it is by now.
  void take_in_early(coherence::Opened& opened);
  /// The open is in `session`: breaks that came before are delivered after the CREATE response,
  /// through `channel` where it lives, else through another one of the session.
  /// Calls   the executor of `channel`
  void attach(const std::shared_ptr<session::Open>& open,
              const std::shared_ptr<session::Session>& session,
              const std::shared_ptr<ServerChannel>& channel);
  /// The open waits for its client in DurableOpens.
  void detach();
  /// A client has come for it; what arrives until attach() is kept for it.
  void begin_attach();
  /// True once the engine has fenced the open; the CREATE under way must not hand it out.
  [[nodiscard]] bool revoked() const noexcept { return revoked_.load(std::memory_order_acquire); }
  [[nodiscard]] bool attached() const;

  /// A channel has gone: a break that was sent through it and not answered goes to another one.
  /// Calls   the session's executor. Spec [MS-SMB2] 3.3.4.6, 3.3.4.7 (the next channel)
  void retry_break(const ServerChannel* gone);
  /// The client has answered. Calls as above
  void acknowledged() { unanswered_.reset(); }

  struct Home {
    std::shared_ptr<session::Session> session;  ///< null where it has gone
    std::shared_ptr<session::Open> open;        ///< null before the first attach()
    runtime::Executor* executor = nullptr;
    bool detached = false;
  };
  [[nodiscard]] Home home() const;

 private:
  enum class State : std::uint8_t { Early, Attached, Detached };
  void post(const coherence::Break& what);
  void deliver(const coherence::Break& what);
  static void learn(session::Session& session, const coherence::Break& what);
  void tell_client(session::Session& session, session::Open& open, const coherence::Break& what);
  void drop(coherence::RevokeReason reason);
  runtime::Executor& executor() const;

  Server& server_;
  const ClientGuid client_;
  mutable std::mutex mutex_;  ///< guards the next six; never held in a call that leaves this class
  std::weak_ptr<ServerChannel> channel_;  ///< that the open was made on
  std::weak_ptr<session::Session> session_;
  runtime::Executor* executor_;
  std::weak_ptr<session::Open> open_;
  State state_ = State::Early;
  std::vector<coherence::Break> early_;
  std::atomic<bool> revoked_{false};
  std::atomic<bool> granted_{false};
  std::atomic<std::uint32_t> posted_{0};  ///< breaks on their way to the executor
  struct Unanswered {
    const ServerChannel* through = nullptr;  ///< an identity only
    coherence::Break what;
  };
  std::optional<Unanswered> unanswered_;  ///< the session's executor only
};

/// Caching rights as the wire's oplock level; a lease is told elsewhere.
[[nodiscard]] std::uint8_t oplock_level_of(coherence::CacheRights rights) noexcept;

}  // namespace flotilla::handlers

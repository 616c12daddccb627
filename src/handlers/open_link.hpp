// OpenLink: what the engine tells an open out of the blue, brought to the session's executor and
// from there to the client.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "ports/engine.hpp"
#include "runtime/executor.hpp"
#include "session/session.hpp"

namespace flotilla::handlers {

class ServerChannel;

class OpenLink final : public ports::OpenEvents, public std::enable_shared_from_this<OpenLink> {
 public:
  explicit OpenLink(std::shared_ptr<ServerChannel> channel);

  void on_break(const coherence::Break& what) override;
  void on_revoked(coherence::RevokeReason reason) override;

  /// The open is in its session: breaks that came before are delivered after the CREATE response.
  /// Calls   the executor
  void attach(std::shared_ptr<session::Open> open);
  /// True once the engine has fenced the open; the CREATE under way must not hand it out.
  [[nodiscard]] bool revoked() const noexcept { return revoked_.load(std::memory_order_acquire); }

 private:
  void deliver(const coherence::Break& what);

  std::weak_ptr<ServerChannel> channel_;
  runtime::Executor& executor_;
  std::weak_ptr<session::Open> open_;
  bool attached_ = false;
  std::vector<coherence::Break> early_;
  std::atomic<bool> revoked_{false};
};

/// Caching rights as the wire's oplock level; a lease is told elsewhere.
[[nodiscard]] std::uint8_t oplock_level_of(coherence::CacheRights rights) noexcept;

}  // namespace flotilla::handlers

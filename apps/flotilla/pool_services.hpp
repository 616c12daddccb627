// PoolServices: what the nodes of a pool tell each other about clients: changes that somebody on
// another node watches, and sessions that a client has given up. Must not know files' state.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "handlers/notify_hub.hpp"
#include "handlers/server.hpp"
#include "pool/pool_engine.hpp"

namespace flotilla::app {

/// A share costs messages only while another node has a watch on it: each node tells all others
/// which of its shares are watched, again after every view change. Thread-safe.
class PoolServices final : public handlers::NotifyRelay {
 public:
  /// Registers with both; call before the engine starts. Outlives the server, which calls it; does
  /// nothing of its own once the engine has stopped.
  PoolServices(handlers::Server& server, pool::PoolEngine& engine, NodeId self);

  void on_view(const pool::View& view);

  // handlers::NotifyRelay
  [[nodiscard]] bool wanted(const void* share) override;
  void changed(const void* share, std::string_view path, wire::NotifyAction action,
               std::uint32_t filter) override;
  void renamed(const void* share, std::string_view from, std::string_view to,
               bool directory) override;
  void delete_pending(const void* share, std::string_view path) override;
  void watching(const void* share, bool on) override;

 private:
  struct Message;
  [[nodiscard]] Bytes receive(NodeId from, ByteView request);
  [[nodiscard]] Bytes close_session(ByteView request);
  void ask_to_close(NodeId node, Bytes request, int tries_left,
                    std::shared_ptr<std::move_only_function<void()>> done);
  void tell(const std::vector<NodeId>& nodes, const Message& message);
  [[nodiscard]] std::vector<NodeId> interested_in(const void* share) const;

  handlers::Server& server_;
  pool::PoolEngine& engine_;
  const NodeId self_;
  std::atomic<bool> any_interest_{false};  ///< some other node watches something
  mutable std::mutex mutex_;
  std::set<NodeId> members_;                          ///< without this node
  std::map<NodeId, std::set<std::string>> interest_;  ///< which shares other nodes watch, by name
  std::set<const void*> own_;                         ///< which shares this node watches
};

}  // namespace flotilla::app

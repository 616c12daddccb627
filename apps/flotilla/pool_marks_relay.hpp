// PoolMarksRelay: brings the marks of this node's PoolMarks to the other nodes of the pool, and
// breaks the directory leases that a lost node may not have told of its last changes.
#pragma once

#include "handlers/server.hpp"
#include "pool/pool_engine.hpp"

namespace flotilla::app {

class PoolMarksRelay final : public handlers::MarkRelay {
 public:
  /// Registers with both; call before the engine starts. Outlives the server's requests.
  PoolMarksRelay(handlers::Server& server, pool::PoolEngine& engine, NodeId self);

  void on_view(const pool::View& view);

  // handlers::MarkRelay
  [[nodiscard]] bool settled() override;
  void tell(NodeId to, const handlers::MarkNote& note,
            std::move_only_function<void()> done) override;
  void pull(NodeId from,
            std::move_only_function<void(std::optional<handlers::MarkList>)> done) override;

 private:
  [[nodiscard]] Bytes receive(NodeId from, ByteView request);

  handlers::Server& server_;
  pool::PoolEngine& engine_;
  const NodeId self_;
};

}  // namespace flotilla::app

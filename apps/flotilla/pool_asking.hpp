// PoolAsking: carries handlers::PoolQueries from node to node.
#pragma once

#include "handlers/pool_queries.hpp"
#include "handlers/server.hpp"
#include "pool/pool_engine.hpp"

namespace flotilla::app {

class PoolAsking final : public handlers::PoolQueries {
 public:
  /// Registers with both; call before the engine starts. Outlives the server's requests.
  PoolAsking(handlers::Server& server, pool::PoolEngine& engine, NodeId self);

  // handlers::PoolQueries
  void opens_below(const handlers::Share& share, const std::string& path,
                   std::move_only_function<void(std::vector<FileKey>)> done) override;
  void renamed(const FileKey& file, const std::string& path,
               std::move_only_function<void()> done) override;
  void delete_pending(const FileKey& file, bool pending,
                      std::move_only_function<void()> done) override;
  void find_lease(const std::vector<NodeId>& nodes, const ClientGuid& client, const LeaseKey& key,
                  std::move_only_function<void(std::vector<handlers::LeasePlace>)> done) override;

 private:
  struct Round;
  [[nodiscard]] Bytes answer(ByteView request);
  [[nodiscard]] std::vector<NodeId> others() const;
  void ask(const std::vector<NodeId>& nodes, const Bytes& question,
           std::move_only_function<void(std::vector<Bytes>)> done);

  handlers::Server& server_;
  pool::PoolEngine& engine_;
  const NodeId self_;
};

}  // namespace flotilla::app

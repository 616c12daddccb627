// This machine as a node of a pool: engine, membership, where sessions go, the moving address.
#pragma once

#include <array>
#include <expected>
#include <memory>
#include <string>

#include "flotilla/app_config.hpp"
#include "front/address/address_keeper.hpp"
#include "front/front.hpp"
#include "handlers/server.hpp"
#include "pool/pool_engine.hpp"
#include "rpc/forward.hpp"
#include "runtime/shard_group.hpp"

namespace flotilla::app {

class PoolNode {
 public:
  /// Reads the key and finds corosync. The text says what is missing and what to do.
  /// Input   `ids`: of ids_text(); a node whose ids are not those of the pool's oldest member ends
  ///         (refused()), so that no user is two
  [[nodiscard]] static std::expected<std::unique_ptr<PoolNode>, Message> open(
      const PoolConfig& config, std::string ids, const coherence::Limits& limits,
      const ports::Clock& clock, std::chrono::nanoseconds poll_window);
  ~PoolNode();

  [[nodiscard]] NodeId self() const noexcept;
  [[nodiscard]] ByteView key() const noexcept;
  [[nodiscard]] std::shared_ptr<ports::Engine> engine() const;
  [[nodiscard]] const pool::PoolEngine& pool_engine() const;
  [[nodiscard]] front::Placement& placement();
  [[nodiscard]] bool holds_address() const;
  [[nodiscard]] bool refused() const;  ///< SIGTERM was raised for it

  /// Fills in what a node's front needs beside its own addresses.
  void prepare(front::FrontOptions& options);
  /// Connects clients' notifications and sessions with those of the other nodes; before start().
  /// `server` outlives stop().
  void serve(handlers::Server& server);
  /// Pipes of all nodes go to `target`, which serves them with `local` (null: nothing) on `shards`;
  /// before start(). All three outlive stop().
  struct PipeTarget {
    NodeId node;
    bool all_pipes = false;
  };
  void relay_pipes(handlers::Server& server, runtime::ShardGroup& shards,
                   std::shared_ptr<rpc::PipeForwarder> local, PipeTarget target);
  /// Joins; from now on views reach `front`, which is told not to serve until the first quorate
  /// one.
  [[nodiscard]] std::expected<void, Message> start(front::Front& front);
  /// Gives the address back; the first step of a clean end.
  void leave();
  void stop();

  struct Impl;

 private:
  explicit PoolNode(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace flotilla::app

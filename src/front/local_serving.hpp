// LocalServing: the channels of one client connection on this node, one per shard that has sessions
// of it. Own shard: a call. Other shards: posted, with the channel and its sink made over there.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "front/core.hpp"

namespace flotilla::front {

class LocalServing {
 public:
  static constexpr std::size_t kBacklogHighBytes = 16U << 20;
  static constexpr std::size_t kBacklogLowBytes = 2U << 20;

  LocalServing(ShardState& home, std::shared_ptr<OutletRef> outlet);
  ~LocalServing();

  /// Hands a frame (no length in front) to the channel of `shard`, which is below shard_count().
  /// `facts.extra_credits` goes to the first channel that is opened; the others get none.
  void deliver(ports::ConnectionFacts& facts, std::uint8_t shard, Bytes frame);

  /// A shard for a new session: the connection's own first, then the one to which this connection
  /// gave the fewest.
  [[nodiscard]] std::uint8_t choose_shard();
  [[nodiscard]] std::size_t shard_count() const noexcept;

  /// True where other shards lag behind; Outlet::caught_up() comes when they do not any more.
  [[nodiscard]] bool lagging();

  /// Tells every channel that the connection is gone.
  void close();

 private:
  struct Away;
  ShardState& home_;
  std::shared_ptr<OutletRef> outlet_;
  std::shared_ptr<ports::Channel> channel_;
  std::vector<std::shared_ptr<Away>> away_;       ///< by shard; empty until one is needed
  std::vector<std::uint32_t> sessions_assigned_;  ///< by shard
  bool closed_ = false;
};

}  // namespace flotilla::front

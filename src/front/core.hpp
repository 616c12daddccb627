// What the parts of one front share. Internal to this folder.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "front/frame_socket.hpp"
#include "front/front.hpp"
#include "front/placement.hpp"

namespace flotilla::front {

class ClientConnection;
class LinkServer;
struct Core;

/// Frames between nodes and after authentication: the largest WRITE and what surrounds it.
inline constexpr std::uint32_t kFrameSlackBytes = 64U << 10;
/// Before a session is set up on the connection.
inline constexpr std::uint32_t kUnauthenticatedFrameBytesMax = 64U << 10;

/// One shard's connections. Touched on its thread only.
struct ShardState {
  ShardState(Core& its_core, std::uint16_t its_index, runtime::IoExecutor& its_executor)
      : core(its_core), index(its_index), executor(its_executor) {}
  Core& core;
  const std::uint16_t index;
  runtime::IoExecutor& executor;
  std::unordered_set<std::shared_ptr<ClientConnection>> clients;
  std::unordered_set<std::shared_ptr<LinkServer>> links;
  runtime::TimerId sweep;
  bool stopped = false;
};

struct Core {
  Core(FrontOptions its_options, const ports::ServerConfig& its_config,
       runtime::ShardGroup& its_shards, ports::ChannelServer& its_server,
       ports::Identity& its_identity, ports::Clock& its_clock, ports::Entropy& its_entropy,
       Placement& its_placement);

  const FrontOptions options;
  const ports::ServerConfig config;
  runtime::ShardGroup& shards;
  ports::ChannelServer& server;
  ports::Identity& identity;
  ports::Clock& clock;
  ports::Entropy& entropy;
  Placement& placement;
  std::vector<std::unique_ptr<ShardState>> shard_states;

  SessionSpread spread;
  RelayCounters relay;
  std::atomic<bool> serving{true};
  std::atomic<std::uint64_t> next_connection{0};
  std::atomic<std::uint32_t> connections{0};
  std::atomic<std::uint32_t> links_out{0};
  std::atomic<std::uint32_t> links_in{0};
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::uint64_t> ended_for_cause{0};
  std::atomic<std::uint64_t> relayed_bytes_in{0};
  std::atomic<std::uint64_t> relayed_bytes_out{0};

  [[nodiscard]] std::uint32_t frame_bytes_max() const noexcept {
    return config.transaction_bytes_max + kFrameSlackBytes;
  }
  [[nodiscard]] std::uint16_t self16() const noexcept {
    return static_cast<std::uint16_t>(options.self.raw());
  }
};

/// Where a connection's answers go: the client's socket, or the link to its front. Home thread
/// only.
class Outlet {
 public:
  virtual ~Outlet() = default;
  virtual void answer(Bytes frame) = 0;
  /// Ends the client's connection; returns at once, the ends of channels come from the queue.
  virtual void end(std::string_view reason) = 0;
  /// Another shard has caught up with what was handed to it.
  virtual void caught_up() = 0;
};

/// Outlives the connection for the sinks that still point to it.
struct OutletRef {
  Outlet* outlet = nullptr;  ///< home thread only; null once the connection has ended
  std::shared_ptr<FrameSocket> socket;
};

}  // namespace flotilla::front

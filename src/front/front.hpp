// The front: owns clients' TCP connections, answers NEGOTIATE, and hands every request to the home
// of its session: this shard, another shard, or another node over a link. See README.md in this
// folder for the rules of several nodes on one connection. Must not know what a request means
// beyond its header.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "front/placement.hpp"
#include "ports/channel.hpp"
#include "ports/clock.hpp"
#include "ports/config.hpp"
#include "ports/identity.hpp"
#include "runtime/shard_group.hpp"

namespace flotilla::front {

/// A numeric IPv4 or IPv6 address and a port; port 0 lets the kernel choose.
struct ListenAddress {
  std::string host = "0.0.0.0";
  std::uint16_t port = 445;
};

/// One client connection to the pool's address, for the nodes that may take it over.
struct ConnectionTuple {
  std::string client_host;
  std::uint16_t client_port = 0;
  std::string server_host;
  std::uint16_t server_port = 0;
  friend auto operator<=>(const ConnectionTuple&, const ConnectionTuple&) = default;
};

struct FrontOptions {
  NodeId self{1};
  std::vector<ListenAddress> listen;
  /// Where other nodes' fronts reach this one; nothing on a single node.
  std::optional<ListenAddress> link_listen;
  std::array<std::uint8_t, 32> pool_key{};  ///< proves membership on links
  /// The address that moves. Clients that come to it are spread over the view; clients of any other
  /// address are served here. Empty: none is spread, unless `spread_all`.
  std::string pool_address;
  bool spread_all = false;  ///< spread clients of every address (tests; a load balancer in front)
  bool encryption = false;  ///< offer ciphers in NEGOTIATE
  bool multichannel = false;
  /// Called on shard threads when a client of the pool's address comes (true) and goes (false).
  std::function<void(const ConnectionTuple&, bool)> on_pool_connection;
  std::chrono::milliseconds link_timeout{3000};    ///< connect and handshake
  std::chrono::milliseconds stall_timeout{60000};  ///< a frame or an answer without any progress
};

struct FrontStats {
  std::uint32_t connections = 0;  ///< clients' connections now
  std::uint32_t links_out = 0;
  std::uint32_t links_in = 0;
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;                        ///< over connections_max, or while not serving
  std::uint64_t ended_for_cause = 0;                ///< disconnected with a log line that says why
  std::uint64_t relayed_bytes_in = 0;               ///< clients to other nodes
  std::uint64_t relayed_bytes_out = 0;              ///< other nodes to clients
  std::uint64_t spliced_bytes = 0;                  ///< of both, what never came to user space
  std::map<NodeId, std::uint32_t> sessions;         ///< assigned by this front, alive
  std::map<NodeId, std::uint64_t> sessions_routed;  ///< assigned since the start
};

class Front {
 public:
  /// Everything is borrowed and outlives the front; `shards` runs from before start() to after
  /// stop(). `config` is copied.
  Front(FrontOptions options, const ports::ServerConfig& config, runtime::ShardGroup& shards,
        ports::ChannelServer& server, ports::Identity& identity, ports::Clock& clock,
        ports::Entropy& entropy, Placement& placement);
  ~Front();  ///< stop()
  Front(const Front&) = delete;
  Front& operator=(const Front&) = delete;

  /// Binds and listens. On error nothing listens; the text names address and errno. Not from a
  /// shard. Serving starts as true.
  [[nodiscard]] std::expected<void, std::string> start();
  /// Ends every connection and joins their ends: channels have had on_closed(). Not from a shard.
  void stop();

  /// False: ends all clients and links and refuses new ones, until true. Any thread. Returns at
  /// once.
  void set_serving(bool serving);
  /// The view changed: links from and to nodes that left are ended, and with them the client
  /// connections that had sessions there. Any thread. Returns at once.
  void view_changed();

  /// This node lost the pool's address while it lives on: ends the clients that came to it, before
  /// they wait for a server that they cannot reach any more. Any thread. Returns at once.
  void end_pool_address_clients();

  /// What the kernel bound, in the order of options.listen.
  [[nodiscard]] std::uint16_t port(std::size_t index = 0) const;
  [[nodiscard]] std::uint16_t link_port() const;
  [[nodiscard]] FrontStats stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace flotilla::front

// AddressKeeper: puts the pool's address on this node or takes it away, and makes everybody notice:
// gratuitous ARP (IPv6: unsolicited neighbour advertisement) for the network, tickle ACKs for the
// clients of the node that had it. Linux only; needs CAP_NET_ADMIN and CAP_NET_RAW. Must not know
// who decides where the address belongs.
#pragma once

#include <cstdint>
#include <expected>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "front/front.hpp"

namespace flotilla::front {

struct PoolAddress {
  std::string host;              ///< numeric, "10.77.0.100"
  std::uint8_t prefix_bits = 0;  ///< 0: that of the interface's subnet that contains it
  std::string interface;         ///< empty: the one whose subnet contains the address
};

/// Thread-safe; calls do short system calls only.
class AddressKeeper {
 public:
  explicit AddressKeeper(PoolAddress address);

  /// Adds the address (having it already is fine), announces it three times, and sends a tickle ACK
  /// to every client learned.
  /// Errors  a text that names the step, the address and errno
  [[nodiscard]] std::expected<void, std::string> take();
  /// Removes the address; not having it is fine. Call before the process ends and once at its
  /// start: a crashed predecessor may have left it.
  [[nodiscard]] std::expected<void, std::string> drop();
  /// Keeps the address for another kAddressLifetimeSeconds; to be called at least twice as often,
  /// and only by a node that may serve. The kernel removes the address of a daemon that stopped
  /// calling: one that was killed, or hangs. No effect where not held.
  void refresh();
  /// Announces and tickles again (a client's answer may have been lost). No effect where not held.
  void announce();

  /// What other nodes' fronts published (FrontOptions::on_pool_connection): a client connection to
  /// the pool's address came (true) or went (false).
  void learn(const ConnectionTuple& connection, bool alive);
  /// The published connections, for a node that joins later.
  [[nodiscard]] std::set<ConnectionTuple> known() const;

  [[nodiscard]] bool held() const;

 private:
  [[nodiscard]] std::expected<int, std::string> find_interface(std::uint8_t& prefix_bits) const;
  void announce_on(int interface_index) const;
  void tickle() const;

  const PoolAddress address_;
  mutable std::mutex mutex_;
  std::set<ConnectionTuple> known_;
  bool held_ = false;
  int interface_index_ = 0;
  std::uint8_t prefix_bits_ = 0;
};

}  // namespace flotilla::front

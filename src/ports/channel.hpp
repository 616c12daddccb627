// The seam between the front, which owns a client's TCP connection, and the server that carries out
// its sessions' requests: in one process a call, between nodes a TCP link (front/). Plain SMB2
// passes.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "runtime/executor.hpp"

namespace flotilla::ports {

/// What the front learned in NEGOTIATE, told once ahead of the first frame ([MS-SMB2] 3.3.1.7
/// Per Transport Connection). Encoded between nodes by front/facts_codec.
struct ConnectionFacts {
  ConnectionId id;            ///< unique in the pool
  NodeId front;               ///< the node that holds the socket
  std::uint16_t dialect = 0;  ///< 0x0202 .. 0x0311
  ClientGuid client_guid;
  std::uint32_t client_capabilities = 0;
  std::uint32_t server_capabilities = 0;  ///< as answered
  std::uint16_t client_security_mode = 0;
  std::uint16_t server_security_mode = 0;
  std::vector<std::uint16_t> client_dialects;  ///< for VALIDATE_NEGOTIATE_INFO
  std::uint16_t signing_algorithm = 0;         ///< 0 HMAC-SHA256, 1 AES-CMAC, 2 AES-GMAC
  std::uint16_t cipher = 0;                    ///< 0 none
  std::vector<std::uint16_t> compression;
  bool compression_chained = false;
  bool posix = false;                           ///< the POSIX extensions were agreed on
  std::array<std::uint8_t, 64> preauth_hash{};  ///< after the NEGOTIATE response
  std::string peer_address;                     ///< "10.77.0.9:41234"
  std::string local_address;                    ///< what the client connected to
  /// How many credits the serving node may grant beyond what requests consume; the rest of the
  /// connection's window belongs to other nodes.
  std::uint32_t extra_credits = 0;
  /// The MessageId after the last one that NEGOTIATE used: 1, or 2 after a multi-protocol
  /// negotiate. One credit was granted with it. A channel sees only the requests of its own
  /// sessions, so ids between those it sees may be gone to other channels of the connection.
  std::uint64_t next_message_id = 1;
};

/// Where answers go. Thread: the channel's executor.
class FrameSink {
 public:
  virtual ~FrameSink() = default;
  /// Sends one whole message: 4-byte length + SMB2 (or transform) header and body, as one buffer
  /// the callee takes over. `frame[0..4)` is reserved for the length and filled in by the sender of
  /// this call. Order of calls is order on the wire.
  virtual void send(Bytes frame) = 0;
  /// Bytes given to send() and not yet accepted by the kernel: handlers hold back large reads above
  /// a bound of their own.
  [[nodiscard]] virtual std::size_t queued_bytes() const noexcept = 0;
  /// Ends the client's connection; `reason` is one log line.
  virtual void disconnect(std::string_view reason) = 0;
};

/// The serving side of one client connection on one (node, shard). Thread: its executor.
class Channel {
 public:
  virtual ~Channel() = default;
  /// One frame, without the 4-byte length, from its SMB2 / transform header. Takes the buffer over.
  virtual void on_frame(Bytes frame) = 0;
  /// The connection is gone: no sink call after this returns; sessions' last channel closes them.
  virtual void on_closed() = 0;
};

/// One per node: makes channels.
class ChannelServer {
 public:
  virtual ~ChannelServer() = default;
  /// Called on `executor`'s thread; `sink` outlives the channel's on_closed().
  [[nodiscard]] virtual std::shared_ptr<Channel> open_channel(ConnectionFacts facts,
                                                              runtime::Executor& executor,
                                                              std::uint16_t shard,
                                                              std::shared_ptr<FrameSink> sink) = 0;
  /// Sessions alive on this node, for spreading new ones. Any thread.
  [[nodiscard]] virtual std::uint32_t session_count() const noexcept = 0;
};

/// A SessionId says where the session lives, so that routing needs no table:
/// bits 63..48 node id - 1 (low 16 bits), 31..24 shard, 23..0 unpredictable and unique there. The
/// ids of node 1 fit 32 bits, as those of other servers do: some clients keep no more.
struct SessionHome {
  std::uint16_t node = 0;
  std::uint8_t shard = 0;
};
[[nodiscard]] constexpr SessionHome home_of(SessionId id) noexcept {
  return {static_cast<std::uint16_t>((id.raw() >> 48) + 1),
          static_cast<std::uint8_t>(id.raw() >> 24)};
}
[[nodiscard]] constexpr SessionId make_session_id(SessionHome home, std::uint64_t unique) noexcept {
  return SessionId{std::uint64_t{static_cast<std::uint16_t>(home.node - 1)} << 48 |
                   std::uint64_t{home.shard} << 24 | (unique & 0xFFFFFFULL)};
}

}  // namespace flotilla::ports

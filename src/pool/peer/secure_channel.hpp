// The peers' handshake and frames, without I/O: both nodes prove that they have the pool's key,
// then every frame is sealed with keys of this connection alone. docs/pool.md has the layout.
#pragma once

#include <array>
#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "pool/membership.hpp"

namespace flotilla::pool {

using PoolKey = std::array<std::uint8_t, 32>;
using PeerNonce = std::array<std::uint8_t, 32>;

/// Reads exactly 32 bytes from a file that nobody else may read (mode 0600 or stricter). The error
/// says what to do.
[[nodiscard]] std::expected<PoolKey, std::string> load_pool_key(const std::string& path);

struct PeerHello {
  MemberId from;
  MemberId to;
  PeerNonce nonce{};
};

inline constexpr std::size_t kPeerHelloBytes = 4 + 2 + 12 + 12 + 32;
inline constexpr std::size_t kPeerProofBytes = 32;
inline constexpr std::size_t kPeerFrameOverheadBytes = 4 + 16;
inline constexpr std::size_t kPeerFrameBytesMax = 32U << 20;

[[nodiscard]] Bytes encode_peer_hello(const PeerHello& hello);
[[nodiscard]] std::optional<PeerHello> decode_peer_hello(ByteView bytes);

/// One connection's keys. Made by both sides from the pool key and both hellos.
class SecureChannel {
 public:
  /// `caller`, `callee`: the encoded hellos, as sent. `is_caller`: which of them is ours.
  SecureChannel(const PoolKey& key, ByteView caller, ByteView callee, bool is_caller);
  ~SecureChannel();
  SecureChannel(const SecureChannel&) = delete;
  SecureChannel& operator=(const SecureChannel&) = delete;

  /// What this side shows to the other, and whether what the other showed is right.
  [[nodiscard]] Bytes proof() const;
  [[nodiscard]] bool proves(ByteView other) const;

  /// A whole frame, with its length in front. Empty on an internal failure.
  [[nodiscard]] Bytes seal(ByteView plain);
  /// `frame` without its four bytes of length. Nothing where it was not sealed by the peer, or not
  /// in this order.
  [[nodiscard]] std::optional<Bytes> open(ByteView frame);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace flotilla::pool

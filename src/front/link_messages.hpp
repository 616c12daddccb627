// What two nodes say to each other on a link before plain SMB2 follows, and the one message after
// it. Every message is a frame (4-byte length) that starts with "FLNK", a version and a kind, so it
// is never taken for SMB2. Pure; decoding is total: any bytes give a value or an error.
//
//   front -> serving   Hello      nonce, from, to
//   serving -> front   Challenge  nonce, proof over both nonces and ids
//   front -> serving   Facts      proof over both nonces and the facts; SMB2 frames follow at once
//   either, later      End        why the client's connection must be ended
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <string>
#include <variant>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "ports/channel.hpp"

namespace flotilla::front {

inline constexpr std::uint16_t kLinkVersion = 1;
/// Facts are some hundred bytes; a client's dialect list is what may make them long.
inline constexpr std::size_t kLinkMessageBytesMax = 256U << 10;

using PoolKey = std::array<std::uint8_t, 32>;
using Nonce = std::array<std::uint8_t, 32>;
using Proof = std::array<std::uint8_t, 32>;

struct LinkHello {
  Nonce nonce{};
  NodeId from;
  NodeId to;
};
struct LinkChallenge {
  Nonce nonce{};
  Proof proof{};
};
struct LinkFacts {
  Proof proof{};
  Bytes facts;  ///< encode_facts()
};
struct LinkEnd {
  std::string reason;  ///< at most 1 KiB is kept
};
using LinkMessage = std::variant<LinkHello, LinkChallenge, LinkFacts, LinkEnd>;

/// True where the bytes start with the links' magic.
[[nodiscard]] bool is_link_message(ByteView message) noexcept;

/// A frame: 4 reserved bytes and the message.
[[nodiscard]] Bytes encode_link_message(const LinkMessage& message);
/// Errors  a text: wrong magic, a version that this build does not speak, short or trailing bytes
[[nodiscard]] std::expected<LinkMessage, std::string> decode_link_message(ByteView message);

/// HMAC-SHA256 with the pool's key. The label separates the two directions: one side's proof is
/// never the other's.
[[nodiscard]] Proof serving_proof(const PoolKey& key, const LinkHello& hello,
                                  const Nonce& serving_nonce);
[[nodiscard]] Proof front_proof(const PoolKey& key, const LinkHello& hello,
                                const Nonce& serving_nonce, ByteView facts);

[[nodiscard]] Bytes encode_facts(const ports::ConnectionFacts& facts);
[[nodiscard]] std::expected<ports::ConnectionFacts, std::string> decode_facts(ByteView bytes);

}  // namespace flotilla::front

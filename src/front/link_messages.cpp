#include "front/link_messages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "crypto/hash.hpp"

namespace flotilla::front {
namespace {

constexpr std::string_view kMagic = "FLNK";
enum class Kind : std::uint16_t { Hello = 1, Challenge = 2, Facts = 3, End = 4 };
constexpr std::size_t kReasonBytesMax = 1024;
constexpr std::size_t kListMax = 1024;
constexpr std::size_t kTextMax = 256;

template <std::size_t N>
void put(ByteWriter& writer, const std::array<std::uint8_t, N>& bytes) {
  writer.bytes(bytes);
}

void put_text(ByteWriter& writer, std::string_view text) {
  text = text.substr(0, kTextMax);
  writer.u16(static_cast<std::uint16_t>(text.size()));
  writer.bytes(as_bytes(text));
}

void put_list(ByteWriter& writer, const std::vector<std::uint16_t>& list) {
  const std::size_t count = std::min(list.size(), kListMax);
  writer.u16(static_cast<std::uint16_t>(count));
  for (std::size_t i = 0; i < count; ++i) writer.u16(list[i]);
}

std::string take_text(ByteReader& reader) {
  const std::uint16_t size_bytes = reader.u16();
  if (size_bytes > kTextMax) reader.fail();
  return std::string(as_text(reader.view(size_bytes)));
}

std::vector<std::uint16_t> take_list(ByteReader& reader) {
  const std::uint16_t count = reader.u16();
  if (count > kListMax || reader.remaining() < count * 2U) {
    reader.fail();
    return {};
  }
  std::vector<std::uint16_t> list(count);
  for (std::uint16_t& value : list) value = reader.u16();
  return list;
}

Proof proof_of(const PoolKey& key, std::string_view label, const LinkHello& hello,
               const Nonce& serving_nonce, ByteView rest) {
  Bytes text;
  ByteWriter writer(text);
  put_text(writer, label);
  writer.u16(kLinkVersion);
  writer.u32(hello.from.raw());
  writer.u32(hello.to.raw());
  put(writer, hello.nonce);
  put(writer, serving_nonce);
  writer.bytes(rest);
  return crypto::hmac_sha256(key, text);
}

}  // namespace

bool is_link_message(ByteView message) noexcept {
  return message.size() >= kMagic.size() && as_text(message.first(kMagic.size())) == kMagic;
}

Bytes encode_link_message(const LinkMessage& message) {
  Bytes frame;
  ByteWriter writer(frame);
  writer.zeros(4);
  writer.bytes(as_bytes(kMagic));
  writer.u16(kLinkVersion);
  if (const auto* hello = std::get_if<LinkHello>(&message)) {
    writer.u16(static_cast<std::uint16_t>(Kind::Hello));
    put(writer, hello->nonce);
    writer.u32(hello->from.raw());
    writer.u32(hello->to.raw());
  } else if (const auto* challenge = std::get_if<LinkChallenge>(&message)) {
    writer.u16(static_cast<std::uint16_t>(Kind::Challenge));
    put(writer, challenge->nonce);
    put(writer, challenge->proof);
  } else if (const auto* facts = std::get_if<LinkFacts>(&message)) {
    writer.u16(static_cast<std::uint16_t>(Kind::Facts));
    put(writer, facts->proof);
    writer.bytes(facts->facts);
  } else if (const auto* end = std::get_if<LinkEnd>(&message)) {
    writer.u16(static_cast<std::uint16_t>(Kind::End));
    writer.bytes(as_bytes(std::string_view(end->reason).substr(0, kReasonBytesMax)));
  }
  return frame;
}

std::expected<LinkMessage, std::string> decode_link_message(ByteView message) {
  ByteReader reader(message);
  if (as_text(reader.view(kMagic.size())) != kMagic)
    return std::unexpected("link: expected a message that starts with FLNK");
  const std::uint16_t version = reader.u16();
  if (reader.ok() && version != kLinkVersion)
    return std::unexpected(fmt::format(
        "link: version {}, expected {}; run one release on all nodes", version, kLinkVersion));
  const std::uint16_t kind = reader.u16();
  LinkMessage out;
  switch (static_cast<Kind>(kind)) {
    case Kind::Hello: {
      LinkHello hello;
      hello.nonce = reader.array<32>();
      hello.from = NodeId{reader.u32()};
      hello.to = NodeId{reader.u32()};
      out = hello;
      break;
    }
    case Kind::Challenge: {
      LinkChallenge challenge;
      challenge.nonce = reader.array<32>();
      challenge.proof = reader.array<32>();
      out = challenge;
      break;
    }
    case Kind::Facts: {
      LinkFacts facts;
      facts.proof = reader.array<32>();
      const ByteView rest = reader.view(reader.remaining());
      facts.facts.assign(rest.begin(), rest.end());
      out = std::move(facts);
      break;
    }
    case Kind::End: {
      const ByteView rest = reader.view(std::min(reader.remaining(), kReasonBytesMax));
      std::string reason;
      // Goes into a log line of ours: nothing that is not printable.
      for (const std::uint8_t byte : rest)
        reason.push_back(byte >= 0x20 && byte < 0x7F ? static_cast<char>(byte) : '?');
      reader.skip(reader.remaining());
      out = LinkEnd{std::move(reason)};
      break;
    }
    default:
      return std::unexpected(fmt::format("link: unknown message kind {}", kind));
  }
  if (!reader.ok() || reader.remaining() != 0)
    return std::unexpected(fmt::format("link: message of kind {} with {} bytes has the wrong size",
                                       kind, message.size()));
  return out;
}

Proof serving_proof(const PoolKey& key, const LinkHello& hello, const Nonce& serving_nonce) {
  return proof_of(key, "flotilla link serving", hello, serving_nonce, {});
}

Proof front_proof(const PoolKey& key, const LinkHello& hello, const Nonce& serving_nonce,
                  ByteView facts) {
  return proof_of(key, "flotilla link front", hello, serving_nonce, facts);
}

Bytes encode_facts(const ports::ConnectionFacts& facts) {
  Bytes out;
  ByteWriter writer(out);
  writer.u64(facts.id.raw());
  writer.u32(facts.front.raw());
  writer.u16(facts.dialect);
  put(writer, facts.client_guid.bytes);
  writer.u32(facts.client_capabilities);
  writer.u32(facts.server_capabilities);
  writer.u16(facts.client_security_mode);
  writer.u16(facts.server_security_mode);
  put_list(writer, facts.client_dialects);
  writer.u16(facts.signing_algorithm);
  writer.u16(facts.cipher);
  put_list(writer, facts.compression);
  writer.u8(facts.compression_chained ? 1 : 0);
  writer.u8(facts.posix ? 1 : 0);
  put(writer, facts.preauth_hash);
  put_text(writer, facts.peer_address);
  put_text(writer, facts.local_address);
  writer.u32(facts.extra_credits);
  writer.u64(facts.next_message_id);
  return out;
}

std::expected<ports::ConnectionFacts, std::string> decode_facts(ByteView bytes) {
  ByteReader reader(bytes);
  ports::ConnectionFacts facts;
  facts.id = ConnectionId{reader.u64()};
  facts.front = NodeId{reader.u32()};
  facts.dialect = reader.u16();
  facts.client_guid.bytes = reader.array<16>();
  facts.client_capabilities = reader.u32();
  facts.server_capabilities = reader.u32();
  facts.client_security_mode = reader.u16();
  facts.server_security_mode = reader.u16();
  facts.client_dialects = take_list(reader);
  facts.signing_algorithm = reader.u16();
  facts.cipher = reader.u16();
  facts.compression = take_list(reader);
  facts.compression_chained = reader.u8() != 0;
  facts.posix = reader.u8() != 0;
  facts.preauth_hash = reader.array<64>();
  facts.peer_address = take_text(reader);
  facts.local_address = take_text(reader);
  facts.extra_credits = reader.u32();
  facts.next_message_id = reader.u64();
  if (!reader.ok() || reader.remaining() != 0)
    return std::unexpected(
        fmt::format("link: connection facts of {} bytes are cut or too long", bytes.size()));
  return facts;
}

}  // namespace flotilla::front

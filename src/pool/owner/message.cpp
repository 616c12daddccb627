#include "pool/owner/message.hpp"

#include <utility>

#include "coherence/codec.hpp"

namespace flotilla::pool {

namespace {

using coherence::Command;

constexpr std::size_t kPathBytesMax = 65536;

enum class Kind : std::uint8_t {
  Command = 1,
  Reply,
  Pending,
  Break,
  Revoke,
  Restrict,
  Fact,
  Confirm,
  Assert,
  AssertDone,
  Claim,
  Recall,
  ClaimReturn,
  Bounce,
  Doom,
  Keep,
  HandOver,
};

void put_key(ByteWriter& to, const FileKey& key) {
  to.u64(key.volume);
  to.u64(key.inode);
  to.u64(key.generation);
}

FileKey take_key(ByteReader& in) {
  FileKey key;
  key.volume = in.u64();
  key.inode = in.u64();
  key.generation = in.u64();
  return key;
}

void put_path(ByteWriter& to, const std::string& path) {
  to.u32(static_cast<std::uint32_t>(path.size()));
  to.bytes(as_bytes(path));
}

std::string take_path(ByteReader& in) {
  const std::uint32_t size_bytes = in.u32();
  if (size_bytes > kPathBytesMax) in.fail();
  return std::string(as_text(in.view(size_bytes)));
}

struct Encoder {
  Bytes& out;
  ByteWriter to{out};

  void kind(Kind kind) { to.u8(static_cast<std::uint8_t>(kind)); }
  void operator()(const CommandMessage& m) {
    kind(Kind::Command);
    coherence::encode(Command{m.key, {}, m.request, {}, m.body}, out);
  }
  void operator()(const ReplyMessage& m) {
    kind(Kind::Reply);
    put_key(to, m.key);
    to.u64(m.request.raw());
    coherence::encode(m.outcome, out);
  }
  void operator()(const PendingMessage& m) {
    kind(Kind::Pending);
    put_key(to, m.key);
    to.u64(m.request.raw());
  }
  void operator()(const BreakMessage& m) {
    kind(Kind::Break);
    put_key(to, m.key);
    to.u64(m.token);
    coherence::encode(m.what, out);
  }
  void operator()(const RevokeMessage& m) {
    kind(Kind::Revoke);
    put_key(to, m.key);
    to.u64(m.open.raw());
    to.u8(static_cast<std::uint8_t>(m.reason));
  }
  void operator()(const RestrictMessage& m) {
    kind(Kind::Restrict);
    put_key(to, m.key);
    coherence::encode(m.what, out);
  }
  void operator()(const FactMessage& m) {
    kind(Kind::Fact);
    put_key(to, m.key);
    to.u64(m.token);
    to.u8(m.delete_pending ? 1 : 0);
    put_path(to, m.path);
  }
  void operator()(const ConfirmMessage& m) {
    kind(Kind::Confirm);
    put_key(to, m.key);
    to.u64(m.token);
  }
  void operator()(const AssertMessage& m) {
    kind(Kind::Assert);
    to.u8(m.unlinking ? 1 : 0);
    coherence::encode(Command{m.key, {}, {}, {}, m.open}, out);
  }
  void operator()(const AssertDoneMessage&) { kind(Kind::AssertDone); }
  void operator()(const ClaimMessage& m) { claim(Kind::Claim, m); }
  void operator()(const RecallMessage& m) {
    kind(Kind::Recall);
    put_key(to, m.key);
    to.u64(m.serial);
  }
  void operator()(const ClaimReturnMessage& m) { claim(Kind::ClaimReturn, m); }
  void operator()(const BounceMessage& m) {
    kind(Kind::Bounce);
    coherence::encode(Command{m.key, {}, m.request, {}, m.body}, out);
  }
  void operator()(const DoomMessage& m) {
    kind(Kind::Doom);
    put_key(to, m.key);
    to.u64(m.serial);
    to.u8(m.doomed ? 1 : 0);
    to.u64(m.open.raw());
    put_path(to, m.path);
  }
  void operator()(const KeepMessage& m) {
    kind(Kind::Keep);
    to.u64(m.token);
    coherence::encode(m.file, out);
  }
  void operator()(const HandOverMessage& m) {
    kind(Kind::HandOver);
    coherence::encode(m.file, out);
  }
  template <class Message>
  void claim(Kind which, const Message& m) {
    kind(which);
    put_key(to, m.key);
    to.u64(m.serial);
    coherence::encode(m.file, out);
  }
};

template <class Body>
std::optional<decltype(PeerMessage::body)> made(Body body) {
  return decltype(PeerMessage::body){std::move(body)};
}

std::optional<decltype(PeerMessage::body)> take_fact(ByteReader& in) {
  FactMessage m;
  m.key = take_key(in);
  m.token = in.u64();
  const std::uint8_t pending = in.u8();
  if (pending > 1) return std::nullopt;
  m.delete_pending = pending == 1;
  m.path = take_path(in);
  return made(std::move(m));
}

std::optional<decltype(PeerMessage::body)> take_doom(ByteReader& in) {
  DoomMessage m;
  m.key = take_key(in);
  m.serial = in.u64();
  const std::uint8_t doomed = in.u8();
  if (doomed > 1) return std::nullopt;
  m.doomed = doomed == 1;
  m.open = OpenId{in.u64()};
  m.path = take_path(in);
  return made(std::move(m));
}

template <class Message>
std::optional<decltype(PeerMessage::body)> take_claim(ByteReader& in) {
  Message m;
  m.key = take_key(in);
  m.serial = in.u64();
  auto file = coherence::decode_handed_file(in);
  if (!file) return std::nullopt;
  m.file = std::move(*file);
  return made(std::move(m));
}

std::optional<decltype(PeerMessage::body)> take_assert(ByteReader& in) {
  const std::uint8_t unlinking = in.u8();
  auto command = coherence::decode_command(in);
  if (unlinking > 1 || !command) return std::nullopt;
  auto* open = std::get_if<coherence::AssertOpen>(&command->body);
  if (open == nullptr) return std::nullopt;
  return made(AssertMessage{command->key, std::move(*open), unlinking == 1});
}

std::optional<decltype(PeerMessage::body)> take_body(ByteReader& in) {
  switch (static_cast<Kind>(in.u8())) {
    case Kind::Command: {
      auto command = coherence::decode_command(in);
      if (!command) return std::nullopt;
      return made(CommandMessage{command->key, command->request, std::move(command->body)});
    }
    case Kind::Reply: {
      const FileKey key = take_key(in);
      const RequestId request{in.u64()};
      auto outcome = coherence::decode_outcome(in);
      if (!outcome) return std::nullopt;
      return made(ReplyMessage{key, request, std::move(*outcome)});
    }
    case Kind::Pending: {
      const FileKey key = take_key(in);
      return made(PendingMessage{key, RequestId{in.u64()}});
    }
    case Kind::Break: {
      const FileKey key = take_key(in);
      const std::uint64_t token = in.u64();
      auto what = coherence::decode_break(in);
      if (!what) return std::nullopt;
      return made(BreakMessage{key, token, *what});
    }
    case Kind::Revoke: {
      const FileKey key = take_key(in);
      const OpenId open{in.u64()};
      const std::uint8_t reason = in.u8();
      if (reason > static_cast<std::uint8_t>(coherence::RevokeReason::Displaced)) {
        return std::nullopt;
      }
      return made(RevokeMessage{key, open, static_cast<coherence::RevokeReason>(reason)});
    }
    case Kind::Restrict: {
      const FileKey key = take_key(in);
      auto what = coherence::decode_restrictions(in);
      if (!what) return std::nullopt;
      return made(RestrictMessage{key, std::move(*what)});
    }
    case Kind::Fact:
      return take_fact(in);
    case Kind::Confirm: {
      const FileKey key = take_key(in);
      return made(ConfirmMessage{key, in.u64()});
    }
    case Kind::Assert:
      return take_assert(in);
    case Kind::AssertDone:
      return made(AssertDoneMessage{});
    case Kind::Claim:
      return take_claim<ClaimMessage>(in);
    case Kind::Recall: {
      const FileKey key = take_key(in);
      return made(RecallMessage{key, in.u64()});
    }
    case Kind::ClaimReturn:
      return take_claim<ClaimReturnMessage>(in);
    case Kind::Bounce: {
      auto command = coherence::decode_command(in);
      if (!command) return std::nullopt;
      return made(BounceMessage{command->key, command->request, std::move(command->body)});
    }
    case Kind::Doom:
      return take_doom(in);
    case Kind::Keep: {
      const std::uint64_t token = in.u64();
      auto file = coherence::decode_kept_file(in);
      if (!file) return std::nullopt;
      return made(KeepMessage{token, std::move(*file)});
    }
    case Kind::HandOver: {
      auto file = coherence::decode_kept_file(in);
      if (!file) return std::nullopt;
      return made(HandOverMessage{std::move(*file)});
    }
  }
  return std::nullopt;
}

}  // namespace

void encode(const PeerMessage& message, Bytes& out) {
  ByteWriter to(out);
  to.u16(kPeerProtocolVersion);
  to.u64(message.epoch.raw());
  std::visit(Encoder{out}, message.body);
}

std::optional<PeerMessage> decode_peer_message(ByteView bytes) {
  ByteReader in(bytes);
  if (in.u16() != kPeerProtocolVersion) return std::nullopt;
  PeerMessage message;
  message.epoch = Epoch{in.u64()};
  auto body = take_body(in);
  if (!body || !in.ok() || in.remaining() != 0) return std::nullopt;
  message.body = std::move(*body);
  return message;
}

}  // namespace flotilla::pool

#include "wire/smb2_header.hpp"

#include "wire/fields.hpp"

namespace flotilla::wire {

namespace {
constexpr std::uint32_t kSmb2Magic = 0x424D53FE;
constexpr std::uint32_t kTransformMagic = 0x424D53FD;
constexpr std::uint32_t kCompressionMagic = 0x424D53FC;
constexpr std::uint32_t kSmb1Magic = 0x424D53FF;
constexpr std::size_t kChainPayloadsMax = 64;
}  // namespace

template <>
struct Fields<Smb2Header> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.magic("protocol_id", kSmb2Magic);
    v.struct_size(64);
    v.field("credit_charge", s.credit_charge);
    v.field("status", s.status);
    v.field("command", s.command);
    v.field("credits", s.credits);
    v.field("flags", s.flags);
    v.field("next_command", s.next_command);
    v.field("message_id", s.message_id);
    if (s.is_async()) {
      v.field("async_id", s.async_id);
    } else {
      v.reserved(4);  // ProcessId of old
      v.field("tree_id", s.tree_id);
    }
    v.field("session_id", s.session_id);
    v.field("signature", s.signature);
  }
};

template <>
struct Fields<TransformHeader> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.magic("protocol_id", kTransformMagic);
    v.field("signature", s.signature);
    v.field("nonce", s.nonce);
    v.field("original_message_size", s.original_message_size);
    v.reserved(2);
    v.field("flags", s.flags);
    v.field("session_id", s.session_id);
  }
};

template <>
struct Fields<CompressionTransformHeader> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.magic("protocol_id", kCompressionMagic);
    v.field("original_compressed_segment_size", s.original_compressed_segment_size);
    v.field("compression_algorithm", s.compression_algorithm);
    v.field("flags", s.flags);
    v.field("offset", s.offset);
  }
};

template <>
struct Fields<CompressionPattern> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("pattern", s.pattern);
    v.reserved(3);
    v.field("repetitions", s.repetitions);
  }
};

FLOTILLA_WIRE_INSTANTIATE(Smb2Header);
FLOTILLA_WIRE_INSTANTIATE(TransformHeader);
FLOTILLA_WIRE_INSTANTIATE(CompressionTransformHeader);
FLOTILLA_WIRE_INSTANTIATE(CompressionPattern);

Wire<Smb2Header> Smb2Header::decode(ByteView message) noexcept {
  return wire::decode<Smb2Header>(message);
}
void Smb2Header::encode_at(std::span<std::uint8_t, kSmb2HeaderSize> out) const noexcept {
  FixedSink sink(out.data());
  Encoder<FixedSink> e(sink, 0);
  Fields<Smb2Header>::visit(e, *this);
}
void Smb2Header::encode(Bytes& out) const {
  const std::size_t at = out.size();
  out.resize(at + kSmb2HeaderSize);
  encode_at(std::span<std::uint8_t, kSmb2HeaderSize>(out.data() + at, kSmb2HeaderSize));
}
Wire<TransformHeader> TransformHeader::decode(ByteView packet) noexcept {
  return wire::decode<TransformHeader>(packet);
}
void TransformHeader::encode(Bytes& out) const { wire::encode(*this, out); }
Wire<CompressionTransformHeader> CompressionTransformHeader::decode(ByteView packet) noexcept {
  return wire::decode<CompressionTransformHeader>(packet);
}
void CompressionTransformHeader::encode(Bytes& out) const { wire::encode(*this, out); }

std::string_view name_of(Command command) noexcept {
  static constexpr std::string_view kNames[] = {
      "Negotiate",    "SessionSetup", "Logoff",  "TreeConnect", "TreeDisconnect",
      "Create",       "Close",        "Flush",   "Read",        "Write",
      "Lock",         "Ioctl",        "Cancel",  "Echo",        "QueryDirectory",
      "ChangeNotify", "QueryInfo",    "SetInfo", "OplockBreak"};
  const auto index = static_cast<std::size_t>(command);
  return index < std::size(kNames) ? kNames[index] : "Unknown";
}

PacketKind kind_of(ByteView packet) noexcept {
  if (packet.size() < 4) return PacketKind::Unknown;
  switch (load_le<std::uint32_t>(packet.data())) {
    case kSmb1Magic:
      return PacketKind::Smb1;
    case kSmb2Magic:
      return PacketKind::Smb2;
    case kTransformMagic:
      return PacketKind::Transform;
    case kCompressionMagic:
      return PacketKind::Compression;
    default:
      return PacketKind::Unknown;
  }
}

Wire<void> split_compound(ByteView packet, std::size_t parts_max, std::vector<ByteView>& parts) {
  for (std::size_t at = 0;;) {
    const ByteView rest = packet.subspan(at);
    const Wire<Smb2Header> header = Smb2Header::decode(rest);
    if (!header) {
      WireError error = header.error();
      error.offset += at;
      return std::unexpected(error);
    }
    if (parts.size() == parts_max) {
      return std::unexpected(WireError{WireFault::CountOutOfRange, at, "next_command"});
    }
    const std::size_t next = header->next_command;
    if (next == 0) {
      parts.push_back(rest);
      return {};
    }
    if (next % 8 != 0 || next < kSmb2HeaderSize || next >= rest.size()) {
      return std::unexpected(WireError{WireFault::ChainBroken, at + 20, "next_command"});
    }
    parts.push_back(rest.first(next));
    at += next;
  }
}

namespace {
bool carries_original_size(std::uint16_t algorithm) noexcept {
  return algorithm == 1 || algorithm == 2 || algorithm == 3 || algorithm == 5;
}
}  // namespace

Wire<CompressionChain> decode_compression_chain(ByteView packet) {
  Decoder d(packet, 0);
  CompressionChain chain;
  d.magic("protocol_id", kCompressionMagic);
  d.field("original_compressed_segment_size", chain.original_compressed_segment_size);
  while (d.present(true)) {
    if (chain.payloads.size() == kChainPayloadsMax) d.fail(WireFault::CountOutOfRange, "payloads");
    CompressionPayload& p = chain.payloads.emplace_back();
    Slot length;
    d.field("compression_algorithm", p.compression_algorithm);
    d.field("flags", p.flags);
    d.length32(length);
    if (carries_original_size(p.compression_algorithm)) {
      if (!d.error() && length.length < 4) d.fail(WireFault::LengthOutOfRange, "length");
      d.field("original_payload_size", p.original_payload_size);
      length.length -= 4;
    }
    d.tail("data", length, p.data);
  }
  if (!d.error() && chain.payloads.empty()) d.fail(WireFault::Truncated, "payloads");
  if (d.error()) return std::unexpected(*d.error());
  return chain;
}

void encode_compression_chain(const CompressionChain& chain, Bytes& out) {
  ByteWriter w(out);
  w.u32(kCompressionMagic);
  w.u32(chain.original_compressed_segment_size);
  for (std::size_t i = 0; i < chain.payloads.size(); ++i) {
    const CompressionPayload& p = chain.payloads[i];
    const bool sized = carries_original_size(p.compression_algorithm);
    w.u16(p.compression_algorithm);
    w.u16(i == 0 ? CompressionTransformHeader::kChained : p.flags);
    w.u32(static_cast<std::uint32_t>(p.data.size() + (sized ? 4 : 0)));
    if (sized) w.u32(p.original_payload_size);
    w.bytes(p.data);
  }
}

Wire<std::uint32_t> decode_frame_length(ByteView bytes) noexcept {
  if (bytes.size() < kFrameHeaderSize) {
    return std::unexpected(WireError{WireFault::Truncated, bytes.size(), "frame"});
  }
  if (bytes[0] != 0) return std::unexpected(WireError{WireFault::BadValue, 0, "frame type"});
  return (std::uint32_t{bytes[1]} << 16) | (std::uint32_t{bytes[2]} << 8) | bytes[3];
}

void encode_frame_length(std::uint32_t length, std::span<std::uint8_t, 4> out) noexcept {
  out[0] = 0;
  out[1] = static_cast<std::uint8_t>(length >> 16);
  out[2] = static_cast<std::uint8_t>(length >> 8);
  out[3] = static_cast<std::uint8_t>(length);
}

bool Smb1NegotiateRequest::offers(std::string_view dialect) const noexcept {
  for (const std::string_view d : dialects) {
    if (d == dialect) return true;
  }
  return false;
}

Wire<Smb1NegotiateRequest> decode_smb1_negotiate(ByteView packet) {
  constexpr std::size_t kHeaderSize = 32;
  constexpr std::uint8_t kNegotiate = 0x72;
  constexpr std::size_t kDialectsMax = 64;
  const auto refuse = [](WireFault fault, std::size_t at, const char* what) {
    return std::unexpected(WireError{fault, at, what});
  };
  if (packet.size() < kHeaderSize + 3) {
    return refuse(WireFault::Truncated, packet.size(), "smb1 header");
  }
  if (kind_of(packet) != PacketKind::Smb1) return refuse(WireFault::ProtocolId, 0, "protocol");
  if (packet[4] != kNegotiate) return refuse(WireFault::BadValue, 4, "command");
  Smb1NegotiateRequest request;
  request.pid_low = load_le<std::uint16_t>(packet.data() + 26);
  request.mid = load_le<std::uint16_t>(packet.data() + 30);
  const std::size_t words = std::size_t{packet[kHeaderSize]} * 2;
  const std::size_t count_at = kHeaderSize + 1 + words;
  if (packet.size() < count_at + 2) {
    return refuse(WireFault::Truncated, packet.size(), "byte_count");
  }
  const std::size_t byte_count = load_le<std::uint16_t>(packet.data() + count_at);
  if (byte_count > packet.size() - count_at - 2) {
    return refuse(WireFault::LengthOutOfRange, count_at, "byte_count");
  }
  std::string_view rest = as_text(packet.subspan(count_at + 2, byte_count));
  while (!rest.empty()) {
    const std::size_t at = packet.size() - rest.size();
    if (rest.front() != '\x02') return refuse(WireFault::BadValue, at, "buffer_format");
    const std::size_t end = rest.find('\0', 1);
    if (end == std::string_view::npos) return refuse(WireFault::Truncated, at, "dialect");
    if (request.dialects.size() == kDialectsMax) {
      return refuse(WireFault::CountOutOfRange, at, "dialects");
    }
    request.dialects.push_back(rest.substr(1, end - 1));
    rest.remove_prefix(end + 1);
  }
  return request;
}

void encode_smb1_negotiate(const Smb1NegotiateRequest& request, Bytes& out) {
  ByteWriter w(out);
  w.u32(kSmb1Magic);
  w.u8(0x72);
  w.u32(0);       // Status
  w.u8(0x18);     // Flags: canonical paths, case-insensitive
  w.u16(0xC853);  // Flags2: Unicode, NT status, extended security, long names
  w.zeros(12);    // PIDHigh, SecurityFeatures, Reserved
  w.u16(0);       // TID
  w.u16(request.pid_low);
  w.u16(0);  // UID
  w.u16(request.mid);
  w.u8(0);  // WordCount
  const std::size_t count_at = w.position();
  w.u16(0);
  for (const std::string_view dialect : request.dialects) {
    w.u8(2);
    w.bytes(as_bytes(dialect));
    w.u8(0);
  }
  w.patch(count_at, static_cast<std::uint16_t>(w.position() - count_at - 2));
}

}  // namespace flotilla::wire

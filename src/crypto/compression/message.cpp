#include "crypto/compression/message.hpp"

#include <algorithm>

#include "crypto/compression/codec.hpp"
#include "wire/smb2_header.hpp"

namespace flotilla::crypto {

namespace {

using wire::CompressionAlgorithm;

constexpr std::size_t kPatternRepetitionsMin = 64;  // [MS-SMB2] 3.1.4.4.1

bool knows(const CompressionTerms& terms, CompressionAlgorithm algorithm) {
  return std::ranges::find(terms.algorithms, static_cast<std::uint16_t>(algorithm)) !=
         terms.algorithms.end();
}

/// One payload of a chain into `out` from `at` on.
bool add_payload(const wire::CompressionPayload& payload, MutableBytes out, std::size_t& at) {
  const MutableBytes rest = out.subspan(at);
  switch (static_cast<CompressionAlgorithm>(payload.compression_algorithm)) {
    case CompressionAlgorithm::None:
      if (payload.data.size() > rest.size()) return false;
      std::ranges::copy(payload.data, rest.begin());
      at += payload.data.size();
      return true;
    case CompressionAlgorithm::PatternV1: {
      const auto run = wire::decode<wire::CompressionPattern>(payload.data);
      if (!run || run->repetitions > rest.size()) return false;
      std::fill_n(rest.begin(), run->repetitions, run->pattern);
      at += run->repetitions;
      return true;
    }
    default:
      if (payload.original_payload_size > rest.size()) return false;
      at += payload.original_payload_size;
      return decompress(static_cast<CompressionAlgorithm>(payload.compression_algorithm),
                        payload.data, rest.first(payload.original_payload_size));
  }
}

std::expected<Bytes, std::string_view> decompress_chain(ByteView packet,
                                                        const CompressionTerms& terms,
                                                        std::size_t bytes_max,
                                                        std::size_t prefix_bytes) {
  const auto chain = wire::decode_compression_chain(packet);
  if (!chain) return std::unexpected("a chain of compressed payloads that is cut off");
  if (chain->original_compressed_segment_size > bytes_max) {
    return std::unexpected("a compressed message that is too large");
  }
  for (const wire::CompressionPayload& payload : chain->payloads) {
    const auto algorithm = static_cast<CompressionAlgorithm>(payload.compression_algorithm);
    if (algorithm != CompressionAlgorithm::None && !knows(terms, algorithm)) {
      return std::unexpected("a compression algorithm that was not negotiated");
    }
  }
  Bytes message(prefix_bytes + chain->original_compressed_segment_size);
  std::size_t at = prefix_bytes;
  for (const wire::CompressionPayload& payload : chain->payloads) {
    if (!add_payload(payload, message, at)) {
      return std::unexpected("a compressed payload that does not decompress");
    }
  }
  if (at != message.size()) {
    return std::unexpected("a compressed message of another size than its header says");
  }
  return message;
}

/// How many bytes at the front of `data` are one byte; 0 where too few to say so.
std::size_t run_in_front(ByteView data) {
  const auto end = std::ranges::find_if(data, [&](std::uint8_t b) { return b != data.front(); });
  const auto count = static_cast<std::size_t>(end - data.begin());
  return count < kPatternRepetitionsMin ? 0 : count;
}

std::size_t run_at_end(ByteView data) {
  std::size_t count = 0;
  while (count < data.size() && data[data.size() - 1 - count] == data.back()) ++count;
  return count < kPatternRepetitionsMin ? 0 : count;
}

/// The general algorithm that we prefer of those negotiated, or None.
CompressionAlgorithm general_of(const CompressionTerms& terms) {
  for (const CompressionAlgorithm algorithm :
       {CompressionAlgorithm::Lz77, CompressionAlgorithm::Lz77Huffman,
        CompressionAlgorithm::Lznt1}) {
    if (knows(terms, algorithm)) return algorithm;
  }
  return CompressionAlgorithm::None;
}

/// The middle of a chain, compressed into `room` where that is smaller, else as it is.
wire::CompressionPayload middle_payload(ByteView data, CompressionAlgorithm algorithm,
                                        Bytes& room) {
  wire::CompressionPayload payload;
  payload.data = data;
  if (compress(algorithm, data, room)) {
    payload.compression_algorithm = static_cast<std::uint16_t>(algorithm);
    payload.original_payload_size = static_cast<std::uint32_t>(data.size());
    payload.data = room;
  }
  return payload;
}

void write_chain(ByteView packet, std::size_t plain_bytes, const CompressionTerms& terms,
                 Bytes& out) {
  wire::CompressionChain chain;
  chain.original_compressed_segment_size = static_cast<std::uint32_t>(packet.size());
  Bytes room[3];  // what the payloads' views look at
  const auto add_pattern = [&chain](std::uint8_t byte, std::size_t count, Bytes& bytes) {
    wire::encode(wire::CompressionPattern{byte, static_cast<std::uint32_t>(count)}, bytes);
    chain.payloads.push_back(
        {static_cast<std::uint16_t>(CompressionAlgorithm::PatternV1), 0, 0, bytes});
  };
  if (plain_bytes != 0) chain.payloads.push_back({0, 0, 0, packet.first(plain_bytes)});
  ByteView data = packet.subspan(plain_bytes);
  std::size_t behind = 0;
  if (knows(terms, CompressionAlgorithm::PatternV1)) {
    const std::size_t front = run_in_front(data);
    if (front != 0) add_pattern(data.front(), front, room[0]);
    data = data.subspan(front);
    if (!data.empty()) behind = run_at_end(data);
  }
  const ByteView middle = data.first(data.size() - behind);
  if (!middle.empty()) {
    chain.payloads.push_back(middle_payload(middle, general_of(terms), room[1]));
  }
  if (behind != 0) add_pattern(data.back(), behind, room[2]);
  wire::encode_compression_chain(chain, out);
}

}  // namespace

std::expected<Bytes, std::string_view> decompress_message(ByteView packet,
                                                          const CompressionTerms& terms,
                                                          std::size_t bytes_max,
                                                          std::size_t prefix_bytes) {
  const auto header = wire::CompressionTransformHeader::decode(packet);
  if (!header) return std::unexpected("a compressed message that is cut off");
  if (terms.algorithms.empty()) return std::unexpected("compression was not negotiated");
  if (header->flags == wire::CompressionTransformHeader::kChained) {
    if (!terms.chained) return std::unexpected("chained compression was not negotiated");
    return decompress_chain(packet, terms, bytes_max, prefix_bytes);
  }
  if (header->flags != 0) return std::unexpected("a compressed message with unknown flags");
  const auto algorithm = static_cast<CompressionAlgorithm>(header->compression_algorithm);
  if (algorithm == CompressionAlgorithm::PatternV1 || !knows(terms, algorithm)) {
    return std::unexpected("a compression algorithm that was not negotiated");
  }
  const ByteView body = packet.subspan(wire::kCompressionTransformHeaderSize);
  if (header->offset > body.size()) {
    return std::unexpected("compressed data that begins past the message's end");
  }
  const std::size_t segment_bytes = header->original_compressed_segment_size;
  if (segment_bytes > bytes_max || header->offset > bytes_max - segment_bytes) {
    return std::unexpected("a compressed message that is too large");
  }
  Bytes message(prefix_bytes + header->offset + segment_bytes);
  const MutableBytes into = MutableBytes(message).subspan(prefix_bytes);
  std::ranges::copy(body.first(header->offset), into.begin());
  if (!decompress(algorithm, body.subspan(header->offset), into.subspan(header->offset))) {
    return std::unexpected("a compressed message that does not decompress");
  }
  return message;
}

Bytes compress_message(ByteView packet, std::size_t plain_bytes, const CompressionTerms& terms,
                       std::size_t prefix_bytes) {
  Bytes out(prefix_bytes);
  if (terms.algorithms.empty() || plain_bytes >= packet.size()) return {};
  if (terms.chained) {
    write_chain(packet, plain_bytes, terms, out);
  } else {
    wire::CompressionTransformHeader header;
    const ByteView data = packet.subspan(plain_bytes);
    header.original_compressed_segment_size = static_cast<std::uint32_t>(data.size());
    header.compression_algorithm = static_cast<std::uint16_t>(general_of(terms));
    header.offset = static_cast<std::uint32_t>(plain_bytes);
    header.encode(out);
    ByteWriter(out).bytes(packet.first(plain_bytes));
    if (!compress(general_of(terms), data, out)) return {};
  }
  if (out.size() - prefix_bytes >= packet.size()) return {};
  return out;
}

}  // namespace flotilla::crypto

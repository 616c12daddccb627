// The headers in front of every message: NetBIOS frame, SMB2 header (sync and async), transform
// (sealed) and compression headers, and just enough of SMB1 to answer its NEGOTIATE.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/nt_status.hpp"
#include "wire/codec.hpp"

namespace flotilla::wire {

inline constexpr std::size_t kFrameHeaderSize = 4;
inline constexpr std::size_t kSmb2HeaderSize = 64;
inline constexpr std::size_t kTransformHeaderSize = 52;
inline constexpr std::size_t kCompressionTransformHeaderSize = 16;

/// [MS-SMB2] 2.2.1.1: the Command field.
enum class Command : std::uint16_t {
  Negotiate = 0x0000,
  SessionSetup = 0x0001,
  Logoff = 0x0002,
  TreeConnect = 0x0003,
  TreeDisconnect = 0x0004,
  Create = 0x0005,
  Close = 0x0006,
  Flush = 0x0007,
  Read = 0x0008,
  Write = 0x0009,
  Lock = 0x000A,
  Ioctl = 0x000B,
  Cancel = 0x000C,
  Echo = 0x000D,
  QueryDirectory = 0x000E,
  ChangeNotify = 0x000F,
  QueryInfo = 0x0010,
  SetInfo = 0x0011,
  OplockBreak = 0x0012,
};
inline constexpr std::uint16_t kCommandCount = 0x13;
[[nodiscard]] std::string_view name_of(Command command) noexcept;

namespace header_flags {
inline constexpr std::uint32_t kServerToRedir = 0x00000001;
inline constexpr std::uint32_t kAsyncCommand = 0x00000002;
inline constexpr std::uint32_t kRelatedOperations = 0x00000004;
inline constexpr std::uint32_t kSigned = 0x00000008;
inline constexpr std::uint32_t kPriorityMask = 0x00000070;
inline constexpr std::uint32_t kDfsOperations = 0x10000000;
inline constexpr std::uint32_t kReplayOperation = 0x20000000;
}  // namespace header_flags

/// What the first four bytes of a frame's payload say it is.
enum class PacketKind { Smb1, Smb2, Transform, Compression, Unknown };
[[nodiscard]] PacketKind kind_of(ByteView packet) noexcept;

/// SMB2 Packet Header, sync and async in one: `flags & kAsyncCommand` decides whether `async_id`
/// or `tree_id` is on the wire.
/// Spec    [MS-SMB2] 2.2.1.1 SMB2 Packet Header - ASYNC, 2.2.1.2 SMB2 Packet Header - SYNC
struct Smb2Header {
  std::uint16_t credit_charge = 0;
  std::uint32_t status = 0;  ///< response: NtStatus. Request: ChannelSequence in the low 16 bits
  Command command = Command::Negotiate;
  std::uint16_t credits = 0;  ///< CreditRequest in a request, CreditResponse in a response
  std::uint32_t flags = 0;    ///< header_flags
  std::uint32_t next_command = 0;
  MessageId message_id;
  AsyncId async_id;  ///< with kAsyncCommand only
  TreeId tree_id;    ///< without kAsyncCommand only
  SessionId session_id;
  std::array<std::uint8_t, 16> signature{};

  [[nodiscard]] bool is_response() const noexcept { return flags & header_flags::kServerToRedir; }
  [[nodiscard]] bool is_async() const noexcept { return flags & header_flags::kAsyncCommand; }
  [[nodiscard]] bool is_related() const noexcept {
    return flags & header_flags::kRelatedOperations;
  }
  [[nodiscard]] bool is_signed() const noexcept { return flags & header_flags::kSigned; }
  [[nodiscard]] std::uint16_t channel_sequence() const noexcept {
    return static_cast<std::uint16_t>(status);
  }
  [[nodiscard]] NtStatus nt_status() const noexcept { return static_cast<NtStatus>(status); }

  /// Errors  Truncated, ProtocolId, StructureSize (must be 64). `next_command` is not judged.
  [[nodiscard]] static Wire<Smb2Header> decode(ByteView message) noexcept;
  /// Appends 64 bytes.
  void encode(Bytes& out) const;
  /// Writes 64 bytes at `out`; no allocation.
  void encode_at(std::span<std::uint8_t, kSmb2HeaderSize> out) const noexcept;
  friend bool operator==(const Smb2Header&, const Smb2Header&) = default;
};

/// The parts of a compound, in order, each cut at its NextCommand.
/// Errors  ChainBroken for a NextCommand that is not 8-aligned, less than 64 or past the end;
///         CountOutOfRange past `parts_max`. The parts before the fault are in `parts` all the
///         same.
[[nodiscard]] Wire<void> split_compound(ByteView packet, std::size_t parts_max,
                                        std::vector<ByteView>& parts);

/// Where the signature lies in a header: [MS-SMB2] 3.1.4.1 signs with these 16 bytes zero.
inline constexpr std::size_t kSignatureOffset = 48;

/// [MS-SMB2] 2.2.41 SMB2 TRANSFORM_HEADER (0xFD 'S' 'M' 'B').
struct TransformHeader {
  std::array<std::uint8_t, 16> signature{};
  std::array<std::uint8_t, 16> nonce{};
  std::uint32_t original_message_size = 0;
  std::uint16_t flags = 1;  ///< Flags/EncryptionAlgorithm: 1 = encrypted (or AES-128-CCM in 3.0.x)
  SessionId session_id;

  [[nodiscard]] static Wire<TransformHeader> decode(ByteView packet) noexcept;
  void encode(Bytes& out) const;
  /// The 32 bytes that are authenticated but not sealed: from `nonce` to the end of the header.
  static constexpr std::size_t kAadOffset = 20;
  friend bool operator==(const TransformHeader&, const TransformHeader&) = default;
};

/// [MS-SMB2] 2.2.42.1 SMB2_COMPRESSION_TRANSFORM_HEADER_UNCHAINED (0xFC 'S' 'M' 'B').
struct CompressionTransformHeader {
  std::uint32_t original_compressed_segment_size = 0;
  std::uint16_t compression_algorithm = 0;
  std::uint16_t flags = 0;   ///< kChained: the rest is a chain, see decode_compression_chain
  std::uint32_t offset = 0;  ///< bytes of plain data after the header, before the compressed ones
  static constexpr std::uint16_t kChained = 0x0001;

  [[nodiscard]] static Wire<CompressionTransformHeader> decode(ByteView packet) noexcept;
  void encode(Bytes& out) const;
  friend bool operator==(const CompressionTransformHeader&,
                         const CompressionTransformHeader&) = default;
};

/// One payload of a chained compressed message.
/// Spec    [MS-SMB2] 2.2.42.2.1 SMB2_COMPRESSION_CHAINED_PAYLOAD_HEADER
struct CompressionPayload {
  std::uint16_t compression_algorithm = 0;
  std::uint16_t flags = 0;
  std::uint32_t original_payload_size = 0;  ///< on the wire for LZNT1, LZ77, LZ77+Huffman and LZ4
  ByteView data;                            ///< without OriginalPayloadSize
};
/// [MS-SMB2] 2.2.42.2.2 SMB2_COMPRESSION_PATTERN_PAYLOAD_V1: what a PatternV1 payload holds.
struct CompressionPattern {
  std::uint8_t pattern = 0;
  std::uint32_t repetitions = 0;
};
struct CompressionChain {
  std::uint32_t original_compressed_segment_size = 0;
  std::vector<CompressionPayload> payloads;
};
/// [MS-SMB2] 2.2.42.2 SMB2_COMPRESSION_TRANSFORM_HEADER_CHAINED. At most 64 payloads.
[[nodiscard]] Wire<CompressionChain> decode_compression_chain(ByteView packet);
void encode_compression_chain(const CompressionChain& chain, Bytes& out);

/// Direct TCP transport: 4 bytes, first zero, then a big-endian 24-bit length ([MS-SMB2] 2.1).
/// Errors  Truncated; BadValue where the first byte is not 0.
[[nodiscard]] Wire<std::uint32_t> decode_frame_length(ByteView bytes) noexcept;
void encode_frame_length(std::uint32_t length, std::span<std::uint8_t, 4> out) noexcept;

/// SMB1 NEGOTIATE, the multi-protocol kind: [MS-SMB2] 3.3.5.3, [MS-CIFS] 2.2.4.52.1.
struct Smb1NegotiateRequest {
  std::vector<std::string_view> dialects;  ///< borrowed from the packet, without 0x02 and NUL
  std::uint16_t pid_low = 0;
  std::uint16_t mid = 0;
  [[nodiscard]] bool offers(std::string_view dialect) const noexcept;  ///< "SMB 2.002", "SMB 2.???"
};
[[nodiscard]] Wire<Smb1NegotiateRequest> decode_smb1_negotiate(ByteView packet);
void encode_smb1_negotiate(const Smb1NegotiateRequest& request, Bytes& out);

}  // namespace flotilla::wire

// Frames, headers and compounds.
#include <gtest/gtest.h>

#include "wire/dfs.hpp"
#include "wire/testing/test_vectors.hpp"

namespace flotilla::wire {
namespace {

TEST(WireHeader, AsyncAndSyncShareTheirPlace) {
  Smb2Header header;
  header.command = Command::ChangeNotify;
  header.flags = header_flags::kServerToRedir | header_flags::kAsyncCommand;
  header.async_id = AsyncId{0x1122334455667788ULL};
  header.tree_id = TreeId{7};
  Bytes bytes;
  header.encode(bytes);
  ASSERT_EQ(bytes.size(), kSmb2HeaderSize);
  EXPECT_EQ(load_le<std::uint64_t>(bytes.data() + 32), 0x1122334455667788ULL);
  EXPECT_EQ(Smb2Header::decode(bytes)->tree_id, TreeId{});
  header.flags = 0;
  bytes.clear();
  header.encode(bytes);
  EXPECT_EQ(load_le<std::uint32_t>(bytes.data() + 36), 7U);
  EXPECT_EQ(Smb2Header::decode(bytes)->async_id, AsyncId{});
}

TEST(WireHeader, ChannelSequenceIsTheLowHalfOfStatus) {
  Smb2Header header;
  header.status = 0xABCD0102;
  EXPECT_EQ(header.channel_sequence(), 0x0102);
}

TEST(WireHeader, OtherProtocolAndOtherSizeAreRefused) {
  Bytes bytes;
  Smb2Header{}.encode(bytes);
  bytes[4] = 65;
  EXPECT_EQ(Smb2Header::decode(bytes).error().fault, WireFault::StructureSize);
  bytes[0] = 0xFD;
  EXPECT_EQ(Smb2Header::decode(bytes).error().fault, WireFault::ProtocolId);
  EXPECT_EQ(kind_of(bytes), PacketKind::Transform);
  EXPECT_EQ(Smb2Header::decode(ByteView(bytes).first(3)).error().fault, WireFault::Truncated);
}

TEST(WireHeader, FrameLengthIsBigEndianAndItsFirstByteZero) {
  std::array<std::uint8_t, 4> frame{};
  encode_frame_length(0x00012345, frame);
  EXPECT_EQ(frame, (std::array<std::uint8_t, 4>{0, 1, 0x23, 0x45}));
  EXPECT_EQ(*decode_frame_length(frame), 0x12345U);
  frame[0] = 0x85;  // NetBIOS keep-alive
  EXPECT_EQ(decode_frame_length(frame).error().fault, WireFault::BadValue);
}

TEST(WireHeader, CompoundsOfSambaAreCutAtNextCommand) {
  const auto all = test::load_vectors("smb2_samba_4.17.txt");
  int found = 0;
  for (const test::Vector& v : all) {
    if (!v.name.starts_with("Compound.")) continue;
    std::vector<ByteView> parts;
    ASSERT_TRUE(split_compound(v.bytes, 16, parts)) << v.name;
    EXPECT_GE(parts.size(), 2U);
    std::size_t total = 0;
    for (const ByteView part : parts) total += part.size();
    EXPECT_EQ(total, v.bytes.size());
    ++found;
  }
  EXPECT_GE(found, 2);
}

Bytes two_echoes() {
  Bytes out;
  Smb2Header header;
  header.command = Command::Echo;
  header.next_command = 72;
  header.encode(out);
  encode(EchoRequest{}, out);
  out.resize(72);
  header.next_command = 0;
  header.encode(out);
  encode(EchoRequest{}, out);
  return out;
}

TEST(WireHeader, NextCommandThatIsMisalignedShortOrPastTheEndIsChainBroken) {
  std::vector<ByteView> parts;
  ASSERT_TRUE(split_compound(two_echoes(), 2, parts));
  for (const std::uint32_t next : {71U, 8U, 56U, 0xFFFFFFF8U, 144U}) {
    Bytes bytes = two_echoes();
    store_le(bytes.data() + 20, next);
    parts.clear();
    const Wire<void> got = split_compound(bytes, 4, parts);
    ASSERT_FALSE(got) << next;
    EXPECT_EQ(got.error().fault, WireFault::ChainBroken);
  }
  parts.clear();
  EXPECT_EQ(split_compound(two_echoes(), 1, parts).error().fault, WireFault::CountOutOfRange);
}

TEST(WireHeader, Smb1NegotiateOfSambaOffersSmb2) {
  const auto all = test::load_vectors("smb2_samba_4.17.txt");
  const test::Vector v = test::find_vector(all, "Smb1Negotiate");
  const Wire<Smb1NegotiateRequest> got = decode_smb1_negotiate(v.bytes);
  ASSERT_TRUE(got);
  EXPECT_TRUE(got->offers("SMB 2.002"));
  EXPECT_TRUE(got->offers("SMB 2.???"));
  EXPECT_TRUE(got->offers("NT LM 0.12"));
  EXPECT_FALSE(got->offers("SMB 2"));
  for (std::size_t n = 0; n < v.bytes.size(); ++n) {
    const Bytes prefix(v.bytes.begin(), v.bytes.begin() + static_cast<std::ptrdiff_t>(n));
    EXPECT_FALSE(decode_smb1_negotiate(prefix)) << n;
  }
  Bytes again;
  encode_smb1_negotiate(*got, again);
  EXPECT_EQ(decode_smb1_negotiate(again)->dialects, got->dialects);
}

TEST(WireHeader, SealedPacketOfSambaHasATransformHeader) {
  const auto all = test::load_vectors("smb2_samba_4.17.txt");
  for (const test::Vector& v : all) {
    if (!v.name.starts_with("Transform.")) continue;
    const Wire<TransformHeader> got = TransformHeader::decode(v.bytes);
    ASSERT_TRUE(got);
    EXPECT_EQ(got->flags, 1);
    EXPECT_EQ(got->original_message_size, v.bytes.size() - kTransformHeaderSize);
  }
  TransformHeader header;
  header.nonce[0] = 5;
  header.session_id = SessionId{9};
  Bytes bytes;
  header.encode(bytes);
  EXPECT_EQ(bytes.size(), kTransformHeaderSize);
  EXPECT_EQ(*TransformHeader::decode(bytes), header);
}

TEST(WireHeader, CompressionChainKeepsItsPayloads) {
  const Bytes plain = {1, 2, 3};
  const Bytes packed = {4, 5};
  CompressionChain chain;
  chain.original_compressed_segment_size = 20;
  chain.payloads = {{0, 1, 0, plain}, {2, 0, 17, packed}};
  Bytes bytes;
  encode_compression_chain(chain, bytes);
  EXPECT_EQ(kind_of(bytes), PacketKind::Compression);
  const Wire<CompressionChain> got = decode_compression_chain(bytes);
  ASSERT_TRUE(got);
  ASSERT_EQ(got->payloads.size(), 2U);
  EXPECT_EQ(got->payloads[1].original_payload_size, 17U);
  EXPECT_EQ(got->payloads[1].data.size(), 2U);
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    const Bytes prefix(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
    if (n == 8 + 8 + 3) continue;  // exactly the first payload
    EXPECT_FALSE(decode_compression_chain(prefix)) << n;
  }
}

TEST(WireDfs, AReferralComesBackFromBothVersions_MsDfsc_2_2_4) {
  DfsReferral referral;
  referral.dfs_path = u"\\here\\data";
  referral.targets = {u"\\there\\data", u"\\elsewhere\\other"};
  for (const std::uint16_t level : {std::uint16_t{3}, std::uint16_t{4}}) {
    Bytes bytes;
    encode_dfs_referral(referral, level, bytes);
    EXPECT_EQ(load_le<std::uint16_t>(bytes.data()), 20) << "PathConsumed counts bytes";
    const auto back = decode_dfs_referral(bytes);
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(back->dfs_path, referral.dfs_path);
    EXPECT_EQ(back->targets, referral.targets);
    for (std::size_t n = 0; n < bytes.size(); ++n) {
      EXPECT_FALSE(decode_dfs_referral(ByteView(bytes).first(n)).has_value()) << n;
    }
  }
}

}  // namespace
}  // namespace flotilla::wire

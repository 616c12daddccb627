// Vectors: [MS-XCA] 3.1 LZ77, 3.2 LZ77+Huffman, 3.3 LZNT1.
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "crypto/compression/codec.hpp"
#include "crypto/compression/huffman_lengths.hpp"
#include "crypto/compression/message.hpp"
#include "wire/smb2_header.hpp"

namespace flotilla::crypto {
namespace {

using wire::CompressionAlgorithm;

Bytes bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

std::string abc_300() {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "abc";
  return text;
}

const std::string kAlphabet = "abcdefghijklmnopqrstuvwxyz";

Bytes decoded(CompressionAlgorithm algorithm, ByteView in, std::size_t size) {
  Bytes out(size);
  EXPECT_TRUE(decompress(algorithm, in, out));
  return out;
}

TEST(Compression, PlainLz77ReadsTheSpecificationsExamples) {
  Bytes letters = {0x3f, 0x00, 0x00, 0x00};
  letters.insert(letters.end(), kAlphabet.begin(), kAlphabet.end());
  EXPECT_EQ(decoded(CompressionAlgorithm::Lz77, letters, 26), bytes_of(kAlphabet));
  const Bytes run = {0xff, 0xff, 0xff, 0x1f, 0x61, 0x62, 0x63, 0x17, 0x00, 0x0f, 0xff, 0x26, 0x01};
  EXPECT_EQ(decoded(CompressionAlgorithm::Lz77, run, 300), bytes_of(abc_300()));
}

TEST(Compression, PlainLz77WritesTheSpecificationsExamples) {
  Bytes out;
  ASSERT_TRUE(lz77_encode(bytes_of(kAlphabet), 1000, out));
  Bytes letters = {0x3f, 0x00, 0x00, 0x00};
  letters.insert(letters.end(), kAlphabet.begin(), kAlphabet.end());
  EXPECT_EQ(out, letters);
  out.clear();
  ASSERT_TRUE(lz77_encode(bytes_of(abc_300()), 1000, out));
  EXPECT_EQ(out,
            (Bytes{0xff, 0xff, 0xff, 0x1f, 0x61, 0x62, 0x63, 0x17, 0x00, 0x0f, 0xff, 0x26, 0x01}));
}

/// [MS-XCA] 3.2: the alphabet, then abc 100 times.
Bytes huffman_alphabet() {
  Bytes bytes(256);
  bytes[0x30] = 0x50;
  for (int i = 0x31; i < 0x3b; ++i) bytes[i] = 0x55;
  bytes[0x3b] = 0x45;
  bytes[0x3c] = 0x44;
  bytes[0x3d] = 0x04;
  bytes[0x80] = 0x04;
  for (const int b : {0xd8, 0x52, 0x3e, 0xd7, 0x94, 0x11, 0x5b, 0xe9, 0x19, 0x5f,
                      0xf9, 0xd6, 0x7c, 0xdf, 0x8d, 0x04, 0x00, 0x00, 0x00, 0x00}) {
    bytes.push_back(static_cast<std::uint8_t>(b));
  }
  return bytes;
}
Bytes huffman_abc() {
  Bytes bytes(256);
  bytes[0x30] = 0x30;
  bytes[0x31] = 0x23;
  bytes[0x80] = 0x02;
  bytes[0x8f] = 0x20;
  for (const int b : {0xa8, 0xdc, 0x00, 0x00, 0xff, 0x26, 0x01}) {
    bytes.push_back(static_cast<std::uint8_t>(b));
  }
  return bytes;
}

TEST(Compression, HuffmanReadsTheSpecificationsExamples) {
  EXPECT_EQ(decoded(CompressionAlgorithm::Lz77Huffman, huffman_alphabet(), 26),
            bytes_of(kAlphabet));
  EXPECT_EQ(decoded(CompressionAlgorithm::Lz77Huffman, huffman_abc(), 300), bytes_of(abc_300()));
}

TEST(Compression, HuffmanWritesTheSpecificationsSecondExample) {
  Bytes out;
  ASSERT_TRUE(lz77_huffman_encode(bytes_of(abc_300()), 1000, out));
  EXPECT_EQ(out.size(), huffman_abc().size());
  EXPECT_EQ(decoded(CompressionAlgorithm::Lz77Huffman, out, 300), bytes_of(abc_300()));
}

TEST(Compression, Lznt1ReadsTheSpecificationsExample) {
  const Bytes in = {0x38, 0xb0, 0x88, 0x46, 0x23, 0x20, 0x00, 0x20, 0x47, 0x20, 0x41, 0x00,
                    0x10, 0xa2, 0x47, 0x01, 0xa0, 0x45, 0x20, 0x44, 0x00, 0x08, 0x45, 0x01,
                    0x50, 0x79, 0x00, 0xc0, 0x45, 0x20, 0x05, 0x24, 0x13, 0x88, 0x05, 0xb4,
                    0x02, 0x4a, 0x44, 0xef, 0x03, 0x58, 0x02, 0x8c, 0x09, 0x16, 0x01, 0x48,
                    0x45, 0x00, 0xbe, 0x00, 0x9e, 0x00, 0x04, 0x01, 0x18, 0x90, 0x00};
  const std::string text =
      "F# F# G A A G F# E D D E F# F# E E F# F# G A A G F# E D D E F# E D D E E F# D E F# G F# D "
      "E F# G F# E D E A F# F# G A A G F# E D D E F# E D D";
  Bytes want = bytes_of(text);
  want.push_back(0);
  ASSERT_EQ(want.size(), 142U);
  EXPECT_EQ(decoded(CompressionAlgorithm::Lznt1, in, 142), want);
}

/// Texts, runs, noise and mixtures, of sizes around the chunk and the block.
std::vector<Bytes> samples() {
  std::mt19937 random(7);
  std::vector<Bytes> all;
  for (const std::size_t size : {1U, 2U, 3U, 4U, 31U, 32U, 33U, 300U, 4095U, 4096U, 4097U, 65535U,
                                 65536U, 65537U, 200000U}) {
    Bytes run(size, 0);
    all.push_back(run);
    Bytes noise(size);
    for (auto& b : noise) b = static_cast<std::uint8_t>(random());
    all.push_back(noise);
    Bytes few(size);
    for (auto& b : few) b = static_cast<std::uint8_t>("aab"[random() % 3]);
    all.push_back(few);
    Bytes text;
    while (text.size() < size) {
      const std::string word = "word" + std::to_string(random() % 400) + " ";
      text.insert(text.end(), word.begin(), word.end());
    }
    text.resize(size);
    all.push_back(text);
    Bytes skewed(size);  // counts that ask for codes longer than 15 bits
    for (auto& b : skewed) {
      std::uint8_t value = 0;
      while (value < 40 && random() % 8 < 3) ++value;
      b = value;
    }
    all.push_back(skewed);
  }
  return all;
}

class EachAlgorithm : public testing::TestWithParam<CompressionAlgorithm> {};

TEST_P(EachAlgorithm, ReadsWhatItWrote) {
  for (const Bytes& sample : samples()) {
    Bytes small;
    if (!compress(GetParam(), sample, small)) {
      EXPECT_TRUE(small.empty());
      continue;
    }
    EXPECT_LT(small.size(), sample.size());
    EXPECT_EQ(decoded(GetParam(), small, sample.size()), sample) << sample.size();
  }
}

TEST_P(EachAlgorithm, MakesTextAndRunsMuchSmaller) {
  Bytes small;
  ASSERT_TRUE(compress(GetParam(), Bytes(200000, 0), small));
  EXPECT_LT(small.size(), 2500U);
  Bytes text;
  for (int i = 0; i < 4000; ++i) {
    const std::string line = "line " + std::to_string(i) + " of a log that says little\n";
    text.insert(text.end(), line.begin(), line.end());
  }
  small.clear();
  ASSERT_TRUE(compress(GetParam(), text, small));
  EXPECT_LT(small.size(), text.size() / 3);
}

TEST_P(EachAlgorithm, IsTotalOverDamageAndWrongSizes) {
  std::mt19937 random(11);
  for (const Bytes& sample : samples()) {
    Bytes small;
    if (!compress(GetParam(), sample, small)) continue;
    Bytes larger(sample.size() + 70000);
    EXPECT_FALSE(decompress(GetParam(), small, larger)) << "more than it holds";
    for (int round = 0; round < 20; ++round) {
      Bytes damaged = small;
      damaged[random() % damaged.size()] ^= static_cast<std::uint8_t>(1 + random() % 255);
      damaged.resize(random() % (damaged.size() + 1));
      Bytes out(sample.size());
      (void)decompress(GetParam(), damaged, out);  // any verdict; the sanitizers judge
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Compression, EachAlgorithm,
                         testing::Values(CompressionAlgorithm::Lznt1, CompressionAlgorithm::Lz77,
                                         CompressionAlgorithm::Lz77Huffman));

TEST(Compression, HuffmanLengthsAreACompleteCodeOfAtMost15Bits) {
  HuffmanCounts counts{};
  std::uint32_t a = 1;
  std::uint32_t b = 1;
  for (int i = 0; i < 40; ++i) {  // Fibonacci: the deepest tree there is
    counts[i] = a;
    std::tie(a, b) = std::pair(b, a + b);
  }
  const HuffmanLengths lengths = huffman_lengths(counts);
  std::uint32_t filled = 0;
  for (const std::uint8_t length : lengths) {
    EXPECT_LE(length, kHuffmanBitsMax);
    if (length != 0) filled += 1U << (kHuffmanBitsMax - length);
  }
  EXPECT_EQ(filled, 1U << kHuffmanBitsMax);
}

// --- messages ---------------------------------------------------------------------------------

constexpr std::uint16_t kLz77 = 2;
constexpr std::uint16_t kPattern = 4;
const std::vector<std::uint16_t> kOnlyLz77 = {kLz77};
const std::vector<std::uint16_t> kLz77AndPattern = {kLz77, kPattern};
constexpr std::size_t kPlainBytes = 80;

Bytes message_with(ByteView data) {
  Bytes message(kPlainBytes, 0x55);
  message.insert(message.end(), data.begin(), data.end());
  return message;
}

TEST(CompressedMessage, ComesBackChainedAndUnchained) {
  for (const Bytes& sample : samples()) {
    const Bytes message = message_with(sample);
    for (const CompressionTerms terms :
         {CompressionTerms{kOnlyLz77, false}, CompressionTerms{kOnlyLz77, true},
          CompressionTerms{kLz77AndPattern, true}}) {
      const Bytes small = compress_message(message, kPlainBytes, terms);
      if (small.empty()) continue;
      EXPECT_LT(small.size(), message.size());
      const auto back = decompress_message(small, terms, message.size());
      ASSERT_TRUE(back.has_value()) << back.error();
      EXPECT_EQ(*back, message);
      EXPECT_FALSE(decompress_message(small, terms, message.size() - 1).has_value());
    }
  }
}

TEST(CompressedMessage, RunsAtBothEndsArePatterns) {
  Bytes data(70000, 0);
  for (int i = 30000; i < 30100; ++i) data[i] = static_cast<std::uint8_t>(i * 7);
  const CompressionTerms terms{kLz77AndPattern, true};
  const Bytes small = compress_message(message_with(data), kPlainBytes, terms);
  const auto chain = wire::decode_compression_chain(small);
  ASSERT_TRUE(chain.has_value());
  ASSERT_EQ(chain->payloads.size(), 4U);
  EXPECT_EQ(chain->payloads[0].compression_algorithm, 0);
  EXPECT_EQ(chain->payloads[1].compression_algorithm, kPattern);
  EXPECT_EQ(chain->payloads[3].compression_algorithm, kPattern);
}

TEST(CompressedMessage, WhatWouldNotBeSmallerStaysAsItIs) {
  std::mt19937 random(3);
  Bytes noise(50000);
  for (auto& b : noise) b = static_cast<std::uint8_t>(random());
  const Bytes message = message_with(noise);
  EXPECT_TRUE(compress_message(message, kPlainBytes, {kLz77AndPattern, true}).empty());
  EXPECT_TRUE(compress_message(message, kPlainBytes, {kOnlyLz77, false}).empty());
  EXPECT_TRUE(compress_message(message, kPlainBytes, {{}, false}).empty());
}

TEST(CompressedMessage, ABombIsRefusedBeforeMemoryIsTaken) {
  wire::CompressionTransformHeader header;
  header.original_compressed_segment_size = 0xFFFFFFFF;
  header.compression_algorithm = kLz77;
  Bytes packet;
  header.encode(packet);
  packet.resize(packet.size() + 16);
  EXPECT_FALSE(decompress_message(packet, {kOnlyLz77, false}, 1 << 20).has_value());
  header.offset = 0xFFFFFFF0;
  header.original_compressed_segment_size = 32;
  Bytes wrapped;
  header.encode(wrapped);
  wrapped.resize(wrapped.size() + 16);
  EXPECT_FALSE(decompress_message(wrapped, {kOnlyLz77, false}, 1 << 20).has_value());

  wire::CompressionChain chain;
  chain.original_compressed_segment_size = 100;
  const Bytes run = wire::encoded(wire::CompressionPattern{7, 0xFFFFFFFF});
  chain.payloads.push_back({kPattern, 0, 0, run});
  Bytes many;
  wire::encode_compression_chain(chain, many);
  EXPECT_FALSE(decompress_message(many, {kLz77AndPattern, true}, 1 << 20).has_value());
}

TEST(CompressedMessage, OnlyWhatWasNegotiatedIsRead) {
  const Bytes message = message_with(Bytes(5000, 9));
  const Bytes chained = compress_message(message, kPlainBytes, {kLz77AndPattern, true});
  EXPECT_FALSE(decompress_message(chained, {kLz77AndPattern, false}, 1 << 20).has_value());
  EXPECT_FALSE(decompress_message(chained, {kOnlyLz77, true}, 1 << 20).has_value());
  EXPECT_FALSE(decompress_message(chained, {{}, true}, 1 << 20).has_value());
  const Bytes plain = compress_message(message, kPlainBytes, {kOnlyLz77, false});
  const std::vector<std::uint16_t> other = {1, 3};
  EXPECT_FALSE(decompress_message(plain, {other, false}, 1 << 20).has_value());
}

}  // namespace
}  // namespace flotilla::crypto

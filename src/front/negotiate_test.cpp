#include "front/negotiate.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "crypto/preauth.hpp"
#include "wire/error_response.hpp"
#include "wire/negotiate.hpp"
#include "wire/smb2_header.hpp"

namespace flotilla::front {
namespace {

using wire::Dialect;
using Type = wire::NegotiateContextType;

struct Offer {
  std::vector<Dialect> dialects{Dialect::Smb202, Dialect::Smb210, Dialect::Smb300, Dialect::Smb302,
                                Dialect::Smb311};
  std::vector<wire::HashAlgorithm> hashes{wire::HashAlgorithm::Sha512};
  std::vector<wire::SigningAlgorithm> signing;
  std::vector<wire::Cipher> ciphers;
  std::vector<wire::CompressionAlgorithm> compression;
  bool chained = false;
  int preauth_contexts = 1;
  std::uint32_t capabilities = 0x7F;
  std::uint64_t message_id = 0;
};

Bytes request_of(const Offer& offer) {
  static const std::array<std::uint8_t, 32> kSalt{1, 2, 3};
  wire::NegotiateRequest request;
  request.security_mode = 1;
  request.capabilities = offer.capabilities;
  request.client_guid.bytes = {9, 8, 7};
  request.dialects = offer.dialects;
  wire::PreauthIntegrityCapabilities preauth;
  preauth.hash_algorithms = offer.hashes;
  preauth.salt = kSalt;
  const Bytes preauth_data = wire::encoded(preauth);
  const Bytes signing_data = wire::encoded(wire::SigningCapabilities{offer.signing});
  const Bytes cipher_data = wire::encoded(wire::EncryptionCapabilities{offer.ciphers});
  for (int i = 0; i < offer.preauth_contexts; ++i)
    request.negotiate_contexts.push_back({Type::PreauthIntegrityCapabilities, preauth_data});
  if (!offer.signing.empty())
    request.negotiate_contexts.push_back({Type::SigningCapabilities, signing_data});
  if (!offer.ciphers.empty())
    request.negotiate_contexts.push_back({Type::EncryptionCapabilities, cipher_data});
  const Bytes compression_data =
      wire::encoded(wire::CompressionCapabilities{offer.chained ? 1U : 0U, offer.compression});
  if (!offer.compression.empty())
    request.negotiate_contexts.push_back({Type::CompressionCapabilities, compression_data});
  wire::Smb2Header header;
  header.command = wire::Command::Negotiate;
  header.credits = 31;
  header.message_id = MessageId{offer.message_id};
  Bytes out;
  header.encode(out);
  wire::encode(request, out);
  return out;
}

struct Fixture : testing::Test {
  ports::ServerConfig config;
  NegotiateContextIn in;
  Fixture() {
    config.guid.bytes = {0xAA, 0xBB};
    in.config = &config;
    in.now = NtTime{132000000000000000ULL};
    in.security_token = {0x60, 0x01, 0x02};
    in.salt.fill(0x5A);
  }
  struct Answer {
    NegotiateAnswer raw;
    wire::Smb2Header header;
    wire::NegotiateResponse response;
  };
  Answer answer(const Bytes& request) {
    auto got = answer_negotiate(request, in);
    EXPECT_TRUE(got) << got.error();
    Answer out;
    out.raw = std::move(*got);
    return parsed(std::move(out));
  }
  static Answer parsed(Answer out) {
    const ByteView message = ByteView(out.raw.frame).subspan(4);
    out.header = *wire::Smb2Header::decode(message);
    if (out.header.nt_status() == NtStatus::Success)
      out.response = *wire::decode<wire::NegotiateResponse>(message);
    return out;
  }
};
using Negotiate = Fixture;

TEST_F(Negotiate, CompressionIsAListWithChainsAndOneAlgorithmWithout_MsSmb2_3_3_5_4) {
  using enum wire::CompressionAlgorithm;
  struct Case {
    std::vector<wire::CompressionAlgorithm> offered;
    bool chained;
    std::vector<std::uint16_t> want;
  };
  for (const Case& row :
       {Case{{PatternV1, Lznt1, Lz77}, true, {2, 1, 4}}, Case{{PatternV1, Lznt1, Lz77}, false, {2}},
        Case{{Lz4}, true, {}}, Case{{PatternV1}, false, {}}}) {
    Offer offer;
    offer.compression = row.offered;
    offer.chained = row.chained;
    const Answer got = answer(request_of(offer));
    EXPECT_EQ(got.raw.facts.compression, row.want);
    const auto* context =
        wire::find_context(got.response.negotiate_contexts, Type::CompressionCapabilities);
    ASSERT_NE(context, nullptr);
    const auto said = wire::decode<wire::CompressionCapabilities>(context->data);
    ASSERT_TRUE(said);
    EXPECT_EQ(said->flags, row.chained ? 1U : 0U);
    EXPECT_EQ(said->compression_algorithms.size(), row.want.empty() ? 1U : row.want.size());
  }
  config.compression = false;
  Offer offer;
  offer.compression = {Lz77};
  const Answer got = answer(request_of(offer));
  EXPECT_TRUE(got.raw.facts.compression.empty());
  EXPECT_EQ(wire::find_context(got.response.negotiate_contexts, Type::CompressionCapabilities),
            nullptr);
}

TEST_F(Negotiate, ChoosesTheGreatestCommonDialect_MsSmb2_3_3_5_4) {
  struct Row {
    std::vector<Dialect> offered;
    std::uint16_t min, max;
    std::uint16_t chosen;  // 0: NOT_SUPPORTED
  };
  const auto all = Offer{}.dialects;
  const Row rows[] = {
      {all, 0x0202, 0x0311, 0x0311},
      {all, 0x0202, 0x0302, 0x0302},
      {all, 0x0202, 0x0300, 0x0300},
      {all, 0x0202, 0x0210, 0x0210},
      {all, 0x0202, 0x0202, 0x0202},
      {{Dialect::Smb202}, 0x0202, 0x0311, 0x0202},
      {{Dialect::Smb210}, 0x0202, 0x0311, 0x0210},
      {{Dialect::Smb300}, 0x0202, 0x0311, 0x0300},
      {{Dialect::Smb302}, 0x0202, 0x0311, 0x0302},
      {{Dialect::Smb302, Dialect::Smb202}, 0x0202, 0x0311, 0x0302},
      {{Dialect::Smb202}, 0x0300, 0x0311, 0},
      {{static_cast<Dialect>(0x0222)}, 0x0202, 0x0311, 0},
      {{Dialect::Smb2Wildcard}, 0x0202, 0x0311, 0},
  };
  for (const Row& row : rows) {
    config.dialect_min = row.min;
    config.dialect_max = row.max;
    Offer offer;
    offer.dialects = row.offered;
    const Answer got = answer(request_of(offer));
    if (row.chosen == 0) {
      EXPECT_EQ(got.header.nt_status(), NtStatus::NotSupported);
      EXPECT_FALSE(got.raw.negotiated);
      continue;
    }
    EXPECT_EQ(static_cast<std::uint16_t>(got.response.dialect_revision), row.chosen);
    EXPECT_EQ(got.raw.facts.dialect, row.chosen);
    EXPECT_TRUE(got.raw.negotiated);
    EXPECT_EQ(got.response.max_read_size, row.chosen == 0x0202 ? 65536U : 8U << 20);
    EXPECT_EQ((got.response.capabilities & wire::capability::kLargeMtu) != 0, row.chosen > 0x0202);
    EXPECT_EQ((got.response.capabilities & wire::capability::kLeasing) != 0, row.chosen > 0x0202);
    EXPECT_EQ(got.response.capabilities & wire::capability::kMultiChannel, 0U);
    EXPECT_EQ(got.response.capabilities & wire::capability::kEncryption, 0U);
    EXPECT_EQ(got.raw.facts.signing_algorithm, row.chosen >= 0x0300 ? 1 : 0);
    EXPECT_EQ(got.response.negotiate_contexts.size(), row.chosen == 0x0311 ? 1U : 0U);
  }
}

TEST_F(Negotiate, TheAnswerHasTimeGuidTokenModeAndOneCredit) {
  const Answer got = answer(request_of(Offer{}));
  EXPECT_EQ(got.header.credits, 1);
  EXPECT_TRUE(got.header.is_response());
  EXPECT_EQ(got.response.system_time, in.now);
  EXPECT_EQ(got.response.server_start_time, NtTime{});
  EXPECT_EQ(got.response.server_guid, config.guid);
  EXPECT_EQ(Bytes(got.response.security_buffer.begin(), got.response.security_buffer.end()),
            in.security_token);
  EXPECT_EQ(got.response.security_mode, 3);
  config.signing = ports::SigningMode::Enabled;
  EXPECT_EQ(answer(request_of(Offer{})).response.security_mode, 1);
}

TEST_F(Negotiate, GoldenBytesOfA210Answer_MsSmb2_2_2_4) {
  // Laid out by hand after [MS-SMB2] 2.2.1.2 and 2.2.4.
  Offer offer;
  offer.dialects = {Dialect::Smb210};
  const Answer got = answer(request_of(offer));
  Bytes expected(4 + 64 + 64 + 3);
  std::uint8_t* const at = expected.data() + 4;
  std::memcpy(at, "\xFESMB", 4);
  at[4] = 64;
  store_le<std::uint16_t>(at + 14, 1);  // CreditResponse
  store_le<std::uint32_t>(at + 16, 1);  // SERVER_TO_REDIR
  std::uint8_t* const body = at + 64;
  store_le<std::uint16_t>(body, 65);
  store_le<std::uint16_t>(body + 2, 3);
  store_le<std::uint16_t>(body + 4, 0x0210);
  body[8] = 0xAA;
  body[9] = 0xBB;
  store_le<std::uint32_t>(body + 24, 0x06);
  for (const int i : {28, 32, 36}) store_le<std::uint32_t>(body + i, 8U << 20);
  store_le<std::uint64_t>(body + 40, in.now.ticks);
  store_le<std::uint16_t>(body + 56, 128);
  store_le<std::uint16_t>(body + 58, 3);
  body[64] = 0x60;
  body[65] = 1;
  body[66] = 2;
  EXPECT_EQ(got.raw.frame, expected);
}

TEST_F(Negotiate, PreauthHashRunsOverRequestAndResponse_MsSmb2_3_3_5_4) {
  const Bytes request = request_of(Offer{});
  const Answer got = answer(request);
  crypto::PreauthHash hash;
  hash.add(request);
  hash.add(ByteView(got.raw.frame).subspan(4));
  EXPECT_TRUE(std::ranges::equal(hash.value(), got.raw.facts.preauth_hash));
  const auto* context =
      wire::find_context(got.response.negotiate_contexts, Type::PreauthIntegrityCapabilities);
  ASSERT_NE(context, nullptr);
  const auto preauth = wire::decode<wire::PreauthIntegrityCapabilities>(context->data);
  ASSERT_TRUE(preauth);
  EXPECT_TRUE(std::ranges::equal(preauth->salt, in.salt));
  Offer old;
  old.dialects = {Dialect::Smb302};
  const Answer before = answer(request_of(old));
  EXPECT_TRUE(std::ranges::all_of(before.raw.facts.preauth_hash, [](auto b) { return b == 0; }));
}

TEST_F(Negotiate, SigningAlgorithmIsTheBestInCommon_MsSmb2_3_3_5_4) {
  using A = wire::SigningAlgorithm;
  struct Row {
    std::vector<A> offered;
    std::uint16_t chosen;
    bool context;
  };
  const Row rows[] = {
      {{}, 1, false},
      {{A::AesGmac, A::AesCmac, A::HmacSha256}, 2, true},
      {{A::HmacSha256, A::AesGmac}, 2, true},
      {{A::AesCmac, A::HmacSha256}, 1, true},
      {{A::HmacSha256}, 0, true},
      {{static_cast<A>(77)}, 1, false},  // none in common: AES-CMAC
  };
  for (const Row& row : rows) {
    Offer offer;
    offer.signing = row.offered;
    const Answer got = answer(request_of(offer));
    EXPECT_EQ(got.raw.facts.signing_algorithm, row.chosen);
    const auto* context =
        wire::find_context(got.response.negotiate_contexts, Type::SigningCapabilities);
    ASSERT_EQ(context != nullptr, row.context);
    if (context == nullptr) continue;
    const auto told = wire::decode<wire::SigningCapabilities>(context->data);
    ASSERT_TRUE(told);
    EXPECT_EQ(told->signing_algorithms.size(), 1U);
    EXPECT_EQ(static_cast<std::uint16_t>(told->signing_algorithms[0]), row.chosen);
  }
}

TEST_F(Negotiate, CiphersAreOfferedOnlyWhereConfiguredAndTheClientsFirstIsTaken) {
  Offer offer;
  offer.ciphers = {wire::Cipher::Aes128Ccm, wire::Cipher::Aes128Gcm};
  EXPECT_EQ(answer(request_of(offer)).raw.facts.cipher, 0);
  EXPECT_EQ(answer(request_of(offer)).response.negotiate_contexts.size(), 1U);
  in.encryption = true;
  EXPECT_EQ(answer(request_of(offer)).raw.facts.cipher, 1);
  offer.ciphers = {wire::Cipher::Aes128Gcm, wire::Cipher::Aes128Ccm};
  EXPECT_EQ(answer(request_of(offer)).raw.facts.cipher, 2);
  offer.dialects = {Dialect::Smb302};
  const Answer old = answer(request_of(offer));
  EXPECT_EQ(old.raw.facts.cipher, 1);
  EXPECT_NE(old.response.capabilities & wire::capability::kEncryption, 0U);
}

TEST_F(Negotiate, BadContextsAreRefusedByStatus_MsSmb2_3_3_5_4) {
  Offer none;
  none.preauth_contexts = 0;
  EXPECT_EQ(answer(request_of(none)).header.nt_status(), NtStatus::InvalidParameter);
  Offer two;
  two.preauth_contexts = 2;
  EXPECT_EQ(answer(request_of(two)).header.nt_status(), NtStatus::InvalidParameter);
  Offer other_hash;
  other_hash.hashes = {static_cast<wire::HashAlgorithm>(9)};
  EXPECT_EQ(answer(request_of(other_hash)).header.nt_status(),
            NtStatus::SmbNoPreauthIntegrityHashOverlap);
  Offer no_dialect;
  no_dialect.dialects = {};
  EXPECT_EQ(answer(request_of(no_dialect)).header.nt_status(), NtStatus::InvalidParameter);
  // The refusal leaves the connection without a dialect.
  EXPECT_FALSE(answer(request_of(two)).raw.negotiated);
}

TEST_F(Negotiate, EveryTruncationIsAnAnswerOrAReasonAndNothingElse) {
  Offer offer;
  offer.signing = {wire::SigningAlgorithm::AesGmac};
  offer.ciphers = {wire::Cipher::Aes128Gcm};
  const Bytes whole = request_of(offer);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    const auto got = answer_negotiate(cut, in);
    EXPECT_FALSE(got && got->negotiated) << size;
  }
}

TEST_F(Negotiate, FactsTellTheServingNodeWhatTheClientSaid) {
  Offer offer;
  offer.message_id = 1;
  const Answer got = answer(request_of(offer));
  const ports::ConnectionFacts& facts = got.raw.facts;
  EXPECT_EQ(facts.client_dialects,
            (std::vector<std::uint16_t>{0x0202, 0x0210, 0x0300, 0x0302, 0x0311}));
  EXPECT_EQ(facts.client_guid.bytes[0], 9);
  EXPECT_EQ(facts.client_capabilities, 0x7FU);
  EXPECT_EQ(facts.client_security_mode, 1);
  EXPECT_EQ(facts.server_capabilities, got.response.capabilities);
  EXPECT_EQ(facts.server_security_mode, 3);
  EXPECT_EQ(facts.next_message_id, 2U);
}

Bytes smb1_of(std::initializer_list<std::string_view> dialects) {
  wire::Smb1NegotiateRequest request;
  request.dialects = dialects;
  Bytes out;
  wire::encode_smb1_negotiate(request, out);
  return out;
}

TEST_F(Negotiate, Smb1WithWildcardGets02FFAndStaysOpen_MsSmb2_3_3_5_3_1) {
  auto got = answer_smb1_negotiate(smb1_of({"NT LM 0.12", "SMB 2.002", "SMB 2.???"}), in);
  ASSERT_TRUE(got);
  EXPECT_FALSE(got->negotiated);
  Answer answer_;
  answer_.raw = std::move(*got);
  const Answer told = parsed(std::move(answer_));
  EXPECT_EQ(told.response.dialect_revision, Dialect::Smb2Wildcard);
  EXPECT_EQ(told.header.message_id.raw(), 0U);
  EXPECT_EQ(told.header.credits, 1);
}

TEST_F(Negotiate, Smb1With2002OnlyIsFinal_MsSmb2_3_3_5_3_2) {
  auto got = answer_smb1_negotiate(smb1_of({"NT LM 0.12", "SMB 2.002"}), in);
  ASSERT_TRUE(got);
  EXPECT_TRUE(got->negotiated);
  EXPECT_EQ(got->facts.dialect, 0x0202);
  config.dialect_max = 0x0202;
  auto wild = answer_smb1_negotiate(smb1_of({"SMB 2.002", "SMB 2.???"}), in);
  ASSERT_TRUE(wild);
  EXPECT_TRUE(wild->negotiated);
}

TEST_F(Negotiate, Smb1WithoutAnSmb2DialectIsRefused) {
  EXPECT_FALSE(answer_smb1_negotiate(smb1_of({"NT LM 0.12"}), in));
  config.dialect_min = 0x0300;
  EXPECT_FALSE(answer_smb1_negotiate(smb1_of({"SMB 2.002"}), in));
  EXPECT_FALSE(answer_smb1_negotiate(Bytes{0xFF, 'S', 'M', 'B', 0x73}, in));
}

}  // namespace
}  // namespace flotilla::front

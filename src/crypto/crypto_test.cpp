// Vectors: RFC 4493, RFC 1320, RFC 6229, NIST's GCM test cases, and Microsoft's Open Specifications
// blog
// ("Encryption in SMB 3.0: A protocol perspective", "SMB 3.1.1 Encryption in Windows 10", "SMB 2
// and SMB 3 security in Windows 10: the anatomy of signing and cryptographic keys").
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <random>
#include <string>

#include "crypto/aes_chain.hpp"
#include "crypto/hash.hpp"
#include "crypto/kdf.hpp"
#include "crypto/preauth.hpp"
#include "crypto/sealing.hpp"
#include "crypto/signing.hpp"

namespace flotilla::crypto {
namespace {

Bytes unhex(std::string_view text) {
  Bytes out;
  const auto digit = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
  std::string digits;
  for (const char c : text) {
    if (c != ' ' && c != '\n') digits.push_back(c);
  }
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    out.push_back(static_cast<std::uint8_t>(digit(digits[i]) * 16 + digit(digits[i + 1])));
  }
  return out;
}

std::string hex(ByteView bytes) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

Key16 key16(std::string_view text) {
  const Bytes bytes = unhex(text);
  Key16 key{};
  std::copy_n(bytes.begin(), 16, key.begin());
  return key;
}

template <std::size_t N>
std::array<std::uint8_t, N> array_of(std::string_view text) {
  const Bytes bytes = unhex(text);
  std::array<std::uint8_t, N> out{};
  std::copy_n(bytes.begin(), N, out.begin());
  return out;
}

Bytes random_bytes(std::size_t size, std::uint32_t seed) {
  std::mt19937 engine(seed);
  Bytes out(size);
  for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(engine());
  return out;
}

constexpr std::string_view kRfc4493Message =
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52"
    "ef"
    "f69f2445df4f9b17ad2b417be66c3710";

TEST(AesChain, CmacIsThatOfRfc4493Section4) {
  const Bytes message = unhex(kRfc4493Message);
  detail::AesChain chain(unhex("2b7e151628aed2a6abf7158809cf4f3c"));
  const std::pair<std::size_t, std::string_view> rows[] = {
      {0, "BB1D6929E95937287FA37D129B756746"},
      {16, "070A16B46B4D4144F79BDD9DD04A287C"},
      {40, "DFA66747DE9AE63030CA32611497C827"},
      {64, "51F0BEBF7E3B9D92FC49741779363CFE"},
  };
  for (const auto& [size, mac] : rows) {
    chain.reset();
    chain.absorb(ByteView(message).first(size));
    EXPECT_EQ(hex(chain.finish_cmac()), mac) << size << " bytes";
  }
}

TEST(AesChain, HowTheBytesAreCutDoesNotMatter) {
  const Bytes message = random_bytes(10000, 1);
  detail::AesChain chain(random_bytes(16, 2));
  chain.absorb(message);
  const auto whole = chain.finish_cmac();
  for (const std::size_t cut : {1U, 15U, 16U, 17U, 31U, 32U, 4096U, 4097U, 9999U}) {
    chain.reset();
    ByteView rest = message;
    while (!rest.empty()) {
      const std::size_t part = std::min(cut, rest.size());
      chain.absorb(rest.first(part));
      rest = rest.subspan(part);
    }
    EXPECT_EQ(chain.finish_cmac(), whole) << "pieces of " << cut;
  }
}

TEST(Hash, Md4IsThatOfRfc1320) {
  EXPECT_EQ(hex(md4({})), "31D6CFE0D16AE931B73C59D7E0C089C0");
  EXPECT_EQ(hex(md4(as_bytes("abc"))), "A448017AAF21D8525FC10AE87AA6729D");
  EXPECT_EQ(hex(md4(as_bytes("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"))),
            "043F8582F241DB351CE627E153E7F0E4");
  EXPECT_EQ(
      hex(md4(as_bytes("1234567890123456789012345678901234567890123456789012345678901234567890"
                       "1234567890"))),
      "E33B4DDC9C38F2199C3E7B164FCC0536");
}

TEST(Hash, NtHashIsNtowfV1OfMsNlmp4222) {
  EXPECT_EQ(hex(nt_hash(u"Password")), "A4F49C406510BDCAB6824EE7C30FD852");
}

TEST(Hash, Rc4IsThatOfRfc6229AndACopyGoesOnAlone) {
  Rc4 stream(unhex("0102030405060708090a0b0c0d0e0f10"));
  Bytes zeros(16);
  stream.apply(zeros);
  EXPECT_EQ(hex(zeros), "9AC7CC9A609D1EF7B2932899CDE41B97");
  Rc4 copy = stream;
  Bytes a(8), b(8);
  stream.apply(a);
  copy.apply(b);
  EXPECT_EQ(a, b);
}

TEST(Hash, Md5HmacMd5AndSha256MatchTheirRfcs) {
  const ByteView abc[] = {as_bytes("a"), as_bytes("bc")};
  EXPECT_EQ(hex(md5(abc)), "900150983CD24FB0D6963F7D28E17F72");
  const ByteView jefe[] = {as_bytes("what do ya want "), as_bytes("for nothing?")};
  EXPECT_EQ(hex(hmac_md5(as_bytes("Jefe"), jefe)), "750C783E6AB0B503EAA86E310A5DB738");
  EXPECT_EQ(hex(sha256(as_bytes("abc"))),
            "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD");
}

TEST(Kdf, Smb30KeysAreThoseOfTheBlogsFirstChannel) {
  const std::array<std::uint8_t, 64> no_hash{};
  const SessionKeys keys = derive_session_keys(
      KeySchedule::Smb30, unhex("7CD451825D0450D235424E44BA6E78CC"), no_hash, Cipher::Aes128Ccm);
  EXPECT_EQ(hex(keys.signing_key), "0B7E9C5CAC36C0F6EA9AB275298CEDCE");
  EXPECT_EQ(hex(keys.server_in()), "FAD27796665B313EBB578F388632B4F7");
  EXPECT_EQ(hex(keys.server_out()), "B0F0427F7CEB416D1D9DCC0CD4F99447");
  EXPECT_EQ(hex(keys.application_key), "BB23A4575AA26C721AF525AF15A87B4F");
}

constexpr std::string_view kBlogPreauth311 =
    "0DD13628CC3ED218EF9DF9772D436D0887AB9814BFAE63A80AA845F36909DB7928622DDDAD522D97"
    "51640A459762C5A9D6BB084CBB3CE6BDADEF5D5BCE3C6C01";

TEST(Kdf, Smb311KeysAreThoseOfTheBlogsFirstChannel) {
  const auto preauth = array_of<64>(kBlogPreauth311);
  const SessionKeys keys = derive_session_keys(
      KeySchedule::Smb311, unhex("270E1BA896585EEB7AF3472D3B4C75A7"), preauth, Cipher::Aes128Gcm);
  EXPECT_EQ(hex(keys.signing_key), "73FE7A9A77BEF0BDE49C650D8CCB5F76");
  EXPECT_EQ(hex(keys.server_in()), "629BCBC54422A0F572B97F45989B6073");
  EXPECT_EQ(hex(keys.server_out()), "E2AF0DCEFAC68DA71A0DFBD0D1350D74");
  EXPECT_EQ(hex(keys.application_key), "6D7AD7954E9EC61E907B4D473DC178FF");
}

TEST(Kdf, Smb2SignsWithTheSessionKeyPaddedOrCutTo16Bytes) {
  const std::array<std::uint8_t, 64> no_hash{};
  const Bytes short_key = unhex("0102030405060708");
  const SessionKeys keys = derive_session_keys(KeySchedule::Smb2, short_key, no_hash, Cipher::None);
  EXPECT_EQ(hex(keys.signing_key), "01020304050607080000000000000000");
  EXPECT_EQ(keys.cipher_key_bytes, 0U);
  const Bytes long_key = random_bytes(32, 3);
  EXPECT_EQ(hex(session_key_of(long_key)), hex(ByteView(long_key).first(16)));
}

TEST(Kdf, Aes256CiphersGet32BytesFromTheFullSessionKeyAndAnotherL) {
  const auto preauth = array_of<64>(kBlogPreauth311);
  const Bytes full = random_bytes(32, 4);
  const SessionKeys keys256 =
      derive_session_keys(KeySchedule::Smb311, full, preauth, Cipher::Aes256Gcm);
  const SessionKeys keys128 =
      derive_session_keys(KeySchedule::Smb311, full, preauth, Cipher::Aes128Gcm);
  EXPECT_EQ(keys256.server_in().size(), 32U);
  EXPECT_NE(hex(keys256.server_in().first(16)), hex(keys128.server_in()));
  EXPECT_EQ(keys256.signing_key, keys128.signing_key);
  // The same computed from the formula: HMAC(Ki, 1 || label || 0 || context || 256).
  Bytes formula = unhex("00000001");
  for (const char c : std::string_view("SMBC2SCipherKey"))
    formula.push_back(static_cast<std::uint8_t>(c));
  formula.insert(formula.end(), 2, 0);
  formula.insert(formula.end(), preauth.begin(), preauth.end());
  for (const std::uint8_t byte : unhex("00000100")) formula.push_back(byte);
  EXPECT_EQ(hex(keys256.server_in()), hex(hmac_sha256(full, formula)));
}

TEST(Preauth, TheBlogsNegotiateRequestGivesTheBlogsHash) {
  PreauthHash hash;
  hash.add(
      unhex("FE534D4240000100000000000000800000000000000000000100000000000000FFFE000000000000"
            "00000000000000000000000000000000000000000000000024000500000000003F000000ECD86F32"
            "6276024F9F7752B89BB33F3A70000000020000000202100200030203110300000100260000000000"
            "010020000100FA49E6578F1F3A9F4CD3E9CC14A67AA884B3D05844E0E5A118225C15887F32FF0000"
            "0200060000000000020002000100"));
  EXPECT_EQ(hex(hash.value()),
            "DD94EFC5321BB618A2E208BA8920D2F422992526947A409B5037DE1E0FE8C7362B8C47122594CDE0"
            "CE26AA9DFC8BCDBDE0621957672623351A7540F1E54A0426");
  PreauthHash copy = hash;
  copy.add(as_bytes("another message"));
  EXPECT_NE(copy, hash);
}

// The blog's SESSION_SETUP response that ends the 3.1.1 example: signed by Windows with AES-CMAC.
constexpr std::string_view kSignedResponse =
    "FE534D4240000100000000000100800009000000000000000300000000000000FFFE000000000000"
    "1900000000100000EBE146DA120BA25FC3376A49DFE31BC10900000048001D00A11B3019A0030A01"
    "00A3120410010000003B453CDC3524164200000000";

TEST(Signing, AesCmacVerifiesWindowsOwnSignature) {
  const Signer signer(SigningAlgorithm::AesCmac, key16("73FE7A9A77BEF0BDE49C650D8CCB5F76"));
  Bytes message = unhex(kSignedResponse);
  EXPECT_TRUE(signer.verify(message));
  Bytes again = message;
  std::fill(again.begin() + 48, again.begin() + 64, std::uint8_t{0xEE});
  EXPECT_FALSE(signer.verify(again));
  signer.sign(again);
  EXPECT_EQ(hex(again), hex(message));
  for (const std::size_t at : {0U, 16U, 47U, 48U, 63U, 64U, 100U}) {
    Bytes changed = message;
    changed[at] ^= 1;
    EXPECT_FALSE(signer.verify(changed)) << "byte " << at;
  }
}

Bytes test_message(std::size_t size, std::uint16_t command, std::uint32_t flags,
                   std::uint64_t message_id) {
  Bytes message = random_bytes(size, 77);
  store_le(message.data() + 12, command);
  store_le(message.data() + 16, flags);
  store_le(message.data() + 24, message_id);
  return message;
}

class EverySigner : public testing::TestWithParam<SigningAlgorithm> {};
INSTANTIATE_TEST_SUITE_P(Algorithms, EverySigner,
                         testing::Values(SigningAlgorithm::HmacSha256, SigningAlgorithm::AesCmac,
                                         SigningAlgorithm::AesGmac));

TEST_P(EverySigner, HeaderAndBodyApartGiveTheSignatureOfTheWhole) {
  const Signer signer(GetParam(), key16("000102030405060708090A0B0C0D0E0F"));
  for (const std::size_t size : {64U, 65U, 80U, 1000U, 70000U}) {
    Bytes message = test_message(size, 8, 9, 5);
    const Signature whole = signer.compute(message);
    const ByteView view = message;
    const ByteView parts[] = {view.first(64), view.subspan(64, (size - 64) / 3),
                              view.subspan(64 + (size - 64) / 3)};
    EXPECT_EQ(signer.compute(parts), whole) << size;
    Bytes header(message.begin(), message.begin() + 64);
    signer.sign(header, std::span(parts).subspan(1));
    std::copy(header.begin(), header.end(), message.begin());
    EXPECT_TRUE(signer.verify(message)) << size;
  }
}

TEST_P(EverySigner, ASignatureDependsOnTheKeyAndNotOnEarlierMessages) {
  const Signer signer(GetParam(), key16("000102030405060708090A0B0C0D0E0F"));
  const Signer other(GetParam(), key16("000102030405060708090A0B0C0D0E0E"));
  const Bytes a = test_message(200, 8, 9, 5);
  const Bytes b = test_message(333, 9, 9, 6);
  const Signature first = signer.compute(a);
  (void)signer.compute(b);
  EXPECT_EQ(signer.compute(a), first);
  EXPECT_NE(other.compute(a), first);
}

TEST_P(EverySigner, LessThanAHeaderIsNeverGenuine) {
  const Signer signer(GetParam(), key16("000102030405060708090A0B0C0D0E0F"));
  for (std::size_t size = 0; size < 64; ++size) EXPECT_FALSE(signer.verify(Bytes(size)));
}

TEST(Signing, HmacSha256IsTheFirst16BytesOverTheMessageWithAZeroSignature) {
  const Key16 key = key16("000102030405060708090A0B0C0D0E0F");
  const Signer signer(SigningAlgorithm::HmacSha256, key);
  Bytes message = test_message(150, 8, 9, 5);
  const Signature signature = signer.compute(message);
  std::fill(message.begin() + 48, message.begin() + 64, std::uint8_t{0});
  EXPECT_EQ(hex(signature), hex(ByteView(hmac_sha256(key, message)).first(16)));
}

TEST(Signing, AesGmacNonceHasMessageIdServerRoleAndCancelBits) {
  const Key16 key = key16("000102030405060708090A0B0C0D0E0F");
  const Signer signer(SigningAlgorithm::AesGmac, key);
  struct Row {
    std::uint16_t command;
    std::uint32_t flags;
    std::uint8_t role;
  };
  for (const Row row : {Row{8, 8, 0}, Row{8, 9, 1}, Row{12, 8, 2}, Row{12, 9, 3}}) {
    Bytes message = test_message(200, row.command, row.flags, 0x1122334455667788);
    const Signature signature = signer.compute(message);
    std::fill(message.begin() + 48, message.begin() + 64, std::uint8_t{0});
    Bytes nonce = unhex("887766554433221100000000");
    nonce[8] = row.role;
    // The oracle: OpenSSL's GCM over the message as associated data and no text.
    EVP_CIPHER_CTX* ctx = EVP_CIPHER_CTX_new();
    int n = 0;
    Signature expected{};
    EVP_EncryptInit_ex(ctx, EVP_aes_128_gcm(), nullptr, key.data(), nonce.data());
    EVP_EncryptUpdate(ctx, nullptr, &n, message.data(), static_cast<int>(message.size()));
    EVP_EncryptFinal_ex(ctx, expected.data(), &n);
    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, expected.data());
    EVP_CIPHER_CTX_free(ctx);
    EXPECT_EQ(hex(signature), hex(expected)) << "role " << int{row.role};
  }
}

struct Sealed {
  const char* name;
  Cipher cipher;
  std::string_view key;
  std::string_view transformed;
  std::string_view plain;
};

// clang-format off
const Sealed kBlogMessages[] = {
    {"3.0 WRITE request", Cipher::Aes128Ccm, "261B72350558F2E9DCF613070383EDBF",
     "FD534D4281A286535415445DAE393921E44FA42E66E69A111892584FB5ED524A"
     "744DA3EE87000000000001001100001400E4080025C8FEE16605A437832D1CD5"
     "2DA9F4645333482A175FE5384563F45FCDAFAEF38BC62BA4D5C62897996625A4"
     "4C29BE5658DE2E6117585779E7B59FFD971278D08580D7FA899E410E910EABF5"
     "AA1DB43050B33B49182637759AC15D84BFCDF5B6B238993C0F4CF4D6012023F6"
     "C627297075D84B7803912D0A9639634453595EF3E33FFE4E7AC2AB",
     "FE534D4240000100000000000900400008000000000000000400000000000000"
     "FFFE0000010000001100001400E4080000000000000000000000000000000000"
     "3100700017000000000000000000000015010000390000020100000039020000"
     "00000000000000007000000000000000536D623320656E6372797074696F6E20"
     "74657374696E67"},
    {"3.0 READ response", Cipher::Aes128Ccm, "8FE2B57EC34D2DB5B1A9727F526BBDB5",
     "FD534D42ABD518B68C2F04D7879F482B689EB83F870000000000000011000014"
     "00E4080067000000000001001100001400E40800493D6FE2BDBEB435CF5F5469"
     "70C7BB57BF20E713C75A3D045507E0D68E5C0346659D6FFB8AC1504A786CA2BB"
     "89C9E7FE4F313E910A04180D2D0EA7DF636329E5A3285984500EF86FE9D55DA4"
     "FAB9531CFDD4C551D47F3C73124BB4590A45052B694048B991CCF5",
     "FE534D4240000100000000000800210009000000000000000500000000000000"
     "FFFE0000010000001100001400E4080000000000000000000000000000000000"
     "11005000170000000000000000000000536D623320656E6372797074696F6E20"
     "74657374696E67"},
    {"3.1.1 WRITE request", Cipher::Aes128Gcm, "A2F5E80E5D59103034F32E52F698E5EC",
     "FD534D42BD73D97D2BC9001BCAFAC0FDFF5FEEBCC7D6822D269CAF48904C664C0000000087000000"
     "0000010025000000001000006ECDD2A7AFC7B47763057A041B8FD4DAFFE990B70C9E09D36C084E02"
     "D14EF247F8BDE38ACF6256F8B1D3B56F77FBDEB312FEA5E92CBCC1ED8FB2EBBFAA75E49A4A394BB4"
     "4576545567C24D4C014D47C9FBDFDAFD2C4F9B72F8D256452620A299F48E29E53D6B61D1C13A19E9"
     "1AF013F00D17E3ABC2FC3D36C8C1B6B93973253852DBD442E46EE8",
     "FE534D4240000100000000000900010008000000000000000500000000000000FFFE000001000000"
     "25000000001000000000000000000000000000000000000031007000170000000000000000000000"
     "0600000004000000010000000400000000000000000000007000000000000000536D623320656E63"
     "72797074696F6E2074657374696E67"},
    {"3.1.1 WRITE response", Cipher::Aes128Gcm, "748C50868C90F302962A5C35F5F9A8BF",
     "FD534D42ACBE1CB7ED343ADF1725EF144D90D4B0E06831DD2E8EB7B4000000000000000050000000"
     "00000100250000000010000026BBBF949983A6C1C796559D0F2C510CB651D1F7B6AC8DED32A2A0B8"
     "F2D793A815C6F6B848D69767A215841A42D400AE6DDB5F0B44173A014973321FDD7950DA6179159B"
     "82E03C9E18A050FF0EA1C967",
     "FE534D4240000100000000000900010001000000000000000500000000000000FFFE000001000000"
     "25000000001000000000000000000000000000000000000011000000170000000000000000000000"},
};
// clang-format on

TEST(Sealing, OpensAndMakesTheBlogsMessages) {
  for (const Sealed& row : kBlogMessages) {
    const Sealer sealer(row.cipher, unhex(row.key));
    const Bytes transformed = unhex(row.transformed);
    Bytes work = transformed;
    const TransformHeaderBytes header(work.data(), kTransformHeaderBytes);
    const MutableBytes body = MutableBytes(work).subspan(kTransformHeaderBytes);
    ASSERT_TRUE(sealer.open(header, body)) << row.name;
    EXPECT_EQ(hex(body), hex(unhex(row.plain))) << row.name;
    std::fill(work.begin() + 4, work.begin() + 20, std::uint8_t{0});
    sealer.seal(header, body);
    EXPECT_EQ(hex(work), hex(transformed)) << row.name;
  }
}

TEST(Sealing, TheBlogs311KeysComeFromItsSessionKey) {
  const auto preauth = array_of<64>(
      "B23F3CBFD69487D9832B79B1594A367CDD950909B774C3A4C412B4FCEA9EDDDBA7DB256BA2EA30E9"
      "77F11F9B113247578E0E915C6D2A513B8F2FCA5707DC8770");
  const SessionKeys keys = derive_session_keys(
      KeySchedule::Smb311, unhex("419FDDF34C1E001909D362AE7FB6AF79"), preauth, Cipher::Aes128Gcm);
  EXPECT_EQ(hex(keys.server_in()), "A2F5E80E5D59103034F32E52F698E5EC");
  EXPECT_EQ(hex(keys.server_out()), "748C50868C90F302962A5C35F5F9A8BF");
}

class EverySealer : public testing::TestWithParam<Cipher> {};
INSTANTIATE_TEST_SUITE_P(Ciphers, EverySealer,
                         testing::Values(Cipher::Aes128Ccm, Cipher::Aes128Gcm, Cipher::Aes256Ccm,
                                         Cipher::Aes256Gcm));

TEST_P(EverySealer, AgreesWithOpenSslAndSegmentsDoNotMatter) {
  const Cipher cipher = GetParam();
  const bool ccm = nonce_bytes_of(cipher) == 11;
  const Bytes key = random_bytes(key_bytes_of(cipher), 5);
  const Sealer sealer(cipher, key);
  for (const std::size_t size : {1U, 15U, 16U, 17U, 80U, 5000U, 70001U}) {
    const Bytes plain = random_bytes(size, 6);
    Bytes header = random_bytes(52, 7);
    Bytes body = plain;
    const MutableBytes view = body;
    const MutableBytes parts[] = {view.first(size / 3), view.subspan(size / 3, size / 2),
                                  view.subspan(size / 3 + size / 2)};
    sealer.seal(TransformHeaderBytes(header.data(), 52), parts);

    const EVP_CIPHER* evp = ccm ? (key.size() == 32 ? EVP_aes_256_ccm() : EVP_aes_128_ccm())
                                : (key.size() == 32 ? EVP_aes_256_gcm() : EVP_aes_128_gcm());
    EVP_CIPHER_CTX* ctx = EVP_CIPHER_CTX_new();
    int n = 0;
    Bytes expected(size + 16);
    Bytes tag(16);
    EVP_EncryptInit_ex(ctx, evp, nullptr, nullptr, nullptr);
    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, static_cast<int>(nonce_bytes_of(cipher)),
                        nullptr);
    if (ccm) EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, nullptr);
    EVP_EncryptInit_ex(ctx, nullptr, nullptr, key.data(), header.data() + 20);
    if (ccm) EVP_EncryptUpdate(ctx, nullptr, &n, nullptr, static_cast<int>(size));
    EVP_EncryptUpdate(ctx, nullptr, &n, header.data() + 20, 32);
    EVP_EncryptUpdate(ctx, expected.data(), &n, plain.data(), static_cast<int>(size));
    EVP_EncryptFinal_ex(ctx, expected.data() + n, &n);
    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, tag.data());
    EVP_CIPHER_CTX_free(ctx);
    expected.resize(size);
    EXPECT_EQ(body, expected) << size;
    EXPECT_EQ(hex(ByteView(header).subspan(4, 16)), hex(tag)) << size;

    ASSERT_TRUE(sealer.open(TransformHeaderView(header.data(), 52), body)) << size;
    EXPECT_EQ(body, plain) << size;
  }
}

TEST_P(EverySealer, AChangedBitAnywhereIsRefusedAndLeavesZeros) {
  const Sealer sealer(GetParam(), random_bytes(key_bytes_of(GetParam()), 8));
  Bytes header = random_bytes(52, 9);
  Bytes body = random_bytes(100, 10);
  sealer.seal(TransformHeaderBytes(header.data(), 52), body);
  const std::size_t nonce_end = 20 + nonce_bytes_of(GetParam());
  for (const std::size_t at : {std::size_t{4}, std::size_t{19}, std::size_t{20}, nonce_end - 1,
                               nonce_end, std::size_t{36}, std::size_t{51}}) {
    Bytes changed = header;
    changed[at] ^= 0x40;
    Bytes work = body;
    EXPECT_FALSE(sealer.open(TransformHeaderView(changed.data(), 52), work))
        << "header byte " << at;
    EXPECT_EQ(work, Bytes(work.size())) << "header byte " << at;
  }
  for (const std::size_t at : {0U, 50U, 99U}) {
    Bytes work = body;
    work[at] ^= 1;
    EXPECT_FALSE(sealer.open(TransformHeaderView(header.data(), 52), work)) << "body byte " << at;
    EXPECT_EQ(work, Bytes(work.size()));
  }
  EXPECT_TRUE(sealer.open(TransformHeaderView(header.data(), 52), body));
}

}  // namespace
}  // namespace flotilla::crypto

// Vectors: a logon between two Windows machines from Microsoft's Open Specifications blog ("SMB 2
// and SMB 3 security in Windows 10: the anatomy of signing and cryptographic keys").
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "auth/identity.hpp"
#include "auth/ntlm/messages.hpp"
#include "auth/spnego/acceptor.hpp"
#include "auth/spnego/der.hpp"
#include "auth/spnego/tokens.hpp"
#include "auth/test_client.hpp"

namespace flotilla::auth::spnego {
namespace {

using namespace testing_client;

TEST(SpnegoTokens, DecodesAndEncodesWindowsInit) {
  const Bytes bytes = unhex(
      "604806062B0601050502A03E303CA00E300C060A2B06010401823702020AA22A04284E544C4D5353500001000000"
      "978208E2"
      "00000000000000000000000000000000060380250000000F");
  const auto initial = decode_initial(bytes);
  ASSERT_TRUE(initial);
  EXPECT_EQ(hex(initial->mechanism), hex(oid::kSpnego));
  const auto init = decode_init(initial->inner);
  ASSERT_TRUE(init);
  ASSERT_EQ(init->mech_types.size(), 1U);
  EXPECT_EQ(hex(init->mech_types[0]), hex(oid::kNtlm));
  EXPECT_EQ(hex(init->mech_type_list), "300C060A2B06010401823702020A");
  ASSERT_TRUE(init->mech_token);
  EXPECT_TRUE(ntlm::has_ntlm_signature(*init->mech_token));
  EXPECT_EQ(hex(encode_init(init->mech_types, init->mech_token)), hex(bytes));
}

TEST(SpnegoTokens, DecodesAndEncodesWindowsLastResponse) {
  const Bytes bytes = unhex("A11B3019A0030A0100A3120410010000003B453CDC3524164200000000");
  const auto response = decode_response(bytes);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->neg_state, NegState::AcceptCompleted);
  EXPECT_FALSE(response->response_token);
  ASSERT_TRUE(response->mech_list_mic);
  EXPECT_EQ(hex(encode(*response)), hex(bytes));
}

TEST(SpnegoTokens, EveryTruncationIsRefused) {
  const Bytes bytes = unhex("A11B3019A0030A0100A3120410010000003B453CDC3524164200000000");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_response(ByteView(bytes).first(size))) << size;
  }
}

TEST(Der, LengthsOfAllSizesComeBack) {
  for (const std::size_t size : {0U, 127U, 128U, 255U, 256U, 65535U, 65536U}) {
    const Bytes value(size, 7);
    const Bytes wrapped = der::wrap(der::kOctetString, value);
    const auto back = der::unwrap(wrapped, der::kOctetString);
    ASSERT_TRUE(back) << size;
    EXPECT_EQ(vector_of(*back), value);
    EXPECT_FALSE(der::unwrap(ByteView(wrapped).first(wrapped.size() - 1), der::kOctetString));
  }
  EXPECT_FALSE(der::unwrap(unhex("0480"), der::kOctetString)) << "indefinite length";
  EXPECT_FALSE(der::unwrap(unhex("0485000000000100"), der::kOctetString)) << "five bytes of length";
  EXPECT_FALSE(der::unwrap(unhex("04FFFFFFFFFF"), der::kOctetString));
}

class FakeClock final : public ports::Clock {
 public:
  [[nodiscard]] MonoTime mono() const noexcept override { return {}; }
  [[nodiscard]] NtTime wall() const noexcept override { return NtTime{130883654400000000ULL}; }
};
class CountingEntropy final : public ports::Entropy {
 public:
  void fill(MutableBytes out) noexcept override {
    for (std::uint8_t& byte : out) byte = next_++;
  }

 private:
  std::uint8_t next_ = 1;
};

class SpnegoLogon : public testing::Test {
 protected:
  SpnegoLogon() {
    User user;
    user.name = "tester";
    user.nt_hash = *nt_hash_of_password("Secret123");
    user.uid = 4242;
    user.gid = 4343;
    config_.users.push_back(user);
    config_.kerberos = false;
  }
  std::unique_ptr<ports::AuthExchange> begin() {
    auto made = make_identity(config_, clock_, entropy_);
    EXPECT_TRUE(made);
    identity_ = std::move(*made);
    return identity_->begin();
  }
  static NegTokenResp parsed(const Result<ports::AuthStep>& step) {
    EXPECT_TRUE(step) << name_of(step.error());
    if (!step) return {};
    const auto response = decode_response(step->reply);
    EXPECT_TRUE(response);
    return response.value_or(NegTokenResp{});
  }

  FakeClock clock_;
  CountingEntropy entropy_;
  IdentityConfig config_;
  std::unique_ptr<ports::Identity> identity_;
  NtlmClient client_;
};

TEST_F(SpnegoLogon, TheServersHintNamesNtlmAndNoKerberosWithoutKeys) {
  (void)begin();
  const Bytes hint = identity_->negotiate_token();
  const auto initial = decode_initial(hint);
  ASSERT_TRUE(initial);
  const auto init = decode_init(initial->inner);
  ASSERT_TRUE(init);
  ASSERT_EQ(init->mech_types.size(), 1U);
  EXPECT_EQ(hex(init->mech_types[0]), hex(oid::kNtlm));
  EXPECT_FALSE(init->mech_list_mic);
}

TEST_F(SpnegoLogon, NtlmFirstWithMechListMicIsAnsweredWithTheServersMic) {
  const auto exchange = begin();
  const ByteView mechs[] = {oid::kNtlm};
  const Bytes first = encode_init(mechs, client_.negotiate());
  const auto challenge = exchange->step(first);
  const NegTokenResp incomplete = parsed(challenge);
  EXPECT_EQ(incomplete.neg_state, NegState::AcceptIncomplete);
  ASSERT_TRUE(incomplete.supported_mech);
  EXPECT_EQ(hex(*incomplete.supported_mech), hex(oid::kNtlm));
  ASSERT_TRUE(incomplete.response_token);

  const Bytes authenticate = client_.authenticate(*incomplete.response_token);
  ntlm::MessageSigner signer(client_.exported_key, client_.flags, ntlm::Direction::ClientToServer);
  const Bytes list = vector_of(decode_init(decode_initial(first)->inner)->mech_type_list);
  const auto mic = signer.sign(list);
  NegTokenResp second;
  second.response_token = authenticate;
  second.mech_list_mic = mic;
  const auto done = exchange->step(encode(second));
  const NegTokenResp completed = parsed(done);
  EXPECT_TRUE(done->done);
  EXPECT_EQ(completed.neg_state, NegState::AcceptCompleted);
  EXPECT_FALSE(completed.supported_mech) << "belongs into the first reply only, RFC 4178 4.2.2";
  ASSERT_TRUE(completed.mech_list_mic);
  ntlm::MessageSigner server(client_.exported_key, client_.flags, ntlm::Direction::ServerToClient);
  EXPECT_TRUE(server.verify(list, *completed.mech_list_mic));
  EXPECT_EQ(done->token->uid, 4242U);
  EXPECT_EQ(done->token->gid, 4343U);
  EXPECT_FALSE(done->token->use_share_owner);
}

TEST_F(SpnegoLogon, AWrongMechListMicIsLogonFailure) {
  const auto exchange = begin();
  const ByteView mechs[] = {oid::kNtlm};
  const auto challenge = exchange->step(encode_init(mechs, client_.negotiate()));
  const NegTokenResp incomplete = parsed(challenge);
  const Bytes authenticate = client_.authenticate(*incomplete.response_token);
  const Bytes wrong(16, 1);
  NegTokenResp second;
  second.response_token = authenticate;
  second.mech_list_mic = wrong;
  EXPECT_EQ(exchange->step(encode(second)).error(), NtStatus::LogonFailure);
  EXPECT_EQ(exchange->step(encode(second)).error(), NtStatus::InvalidParameter);
}

TEST_F(SpnegoLogon, WithNtlmFirstTheMicMayBeMissing) {
  const auto exchange = begin();
  const ByteView mechs[] = {oid::kNtlm};
  const auto challenge = exchange->step(encode_init(mechs, client_.negotiate()));
  const NegTokenResp incomplete = parsed(challenge);
  const Bytes authenticate = client_.authenticate(*incomplete.response_token);
  NegTokenResp second;
  second.response_token = authenticate;
  const auto done = exchange->step(encode(second));
  ASSERT_TRUE(done);
  EXPECT_TRUE(done->done);
  EXPECT_EQ(hex(done->reply), "A1073005A0030A0100");
}

TEST_F(SpnegoLogon, AFirstChoiceThatIsNotServedIsAnsweredWithRequestMicAndThenNeedsTheMic) {
  const auto exchange = begin();
  const ByteView mechs[] = {oid::kKerberos, oid::kNtlm};
  const Bytes kerberos_guess = unhex("6003020100");
  const Bytes first = encode_init(mechs, kerberos_guess);
  const auto chosen = exchange->step(first);
  const NegTokenResp choice = parsed(chosen);
  EXPECT_EQ(choice.neg_state, NegState::RequestMic);
  ASSERT_TRUE(choice.supported_mech);
  EXPECT_EQ(hex(*choice.supported_mech), hex(oid::kNtlm));
  EXPECT_FALSE(choice.response_token);

  const Bytes negotiate = client_.negotiate();
  NegTokenResp second;
  second.response_token = negotiate;
  const auto challenge = exchange->step(encode(second));
  const NegTokenResp incomplete = parsed(challenge);
  const Bytes authenticate = client_.authenticate(*incomplete.response_token);
  NegTokenResp third;
  third.response_token = authenticate;
  const auto waiting = exchange->step(encode(third));
  ASSERT_TRUE(waiting);
  EXPECT_FALSE(waiting->done)
      << "not before the MIC: somebody may have taken Kerberos out of the way";
  EXPECT_EQ(parsed(waiting).neg_state, NegState::AcceptIncomplete);

  ntlm::MessageSigner signer(client_.exported_key, client_.flags, ntlm::Direction::ClientToServer);
  const auto mic = signer.sign(decode_init(decode_initial(first)->inner)->mech_type_list);
  NegTokenResp fourth;
  fourth.mech_list_mic = mic;
  const auto done = exchange->step(encode(fourth));
  ASSERT_TRUE(done);
  EXPECT_TRUE(done->done);
  EXPECT_EQ(parsed(done).neg_state, NegState::AcceptCompleted);
  EXPECT_TRUE(parsed(done).mech_list_mic);
}

TEST_F(SpnegoLogon, BareNtlmIsAnsweredBare) {
  const auto exchange = begin();
  const auto challenge = exchange->step(client_.negotiate());
  ASSERT_TRUE(challenge);
  EXPECT_TRUE(ntlm::has_ntlm_signature(challenge->reply));
  const auto done = exchange->step(client_.authenticate(challenge->reply));
  ASSERT_TRUE(done);
  EXPECT_TRUE(done->done);
  EXPECT_TRUE(done->reply.empty());
  EXPECT_EQ(hex(done->session_key), hex(client_.exported_key));
}

TEST_F(SpnegoLogon, OnlyUnknownMechanismsIsNotSupported) {
  const auto exchange = begin();
  const Bytes other = unhex("2B06010401823702021E");  // NEGOEX
  const ByteView mechs[] = {other};
  EXPECT_EQ(exchange->step(encode_init(mechs, std::nullopt)).error(), NtStatus::NotSupported);
}

TEST_F(SpnegoLogon, GarbageIsInvalidParameterAndEndsTheExchange) {
  for (const std::string_view bytes : {"", "00", "60", "6000", "A100", "4E544C4D535350", "30820000",
                                       "600806062B0601050502", "600A06062B0601050502A000"}) {
    const auto exchange = begin();
    EXPECT_EQ(exchange->step(unhex(bytes)).error(), NtStatus::InvalidParameter) << bytes;
    EXPECT_EQ(exchange->step(client_.negotiate()).error(), NtStatus::InvalidParameter) << bytes;
  }
}

TEST_F(SpnegoLogon, AnEmptyListOfMechanismsIsNotSupported) {
  const auto exchange = begin();
  EXPECT_EQ(exchange->step(encode_init({}, std::nullopt)).error(), NtStatus::NotSupported);
}

}  // namespace
}  // namespace flotilla::auth::spnego

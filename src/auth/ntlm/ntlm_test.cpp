// Vectors: [MS-NLMP] 4.2.4, and a logon between two Windows machines from Microsoft's Open
// Specifications blog ("SMB 2 and SMB 3 security in Windows 10: the anatomy of signing and
// cryptographic keys", SMB 3.1.1, first channel).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "auth/ntlm/acceptor.hpp"
#include "auth/ntlm/keys.hpp"
#include "auth/ntlm/messages.hpp"
#include "auth/test_client.hpp"

namespace flotilla::auth::ntlm {
namespace {

using namespace testing_client;

Md16 md16(std::string_view text) {
  Md16 out{};
  std::ranges::copy(unhex(text), out.begin());
  return out;
}

const Md16 kPasswordHash = md16("A4F49C406510BDCAB6824EE7C30FD852");  // of "Password"

TEST(NtlmKeys, NtowfV2IsThatOfMsNlmp42411) {
  EXPECT_EQ(hex(ntowf_v2(kPasswordHash, u"User", u"Domain")), "0C868A403BFD7A93A3001EF22EF02E3F");
}

TEST(NtlmKeys, TheUserNamesCaseDoesNotCountTheDomainsDoes) {
  const Md16 key = ntowf_v2(kPasswordHash, u"User", u"Domain");
  EXPECT_EQ(ntowf_v2(kPasswordHash, u"uSER", u"Domain"), key);
  EXPECT_NE(ntowf_v2(kPasswordHash, u"User", u"DOMAIN"), key);
  EXPECT_EQ(ntowf_v2(kPasswordHash, u"J\u00E4ger \u0436", u""),
            ntowf_v2(kPasswordHash, u"J\u00C4GER \u0416", u""));
}

constexpr std::string_view kTemp =
    "01010000000000000000000000000000AAAAAAAAAAAAAAAA0000000002000C0044006F006D00610069006E0001000C"
    "005300"
    "6500720076006500720000000000"
    "00000000";

TEST(NtlmKeys, ProofAndSessionKeysAreThoseOfMsNlmp4242) {
  const Md16 key = ntowf_v2(kPasswordHash, u"User", u"Domain");
  Challenge challenge{};
  std::ranges::copy(unhex("0123456789ABCDEF"), challenge.begin());
  const Md16 proof = nt_proof(key, challenge, unhex(kTemp));
  EXPECT_EQ(hex(proof), "68CD0AB851E51C96AABC927BEBEF6A1C");
  const Md16 base = session_base_key(key, proof);
  EXPECT_EQ(hex(base), "8DE40CCADBC14A82F15CB0AD0DE95CA3");
  Md16 random{};
  random.fill(0x55);
  EXPECT_EQ(hex(exchange_key(base, random)), "C5DAD2544FC9799094CE1CE90BC9D03E");
}

// clang-format off
constexpr std::string_view kBlogNegotiate =
    "4E544C4D5353500001000000978208E200000000000000000000000000000000060380250000000F";
constexpr std::string_view kBlogChallenge =
    "4E544C4D53535000020000000C000C003800000015828AE20D1D8BA31179D00800000000000000005000500044000000"
    "0A0092270000000F530055005400330031003100"
    "02000C00530055005400330031003100" "01000C00530055005400330031003100"
    "04000C00530055005400330031003100" "03000C00530055005400330031003100"
    "07000800A1A1F5ADCBAED00100000000";
constexpr std::string_view kBlogAuthenticate =
    "4E544C4D53535000030000001800180090000000EE00EE00A80000000C000C00580000001A001A0064000000"
    "120012007E0000001000100096010000158288E2060380250000000FECAC77A5F385A8BF9C38C706EEEDDCD3"
    "530055005400330031003100610064006D0069006E006900730074007200610074006F007200440052004900"
    "56004500520033003100310000000000000000000000000000000000000000000000000063078EB639FE03E2"
    "0A231C3AE3BF23080101000000000000A1A1F5ADCBAED001BC4AD05F223CC90F0000000002000C0053005500"
    "540033003100310001000C0053005500540033003100310004000C0053005500540033003100310003000C00"
    "53005500540033003100310007000800A1A1F5ADCBAED0010600040002000000080030003000000000000000"
    "0000000000300000B61FEFCAA857EA57BF1EDCEBF8974B8E0EBA5A6DFD9D07A31D11B548F8C9D0CC0A001000"
    "000000000000000000000000000000000900160063006900660073002F005300550054003300310031000000"
    "000000000000000000003B9BDFF38F5EE8F9663F11A0F4C03A78";
// clang-format on
const Md16 kBlogSessionKey = md16("270E1BA896585EEB7AF3472D3B4C75A7");

TEST(NtlmMessages, DecodesWindowsAuthenticateMessage) {
  const Bytes bytes = unhex(kBlogAuthenticate);
  const auto message = decode_authenticate(bytes);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->user, u"administrator");
  EXPECT_EQ(message->domain, u"SUT311");
  EXPECT_EQ(message->workstation, u"DRIVER311");
  EXPECT_EQ(message->flags, 0xE2888215U);
  ASSERT_EQ(message->mic_at, kMicAt);
  EXPECT_EQ(hex(ByteView(bytes).subspan(kMicAt, 16)), "ECAC77A5F385A8BF9C38C706EEEDDCD3");
  const auto response = decode_ntlm_v2_response(message->nt_response);
  ASSERT_TRUE(response);
  const auto flags = find_av_pair(response->target_info, AvId::Flags);
  ASSERT_TRUE(flags);
  EXPECT_EQ(hex(*flags), "02000000");
  EXPECT_FALSE(find_av_pair(response->target_info, AvId::DnsTreeName));
}

TEST(NtlmMessages, EncodesWindowsChallengeMessage) {
  const Bytes bytes = unhex(kBlogChallenge);
  const auto message = decode_challenge(bytes);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->target_name, u"SUT311");
  Bytes again = encode(*message);
  // The VERSION differs: this server is not Windows.
  std::copy_n(bytes.begin() + 48, 8, again.begin() + 48);
  EXPECT_EQ(hex(again), hex(bytes));
}

TEST(NtlmKeys, TheMicIsTheOneThatWindowsSent) {
  EXPECT_EQ(hex(authenticate_mic(kBlogSessionKey, unhex(kBlogNegotiate), unhex(kBlogChallenge),
                                 unhex(kBlogAuthenticate))),
            "ECAC77A5F385A8BF9C38C706EEEDDCD3");
}

TEST(NtlmKeys, SignaturesOverTheMechListAreThoseThatWindowsSent) {
  const Bytes mech_list = unhex("300C060A2B06010401823702020A");
  MessageSigner client(kBlogSessionKey, 0xE2888215U, Direction::ClientToServer);
  EXPECT_EQ(hex(client.sign(mech_list)), "0100000063775A9A5FD97F0600000000");
  MessageSigner server(kBlogSessionKey, 0xE2888215U, Direction::ServerToClient);
  EXPECT_TRUE(server.verify(mech_list, unhex("010000003B453CDC3524164200000000")));
  EXPECT_FALSE(server.verify(mech_list, unhex("010000003B453CDC3524164200000000")))
      << "the second message has another number";
}

TEST(NtlmMessages, EveryTruncationOfAMessageIsRefusedOrLeavesViewsInside) {
  const Bytes whole = unhex(kBlogAuthenticate);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(decode_authenticate(cut)) << size;
  }
  const Bytes challenge = unhex(kBlogChallenge);
  for (std::size_t size = 0; size < challenge.size(); ++size) {
    const Bytes cut(challenge.begin(), challenge.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(decode_challenge(cut)) << size;
  }
}

class NtlmAcceptor : public testing::Test {
 protected:
  NtlmAcceptor() {
    around_.server_name = u"FLOTILLA";
    around_.dns_name = u"flotilla.example.org";
    around_.now = [] { return NtTime{130883654400000000ULL}; };
    around_.random = [](MutableBytes out) { std::ranges::fill(out, std::uint8_t{0x42}); };
    around_.find_user = [this](std::string_view name) -> std::optional<User> {
      if (const User* user = users_.find(name)) return *user;
      return std::nullopt;
    };
    around_.token_of_user = [](const User& user) -> Result<ports::TokenPtr> {
      auto token = std::make_shared<ports::Token>();
      token->user_name = user.name;
      return token;
    };
    User user;
    user.name = "tester";
    user.nt_hash = *nt_hash_of_password("Secret123");
    EXPECT_TRUE(users_.put(user));
  }

  Result<ports::AuthStep> log_on(NtlmClient& client) {
    Acceptor acceptor(around_);
    return log_on(client, acceptor);
  }
  Result<ports::AuthStep> log_on(NtlmClient& client, Acceptor& acceptor) {
    auto challenge = acceptor.step(client.negotiate());
    if (!challenge) return challenge;
    EXPECT_FALSE(challenge->done);
    return acceptor.step(client.authenticate(challenge->reply));
  }

  UserDb users_;
  Surroundings around_;
};

TEST_F(NtlmAcceptor, TheRightPasswordGivesTheTokenAndTheExchangedKey) {
  NtlmClient client;
  const auto result = log_on(client);
  ASSERT_TRUE(result) << name_of(result.error());
  EXPECT_TRUE(result->done);
  EXPECT_EQ(result->token->user_name, "tester");
  EXPECT_EQ(hex(result->session_key), std::string(32, '5'));
  EXPECT_TRUE(result->reply.empty());
}

TEST_F(NtlmAcceptor, WithoutKeyExchangeTheSessionBaseKeyIsTheKey) {
  NtlmClient client;
  client.flags &= ~static_cast<std::uint32_t>(kKeyExch);
  const auto result = log_on(client);
  ASSERT_TRUE(result);
  EXPECT_EQ(hex(result->session_key), hex(client.exported_key));
}

TEST_F(NtlmAcceptor, NamesAreFoundWithoutCaseAndInTheirLongForms) {
  for (const char16_t* name : {u"TESTER", u"Tester", u"tester@example.org"}) {
    NtlmClient client;
    client.user = name;
    EXPECT_TRUE(log_on(client));
  }
  for (const char16_t* domain : {u"", u"workgroup", u"FLOTILLA"}) {
    NtlmClient client;
    client.domain = domain;
    EXPECT_TRUE(log_on(client));
  }
}

TEST_F(NtlmAcceptor, AWrongPasswordIsLogonFailure) {
  NtlmClient client;
  client.password = "Secret124";
  EXPECT_EQ(log_on(client).error(), NtStatus::LogonFailure);
}

TEST_F(NtlmAcceptor, AnUnknownUserIsLogonFailureEvenWithTheHashOfNoPassword) {
  NtlmClient client;
  client.user = u"nobody";
  EXPECT_EQ(log_on(client).error(), NtStatus::LogonFailure);
}

TEST_F(NtlmAcceptor, ADisabledUserIsToldSoOnlyWithTheRightPassword) {
  User user = *users_.find("tester");
  user.disabled = true;
  ASSERT_TRUE(users_.put(user));
  NtlmClient client;
  EXPECT_EQ(log_on(client).error(), NtStatus::AccountDisabled);
  client.password = "wrong";
  EXPECT_EQ(log_on(client).error(), NtStatus::LogonFailure);
}

TEST_F(NtlmAcceptor, NtlmV1IsLogonFailure) {
  NtlmClient client;
  client.ntlm_v1 = true;
  client.with_mic = false;
  EXPECT_EQ(log_on(client).error(), NtStatus::LogonFailure);
}

TEST(NtlmMessages, TargetInformationHasAnEnd) {
  EXPECT_TRUE(av_pairs_end(unhex("02000C0044006F006D00610069006E0000000000")));
  EXPECT_TRUE(av_pairs_end(unhex("00000000")));
  for (const char* cut : {"", "000000", "02000C0044006F006D00610069006E00", "0200FFFF4400"}) {
    EXPECT_FALSE(av_pairs_end(unhex(cut))) << cut;
  }
}

TEST_F(NtlmAcceptor, AnonymousIsLogonFailureUnlessAllowed) {
  NtlmClient client;
  client.anonymous = true;
  client.with_mic = false;
  EXPECT_EQ(log_on(client).error(), NtStatus::LogonFailure);
  around_.token_of_anonymous = []() -> Result<ports::TokenPtr> {
    auto token = std::make_shared<ports::Token>();
    token->anonymous = true;
    return token;
  };
  const auto result = log_on(client);
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->token->anonymous);
  EXPECT_TRUE(result->session_key.empty());
}

TEST_F(NtlmAcceptor, AnUnknownUserBecomesAGuestOnlyWhereThatIsOn) {
  around_.token_of_guest = [](std::string_view) -> Result<ports::TokenPtr> {
    auto token = std::make_shared<ports::Token>();
    token->guest = true;
    return token;
  };
  NtlmClient client;
  client.user = u"somebody";
  const auto result = log_on(client);
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->token->guest);
  EXPECT_TRUE(result->session_key.empty());
  client.user = u"tester";
  client.password = "wrong";
  EXPECT_EQ(log_on(client).error(), NtStatus::LogonFailure);
}

TEST_F(NtlmAcceptor, AChangedMessageFailsTheMicWithLogonFailure) {
  NtlmClient client;
  Acceptor acceptor(around_);
  const auto challenge = acceptor.step(client.negotiate());
  ASSERT_TRUE(challenge);
  Bytes message = client.authenticate(challenge->reply);
  message[kMicAt + 3] ^= 1;
  EXPECT_EQ(acceptor.step(message).error(), NtStatus::LogonFailure);
}

TEST_F(NtlmAcceptor, AClientThatLeavesTheVersionOutHasItsMicInThatPlace) {
  NtlmClient client;
  client.version_field = false;
  EXPECT_TRUE(log_on(client));
}

TEST_F(NtlmAcceptor, ADroppedNegotiateFlagFailsTheMic) {
  NtlmClient client;
  Acceptor acceptor(around_);
  Bytes weaker = client.negotiate();
  weaker[12] =
      static_cast<std::uint8_t>(weaker[12] & ~0x20);  // somebody on the way takes SEAL away
  const auto challenge = acceptor.step(weaker);
  ASSERT_TRUE(challenge);
  EXPECT_EQ(acceptor.step(client.authenticate(challenge->reply)).error(), NtStatus::LogonFailure);
}

TEST_F(NtlmAcceptor, AFurtherStepAfterTheEndIsInvalidParameter) {
  NtlmClient client;
  Acceptor acceptor(around_);
  ASSERT_TRUE(log_on(client, acceptor));
  EXPECT_EQ(acceptor.step(client.negotiate()).error(), NtStatus::InvalidParameter);
  Acceptor failed(around_);
  client.password = "wrong";
  EXPECT_FALSE(log_on(client, failed));
  EXPECT_EQ(failed.step(client.negotiate()).error(), NtStatus::InvalidParameter);
}

TEST_F(NtlmAcceptor, AResponseToAnotherChallengeIsLogonFailure) {
  NtlmClient client;
  Acceptor first(around_);
  const auto challenge = first.step(client.negotiate());
  ASSERT_TRUE(challenge);
  const Bytes replayed = client.authenticate(challenge->reply);
  ASSERT_TRUE(first.step(replayed));
  around_.random = [](MutableBytes out) { std::ranges::fill(out, std::uint8_t{0x43}); };
  Acceptor second(around_);
  ASSERT_TRUE(second.step(client.negotiate()));
  EXPECT_EQ(second.step(replayed).error(), NtStatus::LogonFailure);
}

TEST_F(NtlmAcceptor, CutOrChangedBytesNeverLogOnAndNeverCrash) {
  NtlmClient client;
  Acceptor probe(around_);
  const auto challenge = probe.step(client.negotiate());
  ASSERT_TRUE(challenge);
  const Bytes good = client.authenticate(challenge->reply);
  for (std::size_t at = 0; at < good.size(); ++at) {
    Acceptor acceptor(around_);
    ASSERT_TRUE(acceptor.step(client.negotiate_bytes));
    Bytes changed = good;
    changed[at] ^= 0xFF;
    EXPECT_FALSE(acceptor.step(changed)) << at;
    Acceptor other(around_);
    ASSERT_TRUE(other.step(client.negotiate_bytes));
    EXPECT_FALSE(other.step(ByteView(good).first(at))) << at;
  }
}

}  // namespace
}  // namespace flotilla::auth::ntlm

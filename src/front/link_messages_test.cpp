#include "front/link_messages.hpp"

#include <gtest/gtest.h>

#include "front/placement.hpp"

namespace flotilla::front {
namespace {

ByteView message_of(const Bytes& frame) { return ByteView(frame).subspan(4); }

ports::ConnectionFacts some_facts() {
  ports::ConnectionFacts facts;
  facts.id = ConnectionId{0x0001000000000007};
  facts.front = NodeId{3};
  facts.dialect = 0x0311;
  facts.client_guid.bytes = {1, 2, 3};
  facts.client_capabilities = 0x7F;
  facts.server_capabilities = 6;
  facts.client_security_mode = 1;
  facts.server_security_mode = 3;
  facts.client_dialects = {0x0202, 0x0311};
  facts.signing_algorithm = 2;
  facts.cipher = 2;
  facts.compression = {1};
  facts.compression_chained = true;
  facts.posix = true;
  facts.preauth_hash.fill(0xCD);
  facts.peer_address = "10.77.0.9:41234";
  facts.local_address = "10.77.0.100:445";
  facts.extra_credits = 8192;
  facts.next_message_id = 2;
  return facts;
}

TEST(LinkFacts, EveryFieldComesBack) {
  const Bytes bytes = encode_facts(some_facts());
  const auto back = decode_facts(bytes);
  ASSERT_TRUE(back) << back.error();
  EXPECT_EQ(encode_facts(*back), bytes);
  EXPECT_EQ(back->peer_address, "10.77.0.9:41234");
  EXPECT_EQ(back->client_dialects, some_facts().client_dialects);
  EXPECT_EQ(back->extra_credits, 8192U);
  EXPECT_EQ(back->next_message_id, 2U);
  EXPECT_TRUE(back->compression_chained);
  EXPECT_TRUE(back->posix);
}

TEST(LinkFacts, EveryCutAndEveryExtraByteIsAnError) {
  Bytes bytes = encode_facts(some_facts());
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(decode_facts(ByteView(bytes).first(size))) << size;
  bytes.push_back(0);
  EXPECT_FALSE(decode_facts(bytes));
}

TEST(LinkMessage, EveryKindComesBackAndEveryCutOfFixedOnesIsAnError) {
  LinkHello hello;
  hello.nonce.fill(1);
  hello.from = NodeId{1};
  hello.to = NodeId{2};
  LinkChallenge challenge;
  challenge.proof.fill(7);
  LinkFacts facts;
  facts.facts = encode_facts(some_facts());
  const LinkMessage all[] = {hello, challenge, facts, LinkEnd{"bad signature"}};
  for (const LinkMessage& message : all) {
    const Bytes frame = encode_link_message(message);
    const auto back = decode_link_message(message_of(frame));
    ASSERT_TRUE(back) << back.error();
    EXPECT_EQ(back->index(), message.index());
    EXPECT_EQ(encode_link_message(*back), frame);
  }
  for (const LinkMessage& message : {all[0], all[1]}) {
    const Bytes frame = encode_link_message(message);
    for (std::size_t size = 0; size < frame.size() - 4; ++size)
      EXPECT_FALSE(decode_link_message(message_of(frame).first(size)));
  }
}

TEST(LinkMessage, AnotherVersionAndForeignBytesAreRefusedByName) {
  Bytes frame = encode_link_message(LinkHello{});
  frame[8] = 9;
  const auto version = decode_link_message(message_of(frame));
  ASSERT_FALSE(version);
  EXPECT_NE(version.error().find("version 9"), std::string::npos);
  EXPECT_FALSE(decode_link_message(Bytes{0xFE, 'S', 'M', 'B', 64, 0}));
  EXPECT_FALSE(is_link_message(Bytes{'F', 'L'}));
}

TEST(LinkMessage, AReasonFromAPeerCannotForgeALogLine) {
  const Bytes frame = encode_link_message(LinkEnd{"x\nerror: \x1b[31mfake"});
  const auto back = decode_link_message(message_of(frame));
  ASSERT_TRUE(back);
  EXPECT_EQ(std::get<LinkEnd>(*back).reason, "x?error: ?[31mfake");
}

TEST(LinkProof, DependsOnKeyNoncesIdsDirectionAndFacts) {
  PoolKey key{};
  key.fill(1);
  PoolKey other = key;
  other[31] = 2;
  LinkHello hello;
  hello.from = NodeId{1};
  hello.to = NodeId{2};
  Nonce nonce{};
  const Bytes facts{1, 2, 3};
  const Proof proof = front_proof(key, hello, nonce, facts);
  EXPECT_EQ(proof, front_proof(key, hello, nonce, facts));
  EXPECT_NE(proof, front_proof(other, hello, nonce, facts));
  EXPECT_NE(proof, front_proof(key, hello, nonce, Bytes{1, 2, 4}));
  EXPECT_NE(front_proof(key, hello, nonce, {}), serving_proof(key, hello, nonce));
  Nonce next = nonce;
  next[0] = 1;
  EXPECT_NE(proof, front_proof(key, hello, next, facts));
  LinkHello swapped = hello;
  std::swap(swapped.from, swapped.to);
  EXPECT_NE(proof, front_proof(key, swapped, nonce, facts));
}

TEST(SessionSpread, GoesToTheFewestAndTurnsAmongEquals) {
  SessionSpread spread;
  const std::vector<Member> three{{NodeId{1}, "", 0}, {NodeId{2}, "", 0}, {NodeId{3}, "", 0}};
  std::map<NodeId, int> got;
  for (int i = 0; i < 9; ++i) ++got[spread.assign(three)];
  EXPECT_EQ(got, (std::map<NodeId, int>{{NodeId{1}, 3}, {NodeId{2}, 3}, {NodeId{3}, 3}}));
  spread.release(NodeId{2});
  EXPECT_EQ(spread.assign(three), NodeId{2});
  // A member that left is never chosen; one that joins gets what it takes to be even.
  EXPECT_EQ(spread.assign({{NodeId{3}, "", 0}}), NodeId{3});
  EXPECT_EQ(spread.assign({{NodeId{3}, "", 0}, {NodeId{4}, "", 0}}), NodeId{4});
  EXPECT_EQ(spread.assign({}), NodeId{});
}

TEST(SessionSpread, TurnsEvenWhereEverySessionEndsBeforeTheNext) {
  SessionSpread spread;
  const std::vector<Member> two{{NodeId{1}, "", 0}, {NodeId{2}, "", 0}};
  std::map<NodeId, int> got;
  for (int i = 0; i < 6; ++i) {
    const NodeId node = spread.assign(two);
    ++got[node];
    spread.release(node);
  }
  EXPECT_EQ(got, (std::map<NodeId, int>{{NodeId{1}, 3}, {NodeId{2}, 3}}));
}

}  // namespace
}  // namespace flotilla::front

// The mesh over real TCP on the loopback, and the sealed channel by itself.
#include "pool/peer/mesh.hpp"

#include <gtest/gtest.h>

#include <array>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace flotilla::pool {
namespace {

PoolKey key_of(std::uint8_t fill) {
  PoolKey key;
  key.fill(fill);
  return key;
}

struct Inbox {
  std::mutex mutex;
  std::condition_variable arrived;
  std::vector<std::pair<MemberId, PeerDelivery>> messages;

  PeerLinks::Receive receiver() {
    return [this](MemberId from, std::vector<PeerDelivery>& batch) {
      const std::lock_guard lock(mutex);
      for (PeerDelivery& it : batch) messages.emplace_back(from, std::move(it));
      arrived.notify_all();
    };
  }
  bool wait_for(std::size_t count, std::chrono::milliseconds limit = std::chrono::seconds{20}) {
    std::unique_lock lock(mutex);
    return arrived.wait_for(lock, limit, [&] { return messages.size() >= count; });
  }
};

struct Pair {
  explicit Pair(PoolKey key_a = key_of(1), PoolKey key_b = key_of(1))
      : a(std::move(*PeerMesh::make("127.0.0.1:0", key_a))),
        b(std::move(*PeerMesh::make("127.0.0.1:0", key_b))) {
    a->start(inbox_a.receiver());
    b->start(inbox_b.receiver());
    members = {member(1, 11, a->address()), member(2, 22, b->address())};
    link();
  }
  ~Pair() {
    a->stop();
    b->stop();
  }
  static Member member(std::uint32_t node, std::uint64_t incarnation, std::string address) {
    Member it;
    it.id = {NodeId{node}, incarnation};
    it.facts.peer = std::move(address);
    return it;
  }
  void link() {
    a->set_view(members[0].id, members);
    b->set_view(members[1].id, members);
  }

  Inbox inbox_a;
  Inbox inbox_b;
  std::unique_ptr<PeerMesh> a;
  std::unique_ptr<PeerMesh> b;
  std::vector<Member> members;
};

Bytes number(std::uint32_t value) {
  Bytes bytes;
  ByteWriter(bytes).u32(value);
  return bytes;
}

TEST(PeerMesh, ManyThreadsSendAtOnceWhileConnectionsBreak) {
  Pair pair;
  constexpr std::uint32_t kThreads = 4;
  constexpr std::uint32_t kEach = 500;
  std::vector<std::jthread> senders;
  for (std::uint32_t thread = 0; thread < kThreads; ++thread) {
    senders.emplace_back([&pair, thread] {
      for (std::uint32_t i = 0; i < kEach; ++i) {
        pair.a->queue(NodeId{2}, PeerTraffic::Machine, number(thread << 16 | i));
        pair.b->send(NodeId{1}, PeerTraffic::Machine, number(thread << 16 | i));
        pair.a->push(NodeId{2});
        if (i == kEach / 2) pair.a->drop_connections();
      }
    });
  }
  senders.clear();
  for (Inbox* inbox : {&pair.inbox_a, &pair.inbox_b}) {
    ASSERT_TRUE(inbox->wait_for(kThreads * kEach));
    const std::lock_guard lock(inbox->mutex);
    EXPECT_EQ(inbox->messages.size(), kThreads * kEach);
    std::array<std::uint32_t, kThreads> next{};
    for (const auto& [from, delivery] : inbox->messages) {
      const auto value = load_le<std::uint32_t>(delivery.body.data());
      EXPECT_EQ(value & 0xFFFF, next.at(value >> 16)++);
    }
  }
}

TEST(PeerMesh, MessagesArriveOnceAndInOrderInBothDirections) {
  Pair pair;
  for (std::uint32_t i = 0; i < 2000; ++i) {
    pair.a->send(NodeId{2}, PeerTraffic::Machine, number(i));
    pair.b->send(NodeId{1}, PeerTraffic::ServiceRequest, number(i));
  }
  ASSERT_TRUE(pair.inbox_b.wait_for(2000));
  ASSERT_TRUE(pair.inbox_a.wait_for(2000));
  for (std::uint32_t i = 0; i < 2000; ++i) {
    EXPECT_EQ(pair.inbox_b.messages[i].second.body, number(i));
    EXPECT_EQ(pair.inbox_b.messages[i].first, pair.members[0].id);
    EXPECT_EQ(pair.inbox_a.messages[i].second.traffic, PeerTraffic::ServiceRequest);
  }
}

TEST(PeerMesh, ABrokenConnectionLosesAndRepeatsNothing) {
  Pair pair;
  constexpr std::uint32_t kCount = 5000;
  for (std::uint32_t i = 0; i < kCount; ++i) {
    pair.a->send(NodeId{2}, PeerTraffic::Machine, number(i));
    pair.b->send(NodeId{1}, PeerTraffic::Machine, number(i));
    if (i % 500 == 250) (i % 1000 == 250 ? pair.a : pair.b)->drop_connections();
    if (i % 500 == 499) {
      ASSERT_TRUE(pair.inbox_b.wait_for(i / 2));
    }
  }
  ASSERT_TRUE(pair.inbox_b.wait_for(kCount));
  ASSERT_TRUE(pair.inbox_a.wait_for(kCount));
  ASSERT_EQ(pair.inbox_b.messages.size(), kCount);
  for (std::uint32_t i = 0; i < kCount; ++i) {
    ASSERT_EQ(pair.inbox_b.messages[i].second.body, number(i));
    ASSERT_EQ(pair.inbox_a.messages[i].second.body, number(i));
  }
}

TEST(PeerMesh, ALargeMessageArrivesWhole) {
  Pair pair;
  const Bytes large(3U << 20, 0x5A);
  pair.a->send(NodeId{2}, PeerTraffic::ServiceReply, large);
  ASSERT_TRUE(pair.inbox_b.wait_for(1));
  EXPECT_EQ(pair.inbox_b.messages[0].second.body, large);
}

TEST(PeerMesh, ANodeWithAnotherKeyIsNotLinked) {
  Pair pair(key_of(1), key_of(2));
  pair.a->send(NodeId{2}, PeerTraffic::Machine, number(1));
  EXPECT_FALSE(pair.inbox_b.wait_for(1, std::chrono::milliseconds{300}));
}

TEST(PeerMesh, WhatWasMeantForAFormerLifeIsNotDeliveredToTheNext) {
  Pair pair;
  pair.a->send(NodeId{2}, PeerTraffic::Machine, number(1));
  ASSERT_TRUE(pair.inbox_b.wait_for(1));
  // Node 2 has a new life that node 1 does not know yet.
  std::vector<Member> next = pair.members;
  next[1].id.incarnation = 23;
  pair.b->set_view(next[1].id, next);
  pair.a->send(NodeId{2}, PeerTraffic::Machine, number(2));
  pair.a->set_view(next[0].id, next);
  pair.a->send(NodeId{2}, PeerTraffic::Machine, number(3));
  ASSERT_TRUE(pair.inbox_b.wait_for(2));
  EXPECT_EQ(pair.inbox_b.messages[1].second.body, number(3));
}

TEST(SecureChannel, OnlyTheSameKeyProvesAndOpens) {
  const Bytes caller = encode_peer_hello({{NodeId{1}, 1}, {NodeId{2}, 2}, PeerNonce{1}});
  const Bytes callee = encode_peer_hello({{NodeId{2}, 2}, {NodeId{1}, 1}, PeerNonce{2}});
  SecureChannel one(key_of(1), caller, callee, true);
  SecureChannel two(key_of(1), caller, callee, false);
  SecureChannel other(key_of(2), caller, callee, false);
  EXPECT_TRUE(one.proves(two.proof()));
  EXPECT_TRUE(two.proves(one.proof()));
  EXPECT_FALSE(one.proves(other.proof()));
  EXPECT_FALSE(one.proves(one.proof())) << "a reflected proof";
  const Bytes frame = one.seal(number(7));
  ASSERT_EQ(frame.size(), 4 + kPeerFrameOverheadBytes) << "four bytes of payload";
  Bytes bent = one.seal(number(8));
  EXPECT_EQ(two.open(ByteView(frame).subspan(4)), number(7));
  bent.back() ^= 1;
  EXPECT_FALSE(two.open(ByteView(bent).subspan(4)));
}

TEST(SecureChannel, AReplayedFrameIsRefused) {
  const Bytes caller = encode_peer_hello({{NodeId{1}, 1}, {NodeId{2}, 2}, PeerNonce{1}});
  SecureChannel one(key_of(1), caller, caller, true);
  SecureChannel two(key_of(1), caller, caller, false);
  const Bytes frame = one.seal(number(7));
  EXPECT_TRUE(two.open(ByteView(frame).subspan(4)));
  EXPECT_FALSE(two.open(ByteView(frame).subspan(4)));
}

TEST(PeerHello, WrongBytesAreRefused) {
  const Bytes good = encode_peer_hello({{NodeId{1}, 1}, {NodeId{2}, 2}, PeerNonce{1}});
  ASSERT_EQ(good.size(), kPeerHelloBytes);
  EXPECT_TRUE(decode_peer_hello(good));
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(decode_peer_hello(ByteView(good).first(size)));
  }
  Bytes wrong = good;
  wrong[4] ^= 1;  // the version
  EXPECT_FALSE(decode_peer_hello(wrong));
}

}  // namespace
}  // namespace flotilla::pool

// Two and three fronts in one process, joined by links over the loopback.
#include <gtest/gtest.h>

#include "front/front_test_harness.hpp"
#include "front/link_messages.hpp"

namespace flotilla::front {
namespace {

using testing::Client;
using testing::eventually;
using testing::FakeServer;
using testing::Node;
using wire::Command;

struct Pool : ::testing::Test {
  std::vector<std::unique_ptr<Node>> nodes;
  void up(std::uint32_t count) {
    for (std::uint32_t i = 1; i <= count; ++i) {
      nodes.push_back(std::make_unique<Node>(i));
      nodes.back()->options.spread_all = true;
      nodes.back()->start();
    }
    publish();
  }
  void publish() {
    std::vector<Member> members;
    for (const auto& node : nodes)
      if (node && node->front) members.push_back(node->member());
    for (const auto& node : nodes)
      if (node && node->front) {
        node->placement.set(members);
        node->front->view_changed();
      }
  }
  Node& at(std::size_t number) { return *nodes[number - 1]; }
  /// A session of `client` on node `number`; sets up sessions until one is there.
  static SessionId session_on(Client& client, std::uint32_t number) {
    for (int i = 0; i < 8; ++i) {
      const SessionId session = client.set_up_session();
      if (session.raw() == 0) return {};
      if (ports::home_of(session).node == number) return session;
    }
    return {};
  }
};
using FrontPool = Pool;

TEST_F(FrontPool, SessionsOfOneConnectionSpreadEvenlyOverTheNodes) {
  up(3);
  Client client(at(1).port());
  ASSERT_TRUE(client.negotiate());
  std::map<std::uint16_t, int> per_node;
  std::vector<SessionId> sessions;
  for (int i = 0; i < 9; ++i) {
    sessions.push_back(client.set_up_session());
    ASSERT_NE(sessions.back().raw(), 0U);
    ++per_node[ports::home_of(sessions.back()).node];
  }
  EXPECT_EQ(per_node, (std::map<std::uint16_t, int>{{1, 3}, {2, 3}, {3, 3}}));
  for (const SessionId session : sessions) {
    ASSERT_TRUE(client.send_request(Command::Write, session, Bytes(100, 5)));
    const auto header = client.receive_header();
    ASSERT_TRUE(header);
    EXPECT_EQ(header->session_id, session);
  }
  // Only one node of the connection may grow its window.
  std::uint32_t extra = 0;
  for (std::size_t i = 1; i <= 3; ++i)
    for (const auto& facts : at(i).server.facts) {
      extra += facts.extra_credits;
      EXPECT_EQ(facts.front, NodeId{1});
      EXPECT_EQ(facts.dialect, 0x0302);
      EXPECT_TRUE(facts.peer_address.starts_with("127.0.0.1:"));
    }
  EXPECT_EQ(extra, at(1).config.credits_max);
  EXPECT_EQ(at(1).front->stats().sessions.at(NodeId{2}), 3U);
}

TEST_F(FrontPool, LogoffAndAFailedSetupGiveTheirPlaceBack) {
  up(2);
  Client client(at(1).port());
  ASSERT_TRUE(client.negotiate());
  const SessionId session = client.set_up_session();
  ASSERT_TRUE(client.send_request(Command::Logoff, session));
  ASSERT_TRUE(client.receive_header());
  ASSERT_TRUE(client.send_request(Command::SessionSetup, {}, Bytes{'x'}));
  const auto header = client.receive_header();
  ASSERT_TRUE(header);
  EXPECT_EQ(header->nt_status(), NtStatus::LogonFailure);
  EXPECT_TRUE(eventually([&] { return at(1).front->stats().sessions.empty(); }));
}

TEST_F(FrontPool, FramesOfEverySizePassBothWaysUnchanged) {
  up(2);
  Client client(at(1).port());
  ASSERT_TRUE(client.negotiate());
  const SessionId session = session_on(client, 2);
  ASSERT_NE(session.raw(), 0U);
  for (const std::uint32_t size :
       {4U, 60U, 4096U, 16320U, 16384U, 65472U, 65536U, 81920U, 100000U, 1048576U, 8388608U}) {
    const Bytes body = FakeServer::pattern(size);
    std::thread writer([&] { EXPECT_TRUE(client.send_request(Command::Write, session, body)); });
    ASSERT_TRUE(client.receive_header()) << size;
    writer.join();
    const auto hash = crypto::sha256(body);
    EXPECT_TRUE(std::ranges::equal(client.last_body(), hash)) << size;
    Bytes wanted(4);
    store_le(wanted.data(), size);
    ASSERT_TRUE(client.send_request(Command::Read, session, wanted));
    ASSERT_TRUE(client.receive_header()) << size;
    EXPECT_TRUE(std::ranges::equal(client.last_body(), body)) << size;
  }
  const FrontStats stats = at(1).front->stats();
  // Most of the largest bodies never came to user space.
  EXPECT_GT(stats.spliced_bytes, 16U << 20);
  EXPECT_GT(stats.relayed_bytes_in, 9U << 20);
  EXPECT_GT(stats.relayed_bytes_out, 9U << 20);
}

TEST_F(FrontPool, LargeAnswersOfSeveralNodesNeverMixOnTheClientsSocket) {
  up(3);
  Client client(at(1).port(), 65536);
  ASSERT_TRUE(client.negotiate());
  SessionId sessions[3];
  for (std::uint32_t i = 0; i < 3; ++i) {
    sessions[i] = session_on(client, i + 1);
    ASSERT_NE(sessions[i].raw(), 0U);
  }
  constexpr int kRounds = 30;
  Bytes wanted(4);
  store_le(wanted.data(), 700000U);
  std::map<std::uint64_t, SessionId> asked;
  for (int i = 0; i < kRounds; ++i)
    for (const SessionId session : sessions) {
      asked[client.next_id] = session;
      ASSERT_TRUE(client.send_request(Command::Read, session, wanted));
    }
  const Bytes expected = FakeServer::pattern(700000);
  while (!asked.empty()) {
    const auto header = client.receive_header();
    ASSERT_TRUE(header) << asked.size() << " missing";
    ASSERT_EQ(asked.count(header->message_id.raw()), 1U);
    EXPECT_EQ(header->session_id, asked[header->message_id.raw()]);
    asked.erase(header->message_id.raw());
    ASSERT_TRUE(std::ranges::equal(client.last_body(), expected));
  }
}

TEST_F(FrontPool, ManyLargeWritesToANodeThatIsSlowerAreHeldBackNotBuffered) {
  up(2);
  Client client(at(1).port());
  ASSERT_TRUE(client.negotiate());
  const SessionId session = session_on(client, 2);
  ASSERT_NE(session.raw(), 0U);
  const Bytes body = FakeServer::pattern(1U << 20);
  const auto hash = crypto::sha256(body);
  constexpr int kWrites = 64;
  std::thread writer([&] {
    for (int i = 0; i < kWrites; ++i)
      if (!client.send_request(Command::Write, session, body)) return;
  });
  for (int i = 0; i < kWrites; ++i) {
    ASSERT_TRUE(client.receive_header()) << i;
    EXPECT_TRUE(std::ranges::equal(client.last_body(), hash));
  }
  writer.join();
}

TEST_F(FrontPool, AServingNodeThatDiesEndsTheClientsThatHadSessionsThereAndNoOthers) {
  up(3);
  Client has(at(1).port());
  ASSERT_TRUE(has.negotiate());
  ASSERT_NE(session_on(has, 2).raw(), 0U);
  Client has_not(at(1).port());
  ASSERT_TRUE(has_not.negotiate());
  SessionId safe = has_not.set_up_session();
  for (int i = 0; ports::home_of(safe).node == 2 && i < 4; ++i) {
    has_not.send_request(Command::Logoff, safe);
    ASSERT_TRUE(has_not.receive_header());
    safe = has_not.set_up_session();
  }
  ASSERT_NE(ports::home_of(safe).node, 2);
  at(2).stop();
  EXPECT_TRUE(has.sees_end());
  publish();
  ASSERT_TRUE(has_not.send_request(Command::Write, safe, Bytes(10, 1)));
  EXPECT_TRUE(has_not.receive_header());
  // New sessions go to those that are left.
  for (int i = 0; i < 4; ++i) {
    const SessionId session = has_not.set_up_session();
    ASSERT_NE(session.raw(), 0U);
    EXPECT_NE(ports::home_of(session).node, 2);
  }
}

TEST_F(FrontPool, AViewWithoutTheServingNodeEndsItsClientsAlthoughTheLinkStillStands) {
  up(2);
  Client client(at(1).port());
  ASSERT_TRUE(client.negotiate());
  ASSERT_NE(session_on(client, 2).raw(), 0U);
  at(1).placement.set({at(1).member()});
  at(1).front->view_changed();
  EXPECT_TRUE(client.sees_end());
  EXPECT_TRUE(eventually([&] { return at(2).server.open_channels == 0; }));
}

TEST_F(FrontPool, AViewWithoutTheFrontEndsItsLinksOnTheServingNode) {
  up(2);
  Client client(at(1).port());
  ASSERT_TRUE(client.negotiate());
  ASSERT_NE(session_on(client, 2).raw(), 0U);
  at(2).placement.set({at(2).member()});
  at(2).front->view_changed();
  EXPECT_TRUE(client.sees_end());
  EXPECT_TRUE(eventually([&] { return at(2).front->stats().links_in == 0; }));
}

TEST_F(FrontPool, ADisconnectOnTheServingNodeEndsTheClientOnItsFront) {
  up(2);
  Client client(at(1).port());
  ASSERT_TRUE(client.negotiate());
  const SessionId session = session_on(client, 2);
  ASSERT_TRUE(client.send_request(Command::TreeConnect, session));
  EXPECT_TRUE(client.sees_end());
  EXPECT_TRUE(eventually(
      [&] { return at(1).server.open_channels == 0 && at(2).server.open_channels == 0; }));
}

TEST_F(FrontPool, AClientThatGoesClosesItsChannelsOnEveryNode) {
  up(3);
  Client client(at(1).port());
  ASSERT_TRUE(client.negotiate());
  for (int i = 0; i < 6; ++i) ASSERT_NE(client.set_up_session().raw(), 0U);
  // In the middle of a large frame, too.
  const SessionId session = session_on(client, 2);
  const Bytes request =
      Client::request(Command::Write, client.next_id++, session, Bytes(4U << 20, 1));
  ASSERT_TRUE(client.send_raw(ByteView(request).first(1U << 20)));
  client.close_now();
  EXPECT_TRUE(eventually([&] {
    return at(1).server.open_channels + at(2).server.open_channels + at(3).server.open_channels ==
           0;
  }));
  EXPECT_TRUE(eventually([&] { return at(1).front->stats().links_out == 0; }));
  EXPECT_TRUE(eventually([&] { return at(1).front->stats().sessions.empty(); }));
}

TEST_F(FrontPool, AMemberThatCannotBeReachedDoesNotStopNewSessions) {
  up(2);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  socklen_t size = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);  // bound, nobody listens
  at(1).placement.set({at(1).member(), {NodeId{2}, "127.0.0.1", ntohs(address.sin_port)}});
  int ended = 0;
  int served = 0;
  for (int i = 0; i < 4; ++i) {
    Client client(at(1).port());
    ASSERT_TRUE(client.negotiate());
    (client.set_up_session().raw() != 0 ? served : ended)++;
  }
  close(fd);
  // A client that was sent there is ended at once and finds another node when it comes again.
  EXPECT_GE(served, 2);
  EXPECT_EQ(served + ended, 4);
}

TEST_F(FrontPool, AWrongPoolKeyEndsTheLinkBeforeAnyFactOrFramePasses) {
  up(1);
  nodes.push_back(std::make_unique<Node>(2));
  at(2).options.pool_key.fill(0x43);
  at(2).start();
  publish();
  Client client(at(1).port());
  ASSERT_TRUE(client.negotiate());
  bool ended = false;
  for (int i = 0; i < 2 && !ended; ++i) ended = client.set_up_session().raw() == 0;
  EXPECT_TRUE(ended);
  EXPECT_EQ(at(2).server.frames, 0);
  EXPECT_TRUE(at(2).server.facts.empty());
}

TEST_F(FrontPool, StrangersOnTheLinkPortGetNowhere) {
  up(1);
  at(1).options.pool_key = {};
  const std::uint16_t port = at(1).front->link_port();
  LinkHello hello;
  hello.from = NodeId{9};
  hello.to = NodeId{1};
  LinkHello wrong_node = hello;
  wrong_node.to = NodeId{5};
  const auto as_sent = [](Bytes frame) { return Client::framed(ByteView(frame).subspan(4)); };
  for (const Bytes& bytes :
       {Client::request(Command::SessionSetup, 0, {}), as_sent(encode_link_message(wrong_node)),
        as_sent(encode_link_message(LinkFacts{})), as_sent(encode_link_message(LinkEnd{"x"})),
        Bytes{0, 0xFF, 0xFF, 0xFF}, Bytes{'G', 'E', 'T', ' '}}) {
    Client stranger(port);
    ASSERT_TRUE(stranger.send_raw(bytes));
    EXPECT_TRUE(stranger.sees_end());
  }
  // One that follows the protocol but cannot prove the key.
  Client stranger(port);
  ASSERT_TRUE(stranger.send_raw(as_sent(encode_link_message(hello))));
  const auto challenge = stranger.receive();
  ASSERT_TRUE(challenge);
  EXPECT_TRUE(decode_link_message(*challenge));
  ASSERT_TRUE(stranger.send_raw(as_sent(encode_link_message(LinkFacts{}))));
  EXPECT_TRUE(stranger.sees_end());
  EXPECT_TRUE(at(1).server.facts.empty());
}

TEST_F(FrontPool, ASilentLinkEndsAfterTheTimeout) {
  nodes.push_back(std::make_unique<Node>(1));
  at(1).options.link_timeout = std::chrono::milliseconds{100};
  at(1).config.unauthenticated_timeout = std::chrono::milliseconds{200};
  at(1).start();
  Client silent(at(1).front->link_port());
  EXPECT_TRUE(silent.sees_end());
}

TEST_F(FrontPool, ClientsOfANodesOwnAddressAreServedThere) {
  for (std::uint32_t i = 1; i <= 2; ++i) {
    nodes.push_back(std::make_unique<Node>(i));
    nodes.back()->options.pool_address = "127.0.0.2";
    nodes.back()->options.listen = {{"127.0.0.1", 0}};
    nodes.back()->start();
  }
  publish();
  Client client(at(2).port());
  ASSERT_TRUE(client.negotiate());
  for (int i = 0; i < 4; ++i) EXPECT_EQ(ports::home_of(client.set_up_session()).node, 2);
  EXPECT_EQ(at(2).front->stats().links_out, 0U);
}

TEST_F(FrontPool, AllClientsEndAndNothingLeaksWhenEveryNodeStopsUnderLoad) {
  up(3);
  std::vector<std::thread> threads;
  std::atomic<bool> going{true};
  std::atomic<int> done{0};
  for (int t = 0; t < 6; ++t)
    threads.emplace_back([&, t] {
      Client client(at(1 + static_cast<std::size_t>(t) % 3).port());
      if (!client.negotiate()) return;
      const SessionId session = client.set_up_session();
      const Bytes body = FakeServer::pattern(200000);
      while (going && session.raw() != 0) {
        if (!client.send_request(Command::Write, session, body) || !client.receive_header()) return;
        ++done;
      }
    });
  EXPECT_TRUE(eventually([&] { return done > 60; }));
  for (auto& node : nodes) node->stop();
  going = false;
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace flotilla::front

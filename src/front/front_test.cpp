// The front of a single node, over real sockets on the loopback.
#include "front/front.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "base/log.hpp"
#include "front/front_test_harness.hpp"

namespace flotilla::front {
namespace {

using testing::Client;
using testing::eventually;
using testing::FakeServer;
using testing::Node;
using wire::Command;

TEST(Front, NegotiatesAndHandsTheFactsToTheChannel) {
  Node node;
  node.start();
  Client client(node.port());
  ASSERT_TRUE(client.negotiate());
  const SessionId session = client.set_up_session();
  ASSERT_NE(session.raw(), 0U);
  ASSERT_EQ(node.server.facts.size(), 1U);
  const ports::ConnectionFacts& facts = node.server.facts[0];
  EXPECT_EQ(facts.dialect, 0x0302);
  EXPECT_EQ(facts.front, NodeId{1});
  EXPECT_EQ(facts.extra_credits, node.config.credits_max);
  EXPECT_EQ(facts.next_message_id, 1U);
  EXPECT_TRUE(facts.peer_address.starts_with("127.0.0.1:"));
  EXPECT_NE(facts.id.raw(), 0U);
}

TEST(Front, Smb1ThenSmb2NegotiateGivesNextMessageId2_MsSmb2_3_3_5_3_1) {
  Node node;
  node.start();
  Client client(node.port());
  wire::Smb1NegotiateRequest smb1;
  smb1.dialects = {"NT LM 0.12", "SMB 2.002", "SMB 2.???"};
  Bytes message;
  wire::encode_smb1_negotiate(smb1, message);
  ASSERT_TRUE(client.send_raw(Client::framed(message)));
  ASSERT_TRUE(client.receive_header());
  const auto wildcard = wire::decode<wire::NegotiateResponse>(*client.last);
  ASSERT_TRUE(wildcard);
  EXPECT_EQ(wildcard->dialect_revision, wire::Dialect::Smb2Wildcard);
  client.next_id = 1;
  ASSERT_TRUE(client.negotiate());
  ASSERT_NE(client.set_up_session().raw(), 0U);
  EXPECT_EQ(node.server.facts[0].next_message_id, 2U);
}

TEST(Front, BadFirstBytesEndTheConnection) {
  Node node;
  node.start();
  const Bytes hello{'h', 'e', 'l', 'l', 'o'};
  Bytes garbage(70, 0xEE);
  Bytes oversize{0, 1, 0, 1};  // 65537, one more than is taken before authentication
  const Bytes netbios{0x81, 0, 0, 0x44};
  Bytes smb1_other = Client::framed(Bytes{0xFF, 'S', 'M', 'B', 0x73, 0, 0, 0, 0, 0});
  const Bytes response = [] {
    auto header = testing::header_of(Command::Negotiate, 0, {});
    header.flags = 1;
    Bytes message;
    header.encode(message);
    return Client::framed(message);
  }();
  Bytes sealed(64, 0);
  sealed[0] = 0xFD;
  std::memcpy(sealed.data() + 1, "SMB", 3);
  Bytes compressed = sealed;
  compressed[0] = 0xFC;
  const Bytes cases[] = {hello,
                         Client::framed(garbage),
                         oversize,
                         netbios,
                         smb1_other,
                         response,
                         Client::framed({}),
                         Client::framed(sealed),
                         Client::framed(compressed),
                         Client::framed(Bytes{0xFE, 'S', 'M', 'B'}),
                         Client::request(Command::SessionSetup, 0, {}),
                         Client::request(Command::Echo, 0, {})};
  std::uint64_t ended = 0;
  for (const Bytes& bytes : cases) {
    Client client(node.port());
    ASSERT_TRUE(client.send_raw(bytes));
    EXPECT_TRUE(client.sees_end()) << "case " << ended;
    ++ended;
    EXPECT_TRUE(eventually([&] { return node.front->stats().ended_for_cause == ended; }));
  }
  EXPECT_EQ(node.server.frames, 0);
  EXPECT_TRUE(eventually([&] { return node.front->stats().connections == 0; }));
}

TEST(Front, BadBytesAfterNegotiateEndTheConnection) {
  Node node;
  node.start();
  Bytes sealed(64, 0);
  sealed[0] = 0xFD;
  std::memcpy(sealed.data() + 1, "SMB", 3);
  const Bytes cases[] = {Client::negotiate_request(1), Client::framed(sealed),
                         Client::request(Command::Create, 1'000'000, SessionId{1}),
                         Client::request(Command::Echo, 0, {}),  // NEGOTIATE's MessageId
                         Client::framed(Bytes(64, 0xFE))};
  for (const Bytes& bytes : cases) {
    Client client(node.port());
    ASSERT_TRUE(client.negotiate());
    ASSERT_TRUE(client.send_raw(bytes));
    EXPECT_FALSE(client.receive());
    EXPECT_TRUE(client.sees_end());
  }
}

TEST(Front, AFrameAboveTheLimitEndsAnAuthenticatedConnectionToo) {
  Node node;
  node.start();
  Client client(node.port());
  ASSERT_TRUE(client.negotiate());
  ASSERT_NE(client.set_up_session().raw(), 0U);
  const std::uint32_t size = node.config.transaction_bytes_max + (64U << 10) + 1;
  ASSERT_TRUE(client.send_raw(Bytes{0, static_cast<std::uint8_t>(size >> 16),
                                    static_cast<std::uint8_t>(size >> 8),
                                    static_cast<std::uint8_t>(size)}));
  EXPECT_TRUE(client.sees_end());
}

TEST(Front, OneByteAtATimeIsTheSameAsAllAtOnce) {
  Node node;
  node.start();
  Client client(node.port());
  Bytes all = Client::negotiate_request(0);
  const Bytes setup = Client::request(Command::SessionSetup, 1, {});
  all.insert(all.end(), setup.begin(), setup.end());
  for (std::size_t i = 0; i < all.size(); ++i)
    ASSERT_TRUE(client.send_raw(ByteView(all).subspan(i, 1)));
  ASSERT_TRUE(client.receive_header());
  const auto header = client.receive_header();
  ASSERT_TRUE(header);
  EXPECT_EQ(header->command, Command::SessionSetup);
}

TEST(Front, ManyRequestsInOneWriteAreAllAnsweredInOrder) {
  Node node;
  node.start();
  Client client(node.port());
  ASSERT_TRUE(client.negotiate());
  const SessionId session = client.set_up_session();
  Bytes all;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const Bytes one = Client::request(Command::Write, 2 + i, session, Bytes(i % 300, 7));
    all.insert(all.end(), one.begin(), one.end());
  }
  std::thread writer([&] { EXPECT_TRUE(client.send_raw(all)); });
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const auto header = client.receive_header();
    ASSERT_TRUE(header) << i;
    EXPECT_EQ(header->message_id.raw(), 2 + i);
  }
  writer.join();
}

TEST(Front, SessionsOfOneConnectionSpreadOverShardsAndEveryOneIsReached) {
  Node node;
  node.start();
  Client client(node.port());
  ASSERT_TRUE(client.negotiate());
  std::vector<SessionId> sessions;
  for (int i = 0; i < 4; ++i) sessions.push_back(client.set_up_session());
  std::map<std::uint8_t, int> per_shard;
  for (const SessionId session : sessions) {
    ASSERT_NE(session.raw(), 0U);
    ++per_shard[ports::home_of(session).shard];
    const Bytes body(100000, 3);
    ASSERT_TRUE(client.send_request(Command::Write, session, body));
    const auto header = client.receive_header();
    ASSERT_TRUE(header);
    EXPECT_EQ(header->session_id, session);
    const auto hash = crypto::sha256(body);
    EXPECT_TRUE(std::ranges::equal(client.last_body(), hash));
  }
  EXPECT_EQ(per_shard, (std::map<std::uint8_t, int>{{0, 2}, {1, 2}}));
  // One channel per shard; only the first may grow the window.
  ASSERT_EQ(node.server.facts.size(), 2U);
  EXPECT_EQ(node.server.facts[0].extra_credits + node.server.facts[1].extra_credits,
            node.config.credits_max);
}

TEST(Front, AnEchoWithoutASessionIsAnsweredAndASessionThatIsNotThereIsDeleted_MsSmb2_3_3_5_2_9) {
  Node node;
  node.start();
  Client client(node.port());
  ASSERT_TRUE(client.negotiate());
  ASSERT_TRUE(client.send_request(Command::Echo, {}, Bytes{4, 0, 0, 0}));
  auto header = client.receive_header();
  ASSERT_TRUE(header);
  EXPECT_EQ(header->nt_status(), NtStatus::Success);
  EXPECT_EQ(header->command, Command::Echo);
  EXPECT_EQ(header->credits, 1);
  const SessionId elsewhere = ports::make_session_id({77, 0}, 5);
  const SessionId no_shard = ports::make_session_id({1, 200}, 5);
  for (const SessionId session : {elsewhere, no_shard}) {
    ASSERT_TRUE(client.send_request(Command::Create, session));
    header = client.receive_header();
    ASSERT_TRUE(header);
    EXPECT_EQ(header->nt_status(), NtStatus::UserSessionDeleted);
    EXPECT_EQ(header->message_id.raw(), client.next_id - 1);
  }
  // CANCEL is never answered: the next answer is the echo's.
  ASSERT_TRUE(client.send_request(Command::Cancel, elsewhere));
  ASSERT_TRUE(client.send_request(Command::Echo, {}, Bytes{4, 0, 0, 0}));
  header = client.receive_header();
  ASSERT_TRUE(header);
  EXPECT_EQ(header->command, Command::Echo);
}

TEST(Front, EveryRequestOfACompoundForALostSessionIsAnswered) {
  Node node;
  node.start();
  Client client(node.port());
  ASSERT_TRUE(client.negotiate());
  const SessionId elsewhere = ports::make_session_id({77, 0}, 5);
  Bytes message;
  for (std::uint64_t i = 0; i < 3; ++i) {
    auto header = testing::header_of(Command::Create, 1 + i, elsewhere);
    header.next_command = i < 2 ? 64 : 0;
    header.encode(message);
  }
  ASSERT_TRUE(client.send_raw(Client::framed(message)));
  for (std::uint64_t i = 0; i < 3; ++i) {
    const auto header = client.receive_header();
    ASSERT_TRUE(header);
    EXPECT_EQ(header->message_id.raw(), 1 + i);
    EXPECT_EQ(header->next_command, 0U);
  }
  // And a chain that leaves the frame ends the connection.
  auto wild = testing::header_of(Command::Create, 4, elsewhere);
  wild.next_command = 0x1000;
  Bytes bad;
  wild.encode(bad);
  ASSERT_TRUE(client.send_raw(Client::framed(bad)));
  EXPECT_TRUE(client.sees_end());
}

TEST(Front, AConnectionWithoutASessionEndsAfterTheTimeoutAndOneWithASessionDoesNot) {
  Node node;
  node.config.unauthenticated_timeout = std::chrono::milliseconds{200};
  node.start();
  Client good(node.port());
  ASSERT_TRUE(good.negotiate());
  const SessionId session = good.set_up_session();
  ASSERT_NE(session.raw(), 0U);
  Client silent(node.port());
  Client loris(node.port());
  ASSERT_TRUE(loris.send_raw(ByteView(Client::negotiate_request()).first(30)));
  Client negotiated(node.port());
  ASSERT_TRUE(negotiated.negotiate());
  Client failed(node.port());
  ASSERT_TRUE(failed.negotiate());
  ASSERT_TRUE(failed.send_request(Command::SessionSetup, {}, Bytes{'x'}));
  EXPECT_TRUE(silent.sees_end());
  EXPECT_TRUE(loris.sees_end());
  EXPECT_TRUE(negotiated.sees_end());
  EXPECT_TRUE(failed.sees_end());
  ASSERT_TRUE(good.send_request(Command::Write, session, Bytes(10, 1)));
  EXPECT_TRUE(good.receive_header());
}

TEST(Front, AFrameThatMakesNoProgressEndsTheConnection) {
  Node node;
  node.config.unauthenticated_timeout = std::chrono::milliseconds{400};  // sweeps every 50 ms
  node.options.stall_timeout = std::chrono::milliseconds{200};
  node.start();
  Client client(node.port());
  ASSERT_TRUE(client.negotiate());
  const SessionId session = client.set_up_session();
  ASSERT_NE(session.raw(), 0U);
  const Bytes request = Client::request(Command::Write, client.next_id++, session, Bytes(5000, 1));
  ASSERT_TRUE(client.send_raw(ByteView(request).first(4000)));
  EXPECT_TRUE(client.sees_end());
}

TEST(Front, MoreThanConnectionsMaxAreRefused) {
  Node node;
  node.config.connections_max = 2;
  node.start();
  Client one(node.port());
  Client two(node.port());
  ASSERT_TRUE(one.negotiate());
  ASSERT_TRUE(two.negotiate());
  Client three(node.port());
  EXPECT_TRUE(three.sees_end());
  EXPECT_EQ(node.front->stats().refused, 1U);
  one.close_now();
  ASSERT_TRUE(eventually([&] { return node.front->stats().connections == 1; }));
  Client four(node.port());
  EXPECT_TRUE(four.negotiate());
}

TEST(Front, ANodeThatDoesNotServeEndsItsClientsAndRefusesNewOnes) {
  Node node;
  node.start();
  Client client(node.port());
  ASSERT_TRUE(client.negotiate());
  ASSERT_NE(client.set_up_session().raw(), 0U);
  node.front->set_serving(false);
  EXPECT_TRUE(client.sees_end());
  EXPECT_TRUE(eventually([&] { return node.server.open_channels == 0; }));
  Client refused(node.port());
  EXPECT_TRUE(refused.sees_end());
  node.front->set_serving(true);
  Client again(node.port());
  EXPECT_TRUE(again.negotiate());
}

TEST(Front, AChannelsDisconnectEndsTheClientAndClosesItsChannelsOnEveryShard) {
  Node node;
  node.start();
  Client client(node.port());
  ASSERT_TRUE(client.negotiate());
  const SessionId first = client.set_up_session();
  const SessionId second = client.set_up_session();
  for (const SessionId session : {first, second}) {
    Client other(node.port());
    ASSERT_TRUE(other.negotiate());
    const SessionId a = other.set_up_session();
    const SessionId b = other.set_up_session();
    const SessionId chosen = ports::home_of(a).shard == ports::home_of(session).shard ? a : b;
    ASSERT_TRUE(other.send_request(Command::TreeConnect, chosen));
    EXPECT_TRUE(other.sees_end());
  }
  EXPECT_TRUE(eventually([&] { return node.server.open_channels == 2; }));
}

TEST(Front, AnswersThatTheClientDoesNotReadStopTheReadingOfRequests) {
  Node node;
  node.start();
  Client client(node.port(), 4096);
  ASSERT_TRUE(client.negotiate());
  const SessionId session = client.set_up_session();
  constexpr int kReads = 200;
  Bytes all;
  Bytes size(4);
  store_le<std::uint32_t>(size.data(), 1U << 20);
  for (int i = 0; i < kReads; ++i) {
    // Large requests, so that not all of them fit the sockets' buffers.
    size.resize(60000);
    const Bytes one = Client::request(Command::Read, client.next_id++, session, size);
    all.insert(all.end(), one.begin(), one.end());
  }
  std::thread writer([&] { EXPECT_TRUE(client.send_raw(all)); });
  ASSERT_TRUE(eventually([&] { return node.server.frames > 5; }));
  // Bounded by the queue's high mark and one batch of requests, far below the 200 MiB asked for.
  for (int i = 0; i < 1000; ++i) std::this_thread::yield();
  EXPECT_LT(node.server.frames, kReads / 2);
  const Bytes expected = FakeServer::pattern(1U << 20);
  for (int i = 0; i < kReads; ++i) {
    ASSERT_TRUE(client.receive_header()) << i;
    ASSERT_TRUE(std::ranges::equal(client.last_body(), expected));
  }
  writer.join();
}

TEST(Front, TwoThousandConnectionsComeAndGo) {
  Node node;
  node.start();
  for (int round = 0; round < 8; ++round) {
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 250; ++i) {
      clients.push_back(std::make_unique<Client>(node.port()));
      ASSERT_TRUE(clients.back()->connected);
      ASSERT_TRUE(clients.back()->send_raw(Client::negotiate_request()));
    }
    for (auto& client : clients) ASSERT_TRUE(client->receive_header());
  }
  EXPECT_TRUE(eventually([&] { return node.front->stats().connections == 0; }));
  EXPECT_EQ(node.front->stats().accepted, 2000U);
}

TEST(Front, AnAddressThatCannotBeBoundIsAnErrorThatNamesIt) {
  Node node;
  node.shards.start();
  const auto start = [&](ListenAddress address) {
    FrontOptions options = node.options;
    options.listen = {address};
    Front front(options, node.config, node.shards, node.server, node.identity, node.clock,
                node.entropy, node.placement);
    return front.start();
  };
  const auto name = start({"localhost", 0});
  ASSERT_FALSE(name);
  EXPECT_NE(name.error().find("localhost"), std::string::npos);
  // An address that this machine does not have yet can be listened on: IP_FREEBIND.
  EXPECT_TRUE(start({"203.0.113.77", 0}));
}

TEST(Front, WithoutDescriptorsAClientIsRefusedAtOnceAndTheNextOneServedWhenThereAreSome) {
  Node node;
  node.start();
  Client before(node.port());
  ASSERT_TRUE(before.negotiate());
  const int first = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval patience{20, 0};
  setsockopt(first, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  std::vector<int> all;
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit low{static_cast<rlim_t>(first) + 64, limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  for (int fd = dup(first); fd >= 0; fd = dup(first)) all.push_back(fd);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(node.port());
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(connect(first, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
  char byte = 0;
  EXPECT_EQ(recv(first, &byte, 1, 0), -1);
  EXPECT_EQ(errno, ECONNRESET) << "not left to wait";
  EXPECT_EQ(node.front->stats().refused, 1U);
  for (const int fd : all) close(fd);
  close(first);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  Client after(node.port());
  EXPECT_TRUE(after.negotiate());
}

TEST(Front, TellsOfPoolAddressConnectionsAndEndsThemWhenTheAddressLeaves) {
  Node node;
  std::mutex mutex;
  std::vector<std::pair<ConnectionTuple, bool>> told;
  node.options.pool_address = "127.0.0.1";
  node.options.on_pool_connection = [&](const ConnectionTuple& tuple, bool alive) {
    const std::scoped_lock lock(mutex);
    told.emplace_back(tuple, alive);
  };
  node.start();
  Client client(node.port());
  ASSERT_TRUE(client.negotiate());
  node.front->end_pool_address_clients();
  EXPECT_TRUE(client.sees_end());
  ASSERT_TRUE(eventually([&] {
    const std::scoped_lock lock(mutex);
    return told.size() == 2;
  }));
  EXPECT_TRUE(told[0].second);
  EXPECT_FALSE(told[1].second);
  EXPECT_EQ(told[0].first, told[1].first);
  EXPECT_EQ(told[0].first.server_host, "127.0.0.1");
  EXPECT_EQ(told[0].first.server_port, node.port());
}

}  // namespace
}  // namespace flotilla::front

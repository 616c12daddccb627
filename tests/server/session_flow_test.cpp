// Sessions, trees, signatures, credits and compounds over whole messages.
#include "server/harness.hpp"

namespace flotilla::testing {
namespace {

using wire::Command;

TEST(SessionSetup, TwoLegsMakeASessionForEveryDialect_3_3_5_5) {
  for (const int dialect : {0x0202, 0x0210, 0x0300, 0x0302, 0x0311}) {
    TestNode node;
    TestClient client(node, {.dialect = static_cast<std::uint16_t>(dialect)});
    EXPECT_EQ(client.log_in("alice"), NtStatus::Success) << std::hex << dialect;
    EXPECT_EQ(client.tree_connect(u"\\\\server\\DATA").status(), NtStatus::Success);
    EXPECT_EQ(ports::home_of(client.session).node, 1);
    EXPECT_EQ(node.server->session_count(), 1U);
  }
}

TEST(SessionSetup, ARefusedUserLeavesNoSession_3_3_5_5_3) {
  TestNode node;
  TestClient client(node);
  wire::SessionSetupRequest request;
  request.security_buffer = as_bytes("nobody");
  const Response response = client.call(Command::SessionSetup, request);
  EXPECT_EQ(response.status(), NtStatus::LogonFailure);
  EXPECT_EQ(node.server->session_count(), 0U);
}

TEST(SessionSetup, AnUnknownSessionIdIsUserSessionDeleted_3_3_5_5) {
  TestNode node;
  TestClient client(node);
  client.session = SessionId{42};
  wire::SessionSetupRequest request;
  request.security_buffer = as_bytes("hello");
  EXPECT_EQ(client.call(Command::SessionSetup, request).status(), NtStatus::UserSessionDeleted);
}

TEST(SessionSetup, SessionsMaxIsInsufficientResources) {
  TestNode node;
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(std::make_unique<TestClient>(node));
    ASSERT_EQ(clients.back()->log_in("alice"), NtStatus::Success);
  }
  TestClient one_more(node);
  EXPECT_EQ(one_more.log_in("alice"), NtStatus::InsufficientResources);
  clients.pop_back();
  EXPECT_EQ(one_more.log_in("alice"), NtStatus::Success);
}

TEST(Serving, RequestsWaitForANodeThatIsLateToProveThatItIsInThePool) {
  TestNode node;
  TestClient client(node);
  client.connect();
  node.engine->serves = false;
  const MessageId first = client.send_open({.name = u"f"});
  const MessageId second = client.send_open({.name = u"f"});
  node.advance(std::chrono::milliseconds(100));
  EXPECT_FALSE(client.poll(first).has_value());
  node.engine->serves = true;
  node.advance(std::chrono::milliseconds(20));
  EXPECT_EQ(client.wait(first).status(), NtStatus::Success);
  EXPECT_EQ(client.wait(second).status(), NtStatus::Success);
  EXPECT_FALSE(client.disconnected());
}

TEST(Serving, ANodeThatStaysOutEndsTheConnection) {
  TestNode node;
  TestClient client(node);
  client.connect();
  node.engine->serves = false;
  client.send_open({.name = u"f"});
  for (int i = 0; i < 250; ++i) node.advance(std::chrono::milliseconds(10));
  EXPECT_TRUE(client.disconnected());
}

TEST(SessionSetup, APreviousSessionOfTheSameUserIsClosedWithItsOpens_3_3_5_5_3) {
  TestNode node;
  TestClient old(node, {.shard = 0});
  old.connect();
  old.must_open({.name = u"f", .share = 0});
  TestClient fresh(node, {.shard = 1, .guid = 2});
  ASSERT_EQ(fresh.log_in("alice", old.session), NtStatus::Success);
  EXPECT_EQ(node.server->session_count(), 1U);
  ASSERT_EQ(fresh.tree_connect(u"\\\\s\\data").status(), NtStatus::Success);
  EXPECT_EQ(fresh.open({.name = u"f"}).status(), NtStatus::Success);
  EXPECT_EQ(old.open({.name = u"f"}).status(), NtStatus::UserSessionDeleted);
}

TEST(SessionSetup, APreviousSessionOfAnotherUserStays_3_3_5_5_3) {
  TestNode node;
  TestClient old(node);
  old.connect();
  TestClient fresh(node, {.guid = 2});
  ASSERT_EQ(fresh.log_in("bob", old.session), NtStatus::Success);
  EXPECT_EQ(old.open({.name = u"f"}).status(), NtStatus::Success);
}

TEST(SessionSetup, ReauthenticationKeepsKeysOpensAndTrees_3_3_5_5_2) {
  TestNode node;
  TestClient client(node);
  client.connect();
  const FileId id = client.must_open({.name = u"f"});
  EXPECT_EQ(client.log_in("alice"), NtStatus::Success);
  EXPECT_EQ(client.close(id), NtStatus::Success);
}

TEST(SessionSetup, ReauthenticationAsSomebodyElseEndsTheSession_3_3_5_5_3) {
  TestNode node;
  TestClient client(node);
  client.connect();
  EXPECT_EQ(client.log_in("bob"), NtStatus::AccessDenied);
  EXPECT_EQ(node.server->session_count(), 0U);
}

TEST(Session, AnExpiredOneStillClosesItsFiles_3_3_5_2_9) {
  TestNode node;
  TestClient client(node);
  client.connect("expired");
  const FileId id = client.must_open({.name = u"f"});
  node.advance(std::chrono::seconds{61});
  EXPECT_EQ(client.open({.name = u"f"}).status(), NtStatus::NetworkSessionExpired);
  EXPECT_EQ(client.close(id), NtStatus::Success);
  EXPECT_EQ(client.log_in("expired"), NtStatus::Success) << "and may authenticate again";
}

TEST(Session, GuestsAndAnonymousUsersDoNotSign_3_3_5_5_3) {
  TestNode node;
  TestClient client(node);
  EXPECT_EQ(client.log_in("guest"), NtStatus::Success);
  EXPECT_EQ(client.tree_connect(u"\\\\s\\data").status(), NtStatus::Success);
  TestClient nobody(node, {.guid = 2});
  EXPECT_EQ(nobody.log_in("anonymous"), NtStatus::Success);
  EXPECT_EQ(nobody.tree_connect(u"\\\\s\\IPC$").status(), NtStatus::Success);
  EXPECT_EQ(nobody.tree_connect(u"\\\\s\\data").status(), NtStatus::AccessDenied);
}

TEST(Signature, AWrongOneIsAccessDeniedAndNothingHappens_3_3_5_2_4) {
  TestNode node;
  TestClient client(node);
  client.connect();
  Bytes message;
  wire::CreateRequest request;
  request.name = u"never";
  request.create_disposition = wire::CreateDisposition::Create;
  request.desired_access = 0x001F01FF;
  const auto header = client.prepare(Command::Create, request, message);
  message[16] |= wire::header_flags::kSigned;
  client.signer->sign(message);
  message[48] ^= 1;
  client.send_raw(message, false);
  const Response response = client.wait(header.message_id);
  EXPECT_EQ(response.status(), NtStatus::AccessDenied);
  EXPECT_FALSE(response.header.is_signed());
  EXPECT_EQ(client.open({.name = u"never", .disposition = wire::CreateDisposition::Open}).status(),
            NtStatus::ObjectNameNotFound);
}

TEST(Signature, AMissingOneIsAccessDeniedWhereSigningIsRequired_3_3_5_2_4) {
  TestNode node;
  TestClient client(node);
  client.connect();
  client.sign = false;
  EXPECT_EQ(client.open({.name = u"f"}).status(), NtStatus::AccessDenied);
  TestNode relaxed({.signing = ports::SigningMode::Enabled});
  TestClient other(relaxed, {.dialect = 0x0210});
  other.connect();
  other.sign = false;
  const Response response = other.open({.name = u"f"});
  EXPECT_EQ(response.status(), NtStatus::Success);
  EXPECT_FALSE(response.header.is_signed());
}

TEST(Tree, UnknownSharesAndStrangersAreRefused_3_3_5_7) {
  TestNode node;
  TestClient client(node);
  ASSERT_EQ(client.log_in("bob"), NtStatus::Success);
  EXPECT_EQ(client.tree_connect(u"\\\\s\\nothing").status(), NtStatus::BadNetworkName);
  EXPECT_EQ(client.tree_connect(u"\\\\s\\").status(), NtStatus::BadNetworkName);
  EXPECT_EQ(client.tree_connect(u"data").status(), NtStatus::BadNetworkName);
  EXPECT_EQ(client.tree_connect(u"\\\\s\\team").status(), NtStatus::AccessDenied);
  const Response ipc = client.tree_connect(u"\\\\s\\ipc$");
  EXPECT_EQ(ipc.status(), NtStatus::Success);
  EXPECT_EQ(ipc.as<wire::TreeConnectResponse>().share_type, wire::ShareType::Pipe);
  client.tree = TreeId{999};
  EXPECT_EQ(client.open({.name = u"f"}).status(), NtStatus::NetworkNameDeleted);
}

TEST(Tree, DisconnectClosesItsOpensOnly_3_3_5_8) {
  TestNode node;
  TestClient client(node);
  client.connect();
  const TreeId first = client.tree;
  client.must_open({.name = u"f", .share = 0});
  ASSERT_EQ(client.tree_connect(u"\\\\s\\data").status(), NtStatus::Success);
  const TreeId second = client.tree;
  const FileId kept = client.must_open({.name = u"g"});
  client.tree = first;
  EXPECT_EQ(client.call(Command::TreeDisconnect, wire::TreeDisconnectRequest{}).status(),
            NtStatus::Success);
  client.tree = second;
  EXPECT_EQ(client.open({.name = u"f"}).status(), NtStatus::Success);
  EXPECT_EQ(client.close(kept), NtStatus::Success);
}

TEST(Logoff, EndsTheSessionAndIsSigned_3_3_5_6) {
  TestNode node;
  TestClient client(node);
  client.connect();
  client.must_open({.name = u"f"});
  const Response response = client.call(Command::Logoff, wire::LogoffRequest{});
  EXPECT_EQ(response.status(), NtStatus::Success);
  EXPECT_TRUE(response.header.is_signed());
  EXPECT_EQ(node.server->session_count(), 0U);
  EXPECT_EQ(node.server->stats().opens, 0U);
  EXPECT_EQ(node.server->stats().trees, 0U);
}

TEST(Connection, ItsLossClosesAllThatItsSessionsHeld_3_3_7_1) {
  TestNode node;
  auto client = std::make_unique<TestClient>(node);
  client->connect();
  client->must_open({.name = u"f", .share = 0});
  client->must_open({.name = u"gone", .options = wire::create_options::kDeleteOnClose});
  client.reset();
  EXPECT_EQ(node.server->stats().opens, 0U);
  EXPECT_EQ(node.server->stats().channels, 0U);
  EXPECT_EQ(node.engine->status().opens_held, 0U);
  TestClient other(node);
  other.connect();
  EXPECT_EQ(other.open({.name = u"f"}).status(), NtStatus::Success);
  EXPECT_EQ(other.open({.name = u"gone", .disposition = wire::CreateDisposition::Open}).status(),
            NtStatus::ObjectNameNotFound);
}

TEST(Connection, BytesThatAreNoMessageEndIt_3_3_5_2_6) {
  const auto reason_for = [](Bytes bytes) {
    TestNode node;
    TestClient client(node);
    client.send_raw(std::move(bytes), false);
    return client.disconnect_reason();
  };
  EXPECT_NE(reason_for(Bytes(3)), "");
  EXPECT_NE(reason_for(Bytes(100, 0xFF)), "");
  EXPECT_NE(reason_for(Bytes{0xFE, 'S', 'M', 'B'}), "");
  EXPECT_NE(reason_for(Bytes{0xFD, 'S', 'M', 'B', 1, 2, 3}), "");
  wire::Smb2Header header;
  wire::Smb2Header second;
  second.command = Command::Negotiate;
  Bytes negotiate;
  second.encode(negotiate);
  EXPECT_NE(reason_for(negotiate), "");
  Bytes large;
  header.command = Command::Echo;
  header.encode(large);
  large.resize(200000);
  EXPECT_NE(reason_for(large), "") << "nobody is authenticated yet";
}

TEST(Connection, TruncatedBodiesAreInvalidParameter_3_3_5_2_6) {
  TestNode node;
  TestClient client(node);
  client.connect();
  for (std::uint16_t command = 1; command < wire::kCommandCount; ++command) {
    if (command == 0x0C) continue;  // CANCEL is never answered
    for (const std::size_t body : {0U, 1U, 3U, 7U}) {
      const auto header = client.next_header(static_cast<Command>(command));
      Bytes message;
      header.encode(message);
      message.resize(message.size() + body, 0xA5);
      client.send_raw(message, true);
      const auto response = client.poll(header.message_id);
      ASSERT_TRUE(response) << command << " with " << body;
      EXPECT_TRUE(is_error(response->status())) << command << " with " << body;
    }
  }
  EXPECT_FALSE(client.disconnected());
}

TEST(Credits, AResponseGrantsWhatWasAskedUpToTheExtra_3_3_1_2) {
  TestNode node;
  TestClient client(node);
  client.connect();
  client.credit_request = 60;
  client.call(Command::Echo, wire::EchoRequest{});
  EXPECT_EQ(client.credits_granted_last, 60);
  client.call(Command::Echo, wire::EchoRequest{});
  EXPECT_EQ(client.credits_granted_last, 1 + 100 - 59);
  client.credit_request = 0;
  client.call(Command::Echo, wire::EchoRequest{});
  EXPECT_EQ(client.credits_granted_last, 1);
}

TEST(Credits, AChargeThatDoesNotCoverThePayloadIsInvalidParameter_3_3_5_2_5) {
  TestNode node;
  TestClient client(node);
  client.connect();
  const FileId id = client.must_open({.name = u"f"});
  wire::ReadRequest read;
  read.file_id = id;
  read.length = 65537;
  EXPECT_EQ(client.call(Command::Read, read).status(), NtStatus::InvalidParameter);
  client.credit_charge = 2;
  EXPECT_EQ(client.call(Command::Read, read).status(), NtStatus::EndOfFile);
}

TEST(Compound, RelatedRequestsShareSessionTreeAndFile_3_3_5_2_7_2) {
  TestNode node;
  TestClient client(node);
  client.connect();
  wire::CreateRequest create;
  create.name = u"f";
  create.create_disposition = wire::CreateDisposition::Create;
  create.desired_access = 0x001F01FF;
  wire::CloseRequest close;
  close.file_id = kRelatedFileId;
  const auto ids =
      client.send_compound(true, std::pair(Command::Create, create),
                           std::pair(Command::Close, close), std::pair(Command::Close, close));
  const Response first = client.wait(ids[0]);
  const Response second = client.wait(ids[1]);
  EXPECT_EQ(first.status(), NtStatus::Success);
  EXPECT_EQ(second.status(), NtStatus::Success);
  EXPECT_EQ(client.wait(ids[2]).status(), NtStatus::FileClosed);
  EXPECT_EQ(first.frame_index, second.frame_index) << "one frame";
  EXPECT_TRUE(first.header.is_signed());
  EXPECT_TRUE(second.header.is_signed());
  EXPECT_TRUE(second.header.is_related());
  EXPECT_EQ(second.header.session_id, client.session);
}

TEST(Compound, RelatedRequestsFailAsTheCreateDid_3_3_5_2_7_2) {
  TestNode node;
  TestClient client(node);
  client.connect();
  wire::CreateRequest create;
  create.name = u"missing";
  create.desired_access = 0x001F01FF;
  wire::CloseRequest close;
  close.file_id = kRelatedFileId;
  const auto ids = client.send_compound(true, std::pair(Command::Create, create),
                                        std::pair(Command::Close, close));
  EXPECT_EQ(client.wait(ids[0]).status(), NtStatus::ObjectNameNotFound);
  EXPECT_EQ(client.wait(ids[1]).status(), NtStatus::ObjectNameNotFound);
}

TEST(Compound, UnrelatedRequestsStandAlone_3_3_5_2_7_1) {
  TestNode node;
  TestClient client(node);
  client.connect();
  const FileId id = client.must_open({.name = u"f"});
  wire::CloseRequest bad;
  bad.file_id = FileId{1, 2};
  wire::CloseRequest good;
  good.file_id = id;
  const auto ids =
      client.send_compound(false, std::pair(Command::Close, bad), std::pair(Command::Close, good));
  EXPECT_EQ(client.wait(ids[0]).status(), NtStatus::FileClosed);
  EXPECT_EQ(client.wait(ids[1]).status(), NtStatus::Success);
}

TEST(Compound, AWildNextCommandEndsTheConnection_3_3_5_2_7) {
  for (const std::uint32_t next : {4U, 68U, 0xFFFFFFF8U, 4096U}) {
    TestNode node;
    TestClient client(node);
    client.connect();
    wire::Smb2Header header = client.next_header(Command::Echo);
    header.next_command = next;
    Bytes message;
    header.encode(message);
    wire::encode(wire::EchoRequest{}, message);
    client.send_raw(message, true);
    EXPECT_TRUE(client.disconnected()) << next;
  }
}

TEST(Status, SnapshotListsSessionsAndOpens) {
  TestNode node;
  TestClient client(node);
  client.connect();
  client.must_open({.name = u"f", .share = 1});
  handlers::ServerSnapshot snapshot;
  node.server->snapshot([&](handlers::ServerSnapshot got) { snapshot = std::move(got); });
  node.run();
  ASSERT_EQ(snapshot.sessions.size(), 1U);
  EXPECT_EQ(snapshot.sessions[0].user, "TEST\\alice");
  ASSERT_EQ(snapshot.opens.size(), 1U);
  EXPECT_EQ(snapshot.opens[0].path, "f");
  EXPECT_EQ(snapshot.opens[0].share, "data");
}

}  // namespace
}  // namespace flotilla::testing

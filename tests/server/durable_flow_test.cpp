// Durable opens: granted, kept when the connection goes, reclaimed or refused, replayed, displaced.
#include "handlers/durable/durable_opens.hpp"
#include "server/harness.hpp"

namespace flotilla::testing {
namespace {

using wire::Command;
using wire::OplockLevel;
namespace a = wire::access;

Bytes request_v2(std::uint8_t guid, std::uint32_t timeout_ms = 0) {
  wire::DurableHandleRequestV2 request;
  request.create_guid.bytes[0] = guid;
  request.timeout_ms = timeout_ms;
  return wire::encoded(request);
}

Bytes reconnect_v2(const FileId& id, std::uint8_t guid) {
  wire::DurableHandleReconnectV2 request;
  request.file_id = id;
  request.create_guid.bytes[0] = guid;
  return wire::encoded(request);
}

Bytes lease(std::uint8_t key, std::uint32_t state) {
  wire::LeaseContextV2 context;
  context.lease_key.bytes[0] = key;
  context.lease_state = state;
  return wire::encoded(context);
}

FileId id_of(const Response& response) { return response.as<wire::CreateResponse>().file_id; }

bool has(const Response& response, std::string_view tag) {
  const auto body = response.as<wire::CreateResponse>();
  return wire::find_context(body.create_contexts, tag) != nullptr;
}

Response open_v2(TestClient& client, std::uint8_t guid, std::uint32_t timeout_ms = 0,
                 OplockLevel oplock = OplockLevel::Batch) {
  const Bytes context = request_v2(guid, timeout_ms);
  return client.open({.name = u"f", .oplock = oplock, .contexts = {{as_bytes("DH2Q"), context}}});
}

Response reopen_v2(TestClient& client, const FileId& id, std::uint8_t guid) {
  const Bytes context = reconnect_v2(id, guid);
  return client.open(
      {.name = u"", .oplock = OplockLevel::Batch, .contexts = {{as_bytes("DH2C"), context}}});
}

TEST(Durable, NeedsABatchOplockOrALeaseWithH_3_3_5_9_6_and_10) {
  TestNode node;
  TestClient client(node);
  client.connect();
  const Bytes empty(16);
  for (const auto& [oplock, durable] :
       {std::pair{OplockLevel::None, false}, std::pair{OplockLevel::LevelII, false},
        std::pair{OplockLevel::Exclusive, false}, std::pair{OplockLevel::Batch, true}}) {
    const Response v1 =
        client.open({.name = u"f", .oplock = oplock, .contexts = {{as_bytes("DHnQ"), empty}}});
    EXPECT_EQ(has(v1, "DHnQ"), durable) << static_cast<int>(oplock);
    client.close(id_of(v1));
    const Response v2 = open_v2(client, 1, 0, oplock);
    EXPECT_EQ(has(v2, "DH2Q"), durable) << static_cast<int>(oplock);
    client.close(id_of(v2));
  }
}

TEST(Durable, AnOpenSurvivesItsConnectionAndComesBackOnce_3_3_5_9_12) {
  TestNode node;
  TestClient other(node, {.guid = 2});
  other.connect("bob");
  FileId id;
  {
    TestClient client(node);
    client.connect();
    id = id_of(open_v2(client, 5));
    EXPECT_EQ(reopen_v2(client, id, 5).status(), NtStatus::ObjectNameNotFound) << "still connected";
  }
  EXPECT_EQ(node.server->durable().detached_count(), 1U);
  EXPECT_EQ(reopen_v2(other, id, 5).status(), NtStatus::AccessDenied) << "DurableOwner";
  TestClient back(node, {.shard = 1});
  back.connect();
  EXPECT_EQ(reopen_v2(back, id, 6).status(), NtStatus::ObjectNameNotFound) << "another CreateGuid";
  const Response again = reopen_v2(back, id, 5);
  ASSERT_EQ(again.status(), NtStatus::Success);
  EXPECT_EQ(id_of(again).persistent_id, id.persistent_id);
  EXPECT_EQ(again.as<wire::CreateResponse>().oplock_level, OplockLevel::Batch);
  EXPECT_FALSE(has(again, "DH2Q"));
  EXPECT_EQ(node.server->durable().detached_count(), 0U);
  EXPECT_EQ(reopen_v2(back, id, 5).status(), NtStatus::ObjectNameNotFound);
  EXPECT_EQ(back.close(id_of(again)), NtStatus::Success);
  EXPECT_EQ(node.engine->status().opens_held, 0U);
}

/// A client that cuts its connection and is back on another one, ahead of the news of that.
TEST(Durable, AReconnectWaitsForTheNewsThatTheFormerConnectionIsGone_3_3_5_9_12) {
  TestNode node;
  auto client = std::make_unique<TestClient>(node);
  client->connect();
  const FileId id = id_of(open_v2(*client, 5));
  TestClient back(node, {.shard = 1});
  back.connect();
  const Bytes context = reconnect_v2(id, 5);
  const auto ask = [&](TestClient& who) {
    return who.send_open({.name = u"", .contexts = {{as_bytes("DH2C"), context}}});
  };
  const MessageId early = ask(back);
  EXPECT_FALSE(back.poll(early));
  client.reset();
  node.advance(std::chrono::milliseconds(5));
  const Response again = back.wait(early);
  ASSERT_EQ(again.status(), NtStatus::Success);
  EXPECT_EQ(id_of(again).persistent_id, id.persistent_id);
  // Whose client stays where it is keeps it.
  TestClient third(node, {.shard = 1});
  third.connect();
  const MessageId vain = ask(third);
  node.advance(std::chrono::milliseconds(100));
  EXPECT_FALSE(third.poll(vain));
  node.advance(std::chrono::milliseconds(100));
  EXPECT_EQ(third.wait(vain).status(), NtStatus::ObjectNameNotFound);
  EXPECT_EQ(back.close(id_of(again)), NtStatus::Success);
  EXPECT_EQ(node.engine->status().opens_held, 0U);
}

TEST(Durable, IsClosedWhenItsTimeIsOver_3_3_6_3) {
  TestNode node;
  FileId id;
  {
    TestClient client(node);
    client.connect();
    const Response opened = open_v2(client, 5, 2000);
    id = id_of(opened);
    const auto body = opened.as<wire::CreateResponse>();
    const auto* const context = wire::find_context(body.create_contexts, "DH2Q");
    ASSERT_NE(context, nullptr);
    EXPECT_EQ(wire::decode<wire::DurableHandleResponseV2>(context->data)->timeout_ms, 2000U);
  }
  node.advance(std::chrono::milliseconds(1900));
  EXPECT_EQ(node.engine->status().opens_held, 1U);
  node.advance(std::chrono::milliseconds(200));
  EXPECT_EQ(node.engine->status().opens_held, 0U);
  TestClient back(node);
  back.connect();
  EXPECT_EQ(reopen_v2(back, id, 5).status(), NtStatus::ObjectNameNotFound);
}

TEST(Durable, ABreakEndsAnOpenWhoseClientIsAway_3_3_4_6) {
  TestNode node;
  FileId id;
  {
    TestClient client(node);
    client.connect();
    id = id_of(open_v2(client, 5));
  }
  TestClient other(node, {.shard = 1, .guid = 2});
  other.connect("bob");
  const Response opened = other.open({.name = u"f", .oplock = OplockLevel::Batch});
  EXPECT_EQ(opened.status(), NtStatus::Success) << "nobody waits for the acknowledgment";
  EXPECT_EQ(node.server->durable().detached_count(), 0U);
  TestClient back(node);
  back.connect();
  EXPECT_EQ(reopen_v2(back, id, 5).status(), NtStatus::ObjectNameNotFound);
}

TEST(Durable, AStatOpenLeavesADetachedOpenAlone) {
  TestNode node;
  {
    TestClient client(node);
    client.connect();
    open_v2(client, 5);
  }
  TestClient other(node, {.guid = 2});
  other.connect("bob");
  other.must_open(
      {.name = u"f", .disposition = wire::CreateDisposition::Open, .access = a::kReadAttributes});
  EXPECT_EQ(node.server->durable().detached_count(), 1U);
}

TEST(Durable, ALeaseIsReclaimedByItsClientAndKeyOnly_3_3_5_9_7) {
  TestNode node;
  const Bytes key9 = lease(9, 7);
  const Bytes key8 = lease(8, 7);
  const Bytes empty(16);
  Bytes v1;
  {
    TestClient client(node);
    client.connect();
    const Response opened =
        client.open({.name = u"f",
                     .oplock = OplockLevel::Lease,
                     .contexts = {{as_bytes("DHnQ"), empty}, {as_bytes("RqLs"), key9}}});
    ASSERT_TRUE(has(opened, "DHnQ"));
    v1 = wire::encoded(wire::DurableHandleReconnect{id_of(opened)});
  }
  const auto reopen = [&](TestClient& client, std::u16string name, const Bytes* key) {
    OpenArgs args{.name = std::move(name),
                  .oplock = key != nullptr ? OplockLevel::Lease : OplockLevel::Batch,
                  .contexts = {{as_bytes("DHnC"), v1}}};
    if (key != nullptr) args.contexts.push_back({as_bytes("RqLs"), *key});
    return client.open(args);
  };
  TestClient stranger(node, {.guid = 2});
  stranger.connect();
  EXPECT_EQ(reopen(stranger, u"f", &key9).status(), NtStatus::ObjectNameNotFound) << "ClientGuid";
  TestClient back(node);
  back.connect();
  EXPECT_EQ(reopen(back, u"f", nullptr).status(), NtStatus::ObjectNameNotFound) << "no lease";
  EXPECT_EQ(reopen(back, u"f", &key8).status(), NtStatus::ObjectNameNotFound) << "another key";
  EXPECT_EQ(reopen(back, u"g", &key9).status(), NtStatus::InvalidParameter) << "another name";
  EXPECT_EQ(reopen(back, u"F", &key9).status(), NtStatus::Success) << "without case";
}

TEST(Durable, ContextsThatExcludeEachOtherAreRefused_3_3_5_9_10) {
  TestNode node;
  TestClient client(node);
  client.connect();
  const Bytes empty(16);
  const Bytes v2 = request_v2(1);
  EXPECT_EQ(client
                .open({.name = u"f",
                       .oplock = OplockLevel::Batch,
                       .contexts = {{as_bytes("DHnQ"), empty}, {as_bytes("DH2Q"), v2}}})
                .status(),
            NtStatus::InvalidParameter);
}

TEST(Replay, AnsweredCreatesAreAnsweredAgainOnlyToTheirOwner_3_3_5_9_10) {
  TestNode node;
  TestClient client(node);
  client.connect();
  const Response first = open_v2(client, 7);
  ASSERT_EQ(first.status(), NtStatus::Success);
  EXPECT_EQ(open_v2(client, 7).status(), NtStatus::DuplicateObjectid) << "without the replay flag";
  const Bytes context = request_v2(7);
  const OpenArgs create{
      .name = u"f", .oplock = OplockLevel::Batch, .contexts = {{as_bytes("DH2Q"), context}}};
  const Response second = client.replay(create);
  ASSERT_EQ(second.status(), NtStatus::Success);
  EXPECT_EQ(id_of(second), id_of(first));
  EXPECT_EQ(second.as<wire::CreateResponse>().create_action, wire::CreateAction::Created);
  EXPECT_EQ(node.engine->status().opens_held, 1U);
  TestClient elsewhere(node);
  elsewhere.connect();
  EXPECT_EQ(elsewhere.replay(create).status(), NtStatus::DuplicateObjectid) << "another session";
}

TEST(Replay, AnOpenThatWasUsedIsNotAnsweredAgain_3_3_1_10) {
  TestNode node;
  TestClient client(node);
  client.connect();
  const FileId id = id_of(open_v2(client, 7));
  EXPECT_EQ(client.call(Command::Flush, wire::FlushRequest{.file_id = id}).status(),
            NtStatus::Success);
  const Bytes context = request_v2(7);
  const Response anew = client.open(
      {.name = u"g", .oplock = OplockLevel::Batch, .contexts = {{as_bytes("DH2Q"), context}}});
  EXPECT_EQ(anew.status(), NtStatus::Success) << "the guid is free again";
  EXPECT_NE(id_of(anew), id);
}

TEST(Durable, TreeDisconnectEndsItLogoffDoesNot_3_3_5_6) {
  TestNode node;
  {
    TestClient client(node);
    client.connect();
    open_v2(client, 5);
    client.call(Command::TreeDisconnect, wire::TreeDisconnectRequest{});
    EXPECT_EQ(node.engine->status().opens_held, 0U);
  }
  TestClient client(node);
  client.connect();
  open_v2(client, 6);
  client.call(Command::Logoff, wire::LogoffRequest{});
  EXPECT_EQ(node.server->durable().detached_count(), 1U);
}

TEST(AppInstance, ANewClientDisplacesTheFormerOne_3_3_5_9_13) {
  TestNode node;
  TestClient one(node);
  TestClient two(node, {.shard = 1, .guid = 2});
  one.connect();
  two.connect();
  wire::AppInstanceIdContext instance;
  instance.app_instance_id.bytes[0] = 3;
  const Bytes app = wire::encoded(instance);
  const auto open = [&](TestClient& client, std::uint8_t guid) {
    const Bytes durable = request_v2(guid);
    const Bytes tag(wire::create_tag::kAppInstanceId.begin(),
                    wire::create_tag::kAppInstanceId.end());
    return client.open({.name = u"f",
                        .share = 0,
                        .oplock = OplockLevel::Batch,
                        .contexts = {{as_bytes("DH2Q"), durable}, {tag, app}}});
  };
  const Response first = open(one, 1);
  ASSERT_EQ(first.status(), NtStatus::Success);
  EXPECT_EQ(open(two, 2).status(), NtStatus::Success) << "though the file was not shared";
  EXPECT_FALSE(one.poll_break());
  EXPECT_EQ(one.close(id_of(first)), NtStatus::FileClosed);
}

}  // namespace
}  // namespace flotilla::testing

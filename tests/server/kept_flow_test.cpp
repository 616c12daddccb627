// Opens that outlive more than their connection: the server's restart, persistent and resilient
// handles, and what a node that has never seen them must refuse.
#include <deque>

#include "handlers/durable/durable_opens.hpp"
#include "server/harness.hpp"
#include "wire/fsctl.hpp"
#include "wire/ioctl.hpp"

namespace flotilla::testing {
namespace {

using wire::Command;
using wire::OplockLevel;

/// Keeps records in memory; says that they are safe when told to.
class MemoryStore final : public pool::KeptStore {
 public:
  void keep(const coherence::KeptFile& file, std::function<void()> safe) override {
    files[file.key] = file;
    waiting.push_back(std::move(safe));
  }
  void make_safe() {
    while (!waiting.empty()) {
      const auto safe = std::move(waiting.front());
      waiting.pop_front();
      safe();
    }
  }
  [[nodiscard]] std::vector<coherence::KeptFile> load() const {
    std::vector<coherence::KeptFile> all;
    for (const auto& [key, file] : files) {
      if (!file.opens.empty()) all.push_back(file);
    }
    return all;
  }
  std::map<FileKey, coherence::KeptFile> files;
  std::deque<std::function<void()>> waiting;
};

Bytes request_v2(std::uint8_t guid, std::uint32_t flags = 0) {
  wire::DurableHandleRequestV2 request;
  request.create_guid.bytes[0] = guid;
  request.flags = flags;
  return wire::encoded(request);
}

Bytes lease(std::uint8_t key, std::uint32_t state) {
  wire::LeaseContextV2 context;
  context.lease_key.bytes[0] = key;
  context.lease_state = state;
  return wire::encoded(context);
}

FileId id_of(const Response& response) { return response.as<wire::CreateResponse>().file_id; }

std::optional<wire::DurableHandleResponseV2> granted(const Response& response) {
  const auto body = response.as<wire::CreateResponse>();
  const auto* const context = wire::find_context(body.create_contexts, "DH2Q");
  if (context == nullptr) return std::nullopt;
  return *wire::decode<wire::DurableHandleResponseV2>(context->data);
}

Response reopen(TestClient& client, const FileId& id, std::uint8_t guid, std::uint32_t flags = 0,
                const Bytes* key = nullptr, std::u16string name = u"f") {
  wire::DurableHandleReconnectV2 request;
  request.file_id = id;
  request.create_guid.bytes[0] = guid;
  request.flags = flags;
  const Bytes context = wire::encoded(request);
  OpenArgs args{.name = std::move(name),
                .oplock = key != nullptr ? OplockLevel::Lease : OplockLevel::Batch,
                .contexts = {{as_bytes("DH2C"), context}}};
  if (key != nullptr) args.contexts.push_back({as_bytes("RqLs"), *key});
  return client.open(args);
}

NtStatus lock(TestClient& client, const FileId& id, std::uint32_t sequence, std::uint32_t flags,
              std::uint64_t offset = 0) {
  wire::LockRequest request;
  request.file_id = id;
  request.lock_sequence = sequence;
  request.locks = {{offset, 10, flags}};
  return client.call(Command::Lock, request).status();
}
constexpr std::uint32_t kExclusiveNow = 0x12;
constexpr std::uint32_t kUnlock = 0x04;

/// A node with a store, on which alice has "f" open with a durable lease and a lock on it.
struct Kept {
  std::shared_ptr<MemoryStore> store = std::make_shared<MemoryStore>();
  std::shared_ptr<ports::Backend> backend;
  FileId id;
  Bytes key = lease(9, 7);
};

Kept before_the_restart(std::uint32_t flags = 0) {
  Kept kept;
  TestNode node({.continuous_availability = flags != 0, .store = kept.store});
  kept.backend = node.backend;
  {
    TestClient client(node, {.persistent_handles = true});
    client.connect();
    const Bytes durable = request_v2(5, flags);
    const MessageId sent =
        client.send_open({.name = u"f",
                          .oplock = OplockLevel::Lease,
                          .contexts = {{as_bytes("DH2Q"), durable}, {as_bytes("RqLs"), kept.key}}});
    node.run();
    EXPECT_FALSE(client.poll(sent)) << "answered before it was safe";
    kept.store->make_safe();
    node.run();
    kept.id = id_of(client.wait(sent));
    wire::LockRequest request;
    request.file_id = kept.id;
    request.lock_sequence = 3 << 4 | 7;
    request.locks = {{0, 10, kExclusiveNow}};
    const MessageId locked = client.send(Command::Lock, request);
    node.run();
    EXPECT_FALSE(client.poll(locked));
    kept.store->make_safe();
    node.run();
    EXPECT_EQ(client.wait(locked).status(), NtStatus::Success);
  }  // it loses its connection
  kept.store->make_safe();
  node.run();
  return kept;  // and the node is gone; its client never said good-bye
}

TEST(Kept, ADurableOpenComesBackAfterARestartWithItsLockAndLease_3_3_5_9_12) {
  Kept kept = before_the_restart();
  TestNode node({.kept = kept.store->load(), .backend = kept.backend});
  TestClient other(node, {.shard = 1, .guid = 2});
  other.connect("bob");
  TestClient back(node);
  back.connect();
  TestClient stranger(node, {.guid = 3});
  stranger.connect();
  TestClient impostor(node);
  impostor.connect("bob");
  const Bytes key8 = lease(8, 7);
  EXPECT_EQ(reopen(impostor, kept.id, 5, 0, &kept.key).status(), NtStatus::AccessDenied);
  EXPECT_EQ(reopen(stranger, kept.id, 5, 0, &kept.key).status(), NtStatus::ObjectNameNotFound);
  EXPECT_EQ(reopen(back, kept.id, 6, 0, &kept.key).status(), NtStatus::ObjectNameNotFound);
  EXPECT_EQ(reopen(back, kept.id, 5, 0, &key8).status(), NtStatus::ObjectNameNotFound);
  EXPECT_EQ(reopen(back, kept.id, 5, 0, nullptr).status(), NtStatus::ObjectNameNotFound);
  EXPECT_EQ(reopen(back, kept.id, 5, 0, &kept.key, u"g").status(), NtStatus::InvalidParameter);
  const Response again = reopen(back, kept.id, 5, 0, &kept.key);
  ASSERT_EQ(again.status(), NtStatus::Success);
  const FileId id = id_of(again);
  EXPECT_EQ(id.persistent_id, kept.id.persistent_id);
  EXPECT_EQ(back.call(Command::Flush, wire::FlushRequest{.file_id = id}).status(),
            NtStatus::Success);
  const auto body = again.as<wire::CreateResponse>();
  const auto* const context = wire::find_context(body.create_contexts, "RqLs");
  ASSERT_NE(context, nullptr);
  EXPECT_EQ(wire::decode<wire::LeaseContextV2>(context->data)->lease_state, 7U);
  // Its lock is there, and so is the number that it was taken with.
  EXPECT_EQ(lock(back, id, 3 << 4 | 7, kExclusiveNow), NtStatus::Success) << "the same again";
  EXPECT_EQ(lock(back, id, 4 << 4 | 1, kExclusiveNow), NtStatus::LockNotGranted);
  EXPECT_EQ(lock(back, id, 3 << 4 | 8, kUnlock), NtStatus::Success);
  EXPECT_EQ(reopen(back, kept.id, 5, 0, &kept.key).status(), NtStatus::ObjectNameNotFound);
  EXPECT_EQ(back.close(id), NtStatus::Success);
  EXPECT_EQ(node.engine->status().opens_held, 0U);
  EXPECT_EQ(node.server->stats().opens, 0U);
  EXPECT_EQ(node.server->locks_count.load(), 0U);
}

TEST(Kept, WhatNobodyCameForAfterARestartIsClosedInTime) {
  Kept kept = before_the_restart();
  TestNode node({.kept = kept.store->load(), .backend = kept.backend});
  EXPECT_EQ(node.engine->status().opens_held, 1U);
  node.advance(std::chrono::seconds(61));
  EXPECT_EQ(node.engine->status().opens_held, 0U);
}

TEST(Kept, AnOpenOfAFileThatIsAnotherNowIsNotGivenBack) {
  Kept kept = before_the_restart();
  TestNode node({.kept = kept.store->load(), .backend = vfs::make_mem_backend()});
  TestClient back(node);
  back.connect();
  back.must_open({.name = u"x"});
  back.must_open({.name = u"f"});
  EXPECT_EQ(reopen(back, kept.id, 5, 0, &kept.key).status(), NtStatus::ObjectNameNotFound);
}

TEST(Kept, AReplayAfterTheRestartFindsWhatTheFirstCreateMade_3_3_5_9_10) {
  Kept kept = before_the_restart();
  TestNode node({.kept = kept.store->load(), .backend = kept.backend});
  TestClient back(node);
  back.connect();
  const Bytes durable = request_v2(5);
  const OpenArgs create{.name = u"f",
                        .oplock = OplockLevel::Lease,
                        .contexts = {{as_bytes("DH2Q"), durable}, {as_bytes("RqLs"), kept.key}}};
  TestClient impostor(node);
  impostor.connect("bob");
  EXPECT_EQ(impostor.replay(create).status(), NtStatus::AccessDenied);
  const Response again = back.replay(create);
  ASSERT_EQ(again.status(), NtStatus::Success);
  EXPECT_EQ(id_of(again).persistent_id, kept.id.persistent_id);
  EXPECT_EQ(node.engine->status().opens_held, 1U);
}

TEST(Kept, OpensThatNothingKeepsWaitForNoStore) {
  const auto store = std::make_shared<MemoryStore>();
  TestNode node({.store = store});
  TestClient client(node);
  client.connect();
  client.must_open({.name = u"f", .oplock = OplockLevel::Batch});
  EXPECT_TRUE(store->waiting.empty());
}

TEST(Persistent, NeedsAShareThatSaysSoAndNoOplock_3_3_5_9_10) {
  for (const bool available : {false, true}) {
    TestNode node({.continuous_availability = available});
    TestClient client(node, {.persistent_handles = true});
    client.connect();
    const Bytes durable = request_v2(5, wire::durable_handle_flags::kPersistent);
    const auto answer =
        granted(client.open({.name = u"f", .contexts = {{as_bytes("DH2Q"), durable}}}));
    EXPECT_EQ(answer.has_value(), available);
    if (answer) {
      EXPECT_EQ(answer->flags, wire::durable_handle_flags::kPersistent);
    }
  }
}

TEST(Persistent, WaitsForItsClientAndKeepsOthersOut_3_3_5_9) {
  Kept kept = before_the_restart(wire::durable_handle_flags::kPersistent);
  TestNode node(
      {.continuous_availability = true, .kept = kept.store->load(), .backend = kept.backend});
  TestClient other(node, {.guid = 2});
  other.connect("bob");
  EXPECT_EQ(other.open({.name = u"f"}).status(), NtStatus::FileNotAvailable);
  TestClient back(node, {.persistent_handles = true});
  back.connect();
  EXPECT_EQ(reopen(back, kept.id, 5, 0, &kept.key).status(), NtStatus::ObjectNameNotFound)
      << "without the flag";
  const Response again =
      reopen(back, kept.id, 5, wire::durable_handle_flags::kPersistent, &kept.key);
  ASSERT_EQ(again.status(), NtStatus::Success);
  EXPECT_EQ(lock(back, id_of(again), 5 << 4, kUnlock), NtStatus::Success);
}

/// A node where alice's "f" was opened persistent, used, and left.
void leave_persistent(TestNode& node, const Bytes& context) {
  TestClient client(node, {.persistent_handles = true});
  client.connect();
  const FileId id = id_of(client.open({.name = u"f", .contexts = {{as_bytes("DH2Q"), context}}}));
  EXPECT_EQ(lock(client, id, 0, kExclusiveNow), NtStatus::Success);
}

TEST(Persistent, IsKnownByItsCreateGuidWhereItsFileIdIsNot_3_3_5_9_12) {
  constexpr std::uint32_t kFlags = wire::durable_handle_flags::kPersistent;
  TestNode node({.continuous_availability = true});
  leave_persistent(node, request_v2(5, kFlags));
  TestClient back(node, {.persistent_handles = true});
  back.connect();
  const FileId nobodys{0x1234, 0};
  EXPECT_EQ(reopen(back, nobodys, 5).status(), NtStatus::ObjectNameNotFound);
  EXPECT_EQ(reopen(back, nobodys, 6, kFlags).status(), NtStatus::ObjectNameNotFound);
  const Response again = reopen(back, nobodys, 5, kFlags);
  ASSERT_EQ(again.status(), NtStatus::Success);
  EXPECT_EQ(lock(back, id_of(again), 0, kUnlock), NtStatus::Success);
  EXPECT_EQ(node.server->opens_count, 1U);
  EXPECT_EQ(node.server->durable().detached_count(), 0U);
}

TEST(Persistent, AReplayAfterItWasUsedTakesTheOpenThatWaits_3_3_5_9_10) {
  TestNode node({.continuous_availability = true});
  const Bytes context = request_v2(5, wire::durable_handle_flags::kPersistent);
  leave_persistent(node, context);
  TestClient back(node, {.persistent_handles = true});
  back.connect();
  ASSERT_EQ(back.replay({.name = u"f", .contexts = {{as_bytes("DH2Q"), context}}}).status(),
            NtStatus::Success);
  EXPECT_EQ(node.server->opens_count, 1U);
  EXPECT_EQ(node.server->durable().detached_count(), 0U);
}

TEST(Resilient, SurvivesWithoutAnOplockAndIsToldOfABreakWhenBack_3_3_5_15_9) {
  TestNode node;
  const auto ask = [](TestClient& client, const FileId& id, std::uint32_t timeout_ms) {
    wire::NetworkResiliencyRequest request;
    request.timeout_ms = timeout_ms;
    const Bytes input = wire::encoded(request);
    wire::IoctlRequest ioctl;
    ioctl.ctl_code = wire::fsctl::kLmrRequestResiliency;
    ioctl.file_id = id;
    ioctl.flags = wire::ioctl_flags::kIsFsctl;
    ioctl.input = input;
    return client.call(Command::Ioctl, ioctl).status();
  };
  FileId plain;
  FileId batch;
  {
    TestClient client(node, {.dialect = 0x0210});
    client.connect();
    plain = client.must_open({.name = u"plain"});
    batch = client.must_open({.name = u"batch", .oplock = OplockLevel::Batch});
    EXPECT_EQ(ask(client, plain, 3600000), NtStatus::InvalidParameter) << "MaxResiliencyTimeout";
    EXPECT_EQ(ask(client, plain, 60000), NtStatus::Success);
    EXPECT_EQ(ask(client, batch, 60000), NtStatus::Success);
    EXPECT_EQ(lock(client, plain, 0, kExclusiveNow), NtStatus::Success);
  }
  EXPECT_EQ(node.server->durable().detached_count(), 2U);
  TestClient other(node, {.shard = 1, .guid = 2});
  other.connect("bob");
  const MessageId waits = other.send_open({.name = u"batch"});
  node.run();
  EXPECT_FALSE(other.poll(waits)) << "its data may be in the client that is away";
  TestClient back(node, {.dialect = 0x0210});
  back.connect();
  const auto reconnect = [&](const FileId& id) {
    const Bytes context = wire::encoded(wire::DurableHandleReconnect{id});
    return back.open({.name = u"", .contexts = {{as_bytes("DHnC"), context}}});
  };
  EXPECT_EQ(reconnect(plain).status(), NtStatus::Success);
  const Response again = reconnect(batch);
  ASSERT_EQ(again.status(), NtStatus::Success);
  const auto told = back.poll_break();
  ASSERT_TRUE(told.has_value());
  wire::OplockBreak ack;
  ack.file_id = id_of(again);
  ack.oplock_level = told->as<wire::OplockBreak>().oplock_level;
  EXPECT_EQ(back.call(Command::OplockBreak, ack).status(), NtStatus::Success);
  EXPECT_EQ(other.wait(waits).status(), NtStatus::Success);
}

TEST(Limits, LocksMaxHoldsAndGivesBackWhatIsClosed) {
  TestNode node({.locks_max = 3});
  TestClient client(node);
  client.connect();
  const FileId id = client.must_open({.name = u"f"});
  for (std::uint64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(lock(client, id, 0, kExclusiveNow, i * 10), NtStatus::Success);
  }
  EXPECT_EQ(lock(client, id, 0, kExclusiveNow, 100), NtStatus::InsufficientResources);
  EXPECT_EQ(lock(client, id, 0, kUnlock, 10), NtStatus::Success);
  EXPECT_EQ(lock(client, id, 0, kExclusiveNow, 100), NtStatus::Success);
  client.close(id);
  EXPECT_EQ(node.server->locks_count.load(), 0U);
}

TEST(BadInput, LockSequencesOutOfRangeAreNoSequences_3_3_5_14) {
  TestNode node;
  TestClient client(node);
  client.connect();
  const FileId id = client.must_open({.name = u"f"});
  for (const std::uint32_t index : {0U, 65U, 0x0FFFFFFFU}) {
    EXPECT_EQ(lock(client, id, index << 4 | 7, kExclusiveNow), NtStatus::Success);
    EXPECT_EQ(lock(client, id, index << 4 | 7, kExclusiveNow), NtStatus::LockNotGranted)
        << index << ": not remembered";
    EXPECT_EQ(lock(client, id, 0, kUnlock), NtStatus::Success);
  }
}

}  // namespace
}  // namespace flotilla::testing

// CREATE, CLOSE, LOCK, breaks and CHANGE_NOTIFY over whole messages, by one client and by two.
#include "server/harness.hpp"
#include "wire/fscc_directory.hpp"
#include "wire/utf16.hpp"

namespace flotilla::testing {
namespace {

using wire::Command;
using wire::CreateAction;
using wire::CreateDisposition;
namespace o = wire::create_options;
namespace a = wire::access;

/// Alice and bob, connected to one node on two shards.
struct TwoClients {
  TwoClients() {
    one.connect();
    two.connect("bob");
  }
  TestNode node;
  TestClient one{node};
  TestClient two{node, {.shard = 1, .guid = 2}};
};

struct DispositionRow {
  CreateDisposition disposition;
  NtStatus missing;
  CreateAction missing_action;
  NtStatus present;
  CreateAction present_action;
};

TEST(Create, EveryDispositionOnAMissingAndAPresentFile_3_3_5_9) {
  const DispositionRow rows[] = {
      {CreateDisposition::Supersede, NtStatus::Success, CreateAction::Created, NtStatus::Success,
       CreateAction::Superseded},
      {CreateDisposition::Open,
       NtStatus::ObjectNameNotFound,
       {},
       NtStatus::Success,
       CreateAction::Opened},
      {CreateDisposition::Create,
       NtStatus::Success,
       CreateAction::Created,
       NtStatus::ObjectNameCollision,
       {}},
      {CreateDisposition::OpenIf, NtStatus::Success, CreateAction::Created, NtStatus::Success,
       CreateAction::Opened},
      {CreateDisposition::Overwrite,
       NtStatus::ObjectNameNotFound,
       {},
       NtStatus::Success,
       CreateAction::Overwritten},
      {CreateDisposition::OverwriteIf, NtStatus::Success, CreateAction::Created, NtStatus::Success,
       CreateAction::Overwritten},
  };
  for (const DispositionRow& row : rows) {
    TestNode node;
    TestClient client(node);
    client.connect();
    const auto number = static_cast<int>(row.disposition);
    const Response missing = client.open({.name = u"missing", .disposition = row.disposition});
    EXPECT_EQ(missing.status(), row.missing) << number;
    if (row.missing == NtStatus::Success) {
      EXPECT_EQ(missing.as<wire::CreateResponse>().create_action, row.missing_action) << number;
    }
    client.close(client.must_open({.name = u"present", .disposition = CreateDisposition::Create}));
    const Response present = client.open({.name = u"present", .disposition = row.disposition});
    EXPECT_EQ(present.status(), row.present) << number;
    if (row.present == NtStatus::Success) {
      EXPECT_EQ(present.as<wire::CreateResponse>().create_action, row.present_action) << number;
    }
  }
}

TEST(Create, NamesThatAreNoneAreRefused_3_3_5_9) {
  TestNode node;
  TestClient client(node);
  client.connect();
  const std::pair<std::u16string, NtStatus> rows[] = {
      {u"\\f", NtStatus::InvalidParameter},
      {u"a*b", NtStatus::ObjectNameInvalid},
      {u"a?b", NtStatus::ObjectNameInvalid},
      {u"a//b", NtStatus::ObjectNameInvalid},
      {u"a\\\\b", NtStatus::ObjectNameInvalid},
      {u"a\u0001b", NtStatus::ObjectNameInvalid},
      {u"..", NtStatus::ObjectPathSyntaxBad},
      {u"a\\..\\..\\etc", NtStatus::ObjectPathSyntaxBad},
      {u".", NtStatus::ObjectNameInvalid},
      {u"f:stream:$INDEX", NtStatus::ObjectNameInvalid},
      {u"f:", NtStatus::ObjectNameInvalid},
      {u"f:a/b", NtStatus::ObjectNameInvalid},
      {std::u16string(256, u'x'), NtStatus::ObjectNameInvalid},
      {std::u16string(1, char16_t{0xD800}), NtStatus::ObjectNameInvalid},
      {u"no\\f", NtStatus::ObjectPathNotFound},
  };
  for (const auto& [name, status] : rows) {
    EXPECT_EQ(client.open({.name = name}).status(), status) << wire::printable(name);
  }
  EXPECT_EQ(client.open({.name = u"no\\..\\f"}).status(), NtStatus::Success) << "within the share";
  EXPECT_EQ(client.open({.name = u"f::$data"}).status(), NtStatus::Success) << "the file itself";
  EXPECT_EQ(client.open({.name = u"F", .disposition = CreateDisposition::Open}).status(),
            NtStatus::Success)
      << "without case";
}

TEST(Create, DirectoriesAndFilesAreToldApart_3_3_5_9) {
  TestNode node;
  TestClient client(node);
  client.connect();
  client.close(client.must_open({.name = u"d", .options = o::kDirectoryFile}));
  client.close(client.must_open({.name = u"f"}));
  EXPECT_EQ(client.open({.name = u"d", .options = o::kNonDirectoryFile}).status(),
            NtStatus::FileIsADirectory);
  EXPECT_EQ(client.open({.name = u"f", .options = o::kDirectoryFile}).status(),
            NtStatus::NotADirectory);
  EXPECT_EQ(
      client.open({.name = u"f", .options = o::kDirectoryFile | o::kNonDirectoryFile}).status(),
      NtStatus::InvalidParameter);
  EXPECT_EQ(client.open({.name = u"", .disposition = CreateDisposition::Open}).status(),
            NtStatus::Success)
      << "the share's root";
  EXPECT_EQ(client.open({.name = u"d\\inside"}).status(), NtStatus::Success);
}

TEST(Create, ParametersOutOfRange_3_3_5_9) {
  TestNode node;
  TestClient client(node);
  client.connect();
  EXPECT_EQ(client.open({.name = u"f", .access = 0}).status(), NtStatus::AccessDenied);
  EXPECT_EQ(client.open({.name = u"f", .share = 8}).status(), NtStatus::InvalidParameter);
  EXPECT_EQ(client.open({.name = u"f", .disposition = static_cast<CreateDisposition>(6)}).status(),
            NtStatus::InvalidParameter);
  EXPECT_EQ(client.open({.name = u"f", .options = o::kOpenByFileId}).status(),
            NtStatus::NotSupported);
  EXPECT_EQ(client.open({.name = u"f", .access = a::kAccessSystemSecurity | 1}).status(),
            NtStatus::PrivilegeNotHeld);
  EXPECT_EQ(client.open({.name = u"f", .access = 1, .options = o::kDeleteOnClose}).status(),
            NtStatus::AccessDenied);
}

TEST(Create, ADirectoryWithEntriesMayBeOpenedToBeDeletedAndStays) {
  TestNode node;
  TestClient one(node);
  TestClient two(node, {.guid = 2});
  one.connect();
  two.connect("bob");
  const FileId looking = two.must_open({.name = u"d", .options = o::kDirectoryFile});
  one.close(one.must_open({.name = u"d\\inside"}));
  constexpr std::uint32_t kDoomed = o::kDirectoryFile | o::kDeleteOnClose;
  EXPECT_EQ(one.close(one.must_open({.name = u"d", .options = kDoomed})), NtStatus::Success);
  one.close(one.must_open({.name = u"d\\inside", .options = o::kDeleteOnClose}));
  EXPECT_EQ(one.close(one.must_open({.name = u"d", .options = kDoomed})), NtStatus::Success);
  EXPECT_EQ(one.open({.name = u"d"}).status(), NtStatus::DeletePending);
  two.close(looking);
  EXPECT_EQ(one.open({.name = u"d", .disposition = CreateDisposition::Open}).status(),
            NtStatus::ObjectNameNotFound);
}

TEST(Create, AReadOnlyShareRefusesWriters) {
  TestNode node;
  TestClient client(node);
  client.connect();
  client.close(client.must_open({.name = u"f"}));
  ASSERT_EQ(client.tree_connect(u"\\\\s\\ro").status(), NtStatus::Success);
  EXPECT_EQ(client.open({.name = u"f", .access = a::kGenericRead}).status(), NtStatus::Success);
  EXPECT_EQ(client.open({.name = u"f", .access = a::kGenericWrite}).status(),
            NtStatus::AccessDenied);
  EXPECT_EQ(client.open({.name = u"new", .access = a::kGenericRead}).status(),
            NtStatus::AccessDenied);
  const Response response = client.open({.name = u"f", .access = a::kMaximumAllowed});
  EXPECT_EQ(response.status(), NtStatus::Success);
}

TEST(Create, OverwriteMustRepeatHiddenAndSystem_FSA_2_1_5_1_2) {
  TestNode node;
  TestClient client(node);
  client.connect();
  client.close(client.must_open({.name = u"f", .attributes = wire::file_attribute::kHidden}));
  EXPECT_EQ(client.open({.name = u"f", .disposition = CreateDisposition::Overwrite}).status(),
            NtStatus::AccessDenied);
  EXPECT_EQ(client
                .open({.name = u"f",
                       .disposition = CreateDisposition::Overwrite,
                       .attributes = wire::file_attribute::kHidden})
                .status(),
            NtStatus::Success);
}

TEST(Create, ContextsAreAnswered_2_2_14_2) {
  TestNode node;
  TestClient client(node);
  client.connect();
  const Response response = client.open(
      {.name = u"f",
       .contexts = {{as_bytes("MxAc"), {}}, {as_bytes("QFid"), {}}, {as_bytes("Unkn"), {}}}});
  ASSERT_EQ(response.status(), NtStatus::Success);
  const auto body = response.as<wire::CreateResponse>();
  const auto* const maximal = wire::find_context(body.create_contexts, "MxAc");
  ASSERT_NE(maximal, nullptr);
  const auto rights = wire::decode<wire::QueryMaximalAccessResponse>(maximal->data);
  ASSERT_TRUE(rights);
  EXPECT_EQ(rights->query_status, NtStatus::Success);
  EXPECT_EQ(rights->maximal_access, 0x001F01FFU);
  ASSERT_NE(wire::find_context(body.create_contexts, "QFid"), nullptr);
  EXPECT_EQ(body.create_contexts.size(), 2U);
  EXPECT_EQ(client.open({.name = u"f", .contexts = {{as_bytes("abc"), {}}}}).status(),
            NtStatus::InvalidParameter);
  const Bytes reconnect(16);
  EXPECT_EQ(client.open({.name = u"f", .contexts = {{as_bytes("DHnC"), reconnect}}}).status(),
            NtStatus::ObjectNameNotFound);
}

TEST(Create, ShareModesHoldBetweenTwoClients) {
  TwoClients here;
  auto& [node, one, two] = here;
  const FileId id = one.must_open({.name = u"f", .share = wire::share_access::kRead});
  EXPECT_EQ(two.open({.name = u"f", .access = a::kGenericWrite}).status(),
            NtStatus::SharingViolation);
  EXPECT_EQ(two.open({.name = u"f", .access = a::kGenericRead}).status(), NtStatus::Success)
      << "which shares everything";
  EXPECT_EQ(two.open({.name = u"f", .access = a::kGenericRead, .share = 0}).status(),
            NtStatus::SharingViolation);
  EXPECT_EQ(one.close(id), NtStatus::Success);
  EXPECT_EQ(two.open({.name = u"f", .access = a::kGenericWrite}).status(), NtStatus::Success);
}

TEST(Create, DeleteOnCloseRemovesTheNameWithTheLastOpen) {
  TestNode node;
  TestClient one(node);
  TestClient two(node, {.guid = 2});
  one.connect();
  two.connect("bob");
  const FileId first = one.must_open({.name = u"f", .options = o::kDeleteOnClose});
  const FileId second = two.must_open({.name = u"f"});
  EXPECT_EQ(one.close(first), NtStatus::Success);
  EXPECT_EQ(one.open({.name = u"f"}).status(), NtStatus::DeletePending);
  EXPECT_EQ(two.close(second), NtStatus::Success);
  EXPECT_EQ(one.open({.name = u"f", .disposition = CreateDisposition::Open}).status(),
            NtStatus::ObjectNameNotFound);
}

TEST(Close, PostqueryAttributesAreTheFiles_3_3_5_10) {
  TestNode node;
  TestClient client(node);
  client.connect();
  const FileId id = client.must_open({.name = u"f"});
  wire::CloseRequest request;
  request.file_id = id;
  request.flags = wire::close_flags::kPostqueryAttrib;
  const auto response = client.call(Command::Close, request).as<wire::CloseResponse>();
  EXPECT_EQ(response.flags, wire::close_flags::kPostqueryAttrib);
  EXPECT_NE(response.creation_time.ticks, 0U);
  EXPECT_EQ(client.close(id), NtStatus::FileClosed);
}

Response lock(TestClient& client, const FileId& id, std::uint64_t offset, std::uint64_t length,
              std::uint32_t flags) {
  wire::LockRequest request;
  request.file_id = id;
  request.locks.push_back({offset, length, flags});
  return client.call(Command::Lock, request);
}
MessageId lock_later(TestClient& client, const FileId& id, std::uint64_t offset,
                     std::uint64_t length, std::uint32_t flags) {
  wire::LockRequest request;
  request.file_id = id;
  request.locks.push_back({offset, length, flags});
  return client.send(Command::Lock, request);
}
constexpr std::uint32_t kExclusive = wire::lock_flags::kExclusiveLock;
constexpr std::uint32_t kNow = wire::lock_flags::kFailImmediately;

TEST(Lock, AConflictIsRefusedOrWaitedFor_3_3_5_14_2) {
  TwoClients here;
  auto& [node, one, two] = here;
  const FileId first = one.must_open({.name = u"f"});
  const FileId second = two.must_open({.name = u"f"});
  EXPECT_EQ(lock(one, first, 0, 10, kExclusive | kNow).status(), NtStatus::Success);
  EXPECT_EQ(lock(two, second, 5, 1, kExclusive | kNow).status(), NtStatus::LockNotGranted);
  const MessageId waiting = lock_later(two, second, 5, 1, kExclusive);
  EXPECT_FALSE(two.poll(waiting));
  const auto interim = two.poll_pending(waiting);
  ASSERT_TRUE(interim);
  EXPECT_TRUE(interim->header.is_async());
  EXPECT_FALSE(interim->header.is_signed());
  EXPECT_GE(interim->header.credits, 1);
  EXPECT_EQ(lock(one, first, 0, 10, wire::lock_flags::kUnlock).status(), NtStatus::Success);
  node.run();
  const Response granted = two.wait(waiting);
  EXPECT_EQ(granted.status(), NtStatus::Success);
  EXPECT_TRUE(granted.header.is_async());
  EXPECT_EQ(granted.header.async_id, interim->header.async_id);
  EXPECT_EQ(granted.header.credits, 0) << "interim and final response share one grant";
}

TEST(Lock, CancelEndsTheWaitByEitherId_3_3_5_16) {
  TestNode node;
  TestClient one(node);
  TestClient two(node, {.guid = 2});
  one.connect();
  two.connect("bob");
  const FileId first = one.must_open({.name = u"f"});
  const FileId second = two.must_open({.name = u"f"});
  lock(one, first, 0, 10, kExclusive | kNow);
  const MessageId by_message = lock_later(two, second, 0, 1, kExclusive);
  two.cancel(by_message);
  EXPECT_EQ(two.wait(by_message).status(), NtStatus::Cancelled);
  const MessageId by_async = lock_later(two, second, 0, 1, kExclusive);
  const auto interim = two.poll_pending(by_async);
  ASSERT_TRUE(interim);
  two.cancel_async(interim->header.async_id);
  EXPECT_EQ(two.wait(by_async).status(), NtStatus::Cancelled);
  two.cancel(MessageId{9999});
  EXPECT_FALSE(two.disconnected());
}

TEST(Lock, FlagsThatDoNotFitAreInvalidParameter_3_3_5_14) {
  TestNode node;
  TestClient client(node);
  client.connect();
  const FileId id = client.must_open({.name = u"f"});
  EXPECT_EQ(lock(client, id, 0, 1, 0).status(), NtStatus::InvalidParameter);
  EXPECT_EQ(lock(client, id, 0, 1, 3).status(), NtStatus::InvalidParameter);
  EXPECT_EQ(lock(client, id, 0, 1, kExclusive | wire::lock_flags::kUnlock).status(),
            NtStatus::InvalidParameter);
  EXPECT_EQ(lock(client, id, ~std::uint64_t{0}, 2, kExclusive | kNow).status(),
            NtStatus::InvalidLockRange);
  EXPECT_EQ(lock(client, id, 0, 1, wire::lock_flags::kUnlock).status(), NtStatus::RangeNotLocked);
  wire::LockRequest two;
  two.file_id = id;
  two.locks = {{0, 1, kExclusive}, {5, 1, kExclusive}};
  EXPECT_EQ(client.call(Command::Lock, two).status(), NtStatus::InvalidParameter)
      << "two elements cannot wait";
}

TEST(Lock, TheWaitEndsWithTheConnection) {
  TestNode node;
  TestClient one(node);
  one.connect();
  const FileId first = one.must_open({.name = u"f"});
  lock(one, first, 0, 10, kExclusive | kNow);
  {
    TestClient two(node, {.guid = 2});
    two.connect("bob");
    const FileId second = two.must_open({.name = u"f"});
    lock_later(two, second, 0, 1, kExclusive);
  }
  EXPECT_EQ(node.server->stats().opens, 1U);
  EXPECT_EQ(node.server->stats().channels, 1U) << "the waiting coroutine is gone";
}

TEST(Oplock, ABatchOplockIsBrokenAndTheOpenerWaits_3_3_4_6) {
  TwoClients here;
  auto& [node, one, two] = here;
  const Response held = one.open({.name = u"f", .oplock = wire::OplockLevel::Batch});
  ASSERT_EQ(held.as<wire::CreateResponse>().oplock_level, wire::OplockLevel::Batch);
  const FileId id = held.as<wire::CreateResponse>().file_id;
  wire::CreateRequest create;
  create.name = u"f";
  create.desired_access = a::kGenericRead;
  create.share_access = 7;
  const MessageId waiting = two.send(Command::Create, create);
  EXPECT_TRUE(two.poll_pending(waiting));
  EXPECT_FALSE(two.poll(waiting));
  node.run();
  const auto broken = one.poll_break();
  ASSERT_TRUE(broken);
  const auto notice = broken->as<wire::OplockBreak>();
  EXPECT_EQ(notice.file_id, id);
  EXPECT_EQ(notice.oplock_level, wire::OplockLevel::LevelII);
  EXPECT_EQ(broken->header.session_id.raw(), 0U);
  wire::OplockBreak ack;
  ack.file_id = id;
  ack.oplock_level = wire::OplockLevel::LevelII;
  const Response done = one.call(Command::OplockBreak, ack);
  EXPECT_EQ(done.status(), NtStatus::Success);
  EXPECT_EQ(done.as<wire::OplockBreak>().oplock_level, wire::OplockLevel::LevelII);
  node.run();
  EXPECT_EQ(two.wait(waiting).status(), NtStatus::Success);
  EXPECT_TRUE(is_error(one.call(Command::OplockBreak, ack).status())) << "no break is in progress";
}

TEST(Oplock, AHolderThatStaysSilentLosesItsOpenFirst) {
  TestNode node;
  TestClient one(node);
  TestClient two(node, {.guid = 2});
  one.connect();
  two.connect("bob");
  const FileId id = one.must_open({.name = u"f", .oplock = wire::OplockLevel::Batch});
  wire::CreateRequest create;
  create.name = u"f";
  create.desired_access = a::kGenericRead;
  create.share_access = 7;
  const MessageId waiting = two.send(Command::Create, create);
  EXPECT_FALSE(two.poll(waiting));
  node.advance(std::chrono::seconds{36});
  EXPECT_EQ(two.wait(waiting).status(), NtStatus::Success);
  EXPECT_EQ(one.close(id), NtStatus::FileClosed);
}

Bytes lease_context(std::uint8_t key, std::uint32_t state) {
  wire::LeaseContextV2 lease;
  lease.lease_key.bytes[0] = key;
  lease.lease_state = state;
  lease.epoch = 1;
  return wire::encoded(lease);
}

TEST(Lease, IsGrantedSharedByItsKeyAndBroken_3_3_4_7) {
  TwoClients here;
  auto& [node, one, two] = here;
  const Bytes context = lease_context(9, 7);
  const OpenArgs args{
      .name = u"f", .oplock = wire::OplockLevel::Lease, .contexts = {{as_bytes("RqLs"), context}}};
  const Response first = one.open(args);
  ASSERT_EQ(first.status(), NtStatus::Success);
  const auto body = first.as<wire::CreateResponse>();
  EXPECT_EQ(body.oplock_level, wire::OplockLevel::Lease);
  const auto* const granted = wire::find_context(body.create_contexts, "RqLs");
  ASSERT_NE(granted, nullptr);
  EXPECT_EQ(wire::decode<wire::LeaseContextV2>(granted->data)->lease_state, 7U);
  EXPECT_EQ(one.open(args).status(), NtStatus::Success) << "the same lease: no break";
  EXPECT_FALSE(one.poll_break());
  EXPECT_EQ(one.open({.name = u"other",
                      .oplock = wire::OplockLevel::Lease,
                      .contexts = {{as_bytes("RqLs"), context}}})
                .status(),
            NtStatus::InvalidParameter)
      << "3.3.5.9.8: the key belongs to another file";
  EXPECT_EQ(one.open({.name = u"other", .disposition = CreateDisposition::Open}).status(),
            NtStatus::ObjectNameNotFound)
      << "which was not made";

  wire::CreateRequest create;
  create.name = u"f";
  create.desired_access = a::kGenericRead;
  create.share_access = 7;
  const MessageId waiting = two.send(Command::Create, create);
  EXPECT_FALSE(two.poll(waiting));
  node.run();
  const auto broken = one.poll_break();
  ASSERT_TRUE(broken);
  const auto notice = broken->as<wire::LeaseBreakNotification>();
  EXPECT_EQ(notice.lease_key.bytes[0], 9);
  EXPECT_EQ(notice.current_lease_state, 7U);
  EXPECT_EQ(notice.new_lease_state, 3U);
  EXPECT_EQ(notice.flags, wire::lease_flags::kBreakAckRequired);
  wire::LeaseBreak ack;
  ack.lease_key = notice.lease_key;
  ack.lease_state = 7;
  EXPECT_EQ(one.call(Command::OplockBreak, ack).status(), NtStatus::RequestNotAccepted);
  ack.lease_state = 3;
  EXPECT_EQ(one.call(Command::OplockBreak, ack).status(), NtStatus::Success);
  node.run();
  EXPECT_EQ(two.wait(waiting).status(), NtStatus::Success);
  EXPECT_EQ(one.call(Command::OplockBreak, ack).status(), NtStatus::Unsuccessful)
      << "3.3.5.22.2: no break is in progress";
  ack.lease_key.bytes[0] = 77;
  EXPECT_EQ(one.call(Command::OplockBreak, ack).status(), NtStatus::ObjectNameNotFound);
}

MessageId watch(TestClient& client, const FileId& directory, std::uint16_t flags = 0,
                std::uint32_t length = 4096) {
  wire::ChangeNotifyRequest request;
  request.file_id = directory;
  request.flags = flags;
  request.output_buffer_length = length;
  request.completion_filter = 0xFFF;
  return client.send(Command::ChangeNotify, request);
}
std::vector<wire::NotifyEntry> entries_of(const Response& response) {
  const auto body = response.as<wire::ChangeNotifyResponse>();
  const auto list = wire::decode_notify(body.output_buffer);
  EXPECT_TRUE(list);
  return list ? *list : std::vector<wire::NotifyEntry>{};
}

TEST(ChangeNotify, TellsWhatAppearsAndGoes_3_3_5_19) {
  TwoClients here;
  auto& [node, one, two] = here;
  const FileId root = one.must_open({.name = u"", .disposition = CreateDisposition::Open});
  const MessageId first = watch(one, root);
  EXPECT_TRUE(one.poll_pending(first));
  const FileId id = two.must_open({.name = u"new", .options = o::kDeleteOnClose});
  node.run();
  const auto added = entries_of(one.wait(first));
  ASSERT_EQ(added.size(), 1U);
  EXPECT_EQ(added[0].action, wire::NotifyAction::Added);
  EXPECT_EQ(added[0].file_name, u"new");
  two.close(id);
  const auto removed = entries_of(one.wait(watch(one, root)));
  ASSERT_EQ(removed.size(), 1U) << "gathered between the requests";
  EXPECT_EQ(removed[0].action, wire::NotifyAction::Removed);
}

TEST(ChangeNotify, EndsByCancelAndByClose_3_3_5_19) {
  TestNode node;
  TestClient client(node);
  client.connect();
  const FileId root = client.must_open({.name = u"", .disposition = CreateDisposition::Open});
  const MessageId cancelled = watch(client, root);
  client.cancel(cancelled);
  EXPECT_EQ(client.wait(cancelled).status(), NtStatus::Cancelled);
  const MessageId closed = watch(client, root);
  EXPECT_EQ(client.close(root), NtStatus::Success);
  EXPECT_EQ(client.wait(closed).status(), NtStatus::NotifyCleanup);
  const FileId file = client.must_open({.name = u"f"});
  EXPECT_EQ(client.wait(watch(client, file)).status(), NtStatus::InvalidParameter);
}

TEST(ChangeNotify, ADirectoryThatIsToBeDeletedHasNothingToTell) {
  TwoClients here;
  auto& [node, one, two] = here;
  const FileId mine = one.must_open({.name = u"d", .options = o::kDirectoryFile});
  const FileId theirs =
      two.must_open({.name = u"d", .options = o::kDirectoryFile | o::kDeleteOnClose});
  const MessageId before = watch(one, mine);
  EXPECT_TRUE(one.poll_pending(before));
  two.close(theirs);
  node.run();
  EXPECT_EQ(one.wait(before).status(), NtStatus::DeletePending);
  const FileId other = one.must_open({.name = u"e", .options = o::kDirectoryFile});
  two.close(two.must_open({.name = u"e", .options = o::kDirectoryFile | o::kDeleteOnClose}));
  node.run();
  EXPECT_EQ(one.wait(watch(one, other)).status(), NtStatus::DeletePending);
}

TEST(ChangeNotify, TooManyEventsAreNotifyEnumDir_3_3_5_19) {
  TestNode node;
  TestClient client(node);
  client.connect();
  const FileId root = client.must_open({.name = u"", .disposition = CreateDisposition::Open});
  const MessageId small = watch(client, root, 0, 4);
  client.must_open({.name = u"a long name that does not fit"});
  EXPECT_EQ(client.wait(small).status(), NtStatus::NotifyEnumDir);
}

TEST(Pipe, AnUnknownOneIsObjectNameNotFound_3_3_5_9) {
  TestNode node;
  TestClient client(node);
  client.connect("alice", u"IPC$");
  EXPECT_EQ(client.open({.name = u"nothing", .disposition = CreateDisposition::Open}).status(),
            NtStatus::ObjectNameNotFound);
  const Response response =
      client.open({.name = u"srvsvc", .disposition = CreateDisposition::Open, .access = 3});
  EXPECT_EQ(response.status(), NtStatus::Success);
  EXPECT_EQ(client.close(response.as<wire::CreateResponse>().file_id), NtStatus::Success);
}

}  // namespace
}  // namespace flotilla::testing

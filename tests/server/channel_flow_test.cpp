// Sealed messages and sessions of several channels, over whole messages.
#include "server/harness.hpp"

namespace flotilla::testing {
namespace {

using wire::Command;

constexpr std::uint16_t kCiphers[] = {1, 2, 3, 4};

TEST(Sealing, WhatComesSealedIsAnsweredSealed_3_3_4_1_4) {
  for (const std::uint16_t cipher : kCiphers) {
    TestNode node;
    TestClient client(node, {.cipher = cipher});
    ASSERT_EQ(client.log_in("alice"), NtStatus::Success);
    client.seal = true;
    client.sign = false;
    const Response tree = client.tree_connect(u"\\\\s\\data");
    ASSERT_EQ(tree.status(), NtStatus::Success) << "sealed is as good as signed, cipher " << cipher;
    EXPECT_FALSE(tree.header.is_signed());
    const FileId id = client.must_open({.name = u"f"});
    const auto ids = client.send_compound(
        true, std::pair{Command::Flush, wire::FlushRequest{.file_id = id}},
        std::pair{Command::Close, wire::CloseRequest{.file_id = kRelatedFileId}});
    EXPECT_EQ(client.wait(ids[0]).status(), NtStatus::Success);
    EXPECT_EQ(client.wait(ids[1]).status(), NtStatus::Success);
    EXPECT_EQ(client.sealed_frames, 3U) << "a compound is one sealed frame";
  }
}

TEST(Sealing, InterimAndFinalAnswersAreSealed_3_3_4_2) {
  TestNode node;
  TestClient client(node, {.cipher = 2});
  client.connect();
  client.seal = true;
  const FileId dir = client.must_open({.name = u"d", .options = 1});
  const std::uint64_t before = client.sealed_frames;
  wire::ChangeNotifyRequest notify;
  notify.file_id = dir;
  notify.output_buffer_length = 4096;
  notify.completion_filter = 1;
  const MessageId id = client.send(Command::ChangeNotify, notify);
  ASSERT_TRUE(client.poll_pending(id));
  client.cancel(id);
  EXPECT_EQ(client.wait(id).status(), NtStatus::Cancelled);
  EXPECT_EQ(client.sealed_frames, before + 2);
}

TEST(Sealing, WithoutKeysOrChangedOnTheWayItEndsTheConnection_3_3_5_2_1_1) {
  TestNode node;
  TestClient client(node, {.cipher = 2});
  client.connect();
  Bytes sealed(wire::kTransformHeaderSize + 80, 0);
  wire::TransformHeader header;
  header.original_message_size = 80;
  header.session_id = client.session;
  Bytes encoded;
  header.encode(encoded);
  std::copy(encoded.begin(), encoded.end(), sealed.begin());
  client.send_raw(sealed, false);
  EXPECT_TRUE(client.disconnected());
  TestClient plain(node, {.guid = 2});
  plain.connect();
  header.session_id = plain.session;
  encoded.clear();
  header.encode(encoded);
  std::copy(encoded.begin(), encoded.end(), sealed.begin());
  plain.send_raw(sealed, false);
  EXPECT_TRUE(plain.disconnected());
}

TEST(Sealing, RequiredRefusesWhatIsNotSealed_3_3_5_2_9) {
  TestNode node({.encryption = ports::EncryptionMode::Required});
  TestClient old(node, {.dialect = 0x0210});
  EXPECT_EQ(old.log_in("alice"), NtStatus::AccessDenied);
  TestClient client(node, {.guid = 2, .cipher = 2});
  ASSERT_EQ(client.log_in("alice"), NtStatus::Success);
  EXPECT_EQ(client.tree_connect(u"\\\\s\\data").status(), NtStatus::AccessDenied);
  client.seal = true;
  EXPECT_EQ(client.tree_connect(u"\\\\s\\data").status(), NtStatus::Success);
}

TEST(Sealing, AShareMayRequireItAlone_3_3_5_7) {
  TestNode node({.share_encryption = ports::EncryptionMode::Required});
  TestClient old(node);
  ASSERT_EQ(old.log_in("alice"), NtStatus::Success);
  EXPECT_EQ(old.tree_connect(u"\\\\s\\team").status(), NtStatus::AccessDenied);
  TestClient client(node, {.guid = 2, .cipher = 4});
  ASSERT_EQ(client.log_in("alice"), NtStatus::Success);
  const Response tree = client.tree_connect(u"\\\\s\\team");
  ASSERT_EQ(tree.status(), NtStatus::Success);
  EXPECT_NE(tree.as<wire::TreeConnectResponse>().share_flags & wire::share_flags::kEncryptData, 0U);
  EXPECT_EQ(client.open({.name = u"f"}).status(), NtStatus::AccessDenied);
  client.seal = true;
  EXPECT_EQ(client.open({.name = u"f"}).status(), NtStatus::Success);
}

TEST(Binding, AFurtherChannelServesTheSameOpens_3_3_5_5) {
  TestNode node;
  TestClient first(node, {.cipher = 2});
  first.connect();
  const FileId id = first.must_open({.name = u"f"});
  TestClient second(node, {.cipher = 2});
  ASSERT_EQ(second.bind(first, "alice"), NtStatus::Success);
  EXPECT_EQ(node.server->session_count(), 1U);
  wire::SessionSetupRequest again;
  again.flags = wire::session_request_flags::kBinding;
  again.security_buffer = as_bytes("hello");
  EXPECT_EQ(second.call(Command::SessionSetup, again).status(), NtStatus::RequestNotAccepted);
  EXPECT_EQ(second.close(id), NtStatus::Success);
  EXPECT_EQ(first.close(id), NtStatus::FileClosed);
}

TEST(Binding, TheSessionLivesAsLongAsOneChannel_3_3_7_1) {
  TestNode node;
  TestClient first(node);
  first.connect();
  const FileId id = first.must_open({.name = u"f", .share = 0});
  auto second = std::make_unique<TestClient>(node);
  ASSERT_EQ(second->bind(first, "alice"), NtStatus::Success);
  first.close_connection();
  EXPECT_EQ(node.server->session_count(), 1U);
  EXPECT_EQ(second->open({.name = u"f"}).status(), NtStatus::SharingViolation);
  EXPECT_EQ(second->close(id), NtStatus::Success);
  second->close_connection();
  EXPECT_EQ(node.server->session_count(), 0U);
}

TEST(Binding, LogoffEndsItOnAllChannels_3_3_5_6) {
  TestNode node;
  TestClient first(node);
  first.connect();
  TestClient second(node);
  ASSERT_EQ(second.bind(first, "alice"), NtStatus::Success);
  EXPECT_EQ(second.call(Command::Logoff, wire::LogoffRequest{}).status(), NtStatus::Success);
  EXPECT_EQ(first.open({.name = u"f"}).status(), NtStatus::UserSessionDeleted);
}

TEST(Binding, ABreakFindsALivingChannel_3_3_4_6) {
  TestNode node;
  TestClient first(node);
  first.connect();
  first.must_open({.name = u"f", .oplock = wire::OplockLevel::Batch});
  TestClient second(node);
  ASSERT_EQ(second.bind(first, "alice"), NtStatus::Success);
  TestClient other(node, {.guid = 2});
  other.connect("bob");
  wire::CreateRequest open;
  open.name = u"f";
  open.create_disposition = wire::CreateDisposition::OpenIf;
  open.desired_access = 0x001F01FF;
  open.share_access = 7;
  other.send(Command::Create, open);
  ASSERT_TRUE(first.poll_break()) << "where the open was made";
  EXPECT_FALSE(second.poll_break());
  first.close_connection();
  EXPECT_TRUE(second.poll_break()) << "told again: nobody has answered the first";
}

struct Refused {
  std::uint16_t dialect;
  std::uint16_t cipher;
  const char* user;
  NtStatus status;
};
class BindingRefused : public ::testing::TestWithParam<Refused> {};

TEST_P(BindingRefused, AsTheSpecificationSays_3_3_5_5) {
  TestNode node;
  TestClient first(node, {.cipher = 2});
  first.connect();
  TestClient second(node, {.dialect = GetParam().dialect, .cipher = GetParam().cipher});
  EXPECT_EQ(second.bind(first, GetParam().user), GetParam().status);
  EXPECT_EQ(first.open({.name = u"f"}).status(), NtStatus::Success) << "the session is unharmed";
}

INSTANTIATE_TEST_SUITE_P(
    Rows, BindingRefused,
    ::testing::Values(Refused{0x0311, 1, "alice", NtStatus::InvalidParameter},
                      Refused{0x0311, 2, "bob", NtStatus::AccessDenied},
                      Refused{0x0302, 2, "alice", NtStatus::RequestOutOfSequence},
                      Refused{0x0210, 0, "alice", NtStatus::RequestOutOfSequence}));

TEST(Binding, UnknownSessionsAndMissingSignaturesAreRefused_3_3_5_5) {
  TestNode node;
  TestClient first(node);
  first.connect();
  TestClient second(node);
  wire::SessionSetupRequest request;
  request.flags = wire::session_request_flags::kBinding;
  request.security_buffer = as_bytes("hello");
  second.session = SessionId{42};
  EXPECT_EQ(second.call(Command::SessionSetup, request).status(), NtStatus::UserSessionDeleted);
  second.session = first.session;
  EXPECT_EQ(second.call(Command::SessionSetup, request).status(), NtStatus::InvalidParameter);
  EXPECT_EQ(second.open({.name = u"f"}).status(), NtStatus::UserSessionDeleted);
}

TEST(ChannelSequence, AWriteOfAChannelThatFailedIsFileNotAvailable_3_3_5_2_10) {
  TestNode node;
  TestClient client(node);
  client.connect();
  const FileId id = client.must_open({.name = u"f"});
  const auto write = [&](std::uint16_t sequence) {
    wire::WriteRequest request;
    request.file_id = id;
    request.data = as_bytes("x");
    Bytes message;
    wire::Smb2Header header = client.prepare(Command::Write, request, message);
    header.status = sequence;
    header.encode_at(std::span<std::uint8_t, 64>(message.data(), 64));
    client.send_raw(message, true);
    return client.wait(header.message_id).status();
  };
  EXPECT_EQ(write(0), NtStatus::Success);
  EXPECT_EQ(write(2), NtStatus::Success);
  EXPECT_EQ(write(1), NtStatus::FileNotAvailable);
  EXPECT_EQ(client.close(id), NtStatus::Success) << "CLOSE is carried out all the same";
}

TEST(Compound, ACommandThatDoesNotExistIsInvalidParameter_3_3_5_2_6) {
  TestNode node;
  TestClient client(node);
  client.connect();
  Bytes message;
  const auto header = client.next_header(static_cast<Command>(0xFF));
  header.encode(message);
  message.resize(message.size() + 4);
  client.send_raw(message, true);
  EXPECT_EQ(client.wait(header.message_id).status(), NtStatus::InvalidParameter);
  EXPECT_FALSE(client.disconnected());
}

TEST(Compound, ANotifyThatIsNotLastMayNotWait_3_3_4_2) {
  TestNode node;
  TestClient client(node);
  client.connect();
  const FileId dir = client.must_open({.name = u"d", .options = 1});
  wire::ChangeNotifyRequest notify;
  notify.file_id = dir;
  notify.output_buffer_length = 4096;
  notify.completion_filter = 1;
  const auto ids = client.send_compound(
      true, std::pair{Command::ChangeNotify, notify},
      std::pair{Command::Close, wire::CloseRequest{.file_id = kRelatedFileId}});
  EXPECT_EQ(client.wait(ids[0]).status(), NtStatus::InternalError);
  EXPECT_EQ(client.wait(ids[1]).status(), NtStatus::Success);
}

}  // namespace
}  // namespace flotilla::testing

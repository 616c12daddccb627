// READ, WRITE, FLUSH, IOCTL and pipes over whole messages.
#include "server/harness.hpp"
#include "wire/dcerpc.hpp"
#include "wire/fscc.hpp"
#include "wire/fsctl.hpp"

namespace flotilla::testing {
namespace {

using wire::Command;
using wire::CreateDisposition;
namespace a = wire::access;
namespace fsctl = wire::fsctl;

class Data : public ::testing::Test {
 protected:
  Data() : client(node) { client.connect(); }
  NtStatus write(TestClient& who, const FileId& id, std::uint64_t offset, std::string_view text) {
    wire::WriteRequest request;
    request.file_id = id;
    request.offset = offset;
    request.data = as_bytes(text);
    return who.call(Command::Write, request).status();
  }
  struct Got {
    NtStatus status;
    std::string text;
  };
  Got read(TestClient& who, const FileId& id, std::uint64_t offset, std::uint32_t length,
           std::uint32_t minimum = 0) {
    wire::ReadRequest request;
    request.file_id = id;
    request.offset = offset;
    request.length = length;
    request.minimum_count = minimum;
    const Response response = who.call(Command::Read, request);
    if (is_error(response.status())) return {response.status(), {}};
    return {response.status(), std::string(as_text(response.as<wire::ReadResponse>().data))};
  }
  Response ioctl(const FileId& id, std::uint32_t code, ByteView input, std::uint32_t room = 4096) {
    wire::IoctlRequest request;
    request.ctl_code = code;
    request.file_id = id;
    request.max_output_response = room;
    request.input = input;
    return client.call(Command::Ioctl, request);
  }
  NtStatus flush(const FileId& id) {
    wire::FlushRequest request;
    request.file_id = id;
    return client.call(Command::Flush, request).status();
  }
  void lock(TestClient& who, const FileId& id, std::uint64_t offset, std::uint64_t length) {
    wire::LockRequest request;
    request.file_id = id;
    request.locks.push_back(
        {offset, length, wire::lock_flags::kExclusiveLock | wire::lock_flags::kFailImmediately});
    ASSERT_EQ(who.call(Command::Lock, request).status(), NtStatus::Success);
  }
  TestNode node;
  TestClient client;
};

TEST_F(Data, ReadsGiveWhatIsThereAndEndOfFileBehindIt_3_3_5_12) {
  const FileId id = client.must_open({.name = u"f"});
  ASSERT_EQ(write(client, id, 0, "0123456789"), NtStatus::Success);
  EXPECT_EQ(read(client, id, 0, 100).text, "0123456789");
  EXPECT_EQ(read(client, id, 9, 2).text, "9");
  EXPECT_EQ(read(client, id, 10, 1).status, NtStatus::EndOfFile);
  EXPECT_EQ(read(client, id, 9, 2, 2).status, NtStatus::EndOfFile);
  EXPECT_EQ(read(client, id, 1000, 0).status, NtStatus::Success);
  EXPECT_EQ(read(client, id, 1000, 0, 1).status, NtStatus::EndOfFile);
  EXPECT_EQ(read(client, id, std::uint64_t{1} << 63, 1).status, NtStatus::InvalidParameter);
}

TEST_F(Data, AccessIsWhatTheOpenWasGranted_3_3_5_12_3_3_5_13_3_3_5_11) {
  ASSERT_EQ(write(client, client.must_open({.name = u"f"}), 0, "abc"), NtStatus::Success);
  const FileId reader = client.must_open({.name = u"f", .access = a::kReadData});
  EXPECT_EQ(write(client, reader, 0, "x"), NtStatus::AccessDenied);
  EXPECT_EQ(flush(reader), NtStatus::AccessDenied);
  const FileId writer = client.must_open({.name = u"f", .access = a::kWriteData});
  EXPECT_EQ(read(client, writer, 0, 1).status, NtStatus::AccessDenied);
  EXPECT_EQ(flush(writer), NtStatus::Success);
  const FileId appender = client.must_open({.name = u"f", .access = a::kAppendData});
  EXPECT_EQ(write(client, appender, 0, "x"), NtStatus::AccessDenied);
  EXPECT_EQ(write(client, appender, 3, "d"), NtStatus::Success);
}

TEST_F(Data, BuffersThatOnlyRdmaReachesAreRefusedAndUnknownChannelsIgnored_3_3_5_13) {
  wire::WriteRequest request;
  request.file_id = client.must_open({.name = u"f"});
  request.data = as_bytes("x");
  const auto with = [&](std::uint32_t channel) {
    request.channel = channel;
    return client.call(Command::Write, request).status();
  };
  EXPECT_EQ(with(wire::channel::kRdmaV1), NtStatus::InvalidParameter);
  EXPECT_EQ(with(wire::channel::kRdmaTransform), NtStatus::InvalidParameter);
  EXPECT_EQ(with(0xC3E156E0), NtStatus::Success);
}

TEST_F(Data, ADirectoryHasNoData_3_3_5_12) {
  const FileId id =
      client.must_open({.name = u"d", .options = wire::create_options::kDirectoryFile});
  EXPECT_EQ(read(client, id, 0, 1).status, NtStatus::InvalidDeviceRequest);
  EXPECT_EQ(write(client, id, 0, "x"), NtStatus::InvalidDeviceRequest);
  EXPECT_EQ(flush(id), NtStatus::Success);
}

TEST_F(Data, NegativeAndTooLargeOffsetsAreInvalidParameter_FSA_2_1_5_4) {
  const FileId id = client.must_open({.name = u"f"});
  EXPECT_EQ(write(client, id, ~std::uint64_t{0}, "x"), NtStatus::InvalidParameter);
  EXPECT_EQ(write(client, id, 0xFFFFFFF0000, "x"), NtStatus::InvalidParameter);
  EXPECT_EQ(write(client, id, 5, ""), NtStatus::Success);
}

TEST_F(Data, ALockOfAnotherOpenForbidsIo_3_3_5_14) {
  const FileId mine = client.must_open({.name = u"f"});
  ASSERT_EQ(write(client, mine, 0, "0123456789"), NtStatus::Success);
  TestClient other(node, {.guid = 2});
  other.connect("bob");
  const FileId theirs = other.must_open({.name = u"f"});
  lock(client, mine, 2, 4);
  EXPECT_EQ(read(other, theirs, 0, 3).status, NtStatus::FileLockConflict);
  EXPECT_EQ(write(other, theirs, 5, "x"), NtStatus::FileLockConflict);
  EXPECT_EQ(read(other, theirs, 6, 4).text, "6789");
  EXPECT_EQ(write(client, mine, 2, "abcd"), NtStatus::Success);
}

TEST_F(Data, AWriteBreaksWhatOthersHaveReadIntoTheirCaches_FSA_2_1_5_4) {
  const FileId mine = client.must_open({.name = u"f"});
  TestClient other(node, {.guid = 2});
  other.connect("bob");
  (void)other.must_open({.name = u"f", .oplock = wire::OplockLevel::LevelII});
  ASSERT_EQ(write(client, mine, 0, "new"), NtStatus::Success);
  EXPECT_TRUE(other.poll_break());
}

TEST_F(Data, AWriteTimeThatTheClientSetStays_FSA_2_1_5_15_2) {
  const FileId id = client.must_open({.name = u"f"});
  wire::FileBasicInformation basic;
  basic.last_write_time = nt_time_of(1'000'000'000, 0);
  const Bytes buffer = wire::encoded(basic);
  wire::SetInfoRequest set;
  set.info_type = wire::InfoType::File;
  set.file_info_class = static_cast<std::uint8_t>(wire::FileInformationClass::FileBasicInformation);
  set.file_id = id;
  set.buffer = buffer;
  ASSERT_EQ(client.call(Command::SetInfo, set).status(), NtStatus::Success);
  ASSERT_EQ(write(client, id, 0, "late"), NtStatus::Success);
  const auto located = node.backend->locate({}, "f");
  ASSERT_TRUE(located);
  EXPECT_EQ((*located)->facts()->written, nt_time_of(1'000'000'000, 0));
}

TEST_F(Data, CopychunkCopiesWithinTheSession_3_3_5_15_6) {
  const FileId from = client.must_open({.name = u"from"});
  const FileId to = client.must_open({.name = u"to"});
  ASSERT_EQ(write(client, from, 0, "0123456789"), NtStatus::Success);
  const Response key = ioctl(from, fsctl::kSrvRequestResumeKey, {});
  ASSERT_EQ(key.status(), NtStatus::Success);
  const auto named =
      wire::decode<wire::SrvRequestResumeKeyResponse>(key.as<wire::IoctlResponse>().output);
  ASSERT_TRUE(named);
  wire::SrvCopychunkCopy copy;
  copy.source_key = named->resume_key;
  copy.chunks = {{2, 0, 3}, {0, 3, 2}};
  const Response done = ioctl(to, fsctl::kSrvCopychunk, wire::encoded(copy));
  ASSERT_EQ(done.status(), NtStatus::Success);
  const auto reply =
      wire::decode<wire::SrvCopychunkResponse>(done.as<wire::IoctlResponse>().output);
  EXPECT_EQ(reply->chunks_written, 2U);
  EXPECT_EQ(reply->total_bytes_written, 5U);
  EXPECT_EQ(read(client, to, 0, 100).text, "23401");

  copy.chunks = {{8, 0, 5}};
  EXPECT_EQ(ioctl(to, fsctl::kSrvCopychunk, wire::encoded(copy)).status(),
            NtStatus::InvalidViewSize);
  copy.chunks = {{0, 0, (1U << 20) + 1}};
  const Response limits = ioctl(to, fsctl::kSrvCopychunk, wire::encoded(copy));
  EXPECT_EQ(limits.status(), NtStatus::InvalidParameter);
  copy.source_key = {};
  copy.chunks = {{0, 0, 1}};
  EXPECT_EQ(ioctl(to, fsctl::kSrvCopychunk, wire::encoded(copy)).status(),
            NtStatus::ObjectNameNotFound);
}

TEST_F(Data, UnknownAndUnservedControlCodesAreInvalidDeviceRequest_3_3_5_15) {
  const FileId id = client.must_open({.name = u"f"});
  EXPECT_EQ(ioctl(id, 0x00091234, {}).status(), NtStatus::InvalidDeviceRequest);
  EXPECT_EQ(ioctl(id, fsctl::kGetIntegrityInformation, {}).status(),
            NtStatus::InvalidDeviceRequest);
  EXPECT_EQ(ioctl(id, fsctl::kGetReparsePoint, {}).status(), NtStatus::NotAReparsePoint);
  EXPECT_EQ(ioctl(kRelatedFileId, fsctl::kDfsGetReferrals, {}).status(),
            NtStatus::FsDriverRequired);
  EXPECT_EQ(ioctl(id, fsctl::kQueryNetworkInterfaceInfo, {}).status(), NtStatus::InvalidParameter);
}

TEST_F(Data, ANegotiateThatWasChangedOnItsWayEndsTheConnection_3_3_5_15_12) {
  TestClient old(node, {.dialect = 0x0302, .guid = 3});
  old.connect();
  wire::ValidateNegotiateInfoRequest info;
  info.dialects = {wire::Dialect::Smb202};
  const Bytes input = wire::encoded(info);
  wire::IoctlRequest request;
  request.ctl_code = fsctl::kValidateNegotiateInfo;
  request.file_id = kRelatedFileId;
  request.max_output_response = 24;
  request.input = input;
  old.send(Command::Ioctl, request);
  node.run();
  EXPECT_TRUE(old.disconnected());
}

TEST_F(Data, APipeAnswersRpcByTransceiveAndByWriteAndRead_3_3_5_15_10) {
  TestClient ipc(node, {.guid = 4});
  ipc.connect("alice", u"IPC$");
  const FileId id = ipc.must_open({.name = u"srvsvc", .disposition = CreateDisposition::Open});
  wire::RpcBind bind;
  bind.contexts.push_back(
      {0, {wire::uuid_of("4b324fc8-1670-01d3-1278-5a47bf6ee188"), 3, 0}, {wire::ndr20_syntax()}});
  wire::RpcHeader header;
  header.ptype = wire::RpcPacketType::Bind;
  Bytes pdu;
  wire::encode_rpc_pdu(header, bind, pdu);
  wire::IoctlRequest transceive;
  transceive.ctl_code = fsctl::kPipeTransceive;
  transceive.file_id = id;
  transceive.max_output_response = 16;
  transceive.input = pdu;
  const Response part = ipc.call(Command::Ioctl, transceive);
  EXPECT_EQ(part.status(), NtStatus::BufferOverflow);
  EXPECT_EQ(part.as<wire::IoctlResponse>().output.size(), 16U);
  EXPECT_EQ(read(ipc, id, 0, 4096).status, NtStatus::Success);
}

TEST_F(Data, AReadOnAnEmptyPipeWaitsAndCanBeCancelled_3_3_5_16) {
  TestClient ipc(node, {.guid = 4});
  ipc.connect("alice", u"IPC$");
  const FileId id = ipc.must_open({.name = u"srvsvc", .disposition = CreateDisposition::Open});
  wire::ReadRequest request;
  request.file_id = id;
  request.length = 100;
  const MessageId waiting = ipc.send(Command::Read, request);
  node.run();
  EXPECT_TRUE(ipc.poll_pending(waiting));
  ipc.cancel(waiting);
  EXPECT_EQ(ipc.wait(waiting).status(), NtStatus::Cancelled);

  const MessageId closed = ipc.send(Command::Read, request);
  node.run();
  EXPECT_EQ(ipc.close(id), NtStatus::Success);
  EXPECT_EQ(ipc.wait(closed).status(), NtStatus::PipeDisconnected);
}

}  // namespace
}  // namespace flotilla::testing

// FSCTLs about a file's data and identity, over whole messages.
#include "handlers/ioctl/ioctl_answer.hpp"
#include "server/harness.hpp"
#include "wire/fsctl.hpp"
#include "wire/ioctl.hpp"

namespace flotilla::testing {
namespace {

using wire::Command;
namespace fsctl = wire::fsctl;
namespace fsctl_status = handlers::fsctl_status;

class Fsctl : public ::testing::Test {
 protected:
  Fsctl() : client(node) { client.connect(); }
  Response ioctl(const FileId& id, std::uint32_t code, ByteView input, std::uint32_t room = 4096) {
    wire::IoctlRequest request;
    request.ctl_code = code;
    request.file_id = id;
    request.max_output_response = room;
    request.flags = wire::ioctl_flags::kIsFsctl;
    request.input = input;
    return client.call(Command::Ioctl, request);
  }
  template <class T>
  T answer(const Response& response) {
    EXPECT_EQ(response.status(), NtStatus::Success);
    const auto body = response.as<wire::IoctlResponse>();
    const auto decoded = wire::decode<T>(body.output);
    EXPECT_TRUE(decoded);
    return decoded.value_or(T{});
  }
  void write(const FileId& id, std::uint64_t offset, const Bytes& data) {
    wire::WriteRequest request;
    request.file_id = id;
    request.offset = offset;
    request.data = data;
    ASSERT_EQ(client.call(Command::Write, request).status(), NtStatus::Success);
  }
  Bytes read(const FileId& id, std::uint64_t offset, std::uint32_t length) {
    wire::ReadRequest request;
    request.file_id = id;
    request.offset = offset;
    request.length = length;
    const Response response = client.call(Command::Read, request);
    EXPECT_EQ(response.status(), NtStatus::Success);
    const auto body = response.as<wire::ReadResponse>();
    return {body.data.begin(), body.data.end()};
  }
  FileId file_of(std::u16string name, std::size_t size, std::uint8_t value) {
    const FileId id = client.must_open({.name = std::move(name)});
    write(id, 0, Bytes(size, value));
    return id;
  }
  wire::OffloadReadOutput offload_read(const FileId& id, std::uint64_t offset,
                                       std::uint64_t length) {
    wire::OffloadReadInput input;
    input.file_offset = offset;
    input.copy_length = length;
    return answer<wire::OffloadReadOutput>(ioctl(id, fsctl::kOffloadRead, wire::encoded(input)));
  }
  Response offload_write(const FileId& id, const wire::OffloadWriteInput& input) {
    return ioctl(id, fsctl::kOffloadWrite, wire::encoded(input));
  }

  TestNode node;
  TestClient client;
};

TEST_F(Fsctl, ATokenBringsItsRangeIntoAnotherFile_FSA_2_1_5_10_18) {
  const FileId from = file_of(u"from", 1500, 7);
  const FileId to = file_of(u"to", 4096, 1);
  const auto token = offload_read(from, 512, 4096);
  EXPECT_EQ(token.transfer_length, 1024U) << "to the end, in whole sectors";
  wire::OffloadWriteInput input;
  input.file_offset = 1024;
  input.copy_length = 512;
  input.transfer_offset = 512;
  input.token = token.token;
  const auto done = answer<wire::OffloadWriteOutput>(offload_write(to, input));
  EXPECT_EQ(done.length_written, 512U);
  EXPECT_EQ(read(to, 1023, 1), Bytes(1, 1));
  EXPECT_EQ(read(to, 1024, 476), Bytes(476, 7));
  EXPECT_EQ(read(to, 1500, 100), Bytes(100, 1)) << "past the source's end there is nothing";
}

TEST_F(Fsctl, ATokenEndsWithAChangeOfItsFileOrItsTime_FSCC_2_1_11) {
  const FileId from = file_of(u"from", 4096, 7);
  const FileId to = file_of(u"to", 4096, 1);
  wire::OffloadWriteInput input;
  input.copy_length = 4096;
  input.token = offload_read(from, 0, 4096).token;
  input.token[20] ^= 1;
  EXPECT_EQ(offload_write(to, input).status(), fsctl_status::kInvalidToken) << "made up";
  input.token[20] ^= 1;
  write(from, 0, Bytes(1, 9));
  EXPECT_EQ(offload_write(to, input).status(), fsctl_status::kInvalidToken)
      << "it was written since";
  input.token = offload_read(from, 0, 4096).token;
  node.advance(std::chrono::minutes(6));
  EXPECT_EQ(offload_write(to, input).status(), fsctl_status::kInvalidToken) << "too late";
  EXPECT_EQ(read(to, 0, 1), Bytes(1, 1));
}

TEST_F(Fsctl, TheWellKnownTokenOfZerosNeedsNoRead_FSCC_2_1_11) {
  const FileId to = file_of(u"to", 4096, 1);
  wire::OffloadWriteInput input;
  input.file_offset = 512;
  input.copy_length = 1024;
  input.token[0] = input.token[1] = 0xFF;
  input.token[3] = 0x01;
  EXPECT_EQ(answer<wire::OffloadWriteOutput>(offload_write(to, input)).length_written, 1024U);
  EXPECT_EQ(read(to, 511, 2), (Bytes{1, 0}));
  EXPECT_EQ(read(to, 1535, 2), (Bytes{0, 1}));
  input.file_offset = 4096;
  EXPECT_EQ(offload_write(to, input).status(), NtStatus::EndOfFile) << "files do not grow by it";
}

TEST_F(Fsctl, OffloadAsksForWholeSectorsAndRights_FSCC_2_3_41) {
  const FileId from = file_of(u"from", 4096, 7);
  wire::OffloadReadInput input;
  input.copy_length = 100;
  EXPECT_EQ(ioctl(from, fsctl::kOffloadRead, wire::encoded(input)).status(),
            NtStatus::InvalidParameter);
  input.copy_length = 512;
  EXPECT_EQ(ioctl(from, fsctl::kOffloadRead, wire::encoded(input), 527).status(),
            NtStatus::InvalidParameter);
  EXPECT_EQ(ioctl(from, fsctl::kOffloadRead, {}).status(), NtStatus::InvalidParameter);
  input.file_offset = 4096;
  EXPECT_EQ(ioctl(from, fsctl::kOffloadRead, wire::encoded(input)).status(), NtStatus::EndOfFile);
  input.file_offset = 0;
  const FileId looks = client.must_open({.name = u"from", .access = wire::access::kReadAttributes});
  EXPECT_EQ(ioctl(looks, fsctl::kOffloadRead, wire::encoded(input)).status(),
            NtStatus::AccessDenied);
  const FileId directory =
      client.must_open({.name = u"d", .options = wire::create_options::kDirectoryFile});
  EXPECT_EQ(ioctl(directory, fsctl::kOffloadRead, wire::encoded(input)).status(),
            fsctl_status::kOffloadReadFileNotSupported);
}

TEST_F(Fsctl, TrimTakesWholeClusters_FSA_2_1_5_10_6) {
  const FileId id = file_of(u"f", 12288, 5);
  wire::FileLevelTrim trim;
  trim.ranges = {{100, 9000}};
  const Response done = ioctl(id, fsctl::kFileLevelTrim, wire::encoded(trim), 4);
  ASSERT_EQ(done.status(), NtStatus::Success);
  EXPECT_EQ(done.as<wire::IoctlResponse>().output.size(), 4U);
  EXPECT_EQ(read(id, 4095, 2), (Bytes{5, 0}));
  EXPECT_EQ(read(id, 8191, 2), (Bytes{0, 5}));
  trim.ranges = {{100, 200}};
  EXPECT_EQ(ioctl(id, fsctl::kFileLevelTrim, wire::encoded(trim), 4).status(),
            fsctl_status::kNoRangesProcessed);
  trim.ranges = {{~std::uint64_t{0}, 2}};
  EXPECT_EQ(ioctl(id, fsctl::kFileLevelTrim, wire::encoded(trim), 4).status(),
            fsctl_status::kIntegerOverflow);
  EXPECT_EQ(ioctl(id, fsctl::kFileLevelTrim, Bytes(24), 4).status(), NtStatus::InvalidParameter)
      << "no ranges";
}

TEST_F(Fsctl, AllOfAFileIsValidData_FSCC_2_3_57) {
  const FileId id = file_of(u"f", 1000, 5);
  const Response all = ioctl(id, fsctl::kQueryFileRegions, {});
  ASSERT_EQ(all.status(), NtStatus::Success);
  const auto body = all.as<wire::IoctlResponse>();
  ASSERT_EQ(body.output.size(), 40U);
  EXPECT_EQ(load_le<std::uint64_t>(body.output.data() + 24), 1000U);
  EXPECT_EQ(ioctl(id, fsctl::kQueryFileRegions, {}, 39).status(), NtStatus::BufferOverflow);
  EXPECT_EQ(ioctl(id, fsctl::kQueryFileRegions, {}, 15).status(), NtStatus::BufferTooSmall);
  EXPECT_EQ(ioctl(id, fsctl::kQueryFileRegions, Bytes(23)).status(), NtStatus::InvalidParameter);
}

TEST_F(Fsctl, AnObjectIdIsKeptUntilItIsDeleted_FSA_2_1_5_10_30) {
  const FileId id = client.must_open({.name = u"f"});
  const auto made = answer<wire::FileObjectIdBuffer>(ioctl(id, fsctl::kCreateOrGetObjectId, {}));
  wire::FileObjectIdBuffer mine;
  mine.object_id.fill(3);
  mine.domain_id.fill(4);
  EXPECT_EQ(ioctl(id, fsctl::kSetObjectId, wire::encoded(mine)).status(), NtStatus::AccessDenied)
      << "administrators only";
  TestClient admin(node, {.guid = 2});
  admin.connect("admin");
  const FileId theirs = admin.must_open({.name = u"f"});
  wire::IoctlRequest set;
  set.ctl_code = fsctl::kSetObjectId;
  set.file_id = theirs;
  set.flags = wire::ioctl_flags::kIsFsctl;
  const Bytes input = wire::encoded(mine);
  set.input = input;
  EXPECT_EQ(admin.call(Command::Ioctl, set).status(), NtStatus::Success);
  EXPECT_EQ(answer<wire::FileObjectIdBuffer>(ioctl(id, fsctl::kGetObjectId, {})).object_id,
            mine.object_id);
  EXPECT_EQ(ioctl(id, fsctl::kSetObjectIdExtended, Bytes(48, 9)).status(), NtStatus::Success);
  const auto extended = answer<wire::FileObjectIdBuffer>(ioctl(id, fsctl::kGetObjectId, {}));
  EXPECT_EQ(extended.object_id, mine.object_id);
  EXPECT_EQ(extended.domain_id[0], 9);
  EXPECT_EQ(ioctl(id, fsctl::kSetObjectIdExtended, Bytes(47)).status(), NtStatus::InvalidParameter);
  EXPECT_EQ(ioctl(id, fsctl::kDeleteObjectId, {}).status(), NtStatus::Success);
  EXPECT_EQ(answer<wire::FileObjectIdBuffer>(ioctl(id, fsctl::kGetObjectId, {})).object_id,
            made.object_id);
  EXPECT_EQ(ioctl(id, fsctl::kGetObjectId, {}, 63).status(), NtStatus::BufferTooSmall);
}

}  // namespace
}  // namespace flotilla::testing

// Samba's FSCTL_SMBTORTURE family: what test servers offer, and all others refuse.
#include "server/harness.hpp"

namespace flotilla::testing {
namespace {

using wire::Command;

constexpr std::uint32_t kForceUnacked = 0x83848003;
constexpr std::uint32_t kPadIoctl = 0x83848013;
constexpr std::uint32_t kPadReads = 0x83848023;

wire::IoctlRequest ioctl(std::uint32_t code) {
  wire::IoctlRequest request;
  request.ctl_code = code;
  request.file_id = kRelatedFileId;
  request.max_output_response = 16;
  return request;
}

TEST(TortureFsctls, AreUnknownUnlessAsked) {
  TestNode node;
  TestClient client(node);
  client.connect();
  for (const std::uint32_t code : {kForceUnacked, kPadIoctl, kPadReads, 0x83848043U}) {
    EXPECT_EQ(client.call(Command::Ioctl, ioctl(code)).status(), NtStatus::FileClosed);
  }
  client.session = SessionId{};
  client.sign = false;
  EXPECT_EQ(client.call(Command::Ioctl, ioctl(kForceUnacked)).status(),
            NtStatus::UserSessionDeleted);
}

TEST(TortureFsctls, PaddedAnswersHaveTheSameData_2_2_20_2_2_32) {
  TestNode node({.torture_fsctls = true});
  TestClient client(node);
  client.connect();
  const FileId file = client.must_open({.name = u"f"});
  const std::string text = "twelve bytes";
  wire::WriteRequest write;
  write.file_id = file;
  write.data = as_bytes(text);
  ASSERT_EQ(client.call(Command::Write, write).status(), NtStatus::Success);
  const Response padded = client.call(Command::Ioctl, ioctl(kPadIoctl));
  ASSERT_EQ(padded.status(), NtStatus::Success);
  EXPECT_EQ(padded.message.size(), 64U + 48 + 8 + 16);
  const auto output = padded.as<wire::IoctlResponse>().output;
  EXPECT_TRUE(output.size() == 16 && output.front() == 8 && output.back() == 8);
  ASSERT_EQ(client.call(Command::Ioctl, ioctl(kPadReads)).status(), NtStatus::Success);
  wire::ReadRequest read;
  read.file_id = file;
  read.length = 100;
  const Response got = client.call(Command::Read, read);
  ASSERT_EQ(got.status(), NtStatus::Success);
  EXPECT_EQ(got.message.size(), 64U + 16 + 8 + text.size());
  EXPECT_EQ(as_text(got.as<wire::ReadResponse>().data), text);
}

TEST(TortureFsctls, ABreakThroughADeadChannelGoesToTheNextOne_3_3_4_7) {
  TestNode node({.torture_fsctls = true});
  TestClient first(node);
  first.connect();
  TestClient second(node);
  ASSERT_EQ(second.bind(first, "alice"), NtStatus::Success);
  first.must_open({.name = u"f", .oplock = wire::OplockLevel::Batch});
  const SessionId session = std::exchange(first.session, SessionId{});
  first.sign = false;
  ASSERT_EQ(first.call(Command::Ioctl, ioctl(kForceUnacked)).status(), NtStatus::Success);
  first.session = session;
  first.sign = true;
  TestClient other(node, {.guid = 2});
  other.connect("alice");
  wire::CreateRequest create;
  create.name = u"f";
  create.desired_access = 0x00120089;
  create.share_access = 7;
  create.create_disposition = wire::CreateDisposition::Open;
  other.send(Command::Create, create);
  EXPECT_TRUE(first.poll_break());
  EXPECT_FALSE(second.poll_break());
  node.advance(std::chrono::milliseconds(600));
  EXPECT_TRUE(first.disconnected());
  first.close_connection();
  EXPECT_TRUE(second.poll_break());
}

}  // namespace
}  // namespace flotilla::testing

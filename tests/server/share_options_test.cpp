// What a share's options change, over whole messages.
#include "server/harness.hpp"
#include "wire/fscc.hpp"

namespace flotilla::testing {
namespace {

using wire::Command;
using wire::CreateDisposition;

class OddShare : public ::testing::Test {
 protected:
  OddShare() : client(node) {
    client.connect("alice", u"odd");
    for (const char16_t* made :
         {u".snap", u".snap\\2015-10-31", u".snap\\2026-11-22", u".snap\\x"}) {
      client.close(
          client.must_open({.name = made, .options = wire::create_options::kDirectoryFile}));
    }
    client.close(client.must_open({.name = u".snap\\2015-10-31\\f"}));
  }
  /// An open of `name` as it was on 2015-10-31.
  NtStatus open_old(const char16_t* name, CreateDisposition disposition, std::uint32_t access) {
    wire::TimewarpToken token;
    token.timestamp = nt_time_of(1446249600, 0);
    const Bytes context = wire::encoded(token);
    return client
        .open({.name = name,
               .disposition = disposition,
               .access = access,
               .contexts = {{as_bytes("TWrp"), context}}})
        .status();
  }
  TestNode node;
  TestClient client;
  static constexpr std::uint32_t kRead = wire::access::kReadData;
};

TEST_F(OddShare, PreviousVersionsAreReadAndNotWritten_3_3_5_9_11) {
  EXPECT_EQ(client.open({.name = u"f", .disposition = CreateDisposition::Open}).status(),
            NtStatus::ObjectNameNotFound);
  EXPECT_EQ(open_old(u"f", CreateDisposition::Open, kRead), NtStatus::Success);
  EXPECT_EQ(open_old(u"", CreateDisposition::Open, kRead), NtStatus::Success);
  EXPECT_EQ(open_old(u"g", CreateDisposition::Open, kRead), NtStatus::ObjectNameNotFound);
  EXPECT_EQ(open_old(u"g", CreateDisposition::OpenIf, kRead), NtStatus::AccessDenied);
  EXPECT_EQ(open_old(u"f", CreateDisposition::OverwriteIf, kRead), NtStatus::AccessDenied);
  EXPECT_EQ(open_old(u"f", CreateDisposition::Open, wire::access::kWriteData),
            NtStatus::AccessDenied);
  EXPECT_EQ(client
                .open({.name = u"@GMT-2015.10.31-00.00.00\\f",
                       .disposition = CreateDisposition::Open,
                       .access = kRead})
                .status(),
            NtStatus::Success);
}

TEST_F(OddShare, AVersionThatIsNotThereIsObjectNameNotFound_3_3_5_9_11) {
  client.connect("alice", u"data");
  EXPECT_EQ(open_old(u".snap", CreateDisposition::Open, kRead), NtStatus::ObjectNameNotFound);
}

TEST_F(OddShare, VersionsAreListedNewestFirst_3_3_5_15_1) {
  const FileId root = client.must_open({.disposition = CreateDisposition::Open, .access = kRead});
  wire::IoctlRequest ioctl;
  ioctl.ctl_code = 0x00144064;
  ioctl.file_id = root;
  ioctl.max_output_response = 16;
  Response response = client.call(Command::Ioctl, ioctl);
  ASSERT_EQ(response.status(), NtStatus::Success);
  auto array = wire::decode<wire::SrvSnapshotArray>(response.as<wire::IoctlResponse>().output);
  ASSERT_TRUE(array);
  EXPECT_EQ(array->number_of_snapshots, 2U);
  EXPECT_EQ(array->number_of_snapshots_returned, 0U) << "only the number is wanted";
  ioctl.max_output_response = 4096;
  response = client.call(Command::Ioctl, ioctl);
  array = wire::decode<wire::SrvSnapshotArray>(response.as<wire::IoctlResponse>().output);
  ASSERT_TRUE(array);
  EXPECT_EQ(array->number_of_snapshots_returned, 2U);
  using namespace std::string_view_literals;
  EXPECT_EQ(array->snapshots, u"@GMT-2026.11.22-00.00.00\0@GMT-2015.10.31-00.00.00\0\0"sv);
}

TEST_F(OddShare, WithoutStreamsANameWithOneIsInvalid) {
  for (const char16_t* name : {u"f:s", u"f::$DATA"}) {
    EXPECT_EQ(client.open({.name = name}).status(), NtStatus::ObjectNameInvalid);
  }
  client.connect("alice", u"data");
  EXPECT_NE(client.open({.name = u"f::$DATA"}).status(), NtStatus::ObjectNameInvalid);
}

TEST(Names, ASlashSeparatesAsABackslashDoesButNotInStreams) {
  TestNode node;
  TestClient client(node);
  client.connect();
  client.close(client.must_open({.name = u"d", .options = wire::create_options::kDirectoryFile}));
  EXPECT_EQ(client.open({.name = u"d/f"}).status(), NtStatus::Success);
  EXPECT_EQ(client.open({.name = u"d\\f", .disposition = CreateDisposition::Open}).status(),
            NtStatus::Success);
  for (const char16_t* bad : {u"d//f", u"/d", u"../f", u"d/f:a/b"}) {
    EXPECT_TRUE(is_error(client.open({.name = bad}).status()));
  }
}

TEST(Compounds, TheLastOfSeveralAnswersIsPaddedASingleOneIsNot_3_3_4_1_3) {
  TestNode node;
  TestClient client(node);
  client.connect();
  const FileId file = client.must_open({.name = u"f"});
  const std::string text = "123";
  wire::WriteRequest write;
  write.file_id = file;
  write.data = as_bytes(text);
  ASSERT_EQ(client.call(Command::Write, write).status(), NtStatus::Success);
  wire::ReadRequest read;
  read.file_id = file;
  read.length = 3;
  EXPECT_EQ(client.call(Command::Read, read).message.size(), 64U + 19);
  const auto ids =
      client.send_compound(false, std::pair{Command::Read, read}, std::pair{Command::Read, read});
  EXPECT_EQ(client.wait(ids[0]).message.size(), 64U + 24);
  EXPECT_EQ(client.wait(ids[1]).message.size(), 64U + 24);
}

TEST(SessionSetup, WhoIsNobodyForAWhileIsHimselfAgain_3_3_5_5_2) {
  TestNode node;
  TestClient client(node);
  client.connect();
  const FileId file = client.must_open({.name = u"f"});
  EXPECT_EQ(client.log_in("anonymous"), NtStatus::Success);
  EXPECT_EQ(client.call(Command::Flush, wire::FlushRequest{.file_id = file}).status(),
            NtStatus::Success);
  EXPECT_EQ(client.log_in("alice"), NtStatus::Success);
  EXPECT_EQ(client.close(file), NtStatus::Success);
  EXPECT_EQ(client.log_in("anonymous"), NtStatus::Success);
  EXPECT_EQ(client.log_in("bob"), NtStatus::AccessDenied);
}

}  // namespace
}  // namespace flotilla::testing

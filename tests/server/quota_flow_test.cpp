// Quotas over whole messages, kept by the memory backend: this machine's kernel may have none.
#include "server/harness.hpp"
#include "wire/fscc.hpp"
#include "wire/quota.hpp"

namespace flotilla::testing {
namespace {

using wire::Command;
using wire::FileQuotaEntry;
constexpr char16_t kIndex[] = u"$Extend\\$Quota:$Q:$INDEX_ALLOCATION";

class Quota : public ::testing::Test {
 protected:
  explicit Quota(bool kept = true)
      : node({.backend = vfs::make_mem_backend({.quotas = kept})}), client(node) {}
  FileId index() { return client.must_open({.name = kIndex, .access = 0x20016}); }
  Response query(const FileId& id, const wire::QueryQuotaInfo& query, std::uint32_t room = 4096) {
    Bytes input;
    wire::encode_query_quota(query, input);
    wire::QueryInfoRequest request;
    request.info_type = wire::InfoType::Quota;
    request.output_buffer_length = room;
    request.file_id = id;
    request.input_buffer = input;
    return client.call(Command::QueryInfo, request);
  }
  std::vector<FileQuotaEntry> records(const Response& response) {
    EXPECT_EQ(response.status(), NtStatus::Success);
    const auto body = response.as<wire::QueryInfoResponse>();
    const auto list = wire::decode_quotas(body.output_buffer);
    EXPECT_TRUE(list);
    return list.value_or(std::vector<FileQuotaEntry>());
  }
  NtStatus set(const FileId& id, const wire::Sid& sid, std::uint64_t limit) {
    Bytes buffer;
    (void)wire::encode_quotas({{NtTime{}, 0, FileQuotaEntry::kNoLimit, limit, sid}}, 4096, buffer);
    wire::SetInfoRequest request;
    request.info_type = wire::InfoType::Quota;
    request.file_id = id;
    request.buffer = buffer;
    return client.call(Command::SetInfo, request).status();
  }
  wire::Sid sid_of(std::uint32_t uid) { return node.server->ids().user_sid(uid); }

  TestNode node;
  TestClient client;
};

class NoQuota : public Quota {
 protected:
  NoQuota() : Quota(false) {}
};

TEST_F(Quota, AnAdministratorSetsAndListsThem_3_3_5_20_4) {
  client.connect("admin");
  const FileId id = index();
  EXPECT_EQ(query(id, {.restart_scan = true}).status(), NtStatus::NoMoreEntries);
  EXPECT_EQ(set(id, sid_of(1000), 10 << 20), NtStatus::Success);
  EXPECT_EQ(set(id, sid_of(1001), FileQuotaEntry::kNoLimit), NtStatus::Success);
  const auto all = records(query(id, {.restart_scan = true}));
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].sid, sid_of(1000));
  EXPECT_EQ(all[0].limit_bytes, 10U << 20);
  EXPECT_EQ(all[1].limit_bytes, FileQuotaEntry::kNoLimit);
  EXPECT_EQ(query(id, {}).status(), NtStatus::NoMoreEntries) << "the scan goes on where it was";
  const auto first = records(query(id, {.return_single = true, .restart_scan = true}));
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(records(query(id, {})).front().sid, sid_of(1001));
  EXPECT_EQ(query(id, {.restart_scan = true}, 60).status(), NtStatus::BufferTooSmall);
  const auto named = records(query(id, {.sids = std::vector<wire::Sid>{sid_of(7)}}));
  ASSERT_EQ(named.size(), 1U) << "who has no record has an empty one";
  EXPECT_EQ(named[0].limit_bytes, FileQuotaEntry::kNoLimit);
  EXPECT_EQ(set(id, wire::well_known::kEveryone, 1), NtStatus::NoSuchUser);
}

TEST_F(Quota, OthersSeeTheirOwnAndSetNone_3_3_5_21_4) {
  ASSERT_TRUE(node.backend->set_quota({0, 0, 0, 1 << 20}));
  ASSERT_TRUE(node.backend->set_quota({1000, 0, 0, 1 << 20}));
  client.connect("alice");  // of uid 0 in these tests, but of no group
  const FileId id = index();
  const auto own = records(query(id, {.restart_scan = true}));
  ASSERT_EQ(own.size(), 1U);
  EXPECT_EQ(own[0].sid, sid_of(0));
  EXPECT_EQ(query(id, {.sids = std::vector<wire::Sid>{sid_of(1000)}}).status(),
            NtStatus::AccessDenied);
  EXPECT_EQ(set(id, sid_of(0), FileQuotaEntry::kNoLimit), NtStatus::AccessDenied);
}

TEST_F(Quota, ALimitIsTheSizeOfTheVolumeAndWhatExceedsItDiskFull_FSCC_2_5_4) {
  constexpr std::uint64_t kLimit = 1 << 20;
  ASSERT_TRUE(node.backend->set_quota({0, 0, 0, kLimit}));
  client.connect("alice");
  const FileId id = client.must_open({.name = u"f"});
  const Bytes data(kLimit / 2, 1);
  wire::WriteRequest write;
  write.file_id = id;
  write.data = data;
  client.credit_charge = 8;
  client.credit_request = 64;
  ASSERT_EQ(client.call(Command::Write, write).status(), NtStatus::Success);
  wire::QueryInfoRequest size;
  size.info_type = wire::InfoType::Filesystem;
  size.file_info_class =
      static_cast<std::uint8_t>(wire::FsInformationClass::FileFsFullSizeInformation);
  size.output_buffer_length = 32;
  size.file_id = id;
  const Response response = client.call(Command::QueryInfo, size);
  const auto body = response.as<wire::QueryInfoResponse>();
  const auto info = wire::decode<wire::FileFsFullSizeInformation>(body.output_buffer);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->total_allocation_units, kLimit / 4096);
  EXPECT_EQ(info->caller_available_allocation_units, kLimit / 2 / 4096);
  write.offset = kLimit - 1;
  EXPECT_EQ(client.call(Command::Write, write).status(), NtStatus::DiskFull);
}

TEST_F(Quota, TheIndexIsNoFile_3_3_5_9) {
  client.connect("admin");
  const Response made = client.open({.name = kIndex, .disposition = wire::CreateDisposition::Open});
  ASSERT_EQ(made.status(), NtStatus::Success);
  namespace fa = wire::file_attribute;
  const auto created = made.as<wire::CreateResponse>();
  EXPECT_EQ(created.file_attributes, fa::kHidden | fa::kSystem | fa::kDirectory | fa::kArchive);
  wire::ReadRequest read;
  read.file_id = created.file_id;
  read.length = 16;
  EXPECT_EQ(client.call(Command::Read, read).status(), NtStatus::InvalidDeviceRequest);
  wire::WriteRequest write;
  const Bytes data(4);
  write.file_id = created.file_id;
  write.data = data;
  EXPECT_EQ(client.call(Command::Write, write).status(), NtStatus::InvalidDeviceRequest);
  wire::IoctlRequest ioctl;
  ioctl.ctl_code = wire::fsctl::kPipePeek;
  ioctl.file_id = created.file_id;
  ioctl.flags = wire::ioctl_flags::kIsFsctl;
  EXPECT_EQ(client.call(Command::Ioctl, ioctl).status(), NtStatus::InvalidDeviceRequest);
  wire::CloseRequest close;
  close.flags = wire::close_flags::kPostqueryAttrib;
  close.file_id = created.file_id;
  EXPECT_EQ(client.call(Command::Close, close).status(), NtStatus::Success);
  EXPECT_EQ(
      client.open({.name = kIndex, .disposition = wire::CreateDisposition::Overwrite}).status(),
      NtStatus::AccessDenied);
  EXPECT_EQ(query(client.must_open({.name = u"f"}), {}).status(), NtStatus::InvalidHandle);
}

TEST_F(NoQuota, WhereNoneAreKeptThatIsSaid_3_3_5_20_4) {
  client.connect("admin");
  const FileId id = index();
  EXPECT_EQ(query(id, {.restart_scan = true}).status(), NtStatus::NotSupported);
  EXPECT_EQ(set(id, sid_of(1000), 1 << 20), NtStatus::NotSupported);
}

}  // namespace
}  // namespace flotilla::testing

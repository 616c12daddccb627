// What Windows and macOS send first, in their order: each answer, and that no unknown question
// costs the connection.
#include <algorithm>

#include "server/harness.hpp"
#include "wire/fscc.hpp"
#include "wire/fsctl.hpp"
#include "wire/ioctl.hpp"

namespace flotilla::testing {
namespace {

using Class = wire::FileInformationClass;
using wire::Command;
using wire::CreateDisposition;
namespace a = wire::access;
namespace o = wire::create_options;

class FirstContact : public ::testing::Test {
 protected:
  FirstContact() : client(node) { client.connect(); }
  NtStatus control(std::uint32_t code, ByteView input = {}, std::uint32_t room = 4096) {
    wire::IoctlRequest request;
    request.ctl_code = code;
    request.file_id = FileId{~std::uint64_t{0}, ~std::uint64_t{0}};
    request.flags = wire::ioctl_flags::kIsFsctl;
    request.max_output_response = room;
    request.input = input;
    return client.call(Command::Ioctl, request).status();
  }
  Response query(const FileId& id, wire::InfoType type, std::uint8_t which,
                 std::uint32_t room = 4096) {
    wire::QueryInfoRequest request;
    request.info_type = type;
    request.file_info_class = which;
    request.output_buffer_length = room;
    request.file_id = id;
    return client.call(Command::QueryInfo, request);
  }
  NtStatus file_class(const FileId& id, Class which) {
    return query(id, wire::InfoType::File, static_cast<std::uint8_t>(which)).status();
  }
  NtStatus status_of_open(std::u16string name, CreateDisposition how = CreateDisposition::Open) {
    return client.open({.name = std::move(name), .disposition = how, .access = a::kReadAttributes})
        .status();
  }

  TestNode node;
  TestClient client;
};

TEST_F(FirstContact, AReferralIsAskedForOnIpcAndThereIsNoDfs_3_3_5_15_2) {
  ASSERT_EQ(client.tree_connect(u"\\\\flotilla\\IPC$").status(), NtStatus::Success);
  const Bytes path{4, 0, '\\', 0, 'f', 0, 0, 0};
  EXPECT_EQ(control(wire::fsctl::kDfsGetReferrals, path), NtStatus::FsDriverRequired);
  EXPECT_EQ(control(wire::fsctl::kDfsGetReferralsEx, path), NtStatus::FsDriverRequired);
  EXPECT_EQ(control(0x0011C017), NtStatus::FileClosed) << "a transceive names a pipe";
  EXPECT_EQ(client.call(Command::Echo, wire::EchoRequest{}).status(), NtStatus::Success);
}

TEST_F(FirstContact, WindowsLooksForFilesThatAreNotThere_3_3_5_9) {
  for (const char16_t* name :
       {u"desktop.ini", u"AutoRun.inf", u"Thumbs.db", u".DS_Store", u"._.", u".hidden", u"Contents",
        u".metadata_never_index", u".Spotlight-V100", u"folder.jpg"}) {
    EXPECT_EQ(status_of_open(name), NtStatus::ObjectNameNotFound);
  }
  EXPECT_EQ(status_of_open(u"missing\\desktop.ini"), NtStatus::ObjectPathNotFound);
}

TEST_F(FirstContact, TheVolumeIsDescribedOnTheRootWithoutAccessToData_3_3_5_20_2) {
  const Response root = client.open({.name = u"",
                                     .disposition = CreateDisposition::Open,
                                     .access = a::kReadAttributes | a::kSynchronize});
  ASSERT_EQ(root.status(), NtStatus::Success);
  const FileId id = root.as<wire::CreateResponse>().file_id;
  // Volume, size, device, attributes, full size, sector size: what Explorer and Finder show.
  for (const int which : {1, 3, 4, 5, 7, 11}) {
    EXPECT_EQ(query(id, wire::InfoType::Filesystem, static_cast<std::uint8_t>(which)).status(),
              NtStatus::Success)
        << "class " << which;
  }
  EXPECT_EQ(client.close(id), NtStatus::Success);
}

TEST_F(FirstContact, WhatExplorerAsksOfAFileIsAnsweredOrRefusedByName_3_3_5_20_1) {
  const FileId id = client.must_open({.name = u"asked.txt"});
  for (const Class which :
       {Class::FileBasicInformation, Class::FileStandardInformation, Class::FileInternalInformation,
        Class::FileEaInformation, Class::FileAllInformation, Class::FileNetworkOpenInformation,
        Class::FileAttributeTagInformation, Class::FileStreamInformation,
        Class::FileNormalizedNameInformation}) {
    EXPECT_EQ(file_class(id, which), NtStatus::Success) << "class " << static_cast<int>(which);
  }
  // There are no 8.3 names; no class of a later Windows ends anything.
  const NtStatus alternate = file_class(id, Class::FileAlternateNameInformation);
  EXPECT_TRUE(alternate == NtStatus::ObjectNameNotFound || alternate == NtStatus::Success);
  for (const std::uint8_t later : {std::uint8_t{68}, std::uint8_t{75}, std::uint8_t{200}}) {
    const NtStatus status = query(id, wire::InfoType::File, later).status();
    EXPECT_TRUE(status == NtStatus::InvalidInfoClass || status == NtStatus::NotSupported ||
                status == NtStatus::InvalidParameter || status == NtStatus::InfoLengthMismatch ||
                status == NtStatus::Success)
        << int{later};
  }
  EXPECT_EQ(client.close(id), NtStatus::Success);
}

TEST_F(FirstContact, ApplesContextOfAnotherShapeIsIgnoredAndTheOpenMade_3_3_5_9) {
  // kAAPL_SERVER_QUERY, cut short.
  Bytes apple(12);
  apple[0] = 1;
  apple[8] = 7;
  const Response response = client.open({.name = u"",
                                         .disposition = CreateDisposition::Open,
                                         .access = a::kReadAttributes,
                                         .contexts = {{as_bytes("AAPL"), apple}}});
  ASSERT_EQ(response.status(), NtStatus::Success);
  const auto answer = response.as<wire::CreateResponse>();
  EXPECT_EQ(wire::find_context(answer.create_contexts, "AAPL"), nullptr);
  EXPECT_EQ(client.close(answer.file_id), NtStatus::Success);
}

TEST_F(FirstContact, AppleDoubleFilesAreFilesLikeOthers) {
  const FileId id = client.must_open({.name = u"._resource"});
  EXPECT_EQ(client.close(id), NtStatus::Success);
  EXPECT_EQ(status_of_open(u"._resource"), NtStatus::Success);
}

TEST_F(FirstContact, CreateQueryCloseInOneFrame_3_3_5_2_7_2) {
  wire::CreateRequest create;
  create.desired_access = a::kReadAttributes | a::kSynchronize;
  create.share_access = 7;
  create.create_disposition = CreateDisposition::Open;
  wire::QueryInfoRequest ask;
  ask.info_type = wire::InfoType::Filesystem;
  ask.file_info_class = 7;
  ask.output_buffer_length = 32;
  ask.file_id = FileId{~std::uint64_t{0}, ~std::uint64_t{0}};
  wire::CloseRequest close;
  close.file_id = ask.file_id;
  const auto ids =
      client.send_compound(true, std::pair{Command::Create, create},
                           std::pair{Command::QueryInfo, ask}, std::pair{Command::Close, close});
  for (const MessageId id : ids) EXPECT_EQ(client.wait(id).status(), NtStatus::Success);
}

TEST_F(FirstContact, AFullSyncIsAFlush_2_2_17) {
  const FileId id = client.must_open({.name = u"synced"});
  wire::FlushRequest flush;
  flush.file_id = id;
  Bytes message;
  client.prepare(Command::Flush, flush, message);
  // Reserved1 is 0xFFFF where Apple's client asks for F_FULLFSYNC; a reserved field is not looked
  // at.
  message[64 + 2] = 0xFF;
  message[64 + 3] = 0xFF;
  const auto header = wire::Smb2Header::decode(message);
  ASSERT_TRUE(header);
  client.send_raw(std::move(message), true);
  EXPECT_EQ(client.wait(header->message_id).status(), NtStatus::Success);
}

TEST_F(FirstContact, ControlCodesOfOtherServersAreRefusedAndNothingElse_3_3_5_15) {
  const FileId id = client.must_open({.name = u"controlled"});
  for (const std::uint32_t code : {0x00094264U /* OFFLOAD_READ */,
                                   0x00098344U /* no code of ours */, 0x00090300U, 0x0014F004U}) {
    wire::IoctlRequest request;
    request.ctl_code = code;
    request.file_id = id;
    request.flags = wire::ioctl_flags::kIsFsctl;
    request.max_output_response = 4096;
    const NtStatus status = client.call(Command::Ioctl, request).status();
    EXPECT_TRUE(is_error(status)) << std::hex << code;
  }
  EXPECT_FALSE(client.disconnected());
  EXPECT_EQ(client.close(id), NtStatus::Success);
}

TEST_F(FirstContact, ADirectoryIsListedAsExplorerAndFinderDo_3_3_5_18) {
  const FileId child = client.must_open({.name = u"listed.txt"});
  EXPECT_EQ(client.close(child), NtStatus::Success);
  for (const Class which :
       {Class::FileIdBothDirectoryInformation, Class::FileBothDirectoryInformation,
        Class::FileFullDirectoryInformation, Class::FileIdFullDirectoryInformation,
        Class::FileDirectoryInformation, Class::FileNamesInformation}) {
    const FileId id = client.must_open(
        {.name = u"", .disposition = CreateDisposition::Open, .options = o::kDirectoryFile});
    wire::QueryDirectoryRequest request;
    request.file_information_class = which;
    request.file_id = id;
    request.search_pattern = u"*";
    request.output_buffer_length = 65536;
    const Response response = client.call(Command::QueryDirectory, request);
    ASSERT_EQ(response.status(), NtStatus::Success) << static_cast<int>(which);
    const auto entries =
        wire::decode_directory(which, response.as<wire::QueryDirectoryResponse>().output_buffer);
    ASSERT_TRUE(entries);
    EXPECT_TRUE(
        std::ranges::any_of(*entries, [](const auto& e) { return e.file_name == u"listed.txt"; }));
    EXPECT_EQ(client.call(Command::QueryDirectory, request).status(), NtStatus::NoMoreFiles);
    EXPECT_EQ(client.close(id), NtStatus::Success);
  }
}

}  // namespace
}  // namespace flotilla::testing

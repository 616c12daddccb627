// Reparse points over whole messages: how they are made, met, shown and taken away.
#include "server/harness.hpp"
#include "wire/fscc.hpp"
#include "wire/ioctl.hpp"
#include "wire/reparse.hpp"
#include "wire/utf16.hpp"

namespace flotilla::testing {
namespace {

using wire::Command;
using wire::CreateDisposition;
namespace o = wire::create_options;

Bytes windows_link(std::u16string target) {
  wire::SymbolicLinkReparseDataBuffer link;
  link.substitute_name = link.print_name = std::move(target);
  link.flags = wire::SymbolicLinkReparseDataBuffer::kFlagRelative;
  return wire::encoded(link);
}

Bytes buffer_of(std::uint32_t tag, ByteView data) {
  wire::ReparseDataBuffer buffer;
  buffer.reparse_tag = tag;
  buffer.data = data;
  return wire::encoded(buffer);
}

Bytes nfs(std::uint64_t type, std::u16string_view text = {}) {
  Bytes data;
  ByteWriter(data).u64(type);
  wire::append_utf16le(text, data);
  return buffer_of(wire::reparse_tag::kNfs, data);
}

class Reparse : public ::testing::Test {
 protected:
  Reparse() : client(node) { client.connect(); }
  static Response ioctl(TestClient& who, const FileId& id, std::uint32_t code, ByteView input,
                        std::uint32_t room = 65536) {
    wire::IoctlRequest request;
    request.ctl_code = code;
    request.file_id = id;
    request.flags = wire::ioctl_flags::kIsFsctl;
    request.max_output_response = room;
    request.input = input;
    return who.call(Command::Ioctl, request);
  }
  Response ioctl(const FileId& id, std::uint32_t code, ByteView input, std::uint32_t room = 65536) {
    return ioctl(client, id, code, input, room);
  }
  NtStatus set(const FileId& id, ByteView buffer) {
    return ioctl(id, wire::fsctl::kSetReparsePoint, buffer).status();
  }
  FileId open_itself(std::u16string name) {
    return client.must_open({.name = std::move(name),
                             .disposition = CreateDisposition::Open,
                             .options = o::kOpenReparsePoint});
  }
  /// A file or directory that is a reparse point by now, closed.
  void make(std::u16string name, const Bytes& buffer, std::uint32_t options = 0) {
    const FileId id =
        client.must_open({.name = std::move(name), .options = o::kOpenReparsePoint | options});
    ASSERT_EQ(set(id, buffer), NtStatus::Success);
    ASSERT_EQ(client.close(id), NtStatus::Success);
  }
  NtStatus open(std::u16string name, CreateDisposition how = CreateDisposition::Open) {
    return client.open({.name = std::move(name), .disposition = how}).status();
  }
  wire::SymbolicLinkErrorResponse stopped(const Response& response) {
    EXPECT_EQ(response.status(), NtStatus::StoppedOnSymlink);
    const auto error = response.as<wire::ErrorResponse>();
    const auto contexts = wire::decode_error_contexts(error.error_data, error.error_context_count);
    EXPECT_TRUE(contexts && contexts->size() == 1);
    if (!contexts || contexts->size() != 1) return {};
    const auto link =
        wire::decode<wire::SymbolicLinkErrorResponse>(contexts->front().error_context_data);
    EXPECT_TRUE(link);
    return link ? *link : wire::SymbolicLinkErrorResponse{};
  }

  TestNode node;
  TestClient client;
};

TEST_F(Reparse, AFileIsNoReparsePointBeforeSomebodyMakesItOne) {
  const FileId id = client.must_open({.name = u"plain"});
  EXPECT_EQ(ioctl(id, wire::fsctl::kGetReparsePoint, {}).status(), NtStatus::NotAReparsePoint);
  const Bytes nothing = buffer_of(wire::reparse_tag::kSymlink, {});
  EXPECT_EQ(ioctl(id, wire::fsctl::kDeleteReparsePoint, nothing).status(),
            NtStatus::NotAReparsePoint);
}

TEST_F(Reparse, WhatIsSetIsGotAndShown) {
  const Bytes link = windows_link(u"dir\\target");
  make(u"link", link);
  const FileId id = open_itself(u"link");
  const Response got = ioctl(id, wire::fsctl::kGetReparsePoint, {});
  ASSERT_EQ(got.status(), NtStatus::Success);
  const ByteView output = got.as<wire::IoctlResponse>().output;
  EXPECT_EQ(Bytes(output.begin(), output.end()), link);
  EXPECT_EQ(ioctl(id, wire::fsctl::kGetReparsePoint, {}, 8).status(), NtStatus::BufferTooSmall);

  wire::QueryInfoRequest query;
  query.info_type = wire::InfoType::File;
  query.file_info_class =
      static_cast<std::uint8_t>(wire::FileInformationClass::FileAttributeTagInformation);
  query.output_buffer_length = 64;
  query.file_id = id;
  const Response shown = client.call(Command::QueryInfo, query);
  ASSERT_EQ(shown.status(), NtStatus::Success);
  const auto tag = wire::decode<wire::FileAttributeTagInformation>(
      shown.as<wire::QueryInfoResponse>().output_buffer);
  ASSERT_TRUE(tag);
  EXPECT_EQ(tag->reparse_tag, wire::reparse_tag::kSymlink);
  EXPECT_TRUE((tag->file_attributes & wire::file_attribute::kReparsePoint) != 0);

  wire::QueryDirectoryRequest list;
  list.file_information_class = wire::FileInformationClass::FileIdBothDirectoryInformation;
  list.file_id = client.must_open({.name = u"", .options = o::kDirectoryFile});
  list.output_buffer_length = 65536;
  list.search_pattern = u"lin*";
  const Response listed = client.call(Command::QueryDirectory, list);
  ASSERT_EQ(listed.status(), NtStatus::Success);
  const auto entries = wire::decode_directory(
      list.file_information_class, listed.as<wire::QueryDirectoryResponse>().output_buffer);
  ASSERT_TRUE(entries && entries->size() == 1);
  EXPECT_EQ(entries->front().ea_size, wire::reparse_tag::kSymlink);  // [MS-FSCC] 2.4.17
  EXPECT_TRUE((entries->front().file_attributes & wire::file_attribute::kReparsePoint) != 0);
}

// [MS-SMB2] 2.2.2.2.1: the client learns where the link leads and what is left of the path.
TEST_F(Reparse, ACreateStopsAtASymbolicLink) {
  make(u"link", windows_link(u"target"));
  const auto itself = stopped(client.open({.name = u"LINK"}));
  EXPECT_EQ(itself.substitute_name, u"target");
  EXPECT_EQ(itself.flags, 1U);
  EXPECT_EQ(itself.unparsed_path_length, 0);

  client.close(client.must_open({.name = u"d", .options = o::kDirectoryFile}));
  make(u"d\\dir", windows_link(u"..\\other"), o::kDirectoryFile);
  for (const CreateDisposition how :
       {CreateDisposition::Open, CreateDisposition::Create, CreateDisposition::OpenIf}) {
    const auto behind = stopped(client.open({.name = u"d\\dir\\sub\\file", .disposition = how}));
    EXPECT_EQ(behind.substitute_name, u"..\\other");
    EXPECT_EQ(behind.unparsed_path_length, 18);  // \sub\file
  }
}

TEST_F(Reparse, ALinkWhoseTargetTheServerCannotNameIsNotHandled) {
  make(u"junction", buffer_of(wire::reparse_tag::kMountPoint, Bytes(8)), o::kDirectoryFile);
  EXPECT_EQ(open(u"junction"), NtStatus::IoReparseTagNotHandled);
  EXPECT_EQ(open(u"junction\\x"), NtStatus::IoReparseTagNotHandled);
  make(u"nfs", nfs(0x014B4E4C, u"target"));
  EXPECT_EQ(open(u"nfs"), NtStatus::IoReparseTagNotHandled);
  EXPECT_EQ(open(u"nfs", CreateDisposition::OverwriteIf), NtStatus::IoReparseTagNotHandled);
}

TEST_F(Reparse, TakenAwayItIsAFileAgain) {
  make(u"link", windows_link(u"target"));
  const FileId id = open_itself(u"link");
  const Bytes other = buffer_of(wire::reparse_tag::kNfs, {});
  EXPECT_EQ(ioctl(id, wire::fsctl::kDeleteReparsePoint, other).status(),
            NtStatus::IoReparseTagMismatch);
  EXPECT_EQ(ioctl(id, wire::fsctl::kDeleteReparsePoint, windows_link(u"x")).status(),
            NtStatus::IoReparseDataInvalid);
  const Bytes same = buffer_of(wire::reparse_tag::kSymlink, {});
  EXPECT_EQ(ioctl(id, wire::fsctl::kDeleteReparsePoint, same).status(), NtStatus::Success);
  EXPECT_EQ(ioctl(id, wire::fsctl::kDeleteReparsePoint, same).status(), NtStatus::NotAReparsePoint);
  client.close(id);
  EXPECT_EQ(open(u"link"), NtStatus::Success);
}

// [MS-FSA] 2.1.5.10.37
TEST_F(Reparse, BadBuffersAndBadMomentsAreRefused) {
  const FileId id = client.must_open({.name = u"f"});
  Bytes longer = windows_link(u"t");
  longer.push_back(0);
  for (const Bytes& bad : {Bytes(), Bytes(4), Bytes(20000), longer, nfs(99), nfs(0x014B4E4C),
                           buffer_of(wire::reparse_tag::kSymlink, Bytes(4)),
                           buffer_of(wire::reparse_tag::kLxSymlink, Bytes(4))}) {
    EXPECT_EQ(set(id, bad), NtStatus::IoReparseDataInvalid) << bad.size();
  }
  EXPECT_EQ(set(id, buffer_of(wire::reparse_tag::kMountPoint, Bytes(8))), NtStatus::NotADirectory);
  // A device of the client's own machine, if it mounts without care.
  EXPECT_EQ(set(id, nfs(0x524843)), NtStatus::AccessDenied);
  EXPECT_EQ(set(id, buffer_of(wire::reparse_tag::kLxBlk, {})), NtStatus::AccessDenied);
  EXPECT_EQ(set(id, windows_link(u"one")), NtStatus::Success);
  EXPECT_EQ(set(id, windows_link(u"two")), NtStatus::Success);
  EXPECT_EQ(set(id, nfs(0x014B4E4C, u"t")), NtStatus::IoReparseTagMismatch);

  const FileId full = client.must_open({.name = u"full", .options = o::kDirectoryFile});
  client.close(client.must_open({.name = u"full\\x"}));
  EXPECT_EQ(set(full, windows_link(u"t")), NtStatus::DirectoryNotEmpty);

  const FileId reads = client.must_open({.name = u"plain"});
  client.close(reads);
  const FileId reader = client.must_open({.name = u"plain", .access = 0x00120089});
  EXPECT_EQ(set(reader, windows_link(u"t")), NtStatus::AccessDenied);
}

TEST_F(Reparse, ALinkIsDeletedAndRenamedItself) {
  make(u"link", windows_link(u"target"));
  client.close(client.must_open({.name = u"link",
                                 .disposition = CreateDisposition::Open,
                                 .options = o::kOpenReparsePoint | o::kDeleteOnClose}));
  EXPECT_EQ(open(u"link"), NtStatus::ObjectNameNotFound);
}

}  // namespace
}  // namespace flotilla::testing

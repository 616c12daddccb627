// QUERY_INFO, SET_INFO and QUERY_DIRECTORY over whole messages.
#include <algorithm>

#include "server/harness.hpp"
#include "wire/fscc.hpp"
#include "wire/security_descriptor.hpp"
#include "wire/utf16.hpp"

namespace flotilla::testing {
namespace {

using Class = wire::FileInformationClass;
using wire::Command;
using wire::CreateDisposition;
namespace a = wire::access;
namespace o = wire::create_options;

class Info : public ::testing::Test {
 protected:
  Info() : client(node) { client.connect(); }
  Response query(const FileId& id, wire::InfoType type, std::uint8_t c, std::uint32_t room,
                 std::uint32_t additional = 0) {
    wire::QueryInfoRequest request;
    request.info_type = type;
    request.file_info_class = c;
    request.output_buffer_length = room;
    request.additional_information = additional;
    request.file_id = id;
    return client.call(Command::QueryInfo, request);
  }
  Response query(const FileId& id, Class c, std::uint32_t room = 4096) {
    return query(id, wire::InfoType::File, static_cast<std::uint8_t>(c), room);
  }
  template <class T>
  T info(const FileId& id, Class c) {
    const Response response = query(id, c);
    EXPECT_EQ(response.status(), NtStatus::Success);
    const auto got = wire::decode<T>(response.as<wire::QueryInfoResponse>().output_buffer);
    EXPECT_TRUE(got);
    return got ? *got : T{};
  }
  NtStatus set(const FileId& id, Class c, ByteView buffer,
               wire::InfoType type = wire::InfoType::File, std::uint32_t additional = 0) {
    wire::SetInfoRequest request;
    request.info_type = type;
    request.file_info_class = static_cast<std::uint8_t>(c);
    request.additional_information = additional;
    request.file_id = id;
    request.buffer = buffer;
    return client.call(Command::SetInfo, request).status();
  }
  NtStatus rename(const FileId& id, std::u16string to, bool replace = false) {
    wire::FileRenameInformation rename;
    rename.replace_if_exists = replace ? 1 : 0;
    rename.file_name = std::move(to);
    return set(id, Class::FileRenameInformation, wire::encoded(rename));
  }
  FileId directory(std::u16string name) {
    return client.must_open({.name = std::move(name), .options = o::kDirectoryFile});
  }
  struct Listing {
    NtStatus status;
    std::vector<std::string> names;
  };
  Listing list(const FileId& id, std::u16string pattern, std::uint8_t flags = 0,
               std::uint32_t room = 65536) {
    wire::QueryDirectoryRequest request;
    request.file_information_class = Class::FileIdBothDirectoryInformation;
    request.flags = flags;
    request.file_id = id;
    request.search_pattern = std::move(pattern);
    request.output_buffer_length = room;
    const Response response = client.call(Command::QueryDirectory, request);
    Listing listing{response.status(), {}};
    if (response.status() != NtStatus::Success) return listing;
    const ByteView bytes = response.as<wire::QueryDirectoryResponse>().output_buffer;
    EXPECT_LE(bytes.size(), room);
    const auto entries = wire::decode_directory(request.file_information_class, bytes);
    EXPECT_TRUE(entries);
    for (const auto& entry : *entries) listing.names.push_back(*wire::utf8_of(entry.file_name));
    std::ranges::sort(listing.names);
    return listing;
  }
  bool exists(const std::string& path) { return node.backend->locate({}, path).has_value(); }

  TestNode node;
  TestClient client;
};

TEST_F(Info, AllInformationGathersTheFileAndTheOpen_FSCC_2_4_2) {
  client.close(directory(u"Dir"));
  const FileId id = client.must_open({.name = u"Dir\\File", .access = a::kFileAllAccess});
  const auto all = info<wire::FileAllInformation>(id, Class::FileAllInformation);
  EXPECT_EQ(all.name.file_name, u"\\Dir\\File");
  EXPECT_EQ(all.access.access_flags, a::kFileAllAccess);
  EXPECT_EQ(all.standard.end_of_file, 0U);
  EXPECT_EQ(all.standard.allocation_size, 0U);
  EXPECT_EQ(all.internal.index_number,
            info<wire::FileInternalInformation>(id, Class::FileInternalInformation).index_number);
}

TEST_F(Info, TooLittleRoomIsInfoLengthMismatchAndACutNameBufferOverflow_3_3_5_20_1) {
  const FileId id = client.must_open({.name = u"a-rather-long-name"});
  const std::pair<Class, std::uint32_t> rows[] = {
      {Class::FileBasicInformation, 40},       {Class::FileStandardInformation, 24},
      {Class::FileInternalInformation, 8},     {Class::FileEaInformation, 4},
      {Class::FileAccessInformation, 4},       {Class::FilePositionInformation, 8},
      {Class::FileModeInformation, 4},         {Class::FileAlignmentInformation, 4},
      {Class::FileStreamInformation, 32},      {Class::FileCompressionInformation, 16},
      {Class::FileNetworkOpenInformation, 56}, {Class::FileAttributeTagInformation, 8},
      {Class::FileIdInformation, 24}};
  for (const auto& [c, size] : rows) {
    EXPECT_EQ(query(id, c, size - 1).status(), NtStatus::InfoLengthMismatch) << int(c);
    EXPECT_FALSE(is_error(query(id, c, size).status())) << int(c);
  }
  EXPECT_EQ(query(id, Class::FileAllInformation, 103).status(), NtStatus::InfoLengthMismatch);
  const Response cut = query(id, Class::FileAllInformation, 110);
  EXPECT_EQ(cut.status(), NtStatus::BufferOverflow);
  EXPECT_EQ(cut.as<wire::QueryInfoResponse>().output_buffer.size(), 110U);
}

TEST_F(Info, ClassesThatCannotBeAskedForAreRefused_3_3_5_20_1) {
  const FileId id = client.must_open({.name = u"f"});
  EXPECT_EQ(query(id, Class::FileRenameInformation).status(), NtStatus::InvalidInfoClass);
  EXPECT_EQ(query(id, static_cast<Class>(99)).status(), NtStatus::InvalidInfoClass);
  EXPECT_EQ(query(id, Class::FileNameInformation).status(), NtStatus::NotSupported);
  EXPECT_EQ(query(id, wire::InfoType::Quota, 0, 100).status(), NtStatus::NotSupported);
  const FileId blind = client.must_open({.name = u"f", .access = a::kReadData});
  EXPECT_EQ(query(blind, Class::FileBasicInformation).status(), NtStatus::AccessDenied);
  EXPECT_EQ(query(blind, Class::FileStandardInformation).status(), NtStatus::Success);
  EXPECT_EQ(query(blind, Class::FileFullEaInformation).status(), NtStatus::AccessDenied);
}

TEST_F(Info, FilesystemClassesAnswer_3_3_5_20_2) {
  const FileId id = client.must_open({.name = u"f"});
  const std::pair<std::uint8_t, std::uint32_t> rows[] = {{1, 24}, {3, 24}, {4, 8},  {5, 16},
                                                         {6, 48}, {7, 32}, {8, 64}, {11, 28}};
  for (const auto& [c, size] : rows) {
    EXPECT_EQ(query(id, wire::InfoType::Filesystem, c, size - 1).status(),
              NtStatus::InfoLengthMismatch)
        << int(c);
    EXPECT_EQ(query(id, wire::InfoType::Filesystem, c, 4096).status(), NtStatus::Success) << int(c);
  }
}

TEST_F(Info, ASecurityDescriptorThatDoesNotFitSaysHowLargeItIs_3_3_5_20_3) {
  namespace s = wire::security_information;
  const FileId id = client.must_open({.name = u"f"});
  const std::uint32_t all = s::kOwner | s::kGroup | s::kDacl;
  const Response whole = query(id, wire::InfoType::Security, 0, 4096, all);
  ASSERT_EQ(whole.status(), NtStatus::Success);
  const ByteView bytes = whole.as<wire::QueryInfoResponse>().output_buffer;
  const auto descriptor = wire::SecurityDescriptor::decode(bytes);
  ASSERT_TRUE(descriptor);
  EXPECT_TRUE(descriptor->owner && descriptor->group && descriptor->dacl);
  const Response small = query(id, wire::InfoType::Security, 0, 10, all);
  EXPECT_EQ(small.status(), NtStatus::BufferTooSmall);
  const auto error = small.as<wire::ErrorResponse>();
  EXPECT_EQ(error.error_context_count, 1);
  const auto contexts = wire::decode_error_contexts(error.error_data, 1);
  ASSERT_TRUE(contexts);
  EXPECT_EQ(load_le<std::uint32_t>(contexts->at(0).error_context_data.data()), bytes.size());
  EXPECT_EQ(query(id, wire::InfoType::Security, 0, 4096, s::kSacl).status(),
            NtStatus::AccessDenied);
  // Saying what holds already is fine; giving the file to somebody else is not.
  EXPECT_EQ(set(id, Class{}, bytes, wire::InfoType::Security, s::kOwner), NtStatus::Success);
  wire::SecurityDescriptor other;
  other.owner = wire::well_known::kAdministrators;
  Bytes refused;
  other.encode(refused);
  EXPECT_EQ(set(id, Class{}, refused, wire::InfoType::Security, s::kOwner),
            static_cast<NtStatus>(0xC000005A))
      << "STATUS_INVALID_OWNER";
}

TEST_F(Info, RenameMovesReplacesAndRefuses_FSA_2_1_5_15_11) {
  client.close(directory(u"d"));
  client.close(client.must_open({.name = u"other"}));
  const FileId id = client.must_open({.name = u"f"});
  EXPECT_EQ(rename(id, u"other"), NtStatus::ObjectNameCollision);
  EXPECT_EQ(rename(id, u"d", true), NtStatus::AccessDenied);
  EXPECT_EQ(rename(id, u"none\\x"), NtStatus::ObjectPathNotFound);
  EXPECT_EQ(rename(id, u"bad?name"), NtStatus::ObjectNameInvalid);
  EXPECT_EQ(rename(id, u"d\\moved"), NtStatus::Success);
  EXPECT_TRUE(exists("d/moved"));
  EXPECT_FALSE(exists("f"));
  EXPECT_EQ(info<wire::FileAllInformation>(id, Class::FileAllInformation).name.file_name,
            u"\\d\\moved");
  EXPECT_EQ(rename(id, u"other", true), NtStatus::Success);
  EXPECT_EQ(rename(id, u"OTHER"), NtStatus::Success);
  EXPECT_EQ(info<wire::FileAllInformation>(id, Class::FileAllInformation).name.file_name,
            u"\\OTHER");
  const FileId reader = client.must_open({.name = u"other", .access = a::kReadData});
  EXPECT_EQ(rename(reader, u"x"), NtStatus::AccessDenied);
}

TEST_F(Info, ADirectoryWithOpenChildrenKeepsItsName_FSA_2_1_5_15_11) {
  const FileId id = directory(u"d");
  const FileId child = client.must_open({.name = u"d\\f"});
  EXPECT_EQ(rename(id, u"e"), NtStatus::AccessDenied);
  client.close(child);
  EXPECT_EQ(rename(id, u"d\\inside"), NtStatus::SharingViolation);
  EXPECT_EQ(rename(id, u"e"), NtStatus::Success);
  EXPECT_TRUE(exists("e/f"));
}

TEST_F(Info, AnOpenFileIsNotReplaced_FSA_2_1_5_15_11) {
  const FileId id = client.must_open({.name = u"f"});
  const FileId victim = client.must_open({.name = u"victim"});
  EXPECT_EQ(rename(id, u"victim", true), NtStatus::AccessDenied);
  client.close(victim);
  EXPECT_EQ(rename(id, u"victim", true), NtStatus::Success);
}

TEST_F(Info, DispositionDeletesWithTheLastCloseAndCanBeTakenBack_FSA_2_1_5_15_3) {
  const FileId id = client.must_open({.name = u"f"});
  const std::uint8_t yes[] = {1};
  const std::uint8_t no[] = {0};
  ASSERT_EQ(set(id, Class::FileDispositionInformation, yes), NtStatus::Success);
  EXPECT_EQ(info<wire::FileStandardInformation>(id, Class::FileStandardInformation).delete_pending,
            1);
  EXPECT_EQ(client.open({.name = u"f"}).status(), NtStatus::DeletePending);
  ASSERT_EQ(set(id, Class::FileDispositionInformation, no), NtStatus::Success);
  ASSERT_EQ(set(id, Class::FileDispositionInformation, yes), NtStatus::Success);
  EXPECT_TRUE(exists("f"));
  client.close(id);
  EXPECT_FALSE(exists("f"));
}

TEST_F(Info, WhatMayNotGoIsRefusedAtOnce_FSA_2_1_5_15_3) {
  const std::uint8_t yes[] = {1};
  const FileId full = directory(u"d");
  client.close(client.must_open({.name = u"d\\f"}));
  EXPECT_EQ(set(full, Class::FileDispositionInformation, yes), NtStatus::DirectoryNotEmpty);
  const FileId fixed =
      client.must_open({.name = u"ro", .attributes = wire::file_attribute::kReadonly});
  EXPECT_EQ(set(fixed, Class::FileDispositionInformation, yes), NtStatus::CannotDelete);
  const FileId reader = client.must_open({.name = u"g", .access = a::kReadData});
  EXPECT_EQ(set(reader, Class::FileDispositionInformation, yes), NtStatus::AccessDenied);
}

TEST_F(Info, SizesAreSetThroughWritersOnly_FSA_2_1_5_15_5) {
  const FileId id = client.must_open({.name = u"f"});
  const Bytes size = wire::encoded(wire::FileEndOfFileInformation{1000});
  EXPECT_EQ(set(id, Class::FileEndOfFileInformation, size), NtStatus::Success);
  EXPECT_EQ(info<wire::FileStandardInformation>(id, Class::FileStandardInformation).end_of_file,
            1000U);
  EXPECT_EQ(set(id, Class::FileEndOfFileInformation, ByteView(size).first(7)),
            NtStatus::InfoLengthMismatch);
  EXPECT_EQ(set(id, Class::FileEndOfFileInformation,
                wire::encoded(wire::FileEndOfFileInformation{~std::uint64_t{0}})),
            NtStatus::InvalidParameter);
  EXPECT_EQ(set(directory(u"d"), Class::FileEndOfFileInformation, size),
            NtStatus::InvalidParameter);
  const FileId reader = client.must_open({.name = u"f", .access = a::kReadData});
  EXPECT_EQ(set(reader, Class::FileEndOfFileInformation, size), NtStatus::AccessDenied);
  EXPECT_EQ(set(id, Class::FileValidDataLengthInformation, size), NtStatus::PrivilegeNotHeld);
}

TEST_F(Info, ExtendedAttributesComeAndGo_FSA_2_1_5_15_7) {
  const FileId id = client.must_open({.name = u"f"});
  EXPECT_EQ(query(id, Class::FileFullEaInformation).status(), NtStatus::NoEasOnFile);
  Bytes buffer;
  wire::encode_full_ea_list({{0, "color", {'r', 'e', 'd'}}}, 1000, buffer);
  ASSERT_EQ(set(id, Class::FileFullEaInformation, buffer), NtStatus::Success);
  const Response response = query(id, Class::FileFullEaInformation);
  ASSERT_EQ(response.status(), NtStatus::Success);
  const auto list = wire::decode_full_ea_list(response.as<wire::QueryInfoResponse>().output_buffer);
  ASSERT_TRUE(list);
  EXPECT_EQ(list->at(0).ea_value, (Bytes{'r', 'e', 'd'}));
  EXPECT_EQ(query(id, Class::FileFullEaInformation, 8).status(), NtStatus::BufferTooSmall);
}

TEST_F(Info, AListingMatchesRestartsAndEnds_3_3_5_18) {
  const FileId id = directory(u"d");
  for (const char16_t* name : {u"d\\one.txt", u"d\\two.txt", u"d\\three"}) {
    client.close(client.must_open({.name = name}));
  }
  EXPECT_EQ(list(id, u"*.TXT").names, (std::vector<std::string>{"one.txt", "two.txt"}));
  EXPECT_EQ(list(id, u"*.TXT").status, NtStatus::NoMoreFiles);
  EXPECT_EQ(list(id, u"", wire::query_directory_flags::kRestartScans).names.size(), 2U);
  EXPECT_EQ(list(id, u"*", wire::query_directory_flags::kReopen).names,
            (std::vector<std::string>{".", "..", "one.txt", "three", "two.txt"}));
  EXPECT_EQ(list(id, u"none*", wire::query_directory_flags::kReopen).status, NtStatus::NoSuchFile);
  EXPECT_EQ(list(id, u"THREE", wire::query_directory_flags::kReopen).names,
            (std::vector<std::string>{"three"}));
  EXPECT_EQ(
      list(id, u"*",
           wire::query_directory_flags::kReopen | wire::query_directory_flags::kReturnSingleEntry)
          .names.size(),
      1U);
}

TEST_F(Info, AListingOfManyComesInBuffersOfTheClientsSize_3_3_5_18) {
  const FileId id = directory(u"d");
  ports::Credentials owner;
  owner.use_share_owner = true;
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(node.backend->create(owner, "d/file" + std::to_string(i), false, 0));
  }
  std::size_t seen = 0;
  int answers = 0;
  for (;; ++answers) {
    const Listing part = list(id, u"file*", 0, 1000);
    if (part.status == NtStatus::NoMoreFiles) break;
    ASSERT_EQ(part.status, NtStatus::Success);
    seen += part.names.size();
  }
  EXPECT_EQ(seen, 300U);
  EXPECT_GT(answers, 20);
  EXPECT_EQ(list(id, u"*", wire::query_directory_flags::kReopen, 50).status,
            NtStatus::InfoLengthMismatch);
}

TEST_F(Info, ListingsNeedADirectoryItsRightAndAKnownClass_3_3_5_18) {
  const FileId file = client.must_open({.name = u"f"});
  EXPECT_EQ(list(file, u"*").status, NtStatus::InvalidParameter);
  directory(u"d");
  const FileId blind =
      client.must_open({.name = u"d", .access = a::kReadAttributes, .options = o::kDirectoryFile});
  EXPECT_EQ(list(blind, u"*").status, NtStatus::AccessDenied);
  const FileId id = directory(u"d");
  EXPECT_EQ(list(id, u"a\\b").status, NtStatus::ObjectNameInvalid);
  wire::QueryDirectoryRequest request;
  request.file_information_class = Class::FileBasicInformation;
  request.file_id = id;
  request.search_pattern = u"*";
  request.output_buffer_length = 1000;
  EXPECT_EQ(client.call(Command::QueryDirectory, request).status(), NtStatus::InvalidInfoClass);
}

TEST_F(Info, HardLinksShareTheFile_FSA_2_1_5_15_8) {
  const FileId id = client.must_open({.name = u"f"});
  wire::FileLinkInformation link;
  link.file_name = u"g";
  EXPECT_EQ(set(id, Class::FileLinkInformation, wire::encoded(link)), NtStatus::Success);
  EXPECT_TRUE(exists("g"));
  EXPECT_EQ(info<wire::FileStandardInformation>(id, Class::FileStandardInformation).number_of_links,
            2U);
  EXPECT_EQ(set(id, Class::FileLinkInformation, wire::encoded(link)),
            NtStatus::ObjectNameCollision);
  EXPECT_EQ(set(directory(u"d"), Class::FileLinkInformation, wire::encoded(link)),
            NtStatus::FileIsADirectory);
}

}  // namespace
}  // namespace flotilla::testing

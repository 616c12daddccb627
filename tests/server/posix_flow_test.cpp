// The POSIX extensions of SMB 3.1.1, and what Windows has of POSIX: names that go while files are
// open.
#include "server/harness.hpp"
#include "wire/fscc.hpp"

namespace flotilla::testing {
namespace {

using wire::Command;
using wire::CreateDisposition;
namespace o = wire::create_options;

class Posix : public ::testing::Test {
 protected:
  Posix() : windows(node), linux(node, {.guid = 2, .posix = true}) {
    windows.connect();
    linux.connect();
    // What a mount opens first comes with the context, and says that it means it.
    const Bytes tag(wire::create_tag::kPosix.begin(), wire::create_tag::kPosix.end());
    const Bytes mode = {0xED, 0x01, 0, 0};
    OpenArgs root;
    root.disposition = CreateDisposition::Open;
    root.contexts = {{tag, mode}};
    linux.close(linux.must_open(root));
  }
  NtStatus status(std::u16string name) {
    return windows.open({.name = std::move(name), .disposition = CreateDisposition::Open}).status();
  }
  static NtStatus set(TestClient& who, const FileId& id, wire::FileInformationClass c,
                      ByteView buffer) {
    wire::SetInfoRequest request;
    request.info_type = wire::InfoType::File;
    request.file_info_class = static_cast<std::uint8_t>(c);
    request.file_id = id;
    request.buffer = buffer;
    return who.call(Command::SetInfo, request).status();
  }
  NtStatus dispose(const FileId& id, std::uint32_t flags) {
    wire::FileDispositionInformationEx info;
    info.flags = flags;
    return set(windows, id, wire::FileInformationClass::FileDispositionInformationEx,
               wire::encoded(info));
  }
  static NtStatus rename(TestClient& who, const FileId& id, std::u16string to,
                         std::uint32_t flags) {
    wire::FileRenameInformationEx info;
    info.flags = flags;
    info.file_name = std::move(to);
    return set(who, id, wire::FileInformationClass::FileRenameInformationEx, wire::encoded(info));
  }
  NtStatus write(const FileId& id) {
    const Bytes data = {'x'};
    wire::WriteRequest request;
    request.file_id = id;
    request.data = data;
    return windows.call(Command::Write, request).status();
  }

  TestNode node;
  TestClient windows;
  TestClient linux;
};

// The POSIX extensions: names that differ by case only are two files, for those who speak them.
TEST_F(Posix, ClientsTellNamesApartByCase) {
  const FileId big = linux.must_open({.name = u"NAME", .disposition = CreateDisposition::Create});
  EXPECT_EQ(linux.open({.name = u"name", .disposition = CreateDisposition::Open}).status(),
            NtStatus::ObjectNameNotFound);
  const FileId small = linux.must_open({.name = u"name", .disposition = CreateDisposition::Create});
  EXPECT_NE(big, small);
  linux.close(big);
  linux.close(small);
  EXPECT_EQ(status(u"NAME"), NtStatus::Success);
  EXPECT_EQ(status(u"NaMe"), NtStatus::Success);
  EXPECT_EQ(windows.open({.name = u"NaMe", .disposition = CreateDisposition::Create}).status(),
            NtStatus::ObjectNameCollision);
  // Special characters are characters.
  linux.close(
      linux.must_open({.name = u"a:b*c?\"<>| . ", .disposition = CreateDisposition::Create}));
  EXPECT_EQ(
      linux.open({.name = u"a:b*c?\"<>| . ", .disposition = CreateDisposition::Open}).status(),
      NtStatus::Success);
}

// [MS-FSCC] 2.4.12 FILE_DISPOSITION_POSIX_SEMANTICS: the name goes with the handle that asked.
TEST_F(Posix, ANameGoesWithTheHandleThatDisposedOfIt) {
  namespace flags = wire::disposition_flags;
  const FileId other = windows.must_open({.name = u"f"});
  const FileId id = windows.must_open({.name = u"f"});
  ASSERT_EQ(dispose(id, flags::kDelete | flags::kPosixSemantics), NtStatus::Success);
  EXPECT_EQ(status(u"f"), NtStatus::DeletePending);
  ASSERT_EQ(windows.close(id), NtStatus::Success);
  EXPECT_EQ(status(u"f"), NtStatus::ObjectNameNotFound);
  EXPECT_EQ(write(other), NtStatus::Success);
  // The name is free, and what has it now is not the old file's to delete.
  const FileId fresh = windows.must_open({.name = u"f", .disposition = CreateDisposition::Create});
  ASSERT_EQ(windows.close(fresh), NtStatus::Success);
  ASSERT_EQ(windows.close(other), NtStatus::Success);
  EXPECT_EQ(status(u"f"), NtStatus::Success);
}

TEST_F(Posix, WithoutPosixSemanticsTheLastHandleTakesTheName) {
  const FileId other = windows.must_open({.name = u"f"});
  const FileId id = windows.must_open({.name = u"f"});
  ASSERT_EQ(dispose(id, wire::disposition_flags::kDelete), NtStatus::Success);
  ASSERT_EQ(windows.close(id), NtStatus::Success);
  EXPECT_EQ(status(u"f"), NtStatus::DeletePending);
  ASSERT_EQ(windows.close(other), NtStatus::Success);
  EXPECT_EQ(status(u"f"), NtStatus::ObjectNameNotFound);
}

TEST_F(Posix, AClientOfTheExtensionsUnlinksOpenFiles) {
  const FileId other = windows.must_open({.name = u"f"});
  const FileId id = linux.must_open({.name = u"f",
                                     .disposition = CreateDisposition::Open,
                                     .options = o::kDeleteOnClose | o::kOpenReparsePoint});
  ASSERT_EQ(linux.close(id), NtStatus::Success);
  EXPECT_EQ(status(u"f"), NtStatus::ObjectNameNotFound);
  EXPECT_EQ(write(other), NtStatus::Success);
  EXPECT_EQ(windows.close(other), NtStatus::Success);
}

// [MS-FSCC] 2.4.43 FILE_RENAME_POSIX_SEMANTICS
TEST_F(Posix, AnOpenFileIsReplacedWhereAllShareItsDeletion) {
  namespace flags = wire::rename_flags;
  const FileId held = windows.must_open({.name = u"to"});
  const FileId id = windows.must_open({.name = u"from"});
  EXPECT_EQ(rename(windows, id, u"to", flags::kReplaceIfExists), NtStatus::AccessDenied);
  EXPECT_EQ(rename(windows, id, u"to", flags::kPosixSemantics), NtStatus::ObjectNameCollision);
  EXPECT_EQ(rename(windows, id, u"to", flags::kReplaceIfExists | flags::kPosixSemantics),
            NtStatus::Success);
  EXPECT_EQ(write(held), NtStatus::Success);
  EXPECT_EQ(status(u"from"), NtStatus::ObjectNameNotFound);
  EXPECT_EQ(windows.close(held), NtStatus::Success);
  EXPECT_EQ(status(u"to"), NtStatus::Success);

  const FileId guarded = windows.must_open({.name = u"guarded", .share = 3});
  EXPECT_EQ(rename(windows, id, u"guarded", flags::kReplaceIfExists | flags::kPosixSemantics),
            NtStatus::SharingViolation);
  EXPECT_EQ(windows.close(guarded), NtStatus::Success);
}

}  // namespace
}  // namespace flotilla::testing

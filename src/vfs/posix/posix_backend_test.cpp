// What the contract suite cannot ask of every backend: links, users, Samba's metadata, large
// directories.
#include "vfs/posix/posix_backend.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include <atomic>
#include <thread>

#include "ports/short_name.hpp"
#include "vfs/names.hpp"
#include "vfs/posix/posix_test_fixture.hpp"
#include "vfs/samba_xattr.hpp"
#include "vfs/test_support.hpp"
#include "wire/reparse.hpp"

namespace flotilla::vfs {
namespace {

using namespace testing;  // NOLINT
using ports::DataAccess;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_F(Posix, AMissingDirectoryIsSaidWithSubjectExpectationAndRemedy) {
  PosixOptions options;
  options.path = outside("nowhere");
  const auto opened = open_posix_backend(options);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error(), HasSubstr(options.path));
  EXPECT_THAT(opened.error(), HasSubstr("expected a directory"));
  EXPECT_THAT(opened.error(), HasSubstr("No such file"));
  EXPECT_THAT(opened.error(), HasSubstr("create it"));
}

TEST_F(Posix, LinksInsideAreFollowed) {
  made(*backend_, "d", true);
  const FileKey key = made(*backend_, "d/file")->key();
  std::filesystem::create_symlink("d/file", in_share("relative"));
  std::filesystem::create_symlink("../relative", in_share("d/up"));
  std::filesystem::create_symlink(in_share("d"), in_share("absolute"));
  std::filesystem::create_directory_symlink("d", in_share("dir"));
  for (const char* path : {"relative", "RELATIVE", "d/up", "dir/FILE", "absolute/file", "DIR/Up"}) {
    auto file = backend_->locate(kRoot, path);
    ASSERT_TRUE(file) << path << " " << name_of(file.error());
    EXPECT_EQ((*file)->key(), key) << path;
    EXPECT_EQ((*file)->facts()->type, ports::FileType::File);
  }
}

// Credentials::posix_names: the client follows links, and case tells names apart.
TEST_F(Posix, PosixNamesAreExactAndLinksAreShownThemselves) {
  ports::Credentials posix = kRoot;
  posix.posix_names = true;
  made(*backend_, "d", true);
  made(*backend_, "d/file");
  std::filesystem::create_symlink("d/file", in_share("link"));
  std::filesystem::create_symlink("/etc/passwd", in_share("out"));
  std::filesystem::create_directory_symlink("d", in_share("dir"));
  EXPECT_EQ(locate("D", posix), NtStatus::ObjectNameNotFound);
  EXPECT_EQ(locate("D/file", posix), NtStatus::ObjectPathNotFound);
  EXPECT_EQ(locate("d/file/x", posix), NtStatus::ObjectPathNotFound);
  EXPECT_EQ(locate("dir/file", posix), NtStatus::StoppedOnSymlink);
  for (const auto& [name, target] : {std::pair{"link", u"d/file"}, {"out", u"/etc/passwd"}}) {
    auto link = backend_->locate(posix, name);
    ASSERT_TRUE(link) << name;
    EXPECT_EQ((*link)->facts()->type, ports::FileType::Symlink);
    EXPECT_NE((*link)->facts()->attributes & kAttributeReparse, 0U);
    const auto buffer = (*link)->reparse_point();
    ASSERT_TRUE(buffer && *buffer);
    const auto meaning = wire::decode_reparse(**buffer);
    ASSERT_TRUE(meaning);
    EXPECT_EQ(meaning->target, target);
  }
  // Made in another case it is another file; removed, the link goes and not what it leads to.
  ASSERT_TRUE(backend_->create(posix, "D", true, 0));
  EXPECT_EQ(status_of(backend_->create(posix, "D", true, 0)), NtStatus::ObjectNameCollision);
  ASSERT_TRUE(backend_->rename(posix, "d/file", "d/FILE", false));
  EXPECT_EQ(locate("d/file", posix), NtStatus::ObjectNameNotFound);
  const FileKey key = (*backend_->locate(posix, "out"))->key();
  EXPECT_TRUE(backend_->remove(kRoot, "out", key, false));
  EXPECT_FALSE(std::filesystem::is_symlink(in_share("out")));
}

TEST_F(Posix, AReparsePointIsKeptAsSambaKeepsIt) {
  const auto file = made(*backend_, "f");
  const Bytes buffer = {0x0D, 0, 0, 0x90, 4, 0, 0, 0, 1, 2, 3, 4};
  if (file->set_reparse_point(kRoot, buffer).has_value() == false) {
    GTEST_SKIP() << "no user xattrs here";
  }
  EXPECT_EQ(file->facts()->reparse_tag, 0x9000000DU);
  EXPECT_NE(file->facts()->attributes & kAttributeReparse, 0U);
  EXPECT_EQ(**file->reparse_point(), buffer);
  EXPECT_TRUE(file->eas()->empty());
  EXPECT_EQ(file->facts()->ea_size_bytes, 0U);
  Bytes raw(64);
  EXPECT_EQ(::getxattr(in_share("f").c_str(), "user.SmbReparse", raw.data(), raw.size()), 12);
  ports::BasicChange change;
  change.attributes = kAttributeHidden;
  ASSERT_TRUE(file->set_basic(kRoot, change));
  EXPECT_EQ(file->facts()->attributes, kAttributeHidden | kAttributeReparse);
  ASSERT_TRUE(file->set_reparse_point(kRoot, {}));
  EXPECT_EQ(file->facts()->attributes, kAttributeHidden);
  EXPECT_FALSE(*file->reparse_point());

  const auto directory = made(*backend_, "dir", true);
  ASSERT_TRUE(directory->set_reparse_point(kRoot, buffer));
  EXPECT_EQ(locate("DIR/x"), NtStatus::StoppedOnSymlink);
  EXPECT_EQ(locate("dir/x/y"), NtStatus::StoppedOnSymlink);
  EXPECT_EQ(locate("f/x"), NtStatus::ObjectPathNotFound);
}

TEST_F(Posix, LinksThatLeaveTheShareAreAccessDeniedAndNotListed) {
  write_text(outside("secret"), "s");
  std::filesystem::create_directory(outside("other"));
  write_text(outside("other/x"), "x");
  made(*backend_, "d", true);
  std::filesystem::create_symlink("/etc/passwd", in_share("absolute"));
  std::filesystem::create_symlink("../secret", in_share("relative"));
  std::filesystem::create_symlink("../../secret", in_share("d/deep"));
  std::filesystem::create_directory_symlink(outside("other"), in_share("dir"));
  std::filesystem::create_symlink("/proc/self/root/etc/passwd", in_share("magic"));
  // Begins with the share's own path as text, and is still outside.
  std::filesystem::create_symlink(share() + "/../secret", in_share("sly"));
  std::filesystem::create_symlink(share() + "x/secret", in_share("sibling"));
  for (const char* path :
       {"absolute", "ABSOLUTE", "relative", "d/deep", "D/deep", "dir/x", "dir", "magic", "sly"}) {
    EXPECT_EQ(locate(path), NtStatus::AccessDenied) << path;
    EXPECT_NE(status_of(backend_->create(kRoot, path, false, 0)), NtStatus::Success) << path;
  }
  EXPECT_EQ(locate("sibling"), NtStatus::AccessDenied);
  EXPECT_THAT(names_in(*backend_, ""), ElementsAre("d"));
  EXPECT_THAT(names_in(*backend_, "d"), ElementsAre());
  EXPECT_EQ(status_of(backend_->create(kRoot, "dir/new", false, 0)), NtStatus::AccessDenied);
  EXPECT_EQ(status_of(backend_->rename(kRoot, "d", "dir/moved", false)), NtStatus::AccessDenied);
  EXPECT_FALSE(std::filesystem::exists(outside("other/new")));
}

TEST_F(Posix, ADirectoryWithOnlyHiddenLinksIsNotEmpty) {
  made(*backend_, "d", true);
  std::filesystem::create_symlink("/etc/passwd", in_share("d/link"));
  EXPECT_FALSE((*backend_->locate(kRoot, "d"))->empty_directory().value());
}

TEST_F(Posix, ALinkThatLeadsNowhereIsNotFoundAndCannotBeMade) {
  std::filesystem::create_symlink("missing", in_share("dangling"));
  EXPECT_EQ(locate("dangling"), NtStatus::ObjectNameNotFound);
  EXPECT_EQ(status_of(backend_->create(kRoot, "Dangling", false, 0)), NtStatus::AccessDenied);
  EXPECT_FALSE(std::filesystem::exists(in_share("missing")));
}

TEST_F(Posix, LinkLoopsEnd) {
  std::filesystem::create_symlink("b", in_share("a"));
  std::filesystem::create_symlink("a", in_share("b"));
  std::filesystem::create_symlink(in_share("self"), in_share("self"));
  EXPECT_EQ(locate("a"), NtStatus::ObjectPathNotFound);
  EXPECT_NE(locate("self"), NtStatus::Success);
}

TEST_F(Posix, RemovingALinkRemovesTheLink) {
  made(*backend_, "file");
  std::filesystem::create_symlink("file", in_share("link"));
  const auto link = *backend_->locate(kRoot, "link");
  ASSERT_TRUE(backend_->remove(kRoot, "link", link->key(), false));
  EXPECT_TRUE(std::filesystem::exists(in_share("file")));
  EXPECT_EQ(locate("link"), NtStatus::ObjectNameNotFound);
}

TEST_F(Posix, ADirectoryMovedDuringLookupsNeverLeadsOutside) {
  // share/a/b/up is "../../file". While a/b moves between the root and a deeper place, the link
  // would lead to the secret beside the share.
  write_text(outside("file"), "secret");
  write_text(in_share("file"), "public");
  std::filesystem::create_directories(in_share("a/b"));
  std::filesystem::create_symlink("../../file", in_share("a/b/up"));
  std::atomic<bool> stop{false};
  std::thread mover([&] {
    while (!stop) {
      ::rename(in_share("a/b").c_str(), in_share("b").c_str());
      ::rename(in_share("b").c_str(), in_share("a/b").c_str());
    }
  });
  int found = 0;
  for (int i = 0; i < 3000; ++i) {
    for (const char* path : {"a/b/up", "b/up"}) {
      auto file = backend_->locate(kRoot, path);
      if (!file || !(*file)->activate(kRoot, DataAccess::Read)) continue;
      Bytes into(6);
      ASSERT_EQ((*file)->read(0, into).value(), 6U);
      ASSERT_EQ(as_text(into), "public");
      ++found;
    }
  }
  stop = true;
  mover.join();
  EXPECT_GT(found, 0);
}

TEST_F(Posix, SpecialFilesAreShownAndCannotBeOpened) {
  ASSERT_EQ(::mkfifo(in_share("fifo").c_str(), 0666), 0);
  auto file = backend_->locate(kRoot, "fifo");
  ASSERT_TRUE(file);
  EXPECT_EQ((*file)->facts()->type, ports::FileType::Other);
  EXPECT_EQ((*file)->facts()->attributes, kAttributeNormal);
  EXPECT_EQ(status_of((*file)->activate(kRoot, DataAccess::Read)), NtStatus::AccessDenied);
  EXPECT_THAT(names_in(*backend_, ""), ElementsAre("fifo"));
}

TEST_F(Posix, NamesThatAreNotUtf8AreSkipped) {
  write_text(in_share("bad\xff"), "x");
  write_text(in_share("good"), "x");
  EXPECT_THAT(names_in(*backend_, ""), ElementsAre("good"));
}

TEST_F(Posix, FilesWithoutStoredAttributesAreNormal) {
  write_text(in_share("plain"), "x");
  ASSERT_EQ(::chmod(in_share("plain").c_str(), 0555), 0);
  const auto facts = (*backend_->locate(kRoot, "plain"))->facts();
  EXPECT_EQ(facts->attributes, kAttributeNormal);  // no mode bit becomes an attribute
}

TEST_F(Posix, AnEmptyFileHasNoAllocationEvenWithABlockOfXattrs) {
  const auto file = made(*backend_, "f");
  ASSERT_EQ(::setxattr(in_share("f").c_str(), "user.large", std::string(2000, 'x').data(), 2000, 0),
            0);
  struct stat st{};
  ASSERT_EQ(::stat(in_share("f").c_str(), &st), 0);
  ASSERT_EQ(file->facts()->size_bytes, 0U);
  EXPECT_EQ(file->facts()->allocation_bytes, 0U) << st.st_blocks;
}

TEST_F(Posix, SambasXattrsAreHiddenAndCannotBeSetAsEas) {
  const auto file = made(*backend_, "f");
  ASSERT_EQ(::setxattr(in_share("f").c_str(), "user.DosStream.x:$DATA", "1", 1, 0), 0);
  EXPECT_TRUE(file->eas()->empty());
  EXPECT_EQ(file->facts()->ea_size_bytes, 0U);
  EXPECT_EQ(status_of(file->set_eas(kRoot, {{"DOSATTRIB", {1}, 0}})), NtStatus::InvalidParameter);
}

TEST_F(Posix, CreationStoresDosAttribVersionFive) {
  made(*backend_, "f");
  std::array<std::uint8_t, 64> blob{};
  ASSERT_EQ(::getxattr(in_share("f").c_str(), kDosAttribXattr, blob.data(), blob.size()), 24);
  const auto read = decode_dos_attrib(ByteView(blob).first(24));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->attributes, kAttributeArchive);
  EXPECT_EQ(read->created, (*backend_->locate(kRoot, "f"))->facts()->created);
}

TEST_F(Posix, AStoredDirectoryBitDoesNotMakeAFileADirectory) {
  write_text(in_share("f"), "x");
  const Bytes lie = encode_dos_attrib(kAttributeDirectory | kAttributeHidden, NtTime{1});
  ASSERT_EQ(::setxattr(in_share("f").c_str(), kDosAttribXattr, lie.data(), lie.size(), 0), 0);
  EXPECT_EQ((*backend_->locate(kRoot, "f"))->facts()->attributes, kAttributeHidden);
}

TEST_F(Posix, VolumeOverrideIsTheVolumeOnEveryNode) {
  PosixOptions options;
  options.volume_override = "pool-data";
  open(options);
  const std::uint64_t first = backend_->volume_id();
  PosixOptions other;
  other.volume_override = "pool-data";
  open(other);
  EXPECT_EQ(backend_->volume_id(), first);
  other.volume_override = "else";
  open(other);
  EXPECT_NE(backend_->volume_id(), first);
}

TEST_F(Posix, AReusedInodeNumberIsAnotherFile) {
  const FileKey old = made(*backend_, "f")->key();
  ASSERT_TRUE(backend_->remove(kRoot, "f", old, false));
  const FileKey fresh = made(*backend_, "f")->key();
  if (old.generation == 0) GTEST_SKIP() << "this file system has no file handles";
  EXPECT_NE(old, fresh);
}

// Large directories: cost is counted in scans and getdents calls, not in time.

TEST_F(Posix, MissesInALargeDirectoryScanItOnce) {
  constexpr int kFiles = 100000;
  std::filesystem::create_directory(in_share("big"));
  const int dir = ::open(in_share("big").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (int i = 0; i < kFiles; ++i) {
    const std::string name = "File-" + std::to_string(i) + ".dat";
    ::close(::openat(dir, name.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
  }
  ::close(dir);
  age(in_share("big"));
  // The change time cannot be set back: until it is 20 ms old each miss has to scan again.
  do {
    ASSERT_EQ(locate("big/none"), NtStatus::ObjectNameNotFound);
  } while (backend_->statistics().directory_scans > 1 &&
           locate("big/none") == NtStatus::ObjectNameNotFound &&
           backend_->statistics().directory_scans < 3);
  const auto before = backend_->statistics();
  EXPECT_GT(before.getdents_calls, 50U);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(locate("big/missing-" + std::to_string(i)), NtStatus::ObjectNameNotFound);
    ASSERT_EQ(locate("BIG/FILE-" + std::to_string(i * 97) + ".DAT"), NtStatus::Success);
  }
  // "BIG" itself needs the root's index.
  EXPECT_LE(backend_->statistics().directory_scans, before.directory_scans + 4);

  // Our own creations keep the index instead of throwing it away.
  const auto settled = backend_->statistics();
  for (int i = 0; i < 200; ++i) made(*backend_, "big/new-" + std::to_string(i));
  EXPECT_LE(backend_->statistics().directory_scans, settled.directory_scans + 2);
  EXPECT_EQ(status_of(backend_->create(kRoot, "big/NEW-7", false, 0)),
            NtStatus::ObjectNameCollision);
}

TEST_F(Posix, ChangesByOthersAreSeen) {
  made(*backend_, "d", true);
  EXPECT_EQ(locate("d/late"), NtStatus::ObjectNameNotFound);
  write_text(in_share("d/LATE"), "x");
  EXPECT_EQ(locate("d/late"), NtStatus::Success);
  std::filesystem::remove(in_share("d/LATE"));
  EXPECT_EQ(locate("d/late"), NtStatus::ObjectNameNotFound);
  std::filesystem::rename(in_share("d"), in_share("e"));
  write_text(in_share("e/Moved"), "x");
  EXPECT_EQ(locate("E/moved"), NtStatus::Success);
}

TEST_F(Posix, OfTwoNamesThatDifferInCaseTheExactOneWinsAndElseTheSmallest) {
  write_text(in_share("Name"), "1");
  write_text(in_share("name"), "22");
  EXPECT_EQ((*backend_->locate(kRoot, "name"))->facts()->size_bytes, 2U);
  EXPECT_EQ((*backend_->locate(kRoot, "Name"))->facts()->size_bytes, 1U);
  EXPECT_EQ((*backend_->locate(kRoot, "NAME"))->located_path(), "Name");
}

TEST_F(Posix, CreatingOneNameInTwoCasesAtOnceMakesOneFile) {
  for (int round = 0; round < 200; ++round) {
    const std::string lower = "race" + std::to_string(round);
    const std::string upper = "RACE" + std::to_string(round);
    std::atomic<int> successes{0};
    std::thread other([&] {
      if (backend_->create(kRoot, upper, false, 0)) ++successes;
    });
    if (backend_->create(kRoot, lower, false, 0)) ++successes;
    other.join();
    ASSERT_EQ(successes, 1) << round;
  }
}

TEST_F(Posix, DeepMissingPathsEndQuickly) {
  std::string path = "x";
  while (path.size() < 4000) path += "/x";
  EXPECT_EQ(locate(path), NtStatus::ObjectPathNotFound);
}

// Users.

TEST_F(Posix, StreamsAreSambasXattrsWithATrailingNul) {
  const auto file = *backend_->create(kRoot, "f", false, 0);
  auto stream = file->open_stream(kRoot, "Zone.Identifier", true);
  ASSERT_TRUE(stream) << name_of(stream.error());
  EXPECT_NE((*stream)->key(), file->key());
  EXPECT_EQ((*stream)->base_key(), file->key());
  EXPECT_EQ((*stream)->located_path(), "f:Zone.Identifier");
  ASSERT_TRUE((*stream)->activate(kRoot, DataAccess::ReadWrite));
  ASSERT_TRUE((*stream)->write(2, as_bytes("abc"), false));
  std::array<char, 64> raw{};
  ASSERT_EQ(::getxattr(in_share("f").c_str(), "user.DosStream.Zone.Identifier:$DATA", raw.data(),
                       raw.size()),
            6);
  EXPECT_EQ(std::string_view(raw.data(), 6), std::string_view("\0\0abc\0", 6));
  EXPECT_EQ((*stream)->facts()->size_bytes, 5U);
  const auto all = file->streams();
  ASSERT_EQ(all->size(), 1U);
  EXPECT_EQ(all->front().name, "Zone.Identifier");
  EXPECT_TRUE(file->eas()->empty()) << "a stream is no EA";

  const auto again = file->open_stream(kRoot, "ZONE.identifier", false);
  ASSERT_TRUE(again) << "without case";
  EXPECT_EQ((*again)->key(), (*stream)->key());
  EXPECT_EQ(status_of(file->open_stream(kRoot, "zone.IDENTIFIER", true)),
            NtStatus::ObjectNameCollision);
  EXPECT_EQ(status_of(file->open_stream(kRoot, "none", false)), NtStatus::ObjectNameNotFound);
  EXPECT_EQ((*stream)->write(65535, as_bytes("x"), false).error(), NtStatus::DiskFull);

  ASSERT_TRUE((*stream)->rename_stream(kRoot, "other", false));
  EXPECT_EQ(file->streams()->front().name, "other");
  EXPECT_EQ(backend_->remove(kRoot, "f:other", file->key(), false).error(),
            NtStatus::ObjectNameNotFound)
      << "not that stream";
  const auto other = file->open_stream(kRoot, "other", false);
  ASSERT_TRUE(backend_->remove(kRoot, "f:other", (*other)->key(), false));
  EXPECT_TRUE(file->streams()->empty());
}

TEST_F(Posix, ADescriptorComesBackAsItWasStored) {
  const auto file = *backend_->create(kRoot, "f", false, 0);
  EXPECT_FALSE(file->stored_security()->has_value());
  Bytes descriptor(20);
  descriptor[0] = 1;
  store_le<std::uint16_t>(&descriptor[2], 0x8000);
  store_le<std::uint32_t>(&descriptor[4], 20);
  for (const int byte : {1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0}) {
    descriptor.push_back(static_cast<std::uint8_t>(byte));
  }
  ASSERT_TRUE(file->store_security(descriptor));
  const auto stored = file->stored_security();
  ASSERT_TRUE(stored && *stored);
  EXPECT_EQ(**stored, descriptor);
}

TEST_F(Posix, ZeroedRangesOfASparseFileAreNotAllocated) {
  const auto file = *backend_->create(kRoot, "f", false, 0);
  ASSERT_TRUE(file->set_sparse(kRoot, true));
  EXPECT_TRUE(file->facts()->attributes & 0x200U);
  const std::string data(256 * 1024, 'x');
  ASSERT_TRUE(file->write(0, as_bytes(data), false));
  ASSERT_TRUE(file->zero({64 * 1024, 64 * 1024}, true));
  const auto ranges = file->allocated_ranges({0, 1 << 20});
  ASSERT_TRUE(ranges);
  EXPECT_THAT(*ranges, ElementsAre(ports::DataRange{0, 65536}, ports::DataRange{131072, 131072}));
  EXPECT_EQ(file->facts()->size_bytes, data.size());
  ASSERT_TRUE(file->set_sparse(kRoot, false));
  EXPECT_FALSE(file->facts()->attributes & 0x200U);
}

TEST_F(Posix, AFileIsFoundByItsShortNameAndMadeAgainByIt) {
  const std::string name = "A rather long name.text";
  const std::string short_name = ports::short_name_of(name);
  ASSERT_TRUE(backend_->create(kRoot, name, false, 0));
  const auto found = backend_->locate(kRoot, short_name);
  ASSERT_TRUE(found);
  EXPECT_EQ((*found)->located_path(), name);
  EXPECT_EQ(status_of(backend_->create(kRoot, short_name, false, 0)),
            NtStatus::ObjectNameCollision);
  ASSERT_TRUE(backend_->remove(kRoot, short_name, (*found)->key(), false));
  EXPECT_EQ(locate(name), NtStatus::ObjectNameNotFound);
  const auto again = backend_->create(kRoot, short_name, false, 0);
  ASSERT_TRUE(again);
  EXPECT_EQ((*again)->located_path(), name) << "[MS-FSA] tunneling";
}

TEST_F(Posix, AReparsePointHasTheTypeThatItStandsFor) {
  const auto file = made(*backend_, "pipe", false);
  // IO_REPARSE_TAG_NFS, InodeType FIFO, written out in full.
  const Bytes fifo = {0x14, 0, 0, 0x80, 8, 0, 0, 0, 'F', 'I', 'F', 'O', 0, 0, 0, 0};
  ASSERT_TRUE(file->set_reparse_point(kRoot, fifo));
  EXPECT_TRUE(S_ISFIFO(file->facts()->mode));
  ASSERT_TRUE(file->set_reparse_point(kRoot, {}));
  EXPECT_TRUE(S_ISREG(file->facts()->mode));
}

}  // namespace
}  // namespace flotilla::vfs

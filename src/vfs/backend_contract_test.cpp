// The contract of ports::Backend, run against every backend that claims it.
#include <gmock/gmock.h>

#include "vfs/faulty/faulty_backend.hpp"
#include "vfs/mem/mem_backend.hpp"
#include "vfs/posix/posix_backend.hpp"
#include "vfs/samba_xattr.hpp"
#include "vfs/test_support.hpp"

namespace flotilla::vfs {
namespace {

using namespace testing;  // NOLINT: the room's own
using ports::DataAccess;
using ::testing::ElementsAre;

class BackendContract : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string kind = GetParam();
    if (kind == "mem") {
      backend_ = make_mem_backend();
    } else if (kind == "faulty") {
      backend_ = make_faulty_backend(make_mem_backend(), std::make_shared<FaultPlan>());
    } else {
      PosixOptions options;
      options.path = directory_.path();
      auto opened = open_posix_backend(std::move(options));
      ASSERT_TRUE(opened) << opened.error();
      backend_ = std::move(*opened);
    }
  }
  ports::Backend& backend() { return *backend_; }
  std::unique_ptr<ports::BackendFile> at(std::string_view path) {
    auto file = backend().locate(kRoot, path);
    EXPECT_TRUE(file) << path << ": " << name_of(status_of(file));
    return file ? std::move(*file) : nullptr;
  }

 private:
  TemporaryDirectory directory_;
  std::unique_ptr<ports::Backend> backend_;
};

TEST_P(BackendContract, RootIsAnEmptyPathAndADirectory) {
  const auto facts = at("")->facts();
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->type, ports::FileType::Directory);
  EXPECT_NE(facts->attributes & kAttributeDirectory, 0U);
  EXPECT_EQ(facts->key.volume, backend().volume_id());
}

TEST_P(BackendContract, NameIsFoundInAnyCaseAndShownAsStored) {
  made(backend(), "Dir", true);
  const FileKey key = made(backend(), "Dir/ReadMe.TXT")->key();
  const auto file = at("dIR/readme.txt");
  EXPECT_EQ(file->key(), key);
  EXPECT_EQ(file->located_path(), "Dir/ReadMe.TXT");
}

TEST_P(BackendContract, SimpleFoldingMatchesGreekSigmaButNotSharpSOrDotlessI) {
  made(backend(), "ΣΊΣΥΦΟΣ");
  made(backend(), "straße");
  made(backend(), "ısı");
  EXPECT_TRUE(backend().locate(kRoot, "σίσυφος"));
  EXPECT_EQ(status_of(backend().locate(kRoot, "STRASSE")), NtStatus::ObjectNameNotFound);
  EXPECT_EQ(status_of(backend().locate(kRoot, "ISI")), NtStatus::ObjectNameNotFound);
  EXPECT_TRUE(backend().locate(kRoot, "STRAßE"));
}

TEST_P(BackendContract, MissingLastNameIsObjectNameNotFoundAndMissingParentObjectPathNotFound) {
  made(backend(), "file");
  EXPECT_EQ(status_of(backend().locate(kRoot, "none")), NtStatus::ObjectNameNotFound);
  EXPECT_EQ(status_of(backend().locate(kRoot, "none/x")), NtStatus::ObjectPathNotFound);
  EXPECT_EQ(status_of(backend().locate(kRoot, "none/x/y")), NtStatus::ObjectPathNotFound);
  EXPECT_EQ(status_of(backend().locate(kRoot, "file/x")), NtStatus::ObjectPathNotFound);
}

TEST_P(BackendContract, PathsThatClimbOrAreNoPathsAreRefused) {
  for (const char* bad : {"..", "../x", "a/../b", "a/..", ".", "/a", "a/", "a//b"}) {
    EXPECT_EQ(status_of(backend().locate(kRoot, bad)), NtStatus::ObjectPathSyntaxBad) << bad;
    EXPECT_EQ(status_of(backend().create(kRoot, bad, false, 0)), NtStatus::ObjectPathSyntaxBad);
    EXPECT_EQ(status_of(backend().rename(kRoot, "x", bad, false)), NtStatus::ObjectPathSyntaxBad);
    EXPECT_EQ(status_of(backend().link(kRoot, "x", bad, false)), NtStatus::ObjectPathSyntaxBad);
    EXPECT_EQ(status_of(backend().remove(kRoot, bad, FileKey{}, false)),
              NtStatus::ObjectPathSyntaxBad);
  }
  EXPECT_EQ(status_of(backend().locate(kRoot, std::string(300, 'n'))), NtStatus::ObjectNameInvalid);
  EXPECT_EQ(status_of(backend().locate(kRoot, "\xff")), NtStatus::ObjectNameInvalid);
  EXPECT_EQ(status_of(backend().locate(kRoot, std::string_view("a\0b", 3))),
            NtStatus::ObjectNameInvalid);
}

TEST_P(BackendContract, CreatingANameThatExistsInOtherCaseIsObjectNameCollision) {
  made(backend(), "foo");
  EXPECT_EQ(status_of(backend().create(kRoot, "FOO", false, 0)), NtStatus::ObjectNameCollision);
  EXPECT_EQ(status_of(backend().create(kRoot, "Foo", true, 0)), NtStatus::ObjectNameCollision);
  EXPECT_EQ(status_of(backend().create(kRoot, "", true, 0)), NtStatus::ObjectNameCollision);
  EXPECT_THAT(names_in(backend(), ""), ElementsAre("foo"));
}

TEST_P(BackendContract, NewFileIsArchiveEmptyAndReadyForDataWithoutAllocation) {
  const auto file = made(backend(), "new");
  const auto facts = file->facts();
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->attributes, kAttributeArchive);
  EXPECT_EQ(facts->size_bytes, 0U);
  EXPECT_EQ(facts->allocation_bytes, 0U);
  EXPECT_EQ(facts->links, 1U);
  EXPECT_GT(facts->created.ticks, kUnixEpochTicks);
  EXPECT_TRUE(file->activate(kRoot, DataAccess::ReadWrite));
}

TEST_P(BackendContract, AttributesGivenAtCreationAreKept) {
  ASSERT_TRUE(backend().create(kRoot, "hidden", false, kAttributeHidden | kAttributeReadonly));
  EXPECT_EQ(at("hidden")->facts()->attributes,
            kAttributeHidden | kAttributeReadonly | kAttributeArchive);
  ASSERT_TRUE(backend().create(kRoot, "dir", true, kAttributeHidden));
  EXPECT_EQ(at("dir")->facts()->attributes, kAttributeHidden | kAttributeDirectory);
}

TEST_P(BackendContract, BasicChangeSetsTimesAndAttributesAndLeavesZeroes) {
  made(backend(), "f");
  const NtTime created = nt_time_of(1000000000, 100);
  const NtTime written = nt_time_of(1500000000, 1234500);
  const auto before = at("f")->facts();
  ASSERT_TRUE(at("f")->set_basic(kRoot, {created, {}, written, {}, kAttributeSystem}));
  const auto after = at("f")->facts();
  EXPECT_EQ(after->created, created);
  EXPECT_EQ(after->written, written);
  EXPECT_EQ(after->accessed, before->accessed);
  EXPECT_EQ(after->attributes, kAttributeSystem);
  ASSERT_TRUE(at("f")->set_basic(kRoot, {{}, {}, {}, {}, kAttributeNormal}));
  EXPECT_EQ(at("f")->facts()->attributes, kAttributeNormal);
  EXPECT_EQ(at("f")->facts()->created, created);
}

TEST_P(BackendContract, AChangeTimeThatWasSetIsShown) {
  made(backend(), "f");
  const NtTime changed = nt_time_of(1400000000, 1234500);
  const NtTime written = nt_time_of(1500000000, 0);
  ASSERT_TRUE(at("f")->set_basic(kRoot, {{}, {}, written, changed, kAttributeSystem}));
  EXPECT_EQ(at("f")->facts()->changed, changed);
  EXPECT_EQ(at("f")->facts()->written, written);
  EXPECT_EQ(at("f")->facts()->attributes, kAttributeSystem);
}

TEST_P(BackendContract, DotFilesAreShownHidden) {
  made(backend(), ".profile");
  EXPECT_EQ(at(".profile")->facts()->attributes, kAttributeHidden | kAttributeArchive);
}

TEST_P(BackendContract, WritesAreReadBackAndReadsEndAtTheEnd) {
  const auto file = made(backend(), "data");
  ASSERT_TRUE(file->write(3, as_bytes("hello"), false));
  ASSERT_TRUE(file->write(8, as_bytes("!"), true));
  ASSERT_TRUE(file->flush());
  Bytes into(64, 0xEE);
  EXPECT_EQ(file->read(0, into).value(), 9U);
  EXPECT_EQ(as_text(ByteView(into).first(9)), std::string_view("\0\0\0hello!", 9));
  EXPECT_EQ(file->read(9, into).value(), 0U);
  EXPECT_EQ(file->read(~std::uint64_t{0}, into).value(), 0U);
  EXPECT_EQ(file->facts()->size_bytes, 9U);
  EXPECT_GT(file->facts()->allocation_bytes, 0U);
}

TEST_P(BackendContract, TryReadGivesTheSameBytesOrNothing) {
  const auto file = made(backend(), "data");
  ASSERT_TRUE(file->write(0, as_bytes("cached"), false));
  Bytes into(16);
  const auto got = file->try_read(0, into);
  ASSERT_TRUE(got);
  if (*got) {
    EXPECT_EQ(**got, 6U);
    EXPECT_EQ(as_text(ByteView(into).first(6)), "cached");
  }
}

TEST_P(BackendContract, DataWithoutActivationIsRefused) {
  made(backend(), "data");
  const auto file = at("data");
  Bytes into(1);
  EXPECT_EQ(status_of(file->read(0, into)), NtStatus::InvalidDeviceRequest);
  EXPECT_EQ(status_of(file->write(0, as_bytes("x"), false)), NtStatus::InvalidDeviceRequest);
  EXPECT_EQ(status_of(file->set_size(1)), NtStatus::AccessDenied);
  ASSERT_TRUE(file->activate(kRoot, DataAccess::ReadWrite));
  EXPECT_TRUE(file->write(0, as_bytes("x"), false));
}

TEST_P(BackendContract, SizeGrowsWithZerosAndShrinks) {
  const auto file = made(backend(), "f");
  ASSERT_TRUE(file->set_size(100));
  EXPECT_EQ(file->facts()->size_bytes, 100U);
  ASSERT_TRUE(file->set_size(2));
  EXPECT_EQ(file->facts()->size_bytes, 2U);
  EXPECT_EQ(status_of(file->set_size(~std::uint64_t{0})), NtStatus::InvalidParameter);
}

TEST_P(BackendContract, AllocationReservesWithoutChangingTheSizeAndASmallerOneTruncates) {
  const auto file = made(backend(), "f");
  ASSERT_TRUE(file->write(0, as_bytes("0123456789"), false));
  ASSERT_TRUE(file->set_allocation(1 << 20));
  EXPECT_EQ(file->facts()->size_bytes, 10U);
  EXPECT_GE(file->facts()->allocation_bytes, 1U << 20);
  ASSERT_TRUE(file->set_allocation(4));
  EXPECT_EQ(file->facts()->size_bytes, 4U);
}

TEST_P(BackendContract, ListingGivesDotsFirstThenEveryNameOnceWithFacts) {
  made(backend(), "d", true);
  made(backend(), "d/a");
  made(backend(), "d/B", true);
  auto cursor = at("d")->list(kRoot);
  ASSERT_TRUE(cursor);
  EXPECT_EQ((*cursor)->next().value()->name, ".");
  EXPECT_EQ((*cursor)->next().value()->name, "..");
  std::vector<std::string> names;
  while (true) {
    auto entry = (*cursor)->next();
    ASSERT_TRUE(entry);
    if (!*entry) break;
    names.push_back((*entry)->name);
    EXPECT_EQ((*entry)->facts.key, at("d/" + (*entry)->name)->key());
    EXPECT_EQ((*entry)->facts.attributes, at("d/" + (*entry)->name)->facts()->attributes);
  }
  std::sort(names.begin(), names.end());
  EXPECT_THAT(names, ElementsAre("B", "a"));
  EXPECT_FALSE(*(*cursor)->next());  // the end stays the end
  ASSERT_TRUE((*cursor)->rewind());
  EXPECT_EQ((*cursor)->next().value()->name, ".");
}

TEST_P(BackendContract, UnreadGivesTheSameEntryAgain) {
  made(backend(), "x");
  auto cursor = at("")->list(kRoot);
  ASSERT_TRUE(cursor);
  (void)(*cursor)->next();
  (void)(*cursor)->next();
  EXPECT_EQ((*cursor)->next().value()->name, "x");
  (*cursor)->unread();
  EXPECT_EQ((*cursor)->next().value()->name, "x");
  EXPECT_FALSE(*(*cursor)->next());
}

TEST_P(BackendContract, ListingAFileIsNotADirectory) {
  made(backend(), "f");
  EXPECT_EQ(status_of(at("f")->list(kRoot)), NtStatus::NotADirectory);
  EXPECT_EQ(status_of(at("f")->empty_directory()), NtStatus::NotADirectory);
}

TEST_P(BackendContract, RemoveTakesTheNameInAnyCaseAndTheHeldFileLives) {
  const auto file = made(backend(), "Gone");
  ASSERT_TRUE(file->write(0, as_bytes("still"), false));
  ASSERT_TRUE(backend().remove(kRoot, "gONE", file->key(), false));
  EXPECT_EQ(status_of(backend().locate(kRoot, "Gone")), NtStatus::ObjectNameNotFound);
  Bytes into(5);
  EXPECT_EQ(file->read(0, into).value(), 5U);
}

TEST_P(BackendContract, RemoveOfANameThatIsAnotherFileByNowIsObjectNameNotFound) {
  const FileKey old = made(backend(), "f")->key();
  ASSERT_TRUE(backend().remove(kRoot, "f", old, false));
  const auto fresh = made(backend(), "f");
  EXPECT_EQ(status_of(backend().remove(kRoot, "f", old, false)), NtStatus::ObjectNameNotFound);
  EXPECT_TRUE(backend().locate(kRoot, "f"));
}

TEST_P(BackendContract, RemoveOfAFilledDirectoryIsDirectoryNotEmpty) {
  const FileKey key = made(backend(), "d", true)->key();
  const FileKey inner = made(backend(), "d/x")->key();
  EXPECT_FALSE(at("d")->empty_directory().value());
  EXPECT_EQ(status_of(backend().remove(kRoot, "d", key, true)), NtStatus::DirectoryNotEmpty);
  ASSERT_TRUE(backend().remove(kRoot, "d/x", inner, false));
  EXPECT_TRUE(at("d")->empty_directory().value());
  EXPECT_TRUE(backend().remove(kRoot, "d", key, true));
}

TEST_P(BackendContract, RenameMovesAndAChangeOfCaseOnlyIsARename) {
  made(backend(), "d", true);
  const FileKey key = made(backend(), "old")->key();
  ASSERT_TRUE(backend().rename(kRoot, "OLD", "D/new", false));
  EXPECT_EQ(at("d/new")->key(), key);
  EXPECT_EQ(status_of(backend().locate(kRoot, "old")), NtStatus::ObjectNameNotFound);
  ASSERT_TRUE(backend().rename(kRoot, "d/new", "d/NEW", false));
  EXPECT_THAT(names_in(backend(), "d"), ElementsAre("NEW"));
  EXPECT_EQ(at("d/new")->located_path(), "d/NEW");
  EXPECT_EQ(status_of(backend().rename(kRoot, "none", "x", false)), NtStatus::ObjectNameNotFound);
  EXPECT_EQ(status_of(backend().rename(kRoot, "d/new", "none/x", false)),
            NtStatus::ObjectPathNotFound);
}

TEST_P(BackendContract, RenameOntoAnExistingNameNeedsReplaceAndTakesTheWantedCase) {
  const FileKey key = made(backend(), "a")->key();
  made(backend(), "Target");
  EXPECT_EQ(status_of(backend().rename(kRoot, "a", "TARGET", false)),
            NtStatus::ObjectNameCollision);
  ASSERT_TRUE(backend().rename(kRoot, "a", "TARGET", true));
  EXPECT_THAT(names_in(backend(), ""), ElementsAre("TARGET"));
  EXPECT_EQ(at("target")->key(), key);
}

TEST_P(BackendContract, DirectoriesAreNeverReplacedAndNeverMovedIntoThemselves) {
  made(backend(), "d", true);
  made(backend(), "e", true);
  made(backend(), "f");
  EXPECT_EQ(status_of(backend().rename(kRoot, "f", "d", true)), NtStatus::AccessDenied);
  EXPECT_EQ(status_of(backend().rename(kRoot, "d", "e", true)), NtStatus::AccessDenied);
  EXPECT_EQ(status_of(backend().rename(kRoot, "d", "D/inner", false)), NtStatus::AccessDenied);
  EXPECT_EQ(status_of(backend().rename(kRoot, "", "x", false)), NtStatus::AccessDenied);
}

TEST_P(BackendContract, LinkGivesASecondNameOfTheSameFile) {
  const auto file = made(backend(), "one");
  ASSERT_TRUE(backend().link(kRoot, "ONE", "two", false));
  EXPECT_EQ(at("two")->key(), file->key());
  EXPECT_EQ(file->facts()->links, 2U);
  made(backend(), "three");
  EXPECT_EQ(status_of(backend().link(kRoot, "one", "THREE", false)), NtStatus::ObjectNameCollision);
  ASSERT_TRUE(backend().link(kRoot, "one", "three", true));
  EXPECT_EQ(at("three")->key(), file->key());
  EXPECT_EQ(file->facts()->links, 3U);
  made(backend(), "d", true);
  EXPECT_EQ(status_of(backend().link(kRoot, "d", "e", false)), NtStatus::FileIsADirectory);
}

TEST_P(BackendContract, ExtendedAttributesComeBackAndAnEmptyValueRemoves) {
  const auto file = made(backend(), "f");
  EXPECT_EQ(file->facts()->ea_size_bytes, 0U);
  ASSERT_TRUE(file->set_eas(kRoot, {{"Author", {1, 2, 3}, 0}, {"b", {4}, 0}}));
  ASSERT_TRUE(file->set_eas(kRoot, {{"AUTHOR", {9}, 0}}));
  auto eas = file->eas();
  ASSERT_TRUE(eas);
  ASSERT_EQ(eas->size(), 2U);
  std::sort(eas->begin(), eas->end(), [](auto& a, auto& b) { return a.name < b.name; });
  EXPECT_EQ((*eas)[0].name, "Author");
  EXPECT_EQ((*eas)[0].value, (Bytes{9}));
  EXPECT_EQ(file->facts()->ea_size_bytes, 4U + (5 + 6 + 1) + (5 + 1 + 1));
  ASSERT_TRUE(file->set_eas(kRoot, {{"Author", {}, 0}, {"never", {}, 0}}));
  EXPECT_EQ(file->eas()->size(), 1U);
  EXPECT_EQ(status_of(file->set_eas(kRoot, {{"", {1}, 0}})), NtStatus::InvalidParameter);
}

TEST_P(BackendContract, KeysDifferBetweenFilesAndStayWithTheFile) {
  const FileKey a = made(backend(), "a")->key();
  const FileKey b = made(backend(), "b")->key();
  EXPECT_NE(a, b);
  ASSERT_TRUE(backend().rename(kRoot, "a", "c", false));
  EXPECT_EQ(at("c")->key(), a);
  EXPECT_EQ(at("c")->facts()->key, a);
}

TEST_P(BackendContract, VolumeHasSpaceAndRootMayDoAll) {
  const auto volume = backend().volume();
  ASSERT_TRUE(volume);
  EXPECT_GT(volume->total_bytes, 0U);
  EXPECT_LE(volume->available_bytes, volume->total_bytes);
  EXPECT_GT(volume->block_bytes, 0U);
  made(backend(), "f");
  const auto file = at("f");
  const auto granted = backend().granted_access(kRoot, *file);
  ASSERT_TRUE(granted);
  EXPECT_EQ(*granted & 0x00130097U, 0x00130097U);
  EXPECT_FALSE(file->stored_security().value());
}

INSTANTIATE_TEST_SUITE_P(Backends, BackendContract, ::testing::Values("posix", "mem", "faulty"),
                         [](const auto& param_info) { return std::string(param_info.param); });

}  // namespace
}  // namespace flotilla::vfs

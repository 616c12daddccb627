#include "handlers/open_files.hpp"

#include <gtest/gtest.h>

namespace flotilla::handlers {
namespace {

const int kShareA = 0;
const int kShareB = 0;

TEST(OpenFiles, OpensOfOneFileShareItsNameAndItsDeletePending) {
  OpenFiles files;
  const auto one = files.hold({1, 2, 3}, &kShareA, "dir/file");
  const auto two = files.hold({1, 2, 3}, &kShareA, "dir/file");
  EXPECT_EQ(one, two);
  files.renamed(*one, "dir/other");
  EXPECT_EQ(two->path(), "dir/other");
}

TEST(OpenFiles, BelowSeesChildrenOfThisShareOnly) {
  OpenFiles files;
  const auto directory = files.hold({1, 1, 0}, &kShareA, "dir");
  const auto sibling = files.hold({1, 2, 0}, &kShareA, "dir.x");
  const auto other_share = files.hold({1, 3, 0}, &kShareB, "dir/file");
  EXPECT_TRUE(files.below(&kShareA, "dir", 9).empty());
  auto child = files.hold({1, 4, 0}, &kShareA, "dir/sub/file");
  EXPECT_EQ(files.below(&kShareA, "dir", 9).size(), 1U);
  EXPECT_EQ(files.below(&kShareA, "dir/sub", 9).size(), 1U);
  EXPECT_TRUE(files.below(&kShareA, "dir/sub/file", 9).empty());
  child.reset();
  EXPECT_TRUE(files.below(&kShareA, "dir", 9).empty());
}

TEST(OpenFiles, TheRootHasEverythingBelowIt) {
  OpenFiles files;
  const auto root = files.hold({1, 1, 0}, &kShareA, "");
  EXPECT_TRUE(files.below(&kShareA, "", 9).empty());
  const auto file = files.hold({1, 2, 0}, &kShareA, "x");
  EXPECT_EQ(files.below(&kShareA, "", 9).size(), 1U);
}

TEST(OpenFiles, ARenameElsewhereIsSeenByTheOpensHere) {
  OpenFiles files;
  const auto file = files.hold({1, 2, 0}, &kShareA, "a/x");
  files.renamed_elsewhere({1, 2, 0}, "b/y");
  files.renamed_elsewhere({1, 9, 0}, "b/z");
  EXPECT_EQ(file->path(), "b/y");
  EXPECT_TRUE(files.below(&kShareA, "a", 9).empty());
  EXPECT_EQ(files.below(&kShareA, "b", 9), std::vector<FileKey>(1, FileKey{1, 2, 0}));
}

TEST(OpenFiles, ADeletionElsewhereIsSeenByTheOpensHere) {
  OpenFiles files;
  const auto file = files.hold({1, 2, 0}, &kShareA, "x");
  files.delete_pending_elsewhere({1, 2, 0}, true);
  files.delete_pending_elsewhere({1, 9, 0}, true);
  EXPECT_TRUE(file->delete_pending);
  files.delete_pending_elsewhere({1, 2, 0}, false);
  EXPECT_FALSE(file->delete_pending);
}

TEST(OpenFiles, AFileThatIsOpenedAgainStartsAnew) {
  OpenFiles files;
  {
    const auto gone = files.hold({1, 2, 3}, &kShareA, "old");
    gone->delete_pending = true;
  }
  const auto anew = files.hold({1, 2, 3}, &kShareA, "new");
  EXPECT_EQ(anew->path(), "new");
  EXPECT_FALSE(anew->delete_pending);
}

}  // namespace
}  // namespace flotilla::handlers

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

TEST(OpenFiles, AnyBelowSeesChildrenOfThisShareOnly) {
  OpenFiles files;
  const auto directory = files.hold({1, 1, 0}, &kShareA, "dir");
  const auto sibling = files.hold({1, 2, 0}, &kShareA, "dir.x");
  const auto other_share = files.hold({1, 3, 0}, &kShareB, "dir/file");
  EXPECT_FALSE(files.any_below(&kShareA, "dir"));
  auto child = files.hold({1, 4, 0}, &kShareA, "dir/sub/file");
  EXPECT_TRUE(files.any_below(&kShareA, "dir"));
  EXPECT_TRUE(files.any_below(&kShareA, "dir/sub"));
  EXPECT_FALSE(files.any_below(&kShareA, "dir/sub/file"));
  child.reset();
  EXPECT_FALSE(files.any_below(&kShareA, "dir"));
}

TEST(OpenFiles, TheRootHasEverythingBelowIt) {
  OpenFiles files;
  const auto root = files.hold({1, 1, 0}, &kShareA, "");
  EXPECT_FALSE(files.any_below(&kShareA, ""));
  const auto file = files.hold({1, 2, 0}, &kShareA, "x");
  EXPECT_TRUE(files.any_below(&kShareA, ""));
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

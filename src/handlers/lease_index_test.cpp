#include "handlers/lease_index.hpp"

#include <gtest/gtest.h>

namespace flotilla::handlers {
namespace {

TEST(LeaseIndex, AKeyThatNamesTwoFilesIsSpoiledUntilItsLastOpenGoes) {
  LeaseIndex index;
  ClientGuid client;
  client.bytes[0] = 1;
  LeaseKey key;
  key.bytes[0] = 2;
  const FileKey first{1, 1, 0};
  ASSERT_TRUE(index.claim(client, key, first, OpenId{1}, nullptr));
  EXPECT_FALSE(index.claim(client, key, {1, 2, 0}, OpenId{2}, nullptr));
  EXPECT_FALSE(index.is_spoiled(client, key));
  EXPECT_EQ(index.spoil(client, key), first);
  EXPECT_EQ(index.spoil(client, key), std::nullopt) << "said before";
  ASSERT_TRUE(index.claim(client, key, first, OpenId{3}, nullptr));
  index.release(client, key, OpenId{1});
  EXPECT_TRUE(index.is_spoiled(client, key));
  index.release(client, key, OpenId{3});
  EXPECT_FALSE(index.is_spoiled(client, key));
  EXPECT_EQ(index.spoil(client, key), std::nullopt) << "nobody has it";
}

}  // namespace
}  // namespace flotilla::handlers

#include "handlers/share_users.hpp"

#include <gtest/gtest.h>

#include "handlers/open_state.hpp"

namespace flotilla::handlers {
namespace {

ports::Token user(std::string name, std::vector<std::uint32_t> groups = {}) {
  ports::Token token;
  token.user_name = std::move(name);
  token.uid = 1000;
  token.gid = 1000;
  token.groups = std::move(groups);
  return token;
}

TEST(ShareUsers, NamesAreComparedWithoutCaseAndDomain) {
  const Share share;
  EXPECT_TRUE(is_listed({"bob", "ANN"}, share, user("Ann")));
  EXPECT_TRUE(is_listed({"WORK\\ann"}, share, user("ann")));
  EXPECT_FALSE(is_listed({"anna", "an"}, share, user("ann")));
  EXPECT_FALSE(is_listed({}, share, user("ann")));
}

TEST(ShareUsers, AGroupIsItsMembersThatHaveAUnixIdentity) {
  Share share;
  share.gids = {{"staff", 50}, {"ann", 1000}};
  EXPECT_TRUE(is_listed({"@staff"}, share, user("ann", {4, 50})));
  EXPECT_TRUE(is_listed({"@ann"}, share, user("ann")));
  EXPECT_FALSE(is_listed({"@staff"}, share, user("ann", {4})));
  EXPECT_FALSE(is_listed({"@unknown"}, share, user("ann", {0})));
  ports::Token owner = user("ann", {50});
  owner.use_share_owner = true;
  EXPECT_FALSE(is_listed({"@staff"}, share, owner));
}

TEST(ShareUsers, InvalidUsersWinOverValidUsers) {
  Share share;
  EXPECT_TRUE(may_use(share, user("ann")));
  share.config.valid_users = {"ann", "bob"};
  share.config.invalid_users = {"bob"};
  EXPECT_TRUE(may_use(share, user("ann")));
  EXPECT_FALSE(may_use(share, user("bob")));
  EXPECT_FALSE(may_use(share, user("eve")));
  ports::Token nobody = user("ann");
  nobody.anonymous = true;
  EXPECT_FALSE(may_use(share, nobody));
}

TEST(ShareUsers, AnUnknownGroupThatIsToBeKeptOutKeepsAllOut) {
  Share share;
  share.gids["staff"] = 50;
  share.config.invalid_users = {"@staff"};
  EXPECT_TRUE(may_use(share, user("ann", {4})));
  share.config.invalid_users = {"@staff", "@stafff"};
  EXPECT_FALSE(may_use(share, user("ann", {4}))) << "who was meant cannot be told";
  share.config.invalid_users.clear();
  share.config.valid_users = {"ann", "@stafff"};
  EXPECT_TRUE(may_use(share, user("ann", {4})));
  EXPECT_FALSE(may_use(share, user("eve", {4})));
  share.config.read_list = {"@stafff"};
  EXPECT_TRUE(only_reads(share, user("ann", {4})));
  share.config.write_list = {"ann"};
  EXPECT_FALSE(only_reads(share, user("ann", {4})));
}

TEST(ShareUsers, TheWriteListWinsOverTheReadListAndReadOnly) {
  Share share;
  share.config.read_list = {"ann", "bob"};
  share.config.write_list = {"bob"};
  EXPECT_TRUE(only_reads(share, user("ann")));
  EXPECT_FALSE(only_reads(share, user("bob")));
  EXPECT_FALSE(only_reads(share, user("eve")));
  share.config.read_only = true;
  EXPECT_FALSE(only_reads(share, user("bob")));
  EXPECT_TRUE(only_reads(share, user("eve")));
}

TEST(ShareUsers, AForcedUserReplacesAndAForcedGroupIsAdded) {
  SessionCredentials own;
  own.kernel = {1000, 1000, {1000, 4}, false};
  Share share;
  share.forced_group = 50;
  EXPECT_EQ(forced_credentials(own, share).uid, 1000U);
  EXPECT_EQ(forced_credentials(own, share).gid, 50U);
  EXPECT_EQ(forced_credentials(own, share).groups, (std::vector<std::uint32_t>{1000, 4, 50}));
  Share other;
  other.forced_user = ports::Credentials{33, 33, {33}, false};
  EXPECT_EQ(forced_credentials(own, other).uid, 33U);
  EXPECT_EQ(forced_credentials(own, other).groups, (std::vector<std::uint32_t>{33}));
  own.kernel.use_share_owner = true;
  EXPECT_FALSE(forced_credentials(own, other).use_share_owner);
}

}  // namespace
}  // namespace flotilla::handlers

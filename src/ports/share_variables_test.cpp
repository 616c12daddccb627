#include "ports/share_variables.hpp"

#include <gmock/gmock.h>

namespace flotilla::ports {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

ShareVariables alice() {
  return {.user = "alice",
          .domain = "OFFICE",
          .group = "staff",
          .home = "/home/alice",
          .share = "alice",
          .qualified_owner = {},
          .dialect = "SMB3_11",
          .address = "10.1.2.3",
          .time = "20261122_201530"};
}

ShareConfig pattern(std::string path, bool homes = false) {
  ShareConfig config;
  config.name = homes ? "homes" : "data";
  config.path = std::move(path);
  config.homes = homes;
  return config;
}

TEST(ShareVariables, APathWithoutVariablesIsOneForAll) {
  EXPECT_FALSE(is_per_user(pattern("/srv/data")));
  EXPECT_TRUE(is_per_user(pattern("/srv/%U")));
  EXPECT_TRUE(is_per_user(pattern("/srv", true)));
}

TEST(ShareVariables, EveryVariableStandsForItsValueAndIsToldByTheName) {
  const auto made = share_for(pattern("/srv/%D/%G/%U/%R/%I/%t"), alice());
  ASSERT_TRUE(made) << made.error();
  EXPECT_EQ(made->path, "/srv/OFFICE/staff/alice/SMB3_11/10.1.2.3/20261122_201530");
  EXPECT_EQ(made->name, "data/OFFICE/staff/alice/SMB3_11/10.1.2.3/20261122_201530");
  EXPECT_FALSE(is_per_user(*made));
}

TEST(ShareVariables, TwoPercentSignsAreOne) {
  const auto made = share_for(pattern("/srv/100%%/%U"), alice());
  ASSERT_TRUE(made);
  EXPECT_FALSE(made->varies);
  EXPECT_TRUE(share_for(pattern("/srv/%R"), alice())->varies);
  EXPECT_EQ(made->path, "/srv/100%/alice");
  EXPECT_EQ(made->name, "data/alice");
}

TEST(ShareVariables, AHomeHasItsOwnersName) {
  ShareConfig homes = pattern("%H", true);
  homes.valid_users = {"%S", "@backup"};
  const auto made = share_for(homes, alice());
  ASSERT_TRUE(made);
  EXPECT_EQ(made->name, "alice");
  EXPECT_EQ(made->path, "/home/alice");
  EXPECT_THAT(made->valid_users, ElementsAre("alice", "@backup"));
  EXPECT_FALSE(made->homes);
}

TEST(ShareVariables, ADomainsUserIsNotTheLocalOneOfThatName) {
  ShareVariables of_domain = alice();
  of_domain.qualified_owner = "OFFICE\\alice";
  ShareConfig homes = pattern("/homes/%D/%S", true);
  homes.valid_users = {"%S"};
  const auto made = share_for(homes, of_domain);
  ASSERT_TRUE(made);
  EXPECT_EQ(made->name, "OFFICE\\alice/OFFICE");
  EXPECT_EQ(made->path, "/homes/OFFICE/alice");
  EXPECT_THAT(made->valid_users, ElementsAre("OFFICE\\alice"));
}

TEST(ShareVariables, NoNameLeadsOutOfThePath) {
  for (const char* const name : {"..", ".", "", "a/b", "../root"}) {
    ShareVariables bad = alice();
    bad.user = name;
    const auto made = share_for(pattern("/srv/%U"), bad);
    ASSERT_FALSE(made) << name;
    EXPECT_THAT(made.error(), HasSubstr("%U"));
  }
  ShareVariables nul = alice();
  nul.user = std::string("a\0b", 3);
  EXPECT_FALSE(share_for(pattern("/srv/%U"), nul));
  ShareVariables homeless = alice();
  homeless.home = "";
  EXPECT_FALSE(share_for(pattern("%H", true), homeless));
  homeless.share = "..";
  EXPECT_FALSE(share_for(pattern("/srv", true), homeless));
}

TEST(ShareVariables, AWrongPathIsToldWithWhatIsThere) {
  EXPECT_FALSE(wrong_in_path("/srv/%U/%%"));
  EXPECT_FALSE(wrong_in_path("%H/public"));
  EXPECT_THAT(*wrong_in_path("/srv/%m"), HasSubstr("%m: expected one of %U"));
  EXPECT_THAT(*wrong_in_path("/srv/%"), HasSubstr("%: expected one of"));
  EXPECT_THAT(*wrong_in_path("srv/%U"), HasSubstr("absolute"));
}

}  // namespace
}  // namespace flotilla::ports

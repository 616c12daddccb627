#include "ports/short_name.hpp"

#include <gtest/gtest.h>

namespace flotilla::ports {
namespace {

TEST(ShortName, AShortNameIsItsOwnInUpperCase_MsFscc_2_1_5_2_1) {
  EXPECT_EQ(short_name_of("readme.txt"), "README.TXT");
  EXPECT_EQ(short_name_of("a"), "A");
  EXPECT_TRUE(is_short_name("12345678.abc"));
  for (const char* const name : {"123456789", "a.b.c", "a.abcd", ".rc", "a b", "a.", "\xC3\xA4"}) {
    EXPECT_FALSE(is_short_name(name)) << name;
  }
}

TEST(ShortName, AnyOtherNameGetsOneThatIsShortAndRecognised) {
  for (const char* const name : {"a long name.text", ".profile", "archive.tar.gz",
                                 "\xC3\xA4\xC3\xB6", "no extension here"}) {
    const std::string made = short_name_of(name);
    EXPECT_TRUE(is_short_name(made)) << made;
    EXPECT_TRUE(may_be_mangled(made)) << made;
    EXPECT_EQ(made, short_name_of(name));
  }
  EXPECT_NE(short_name_of("a long name 1.txt"), short_name_of("a long name 2.txt"));
  EXPECT_TRUE(short_name_of("a long name.text").ends_with(".TEX"));
  EXPECT_FALSE(may_be_mangled("README.TXT"));
}

}  // namespace
}  // namespace flotilla::ports

#include "base/ascii.hpp"

#include <gtest/gtest.h>

namespace flotilla {
namespace {

TEST(Ascii, only_the_letters_a_to_z_are_folded) {
  EXPECT_EQ(ascii::lower("AZ@[`{az09 \xC3\x84"), "az@[`{az09 \xC3\x84");
  EXPECT_EQ(ascii::lower(u'\u0130'), u'\u0130');  // I with a dot, which Unicode would fold
}

TEST(Ascii, equality_looks_at_the_whole_text) {
  EXPECT_TRUE(ascii::equal_without_case("Homes", "hOMES"));
  EXPECT_TRUE(ascii::equal_without_case(u"IPC$", u"ipc$"));
  EXPECT_TRUE(ascii::equal_without_case("", ""));
  EXPECT_FALSE(ascii::equal_without_case("homes", "home"));
  EXPECT_FALSE(ascii::equal_without_case("home", "homes"));
  EXPECT_FALSE(ascii::equal_without_case("a@", "a`"));
  EXPECT_FALSE(ascii::equal_without_case(u"a[", u"a{"));
}

}  // namespace
}  // namespace flotilla

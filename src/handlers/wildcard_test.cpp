// Search patterns: [MS-FSA] 2.1.4.4.
#include "handlers/wildcard.hpp"

#include <gtest/gtest.h>

#include "wire/utf16.hpp"

namespace flotilla::handlers {
namespace {

struct Row {
  std::u16string_view pattern;
  std::u16string_view name;
  bool matches;
};

class Wildcards : public ::testing::TestWithParam<Row> {};

TEST_P(Wildcards, MatchAsMsFsa_2_1_4_4_Says) {
  const Row& row = GetParam();
  EXPECT_EQ(matches(row.name, row.pattern), row.matches)
      << wire::printable(row.pattern) << " on " << wire::printable(row.name);
}

INSTANTIATE_TEST_SUITE_P(
    Table, Wildcards,
    ::testing::Values(
        // no wildcards, without case
        Row{u"file.txt", u"FILE.TXT", true}, Row{u"file.txt", u"file.tx", false},
        Row{u"\u00C4rger", u"\u00E4RGER", true}, Row{u"stra\u00DFe", u"strasse", false},
        // *
        Row{u"*", u"anything", true}, Row{u"*.*", u"nodot", true}, Row{u"*.txt", u"a.txt", true},
        Row{u"*.txt", u"a.txt.bak", false}, Row{u"a*c*e", u"abcde", true},
        Row{u"a*c*e", u"abcd", false}, Row{u"*a*", u"bbb", false}, Row{u"**b**", u"aba", true},
        // ?
        Row{u"???", u"abc", true}, Row{u"???", u"ab", false}, Row{u"???", u"abcd", false},
        Row{u"?.?", u"a.b", true}, Row{u"a?", u"a", false},
        // < (DOS_STAR): everything up to the last dot
        Row{u"<", u"nodot", true}, Row{u"<.txt", u"a.b.txt", true},
        Row{u"<.txt", u"a.txt.bak", false}, Row{u"a<", u"abc", true}, Row{u"<", u"a.b", false},
        Row{u"<.", u"a.b.", true}, Row{u"<\"", u"abc", true}, Row{u"<.b", u"a.a.b", true},
        Row{u"<b", u"a.b", false},
        // > (DOS_QM): one character, or none in front of a dot or the end
        Row{u">>>.txt", u"ab.txt", true}, Row{u">>>.txt", u"abc.txt", true},
        Row{u">>>.txt", u"abcd.txt", false}, Row{u">>>", u"ab", true}, Row{u">>>", u"", false},
        Row{u"a>>b", u"ab", false}, Row{u">>.>>", u"a.b", true}, Row{u">>>", u"a.b", false},
        // " (DOS_DOT): a dot, or nothing at the end
        Row{u"file\"txt", u"file.txt", true}, Row{u"file\"", u"file", true},
        Row{u"file\"", u"file.", true}, Row{u"file\"txt", u"filetxt", false},
        Row{u"*\"*", u"nodot", true}, Row{u"<\"<", u"a.b", true}, Row{u"<\"<", u"ab", true},
        Row{u">>>>>>>>\">>>", u"short.c", true}, Row{u">>>>>>>>\">>>", u"muchtoolong.c", false},
        // nothing
        Row{u"", u"", true}, Row{u"", u"a", false}, Row{u"*", u"", false}));

TEST(WildcardCost, StarsDoNotMultiplyTheWork) {
  std::u16string pattern;
  for (int i = 0; i < 100; ++i) pattern += u"*a";
  pattern += u"b";
  EXPECT_FALSE(matches(std::u16string(255, u'a'), pattern));
}

TEST(WildcardFolding, IsOneToOneAndKeepsLoneSurrogates) {
  EXPECT_EQ(fold_case(u"A\u0130Z").size(), 3U);
  EXPECT_EQ(fold_case(std::u16string(1, char16_t{0xD800})), std::u16string(1, char16_t{0xD800}));
  EXPECT_EQ(fold_case(u"\U00010400"), u"\U00010428");
}

TEST(WildcardCharacters, AreFive) {
  for (const char16_t c : std::u16string_view(u"*?<>\"")) {
    EXPECT_TRUE(has_wildcards(std::u16string(1, c)));
  }
  EXPECT_FALSE(has_wildcards(u"plain name.txt"));
}

}  // namespace
}  // namespace flotilla::handlers

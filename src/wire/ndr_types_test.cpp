// NDR of what many interfaces share, and the PAC's logon information.
#include "wire/ndr_types.hpp"

#include <gtest/gtest.h>

#include "wire/pac.hpp"

namespace flotilla::wire {
namespace {

template <class T>
Bytes written(const T& value) {
  Bytes out;
  NdrWriter writer(out);
  writer(value);
  return out;
}

TEST(NdrTypes, AStringHasItsLengthsTwiceAndNoNul) {
  // "data" as Samba 4.17's rpcclient sends an lsa_String: 8, 8, referent, 4, 0, 4, text.
  const Bytes expected{8, 0, 8, 0, 0, 0, 2,   0, 4,   0, 0,   0, 0,   0,
                       0, 0, 4, 0, 0, 0, 'd', 0, 'a', 0, 't', 0, 'a', 0};
  EXPECT_EQ(written(NdrString(u"data")), expected);
  NdrReader reader(expected);
  EXPECT_EQ(reader.take<NdrString>().text(), u"data");
  EXPECT_TRUE(reader.ok());
}

TEST(NdrTypes, TheLargeFormHasRoomForANul) {
  const NdrString text = NdrString::large(u"ab");
  EXPECT_EQ(text.length_bytes, 4);
  EXPECT_EQ(text.maximum_bytes, 6);
  EXPECT_EQ(text.buffer->max_count, 3U);
}

struct BadStub {
  const char* what;
  Bytes bytes;
  WireFault fault;
};
TEST(NdrTypes, WildCountsAreFaultsAndReserveNothing) {
  const BadStub cases[] = {
      {"actual above maximum", {1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0}, WireFault::BadValue},
      {"an offset", {9, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0}, WireFault::BadValue},
      {"four thousand million",
       {255, 255, 255, 255, 0, 0, 0, 0, 255, 255, 255, 255},
       WireFault::CountOutOfRange},
      {"the counts cut off", {1, 0, 0, 0, 0, 0}, WireFault::Truncated},
  };
  for (const BadStub& bad : cases) {
    NdrReader reader(bad.bytes);
    const auto value = reader.take<NdrVarying<char16_t>>();
    EXPECT_FALSE(reader.ok()) << bad.what;
    EXPECT_EQ(reader.error().fault, bad.fault) << bad.what;
    EXPECT_TRUE(value.items.empty()) << bad.what;
  }
}

TEST(NdrTypes, ASidComesBackAndOneOfSixteenSubAuthoritiesIsRefused) {
  const Sid sid{5, {21, 1, 2, 3, 1000}};
  const Bytes good = written(NdrSid{sid});
  NdrReader reader(good);
  EXPECT_EQ(reader.take<NdrSid>().sid, sid);
  Bytes bad = good;
  bad[0] = 16;
  NdrReader refuses(bad);
  (void)refuses.take<NdrSid>();
  EXPECT_EQ(refuses.error().fault, WireFault::CountOutOfRange);
  bad = good;
  bad[0] = 4;  // the count in front differs from the SID's own
  NdrReader differs(bad);
  (void)differs.take<NdrSid>();
  EXPECT_EQ(differs.error().fault, WireFault::BadValue);
}

struct Pair {
  NdrUnique<NdrString> left;
  NdrUnique<NdrString> right;
  static void ndr(auto& v, auto& s) {
    v(s.left);
    v(s.right);
  }
};
TEST(NdrTypes, AReferentThatComesTwiceIsTwoPointeesNeverACycle) {
  Bytes stub = written(Pair{NdrString(u"a"), NdrString(u"b")});
  std::copy_n(stub.begin(), 4, stub.begin() + 4);  // the same referent id in both
  NdrReader reader(stub);
  const auto pair = reader.take<Pair>();
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ(pair.left->text(), u"a");
  EXPECT_EQ(pair.right->text(), u"b");
}

KerbValidationInfo example() {
  KerbValidationInfo info;
  info.effective_name = NdrString(u"alice");
  info.logon_domain_name = NdrString(u"AD");
  info.logon_domain_id = NdrSid{Sid{5, {21, 1, 2, 3}}};
  info.user_id = 1104;
  info.primary_group_id = 513;
  info.group_count = 2;
  info.group_ids = {{{513, 7}, {1105, 7}}};
  info.sid_count = 1;
  info.extra_sids = {{{NdrSid{Sid{18, {1}}}, 7}}};
  info.resource_group_domain_sid = NdrSid{Sid{5, {21, 9, 9, 9}}};
  info.resource_group_count = 1;
  info.resource_group_ids = {{{2000, 7}}};
  info.user_flags = pac_user_flags::kExtraSids | pac_user_flags::kResourceGroups;
  return info;
}

TEST(Pac, TheLogonInformationSaysWhoAndInWhichGroups) {
  const auto info = decode_pac_logon_info(encode_pac_logon_info(example()));
  ASSERT_TRUE(info) << info.error().what;
  EXPECT_EQ(info->account_name, u"alice");
  EXPECT_EQ(info->domain_name, u"AD");
  EXPECT_EQ(info->user_sid, (Sid{5, {21, 1, 2, 3, 1104}}));
  EXPECT_EQ(info->group_sids,
            (std::vector<Sid>{Sid{5, {21, 1, 2, 3, 513}}, Sid{5, {21, 1, 2, 3, 1105}}, Sid{18, {1}},
                              Sid{5, {21, 9, 9, 9, 2000}}}));
}

TEST(Pac, ExtraSidsAndResourceGroupsCountOnlyWhereTheFlagsSaySo) {
  KerbValidationInfo given = example();
  given.user_flags = 0;
  const auto info = decode_pac_logon_info(encode_pac_logon_info(given));
  ASSERT_TRUE(info);
  EXPECT_EQ(info->group_sids.size(), 2U);
}

TEST(Pac, EveryTruncationIsAnErrorAndNoDomainIsOneToo) {
  const Bytes whole = encode_pac_logon_info(example());
  for (std::size_t size = 0; size + 8 < whole.size(); ++size) {
    EXPECT_FALSE(decode_pac_logon_info(ByteView(whole).first(size))) << size;
  }
  KerbValidationInfo nowhere = example();
  nowhere.logon_domain_id.reset();
  EXPECT_FALSE(decode_pac_logon_info(encode_pac_logon_info(nowhere)));
  Bytes big_endian = whole;
  big_endian[1] = 0;
  EXPECT_EQ(decode_pac_logon_info(big_endian).error().fault, WireFault::BadValue);
}

}  // namespace
}  // namespace flotilla::wire

// SIDs, security descriptors and text.
#include <gtest/gtest.h>

#include "wire/security_descriptor.hpp"
#include "wire/testing/test_vectors.hpp"
#include "wire/utf16.hpp"

namespace flotilla::wire {
namespace {

TEST(WireSid, TextFormBothWays) {
  for (const char* text : {"S-1-0-0", "S-1-5-32-544", "S-1-5-21-1-2-3-500", "S-1-22-1-1000",
                           "S-1-0x123456789ABC-7", "S-1-5"}) {
    const auto sid = Sid::parse(text);
    ASSERT_TRUE(sid) << text;
    std::string again = sid->to_string();
    for (char& c : again) c = c >= 'a' && c <= 'f' ? static_cast<char>(c - 32) : c;
    EXPECT_EQ(again, text);
  }
  for (const char* text : {"", "S-1-", "S-2-5", "S-1-5-", "S-1-5-x", "S-1-5-4294967296", "S-1-5 ",
                           "S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15-16"}) {
    EXPECT_FALSE(Sid::parse(text)) << text;
  }
  EXPECT_EQ(well_known::kAdministrators.to_string(), "S-1-5-32-544");
  EXPECT_EQ(well_known::unix_user(1000).to_string(), "S-1-22-1-1000");
}

TEST(WireSid, DomainAndRid) {
  const Sid user = *Sid::parse("S-1-5-21-1-2-3-1104");
  EXPECT_EQ(user.rid(), 1104U);
  EXPECT_EQ(*user.domain().with_rid(1104), user);
  EXPECT_TRUE(user.is_in(user.domain()));
  EXPECT_FALSE(user.is_in(well_known::kEveryone));
}

TEST(WireSid, BytesBothWaysAndTruncated) {
  const Sid sid = well_known::kAdministrators;
  Bytes bytes;
  sid.encode(bytes);
  EXPECT_EQ(bytes, (Bytes{1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0}));
  EXPECT_EQ(*Sid::decode(bytes), sid);
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_FALSE(Sid::decode(Bytes(bytes.begin(), bytes.begin() + static_cast<long>(n))));
  }
  bytes[1] = 16;
  bytes.resize(200);
  EXPECT_EQ(Sid::decode(bytes).error().fault, WireFault::CountOutOfRange);
}

SecurityDescriptor sample() {
  SecurityDescriptor sd;
  sd.control = sd_control::kSelfRelative | sd_control::kDaclPresent | sd_control::kDaclProtected;
  sd.owner = well_known::kAdministrators;
  sd.group = well_known::kUsers;
  sd.dacl = Acl{};
  sd.dacl->aces.push_back({.type = AceType::AccessDenied, .mask = 2, .sid = well_known::kGuests});
  sd.dacl->aces.push_back({.flags = ace_flags::kContainerInherit,
                           .mask = access::kFileAllAccess,
                           .sid = well_known::kEveryone});
  Ace object{.type = AceType::AccessAllowedObject, .mask = 1, .sid = well_known::kNetwork};
  object.object_flags = 2;
  object.inherited_object_type[3] = 7;
  sd.dacl->aces.push_back(object);
  Ace unknown;
  unknown.type = static_cast<AceType>(0x42);
  unknown.application_data = {1, 2, 3, 4};
  sd.dacl->aces.push_back(unknown);
  return sd;
}

TEST(WireSecurityDescriptor, RoundTripKeepsEveryAce) {
  Bytes bytes;
  sample().encode(bytes);
  const auto got = SecurityDescriptor::decode(bytes);
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(*got, sample());
}

TEST(WireSecurityDescriptor, NullDaclDiffersFromEmptyDacl) {
  SecurityDescriptor null_dacl;
  null_dacl.control |= sd_control::kDaclPresent;
  Bytes bytes;
  null_dacl.encode(bytes);
  auto got = SecurityDescriptor::decode(bytes);
  ASSERT_TRUE(got);
  EXPECT_TRUE(got->control & sd_control::kDaclPresent);
  EXPECT_FALSE(got->dacl);
  SecurityDescriptor empty;
  empty.dacl = Acl{};
  bytes.clear();
  empty.encode(bytes);
  got = SecurityDescriptor::decode(bytes);
  ASSERT_TRUE(got);
  ASSERT_TRUE(got->dacl);
  EXPECT_TRUE(got->dacl->aces.empty());
}

TEST(WireSecurityDescriptor, HostileBytesAreRefusedOrReencodable) {
  Bytes good;
  sample().encode(good);
  for (std::size_t n = 0; n < good.size(); ++n) {
    (void)SecurityDescriptor::decode(Bytes(good.begin(), good.begin() + static_cast<long>(n)));
  }
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const int wild : {0x00, 0x01, 0x7F, 0x80, 0xFF}) {
      Bytes bytes = good;
      bytes[at] = static_cast<std::uint8_t>(wild);
      const auto got = SecurityDescriptor::decode(bytes);
      if (!got) continue;
      Bytes again;
      got->encode(again);
      EXPECT_EQ(SecurityDescriptor::decode(again).value(), *got);
    }
  }
  Bytes absolute = good;
  store_le(absolute.data() + 2, std::uint16_t{0x0004});
  EXPECT_EQ(SecurityDescriptor::decode(absolute).error().fault, WireFault::BadValue);
  Bytes into_head = good;
  store_le(into_head.data() + 4, std::uint32_t{8});
  EXPECT_EQ(SecurityDescriptor::decode(into_head).error().fault, WireFault::OffsetOutOfRange);
}

TEST(WireSecurityDescriptor, SambasDescriptorComesBackEqual) {
  const auto all = test::load_vectors("smb2_samba_4.17.txt");
  const auto v = test::find_vector(all, "QueryInfo.response.3.0");
  const auto response = decode<QueryInfoResponse>(v.bytes);
  ASSERT_TRUE(response);
  const auto sd = SecurityDescriptor::decode(response->output_buffer);
  ASSERT_TRUE(sd) << sd.error().what;
  ASSERT_TRUE(sd->owner);
  Bytes again;
  sd->encode(again);
  EXPECT_EQ(SecurityDescriptor::decode(again).value(), *sd);
  EXPECT_EQ(again.size(), response->output_buffer.size());
}

TEST(WireUtf16, BothWays) {
  const std::string utf8 = "Stra\xC3\x9F\x65 \xE2\x82\xAC \xF0\x9F\x90\xA7";
  const auto units = utf16_of(utf8);
  ASSERT_TRUE(units);
  EXPECT_EQ(*units, u"Stra\u00DFe \u20AC \U0001F427");
  EXPECT_EQ(*utf8_of(*units), utf8);
  Bytes bytes;
  append_utf16le(*units, bytes);
  EXPECT_EQ(*utf16_of_bytes(bytes), *units);
  bytes.pop_back();
  EXPECT_EQ(utf16_of_bytes(bytes).error().fault, WireFault::BadText);
}

TEST(WireUtf16, LoneSurrogatesAndInvalidUtf8AreBadText) {
  for (const std::u16string& text :
       {std::u16string{0xD800}, std::u16string{0xDC00, u'a'}, std::u16string{0xD83D, u'x'}}) {
    ASSERT_FALSE(utf8_of(text));
    EXPECT_EQ(status_of(utf8_of(text).error()), NtStatus::ObjectNameInvalid);
    EXPECT_NE(printable(text).find("\xEF\xBF\xBD"), std::string::npos);
  }
  for (const std::string_view text :
       {"\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\x80", "\xE2\x82", "\xFF", "a\xC3"}) {
    EXPECT_FALSE(utf16_of(text)) << text.size();
  }
}

}  // namespace
}  // namespace flotilla::wire

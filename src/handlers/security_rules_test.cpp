#include "handlers/security_rules.hpp"

#include <gtest/gtest.h>

#include "wire/smb2_constants.hpp"

namespace flotilla::handlers {
namespace {

namespace a = wire::access;
namespace flag = wire::ace_flags;
namespace control = wire::sd_control;
using wire::AceType;
using wire::Sid;

constexpr Sid kMe{5, {21, 1, 2, 3, 1000}};
constexpr Sid kOther{5, {21, 1, 2, 3, 1002}};
constexpr Sid kMyGroup{5, {21, 1, 2, 3, 1001}};
const SidSet kWho{{kMe, kMyGroup, wire::well_known::kEveryone}};

wire::Ace ace(AceType type, const Sid& sid, std::uint32_t mask, std::uint8_t flags = 0) {
  wire::Ace out;
  out.type = type;
  out.sid = sid;
  out.mask = mask;
  out.flags = flags;
  return out;
}

wire::SecurityDescriptor descriptor(const Sid& owner, std::vector<wire::Ace> aces) {
  wire::SecurityDescriptor out;
  out.owner = owner;
  out.group = kMyGroup;
  out.dacl.emplace().aces = std::move(aces);
  out.control |= control::kDaclPresent;
  return out;
}

TEST(SecurityRules, TheFirstAceAboutARightDecides_MsDtyp_2_5_3_2) {
  const auto deny_first =
      descriptor(kOther, {ace(AceType::AccessDenied, kMe, a::kWriteData),
                          ace(AceType::AccessAllowed, kMyGroup, a::kReadData | a::kWriteData)});
  EXPECT_EQ(rights_by(deny_first, kWho), a::kReadData);
  const auto allow_first =
      descriptor(kOther, {ace(AceType::AccessAllowed, kMyGroup, a::kReadData | a::kWriteData),
                          ace(AceType::AccessDenied, kMe, a::kWriteData)});
  EXPECT_EQ(rights_by(allow_first, kWho), a::kReadData | a::kWriteData);
}

TEST(SecurityRules, AnOwnerMayAlwaysReadAndChangeTheRightsUnlessOwnerRightsSaysElse) {
  EXPECT_EQ(rights_by(descriptor(kMe, {}), kWho), a::kReadControl | a::kWriteDac);
  EXPECT_EQ(rights_by(descriptor(kOther, {}), kWho), 0U);
  const auto limited = descriptor(
      kMe, {ace(AceType::AccessAllowed, wire::well_known::kOwnerRights, a::kReadControl)});
  EXPECT_EQ(rights_by(limited, kWho), a::kReadControl);
}

TEST(SecurityRules, NoDaclGivesEverythingAndAnEmptyOneNothing) {
  wire::SecurityDescriptor none;
  none.owner = kOther;
  EXPECT_EQ(rights_by(none, kWho), a::kFileAllAccess);
  EXPECT_EQ(rights_by(descriptor(kOther, {}), kWho), 0U);
}

TEST(SecurityRules, InheritOnlyAcesSayNothingAboutTheirOwnObject) {
  const auto only = descriptor(kOther, {ace(AceType::AccessAllowed, kMe, a::kFileAllAccess,
                                            flag::kInheritOnly | flag::kObjectInherit)});
  EXPECT_EQ(rights_by(only, kWho), 0U);
}

TEST(SecurityRules, GenericRightsInAcesAreAFilesRights) {
  const auto generic = descriptor(kOther, {ace(AceType::AccessAllowed, kMe, a::kGenericRead)});
  EXPECT_EQ(rights_by(generic, kWho), a::kFileGenericRead);
}

TEST(SecurityRules, AFileInheritsObjectAcesWithoutFlags_MsDtyp_2_5_3_4) {
  const auto parent = descriptor(
      kOther, {ace(AceType::AccessAllowed, kMe, a::kReadData, flag::kObjectInherit),
               ace(AceType::AccessAllowed, kOther, a::kWriteData, flag::kContainerInherit)});
  const auto file = inherited(parent, kMe, kMyGroup, false);
  ASSERT_TRUE(file);
  ASSERT_EQ(file->dacl->aces.size(), 1U);
  EXPECT_EQ(file->dacl->aces[0], ace(AceType::AccessAllowed, kMe, a::kReadData));
  EXPECT_EQ(file->owner, kMe);
}

TEST(SecurityRules, ADirectoryPassesObjectAcesOnWithoutMeaningItself) {
  const auto parent =
      descriptor(kOther, {ace(AceType::AccessAllowed, kMe, a::kReadData, flag::kObjectInherit),
                          ace(AceType::AccessAllowed, kMe, a::kWriteData,
                              flag::kContainerInherit | flag::kNoPropagateInherit)});
  const auto directory = inherited(parent, kMe, kMyGroup, true);
  ASSERT_TRUE(directory);
  ASSERT_EQ(directory->dacl->aces.size(), 2U);
  EXPECT_EQ(directory->dacl->aces[0].flags, flag::kObjectInherit | flag::kInheritOnly);
  EXPECT_EQ(directory->dacl->aces[1].flags, 0);
}

TEST(SecurityRules, CreatorOwnerBecomesTheCreatorAndStaysForWhatComesBelow) {
  const auto parent =
      descriptor(kOther, {ace(AceType::AccessAllowed, wire::well_known::kCreatorOwner, a::kReadData,
                              flag::kObjectInherit | flag::kContainerInherit)});
  const auto directory = inherited(parent, kMe, kMyGroup, true);
  ASSERT_TRUE(directory);
  ASSERT_EQ(directory->dacl->aces.size(), 2U);
  EXPECT_EQ(directory->dacl->aces[0].sid, kMe);
  EXPECT_EQ(directory->dacl->aces[0].flags, 0);
  EXPECT_EQ(directory->dacl->aces[1].sid, wire::well_known::kCreatorOwner);
  EXPECT_TRUE(directory->dacl->aces[1].flags & flag::kInheritOnly);
}

TEST(SecurityRules, NothingInheritableLeavesTheRightsToTheModeBits) {
  EXPECT_FALSE(inherited(descriptor(kMe, {ace(AceType::AccessAllowed, kMe, a::kReadData)}), kMe,
                         kMyGroup, true));
}

TEST(SecurityRules, InheritedAcesAreMarkedWhereTheParentIsAutoInherited) {
  auto parent =
      descriptor(kOther, {ace(AceType::AccessAllowed, kMe, a::kReadData, flag::kObjectInherit)});
  parent.control |= control::kDaclAutoInherited;
  const auto file = inherited(parent, kMe, kMyGroup, false);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->dacl->aces[0].flags, flag::kInherited);
  EXPECT_TRUE(file->control & control::kDaclAutoInherited);
}

TEST(SecurityRules, OnlyTheNamedPartsChange) {
  const auto present = descriptor(kMe, {ace(AceType::AccessAllowed, kMe, a::kReadData)});
  const auto asked = descriptor(kOther, {ace(AceType::AccessAllowed, kOther, a::kGenericAll)});
  const auto dacl = with_parts(present, asked, wire::security_information::kDacl, kWho, false);
  ASSERT_TRUE(dacl);
  EXPECT_EQ(dacl->owner, kMe);
  EXPECT_EQ(dacl->dacl->aces[0].mask, a::kFileAllAccess);
  const auto owner = with_parts(present, asked, wire::security_information::kOwner, kWho, false);
  ASSERT_FALSE(owner);
  EXPECT_EQ(owner.error(), kInvalidOwner);
  const auto given = with_parts(present, asked, wire::security_information::kOwner, kWho, true);
  ASSERT_TRUE(given);
  EXPECT_EQ(given->owner, kOther);
}

TEST(SecurityRules, AutoInheritanceNeedsBothBitsOfTheRequest_MsDtyp_2_4_6) {
  const auto present = descriptor(kMe, {});
  auto asked = present;
  asked.control |= control::kDaclAutoInherited;
  const auto half = with_parts(present, asked, wire::security_information::kDacl, kWho, false);
  EXPECT_FALSE(half->control & control::kDaclAutoInherited);
  asked.control |= control::kDaclAutoInheritReq;
  const auto both = with_parts(present, asked, wire::security_information::kDacl, kWho, false);
  EXPECT_TRUE(both->control & control::kDaclAutoInherited);
  EXPECT_FALSE(both->control & control::kDaclAutoInheritReq);
}

}  // namespace
}  // namespace flotilla::handlers

#include "handlers/security_view.hpp"

#include <gtest/gtest.h>

#include "handlers/system_rights.hpp"
#include "wire/smb2_constants.hpp"

namespace flotilla::handlers {
namespace {

const ports::IdMap kIds({1, 2, 3});

ports::FileFacts facts_of(std::uint32_t mode) {
  ports::FileFacts facts;
  facts.mode = mode;
  facts.uid = 1000;
  facts.gid = 100;
  return facts;
}

wire::SecurityDescriptor from_mode(std::uint32_t mode) {
  return security_from_rights(facts_of(mode), {ports::PosixAcl::of_mode(mode), std::nullopt}, kIds);
}

TEST(SecurityView, ModeBitsBecomeOneAceEachForOwnerGroupAndEveryone) {
  const auto descriptor = from_mode(0754);
  EXPECT_EQ(descriptor.owner, kIds.user_sid(1000));
  EXPECT_EQ(descriptor.group, kIds.group_sid(100));
  ASSERT_TRUE(descriptor.dacl);
  const auto& aces = descriptor.dacl->aces;
  ASSERT_EQ(aces.size(), 3U);
  EXPECT_EQ(aces[0].mask, wire::access::kFileAllAccess);
  EXPECT_EQ(aces[0].sid, *descriptor.owner);
  EXPECT_EQ(aces[1].mask, wire::access::kFileGenericRead | wire::access::kFileGenericExecute);
  EXPECT_EQ(aces[2].mask, wire::access::kFileGenericRead);
  EXPECT_EQ(aces[2].sid, wire::well_known::kEveryone);
}

TEST(SecurityView, NoBitsIsNoAceExceptForTheOwner) {
  const auto descriptor = from_mode(0);
  ASSERT_EQ(descriptor.dacl->aces.size(), 1U);
  EXPECT_FALSE(descriptor.dacl->aces[0].mask & wire::access::kReadData);
  EXPECT_TRUE(descriptor.dacl->aces[0].mask & wire::access::kReadControl);
}

TEST(SecurityView, OnlyWhatIsAskedForIsTold) {
  namespace info = wire::security_information;
  const auto whole = from_mode(0644);
  const auto owner = select_parts(whole, info::kOwner);
  EXPECT_TRUE(owner.owner);
  EXPECT_FALSE(owner.group);
  EXPECT_FALSE(owner.dacl);
  EXPECT_EQ(owner.control, wire::sd_control::kSelfRelative);
  const auto dacl = select_parts(whole, info::kDacl);
  EXPECT_FALSE(dacl.owner);
  EXPECT_EQ(dacl.dacl, whole.dacl);
  EXPECT_TRUE(dacl.control & wire::sd_control::kDaclPresent);
}

}  // namespace
}  // namespace flotilla::handlers

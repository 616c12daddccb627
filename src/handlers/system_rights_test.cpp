#include "handlers/system_rights.hpp"

#include <gtest/gtest.h>

#include "wire/smb2_constants.hpp"

namespace flotilla::handlers {
namespace {

namespace a = wire::access;
namespace known = wire::well_known;

const ports::IdMap kIds({1, 2, 3});
constexpr std::uint32_t kOwner = 1000, kGroup = 100, kBob = 1001, kStaff = 50;

ports::FileFacts facts_of(ports::FileType type) {
  ports::FileFacts facts;
  facts.type = type;
  facts.uid = kOwner;
  facts.gid = kGroup;
  return facts;
}

wire::Ace ace(const wire::Sid& sid, std::uint32_t mask,
              wire::AceType type = wire::AceType::AccessAllowed, std::uint8_t flags = 0) {
  wire::Ace out;
  out.type = type;
  out.flags = flags;
  out.mask = mask;
  out.sid = sid;
  return out;
}

wire::SecurityDescriptor descriptor_of(std::vector<wire::Ace> aces) {
  wire::SecurityDescriptor out;
  out.owner = kIds.user_sid(kOwner);
  out.group = kIds.group_sid(kGroup);
  out.dacl.emplace().aces = std::move(aces);
  return out;
}

ports::PosixAcl meant(std::vector<wire::Ace> aces, ports::FileType type = ports::FileType::File,
                      std::uint32_t mode = 0644) {
  return acl_meant_by(descriptor_of(std::move(aces)), kIds, facts_of(type),
                      ports::PosixAcl::of_mode(mode));
}

TEST(SystemRights, WhoIsNamedGetsAnEntryAndOthersGetWhatEveryoneDoes) {
  const auto acl = meant({ace(kIds.user_sid(kBob), a::kFileAllAccess),
                          ace(kIds.group_sid(kStaff), a::kFileGenericRead)});
  EXPECT_EQ(acl.users, (std::vector<ports::PosixAcl::Entry>{{kBob, 6}}));
  EXPECT_EQ(acl.groups, (std::vector<ports::PosixAcl::Entry>{{kStaff, 4}}));
  EXPECT_EQ(acl.mask, 6);
  EXPECT_EQ(acl.others, 0);
  EXPECT_EQ(acl.owner, 6) << "the owner keeps what it has";
}

TEST(SystemRights, WhatEveryoneMayIsInAllEntries) {
  const auto acl = meant({ace(kIds.user_sid(kBob), a::kWriteData),
                          ace(known::kAuthenticatedUsers, a::kFileGenericRead)});
  EXPECT_EQ(acl.users, (std::vector<ports::PosixAcl::Entry>{{kBob, 6}}));
  EXPECT_EQ(acl.group, 4);
  EXPECT_EQ(acl.others, 4);
}

TEST(SystemRights, ADenialTakesAway) {
  const auto acl =
      meant({ace(kIds.user_sid(kBob), a::kWriteData | a::kAppendData, wire::AceType::AccessDenied),
             ace(known::kEveryone, a::kFileAllAccess)});
  EXPECT_EQ(acl.users, (std::vector<ports::PosixAcl::Entry>{{kBob, 4}}));
  EXPECT_EQ(acl.others, 6);
}

TEST(SystemRights, NothingBecomesAProgramButDirectoriesCanBePassed) {
  EXPECT_EQ(meant({ace(known::kEveryone, a::kFileAllAccess)}).others, 6);
  EXPECT_EQ(meant({ace(known::kEveryone, a::kFileAllAccess)}, ports::FileType::File, 0700).others,
            7);
  EXPECT_EQ(meant({ace(known::kEveryone, a::kReadData)}, ports::FileType::Directory, 0700).others,
            5);
}

TEST(SystemRights, WhatIsOnlyInheritedAndWhoIsUnknownHasNoEntry) {
  const auto acl = meant({ace(kIds.user_sid(kBob), a::kFileAllAccess, wire::AceType::AccessAllowed,
                              wire::ace_flags::kInheritOnly | wire::ace_flags::kObjectInherit),
                          ace(wire::Sid{5, {21, 9, 9, 9, 1234}}, a::kFileAllAccess)});
  EXPECT_TRUE(acl.users.empty());
  EXPECT_TRUE(acl.groups.empty());
  EXPECT_FALSE(acl.mask);
}

TEST(SystemRights, WhatIsInheritedEverywhereMakesADefaultAcl) {
  namespace flag = wire::ace_flags;
  constexpr auto kAllow = wire::AceType::AccessAllowed;
  constexpr std::uint8_t kBoth = flag::kObjectInherit | flag::kContainerInherit;
  const auto below = [](std::vector<wire::Ace> aces) {
    return default_acl_meant_by(descriptor_of(std::move(aces)), kIds);
  };
  const auto acl =
      below({ace(kIds.user_sid(kBob), a::kFileAllAccess, kAllow, kBoth),
             ace(known::kCreatorGroup, a::kFileGenericRead, kAllow, kBoth | flag::kInheritOnly),
             ace(kIds.group_sid(kStaff), a::kFileGenericRead)});
  ASSERT_TRUE(acl);
  EXPECT_EQ(acl->owner, 7) << "who makes a file has it";
  EXPECT_EQ(acl->users, (std::vector<ports::PosixAcl::Entry>{{kBob, 7}}));
  EXPECT_EQ(acl->group, 5);
  EXPECT_TRUE(acl->groups.empty()) << "not inherited";
  EXPECT_EQ(acl->mask, 7);
  EXPECT_EQ(acl->others, 0);
  EXPECT_FALSE(below({ace(kIds.user_sid(kBob), a::kFileAllAccess)}));
  EXPECT_FALSE(below({ace(kIds.user_sid(kBob), a::kFileAllAccess, kAllow, flag::kObjectInherit)}))
      << "directories would have it too";
  const auto denied = below({ace(kIds.user_sid(kBob), a::kWriteData | a::kAppendData,
                                 wire::AceType::AccessDenied, flag::kObjectInherit),
                             ace(known::kEveryone, a::kFileAllAccess, kAllow, kBoth)});
  EXPECT_EQ(denied->users, (std::vector<ports::PosixAcl::Entry>{{kBob, 5}}));
  EXPECT_EQ(denied->others, 7);
}

TEST(SystemRights, NoDaclGivesEverything) {
  auto descriptor = descriptor_of({});
  descriptor.dacl.reset();
  const auto acl = acl_meant_by(descriptor, kIds, facts_of(ports::FileType::File),
                                ports::PosixAcl::of_mode(0600));
  EXPECT_EQ(acl.others, 6);
  EXPECT_FALSE(acl.mask);
}

TEST(SystemRights, AnAclIsShownWithinItsMask) {
  ports::SystemRights rights;
  rights.access = ports::PosixAcl::of_mode(0640);
  rights.access.users = {{kBob, 6}};
  rights.access.mask = 4;
  rights.by_default = ports::PosixAcl::of_mode(0700);
  const auto shown = security_from_rights(facts_of(ports::FileType::Directory), rights, kIds);
  ASSERT_TRUE(shown.dacl);
  const auto& aces = shown.dacl->aces;
  ASSERT_EQ(aces.size(), 4U);
  EXPECT_EQ(aces[1], ace(kIds.user_sid(kBob), a::kFileGenericRead));
  EXPECT_EQ(aces[2], ace(kIds.group_sid(kGroup), a::kFileGenericRead));
  EXPECT_EQ(aces[3].sid, known::kCreatorOwner);
  EXPECT_TRUE(aces[3].flags & wire::ace_flags::kInheritOnly);
}

}  // namespace
}  // namespace flotilla::handlers

// The posix backend for several users: whose files, whose rights, and who may change what.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "vfs/names.hpp"
#include "vfs/posix/kernel_identity.hpp"
#include "vfs/posix/posix_test_fixture.hpp"
#include "vfs/samba_xattr.hpp"

namespace flotilla::vfs {
namespace {

using namespace testing;  // NOLINT
using ports::DataAccess;

const ports::Credentials kAlice{21001, 21001, {21001, 21500}, false};
const ports::Credentials kBob{21002, 21002, {21002}, false};

class PosixUsers : public Posix {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can act as other users";
    Posix::SetUp();
  }
};

TEST_F(PosixUsers, FilesBelongToWhoMadeThem) {
  const auto file = made(*backend_, "alices", false, kAlice);
  const auto facts = file->facts();
  EXPECT_EQ(facts->uid, kAlice.uid);
  EXPECT_EQ(facts->gid, kAlice.gid);
  EXPECT_EQ(facts->mode & 0777, 0644U);
  EXPECT_EQ(made(*backend_, "dir", true, kAlice)->facts()->mode & 0777, 0755U);
  EXPECT_EQ(::geteuid(), 0U);
  write_text(outside("root-again"), "x");  // the thread is itself again
  struct stat st{};
  ASSERT_EQ(::stat(outside("root-again").c_str(), &st), 0);
  EXPECT_EQ(st.st_uid, 0U);
}

TEST_F(PosixUsers, TheKernelDecidesWhoReadsAndWrites) {
  made(*backend_, "f", false, kAlice);
  ASSERT_EQ(::chmod(in_share("f").c_str(), 0640), 0);
  auto file = *backend_->locate(kBob, "f");
  EXPECT_EQ(status_of(file->activate(kBob, DataAccess::Read)), NtStatus::AccessDenied);
  EXPECT_EQ(status_of(file->activate(kBob, DataAccess::Write)), NtStatus::AccessDenied);
  EXPECT_TRUE(file->activate(kAlice, DataAccess::ReadWrite));
  const ports::Credentials carol{21003, 21003, {21003, 21001}, false};  // in alice's group
  EXPECT_TRUE(file->activate(carol, DataAccess::Read));
  EXPECT_EQ(status_of(file->activate(carol, DataAccess::ReadWrite)), NtStatus::AccessDenied);
}

TEST_F(PosixUsers, DirectoriesWithoutSearchOrReadRightAreAccessDenied) {
  made(*backend_, "private", true, kAlice);
  made(*backend_, "private/f", false, kAlice);
  ASSERT_EQ(::chmod(in_share("private").c_str(), 0700), 0);
  EXPECT_EQ(locate("private/f", kBob), NtStatus::AccessDenied);
  EXPECT_EQ(locate("private/F", kBob), NtStatus::AccessDenied);
  EXPECT_EQ(locate("private/none", kBob), NtStatus::AccessDenied);
  EXPECT_EQ(locate("PRIVATE/none", kBob), NtStatus::AccessDenied);
  EXPECT_EQ(status_of((*backend_->locate(kBob, "private"))->list(kBob)), NtStatus::AccessDenied);
  EXPECT_EQ(status_of(backend_->create(kBob, "private/x", false, 0)), NtStatus::AccessDenied);
  EXPECT_EQ(locate("PRIVATE/F", kAlice), NtStatus::Success);
}

TEST_F(PosixUsers, NamesChangeWithTheUsersRightsOnly) {
  made(*backend_, "d", true, kAlice);
  const FileKey key = made(*backend_, "d/f", false, kAlice)->key();
  EXPECT_EQ(status_of(backend_->remove(kBob, "d/f", key, false)), NtStatus::AccessDenied);
  EXPECT_EQ(status_of(backend_->rename(kBob, "d/f", "stolen", false)), NtStatus::AccessDenied);
  EXPECT_EQ(status_of(backend_->create(kBob, "d/g", true, 0)), NtStatus::AccessDenied);
  EXPECT_TRUE(backend_->remove(kAlice, "d/f", key, false));
}

TEST_F(PosixUsers, WhoMayWriteMayChangeTimesAndAttributes) {
  made(*backend_, "f", false, kAlice);
  const NtTime when = nt_time_of(1500000000, 0);
  auto file = *backend_->locate(kBob, "f");
  EXPECT_EQ(status_of(file->set_basic(kBob, {{}, {}, when, {}, {}})), NtStatus::AccessDenied);
  EXPECT_EQ(status_of(file->set_basic(kBob, {{}, {}, {}, {}, kAttributeHidden})),
            NtStatus::AccessDenied);
  EXPECT_EQ(status_of(file->set_eas(kBob, {{"x", {1}, 0}})), NtStatus::AccessDenied);
  ASSERT_EQ(::chmod(in_share("f").c_str(), 0666), 0);
  EXPECT_TRUE(file->set_basic(kBob, {{}, {}, when, {}, kAttributeHidden}));
  EXPECT_EQ(file->facts()->written, when);
  // The owner may although the mode is read-only.
  ASSERT_EQ(::chmod(in_share("f").c_str(), 0444), 0);
  EXPECT_TRUE(file->set_basic(kAlice, {{}, {}, {}, {}, kAttributeArchive}));
}

TEST_F(PosixUsers, MetadataIsReadWhateverTheUserMay) {
  made(*backend_, "f", false, kAlice);
  ASSERT_EQ(::chmod(in_share("f").c_str(), 0600), 0);
  EXPECT_EQ((*backend_->locate(kBob, "f"))->facts()->attributes, kAttributeArchive);
}

TEST_F(PosixUsers, GrantedAccessFollowsModeBitsAclAndParent) {
  made(*backend_, "d", true, kAlice);
  made(*backend_, "d/f", false, kAlice);
  const auto granted = [&](const ports::Credentials& who) {
    auto file = *backend_->locate(kRoot, "d/f");
    return backend_->granted_access(who, *file).value();
  };
  constexpr std::uint32_t kReadData = 0x1, kWriteData = 0x2, kDelete = 0x10000;
  EXPECT_EQ(granted(kAlice) & (kReadData | kWriteData | kDelete), kReadData | kWriteData | kDelete);
  EXPECT_EQ(granted(kBob) & (kReadData | kWriteData | kDelete), kReadData);
  // user:bob:rw- with mask rw-, as setfacl writes it.
  const std::uint8_t acl[] = {2,  0, 0, 0,                         // version
                              1,  0, 6, 0, 255,  255,  255, 255,   // user::rw-
                              2,  0, 6, 0, 0x0A, 0x52, 0,   0,     // user:21002:rw-
                              4,  0, 4, 0, 255,  255,  255, 255,   // group::r--
                              16, 0, 6, 0, 255,  255,  255, 255,   // mask::rw-
                              32, 0, 0, 0, 255,  255,  255, 255};  // other::---
  if (::setxattr(in_share("d/f").c_str(), "system.posix_acl_access", acl, sizeof acl, 0) != 0) {
    GTEST_SKIP() << "no POSIX ACLs here";
  }
  EXPECT_EQ(granted(kBob) & (kReadData | kWriteData | kDelete), kReadData | kWriteData);
  EXPECT_TRUE((*backend_->locate(kBob, "d/f"))->activate(kBob, DataAccess::ReadWrite));
  const ports::Credentials carol{21003, 21003, {}, false};
  EXPECT_EQ(granted(carol) & (kReadData | kWriteData), 0U);
}

TEST_F(PosixUsers, AnAclThatIsSetLetsItsUsersInAndUndoesADescriptor) {
  made(*backend_, "f", false, kAlice);
  auto file = *backend_->locate(kRoot, "f");
  ports::PosixAcl acl = ports::PosixAcl::of_mode(0640);
  acl.users = {{kBob.uid, 6}};
  acl.mask = 6;
  if (file->set_system_acl(acl) != Status()) GTEST_SKIP() << "no POSIX ACLs here";
  EXPECT_EQ(file->system_rights()->access, acl);
  EXPECT_TRUE((*backend_->locate(kBob, "f"))->activate(kBob, DataAccess::ReadWrite));
  const Bytes descriptor = {1, 0, 4, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  ASSERT_TRUE(file->store_security(descriptor));
  EXPECT_TRUE(file->stored_security()->has_value());
  ASSERT_EQ(::chmod(in_share("f").c_str(), 0600), 0);
  EXPECT_FALSE(file->stored_security()->has_value()) << "somebody meant the new mode";
  ASSERT_TRUE(file->set_owner(kBob.uid, std::nullopt));
  EXPECT_EQ(file->facts()->uid, kBob.uid);
  EXPECT_EQ(file->facts()->gid, kAlice.gid);
}

TEST_F(PosixUsers, UseShareOwnerActsAsTheOwnerOfTheSharesDirectory) {
  ASSERT_EQ(::chown(share().c_str(), kAlice.uid, kAlice.gid), 0);
  ASSERT_EQ(::chmod(share().c_str(), 0755), 0);
  open();
  const ports::Credentials guest{65534, 65534, {}, true};
  EXPECT_EQ(made(*backend_, "f", false, guest)->facts()->uid, kAlice.uid);
  EXPECT_EQ(status_of(backend_->create(kBob, "g", false, 0)), NtStatus::AccessDenied);
}

TEST_F(PosixUsers, WhoObeysUsersLimitsMeetsQuotasAndLeavesRootsBlocks) {
  obey_limits_of_users();
  {
    const ActAs alice(true, kAlice.uid, kAlice.gid, kAlice.groups);
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3]{};
  ASSERT_EQ(::syscall(SYS_capget, &header, sets), 0);
  EXPECT_EQ(sets[0].effective & CAP_TO_MASK(CAP_SYS_RESOURCE), 0U);
}

TEST_F(PosixUsers, AnImpossibleIdIsAccessDenied) {
  const ports::Credentials nobody_at_all{~0U, ~0U, {}, false};
  EXPECT_EQ(locate("", nobody_at_all), NtStatus::AccessDenied);
  EXPECT_EQ(locate(""), NtStatus::Success);
}

TEST_F(PosixUsers, ThreadsActAsDifferentUsersAtOnce) {
  ASSERT_EQ(::chmod(share().c_str(), 0777), 0);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int n = 0; n < 4; ++n) {
    threads.emplace_back([&, n] {
      const auto uid = static_cast<std::uint32_t>(22000 + n);
      const ports::Credentials who{uid, uid, {}, false};
      for (int i = 0; i < 200; ++i) {
        auto file =
            backend_->create(who, "t" + std::to_string(n) + "-" + std::to_string(i), false, 0);
        if (!file || (*file)->facts()->uid != uid) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace flotilla::vfs

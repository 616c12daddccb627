#include "auth/identity.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "auth/test_client.hpp"

namespace flotilla::auth {
namespace {

using namespace testing_client;

class RealClock final : public ports::Clock {
 public:
  [[nodiscard]] MonoTime mono() const noexcept override { return {}; }
  [[nodiscard]] NtTime wall() const noexcept override { return NtTime{130883654400000000ULL}; }
};
class SharedEntropy final : public ports::Entropy {
 public:
  void fill(MutableBytes out) noexcept override {
    for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(next_.fetch_add(1));
  }

 private:
  std::atomic<unsigned> next_{1};
};

class IdentityOfAUserFile : public testing::Test {
 protected:
  IdentityOfAUserFile() {
    char name[] = "/tmp/flotilla_identity_XXXXXX";
    folder_ = ::mkdtemp(name);
    config_.user_file = folder_ / "users";
    config_.kerberos = false;
  }
  ~IdentityOfAUserFile() override { std::filesystem::remove_all(folder_); }

  void add(std::string name, std::string_view password) const {
    User user;
    user.name = std::move(name);
    user.nt_hash = *nt_hash_of_password(password);
    ASSERT_TRUE(UserDb::edit(config_.user_file, [&](UserDb& db) { return db.put(user); }));
  }
  static Result<ports::AuthStep> log_on(ports::Identity& identity, std::string_view user,
                                        std::string_view password) {
    NtlmClient client;
    client.user = *wire::utf16_of(user);
    client.password = password;
    const auto exchange = identity.begin();
    const auto challenge = exchange->step(client.negotiate());
    if (!challenge) return challenge;
    return exchange->step(client.authenticate(challenge->reply));
  }

  std::filesystem::path folder_;
  RealClock clock_;
  SharedEntropy entropy_;
  IdentityConfig config_;
};

TEST_F(IdentityOfAUserFile, AUserAddedOrRemovedWhileServingCountsAtOnce) {
  const auto identity = std::move(*make_identity(config_, clock_, entropy_));
  EXPECT_EQ(log_on(*identity, "late", "Secret123").error(), NtStatus::LogonFailure);
  add("late", "Secret123");
  EXPECT_TRUE(log_on(*identity, "late", "Secret123"));
  add("late", "Other");
  EXPECT_EQ(log_on(*identity, "late", "Secret123").error(), NtStatus::LogonFailure);
  EXPECT_TRUE(log_on(*identity, "late", "Other"));
}

TEST_F(IdentityOfAUserFile, ABadFileStopsTheStartWithItsNameAndLine) {
  std::ofstream(config_.user_file) << "rubbish\n";
  std::filesystem::permissions(config_.user_file, std::filesystem::perms::owner_read);
  const auto made = make_identity(config_, clock_, entropy_);
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error(), testing::HasSubstr("users:1: expected"));
}

TEST_F(IdentityOfAUserFile, AMissingKeytabMeansNtlmOnly) {
  config_.kerberos = true;
  config_.keytab = folder_ / "missing.keytab";
  EXPECT_FALSE(check_keytab(config_.keytab));
  const auto made = make_identity(config_, clock_, entropy_);
  ASSERT_TRUE(made);
  add("tester", "Secret123");
  EXPECT_TRUE(log_on(**made, "tester", "Secret123"));
}

TEST_F(IdentityOfAUserFile, ManyThreadsLogOnWhileTheFileChanges) {
  add("tester", "Secret123");
  const auto identity = std::move(*make_identity(config_, clock_, entropy_));
  std::atomic<int> good{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 50; ++i) good += log_on(*identity, "tester", "Secret123") ? 1 : 0;
      });
    }
    for (int i = 0; i < 5; ++i) add("other" + std::to_string(i), "x");
  }
  EXPECT_EQ(good, 200);
}

}  // namespace
}  // namespace flotilla::auth

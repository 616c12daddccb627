#include "admin/audit_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <nlohmann/json.hpp>

namespace flotilla::admin {
namespace {

std::vector<nlohmann::json> lines_of(const std::filesystem::path& path) {
  std::vector<nlohmann::json> out;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) out.push_back(nlohmann::json::parse(line));
  return out;
}

class AuditFileTest : public ::testing::Test {
 protected:
  AuditFileTest() {
    path_ = std::filesystem::temp_directory_path() /
            ("flotilla-audit-" + std::to_string(::getpid()) + ".json");
    std::filesystem::remove(path_);
  }
  ~AuditFileTest() override { std::filesystem::remove(path_); }
  std::filesystem::path path_;
};

TEST(AuditLine, ANameThatIsNoTextAndHasQuotesStaysOneLineOfJson) {
  const std::string line = audit_line({.time = nt_time_of(1'700'000'000, 0),
                                       .event = "authentication",
                                       .result = NtStatus::LogonFailure,
                                       .user = "ev\"il\n\xFFname"});
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  const auto parsed = nlohmann::json::parse(line);
  EXPECT_EQ(parsed["time"], "2023-11-14T22:13:20.000Z");
  EXPECT_EQ(parsed["result"], "STATUS_LOGON_FAILURE");
  EXPECT_EQ(parsed["user"], "ev\"il\n\uFFFDname");
  EXPECT_FALSE(parsed.contains("share"));
}

TEST_F(AuditFileTest, EveryEventIsALineInItsOrderAndTheFileIsItsOwnersAlone) {
  {
    auto file = AuditFile::open(path_);
    ASSERT_TRUE(file) << file.error();
    for (int i = 0; i < 100; ++i) (*file)->record({.event = "access", .path = std::to_string(i)});
  }
  const auto lines = lines_of(path_);
  ASSERT_EQ(lines.size(), 100U);
  EXPECT_EQ(lines[0]["path"], "0");
  EXPECT_EQ(lines[99]["path"], "99");
  struct stat info{};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST_F(AuditFileTest, AFileThatWasMovedAwayIsMadeAnew) {
  const std::filesystem::path moved = path_.string() + ".1";
  {
    auto file = AuditFile::open(path_);
    ASSERT_TRUE(file);
    std::filesystem::rename(path_, moved);
    (*file)->record({.event = "access", .path = "after"});
  }
  const auto lines = lines_of(path_);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0]["path"], "after");
  std::filesystem::remove(moved);
}

TEST(AuditFileOpen, ADirectoryIsRefusedWithASentence) {
  const auto file = AuditFile::open("/");
  ASSERT_FALSE(file);
  EXPECT_NE(file.error().find("audit file /"), std::string::npos);
}

}  // namespace
}  // namespace flotilla::admin

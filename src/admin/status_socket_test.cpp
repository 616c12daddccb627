#include "admin/status_socket.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace flotilla::admin {
namespace {

std::filesystem::path fresh_dir() {
  char name[] = "/tmp/flotilla-status-XXXXXX";
  return mkdtemp(name);
}

TEST(StatusSocket, AnswersEveryConnectionAndIsPrivate) {
  const auto dir = fresh_dir();
  {
    int asked = 0;
    const std::string big(300000, 'x');
    auto server = StatusSocket::open(dir, [&] { return ++asked == 1 ? big : "second"; });
    ASSERT_TRUE(server.has_value()) << server.error();
    struct stat facts{};
    ASSERT_EQ(stat((dir / kStatusSocketName).c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777, 0600U);
    EXPECT_EQ(fetch_status(dir).value_or(""), big);
    EXPECT_EQ(fetch_status(dir).value_or(""), "second");
  }
  EXPECT_FALSE(std::filesystem::exists(dir / kStatusSocketName));
  const auto nobody = fetch_status(dir);
  ASSERT_FALSE(nobody.has_value());
  EXPECT_NE(nobody.error().find("no daemon answers here"), std::string::npos);
  std::filesystem::remove_all(dir);
}

TEST(StatusSocket, APathTooLongForASocketIsNamed) {
  const auto opened = StatusSocket::open("/tmp/" + std::string(120, 'y'), [] { return ""; });
  ASSERT_FALSE(opened.has_value());
  EXPECT_NE(opened.error().find("shorter runtime_dir"), std::string::npos);
  std::filesystem::remove_all("/tmp/" + std::string(120, 'y'));
}

}  // namespace
}  // namespace flotilla::admin

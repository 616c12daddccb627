// A posix backend over a directory of the test's own.
#pragma once

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <string>

#include "vfs/posix/posix_backend.hpp"
#include "vfs/test_support.hpp"

namespace flotilla::vfs::testing {

class Posix : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(share());
    std::filesystem::permissions(share(), std::filesystem::perms::all);
    open();
  }
  void open(PosixOptions options = {}) {
    options.path = share();
    auto opened = open_posix_backend(std::move(options));
    ASSERT_TRUE(opened) << opened.error();
    backend_ = std::move(*opened);
  }
  [[nodiscard]] std::string share() const { return directory_ / "share"; }
  [[nodiscard]] std::string in_share(std::string_view name) const {
    return share() + "/" + std::string(name);
  }
  [[nodiscard]] std::string outside(std::string_view name) const { return directory_ / name; }
  NtStatus locate(std::string_view path, const ports::Credentials& who = kRoot) {
    return status_of(backend_->locate(who, path));
  }
  /// Moves a directory's stamps into the past, so that an index of it is settled.
  static void age(const std::string& path) {
    const timespec times[2] = {{1600000000, 0}, {1600000000, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  }

  TemporaryDirectory directory_;
  std::unique_ptr<PosixBackend> backend_;
};

}  // namespace flotilla::vfs::testing

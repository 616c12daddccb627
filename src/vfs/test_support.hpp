// For this room's tests: a directory that goes away, and short words for common steps.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "ports/backend.hpp"

namespace flotilla::vfs::testing {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "vfs-test-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
    std::filesystem::permissions(path_, std::filesystem::perms::all);
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  [[nodiscard]] std::string operator/(std::string_view name) const {
    return path_ + "/" + std::string(name);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline void write_text(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}
inline std::string read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline const ports::Credentials kRoot{0, 0, {}, false};

/// The status of a call: Success or its error.
template <class T>
[[nodiscard]] NtStatus status_of(const Result<T>& result) {
  return result ? NtStatus::Success : result.error();
}

inline std::unique_ptr<ports::BackendFile> made(ports::Backend& backend, std::string_view path,
                                                bool directory = false,
                                                const ports::Credentials& who = kRoot) {
  auto file = backend.create(who, path, directory, 0);
  EXPECT_TRUE(file) << path << ": " << name_of(status_of(file));
  return file ? std::move(*file) : nullptr;
}

/// Names of a directory in byte order, without the dots.
inline std::vector<std::string> names_in(ports::Backend& backend, std::string_view path,
                                         const ports::Credentials& who = kRoot) {
  std::vector<std::string> out;
  auto directory = backend.locate(who, path);
  if (!directory) return {"locate: " + std::string(name_of(directory.error()))};
  auto cursor = (*directory)->list(who);
  if (!cursor) return {"list: " + std::string(name_of(cursor.error()))};
  for (;;) {
    auto entry = (*cursor)->next();
    if (!entry) return {"next: " + std::string(name_of(entry.error()))};
    if (!*entry) break;
    if ((*entry)->name != "." && (*entry)->name != "..") out.push_back((*entry)->name);
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace flotilla::vfs::testing

namespace flotilla {
/// GoogleTest prints statuses by name.
inline void PrintTo(NtStatus status, std::ostream* out) { *out << name_of(status); }
}  // namespace flotilla

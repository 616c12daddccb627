// The users a running server knows: those of a file, reloaded when it changes, and those of the
// command line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "auth/given_rids.hpp"
#include "auth/user_db.hpp"

namespace flotilla::auth {

/// Thread-safe. Hashes of command-line users are in this process's memory only.
class UserStore {
 public:
  /// Input   `file` may be empty (no file) or not exist yet
  ///         `fixed` win over the file's users of the same name
  UserStore(std::filesystem::path file, std::vector<User> fixed);

  /// The first load, so that a bad file stops the start; later a bad file is logged and what was
  /// known before stays.
  [[nodiscard]] std::expected<void, Message> load();

  /// Without case. Looks at the file's identity, size and time first (one stat) and reloads it when
  /// they changed.
  [[nodiscard]] std::optional<User> find(std::string_view name);
  [[nodiscard]] std::vector<User> all();
  [[nodiscard]] std::vector<Group> groups();
  /// Those of the users and groups as they were last loaded.
  [[nodiscard]] std::shared_ptr<const ports::RidTable> rids() const noexcept { return rids_; }

 private:
  struct FileStamp {
    std::uint64_t inode = 0;
    std::int64_t size_bytes = -1;
    std::int64_t mtime_ns = 0;
    std::int64_t ctime_ns = 0;
    friend bool operator==(const FileStamp&, const FileStamp&) = default;
  };
  [[nodiscard]] FileStamp stamp() const;
  void refresh();
  void take(UserDb db);

  const std::filesystem::path file_;
  UserDb fixed_;
  std::mutex mutex_;
  UserDb from_file_;
  FileStamp loaded_;
  const std::shared_ptr<GivenRids> rids_;
};

}  // namespace flotilla::auth

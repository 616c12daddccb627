// PosixAcl: mode bits and an access ACL of acl(5) as a value.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace flotilla::ports {

/// Rights are 4 read, 2 write, 1 execute. `owner`, `group` and `others` are the file's own classes.
/// Spec    acl(5); POSIX 1003.1e draft 17
struct PosixAcl {
  struct Entry {
    std::uint32_t id = 0;
    std::uint8_t rights = 0;
    friend bool operator==(const Entry&, const Entry&) = default;
  };
  std::uint8_t owner = 0;
  std::uint8_t group = 0;
  std::uint8_t others = 0;
  std::vector<Entry> users;          ///< by uid, each once
  std::vector<Entry> groups;         ///< by gid, each once
  std::optional<std::uint8_t> mask;  ///< bounds all but `owner` and `others`; there with entries

  [[nodiscard]] static PosixAcl of_mode(std::uint32_t mode) {
    PosixAcl acl;
    acl.owner = static_cast<std::uint8_t>(mode >> 6 & 7);
    acl.group = static_cast<std::uint8_t>(mode >> 3 & 7);
    acl.others = static_cast<std::uint8_t>(mode & 7);
    return acl;
  }
  friend bool operator==(const PosixAcl&, const PosixAcl&) = default;
};

/// What the file system says of a file's rights. `by_default`: of a directory, for what is made in
/// it.
struct SystemRights {
  PosixAcl access;
  std::optional<PosixAcl> by_default;
};

}  // namespace flotilla::ports

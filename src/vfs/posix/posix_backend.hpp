// The posix backend: one share on a Linux file system. This header is the factory; everything else
// of the folder is its inside.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "ports/backend.hpp"

namespace flotilla::vfs {

/// `volume_override`     names the volume where the kernel's f_fsid differs between nodes (network
///                       file systems); the same text on all nodes that mount the shared one
/// `file_mode`,          bits that new files and directories get at most; a default POSIX ACL of
/// `directory_mode`      the parent wins. The daemon's umask applies too: set it to 0 at start
/// `follow_links`        symbolic links inside the share are followed; else all are hidden
/// `index_budget_bytes`  memory for directory indexes of this share
struct PosixOptions {
  std::string path;
  std::string volume_override;
  std::uint32_t file_mode = 0644;  ///< Samba's create mask 0744; no attribute maps to an x bit
  std::uint32_t directory_mode = 0755;
  bool follow_links = true;
  bool hide_dot_files = true;
  std::vector<std::string> hide_files = {};  ///< names with * and ?, without case: shown as hidden
  std::vector<std::string> veto_files = {};  ///< neither shown nor found, nor may they be made
  std::size_t index_budget_bytes = std::size_t{64} << 20;
};

/// What tests and metrics read.
struct PosixStatistics {
  std::uint64_t directory_scans = 0;
  std::uint64_t getdents_calls = 0;
};

class PosixBackend : public ports::Backend {
 public:
  [[nodiscard]] virtual PosixStatistics statistics() const noexcept = 0;
};

/// Opens `options.path` as the root of a share. Thread-safe afterwards: every call of the backend
/// may come from any thread, and calls on one BackendFile or DirectoryCursor from one at a time.
/// Users  run as their own fsuid, fsgid and groups where the daemon is root; elsewhere everybody
///        acts as the daemon. That they meet quotas is for the process to see to, before it starts
///        threads: obey_limits_of_users()
/// Errors a sentence: subject, what was expected, what came, what to do
[[nodiscard]] std::expected<std::unique_ptr<PosixBackend>, std::string> open_posix_backend(
    PosixOptions options);

}  // namespace flotilla::vfs

// The shared file system under the pool: names, and I/O that takes time. What the kernel was given
// is carried out, whatever becomes of the node that gave it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "coherence/types.hpp"

namespace flotilla::sim {

/// Files are named by an index; whoever opens a name that is gone makes it anew, as another file.
class Disk {
 public:
  explicit Disk(std::size_t names) : names_(names) {}

  [[nodiscard]] FileKey key_of(std::size_t index) const {
    return FileKey{1, 100 + index, names_[index].generation};
  }
  [[nodiscard]] std::string path_of(std::size_t index) const {
    return names_[index].now.value_or("f" + std::to_string(index));
  }
  [[nodiscard]] std::string path_of(const FileKey& key) const {
    return path_of(static_cast<std::size_t>(key.inode - 100));
  }
  /// The name leads to this file.
  [[nodiscard]] bool has(const FileKey& key) const {
    return names_[key.inode - 100].generation == key.generation;
  }
  /// False where the name leads to another file by now.
  bool remove(const FileKey& key) {
    if (!has(key)) return false;
    ++names_[key.inode - 100].generation;
    names_[key.inode - 100].renames = 0;
    names_[key.inode - 100].now.reset();
    return true;
  }
  /// A path that the file has not had.
  std::string next_path_of(const FileKey& key) {
    const std::uint64_t number = ++names_[key.inode - 100].renames;
    return "f" + std::to_string(key.inode - 100) + "." + std::to_string(number);
  }
  void rename(const FileKey& key, std::string path) {
    names_[key.inode - 100].now = std::move(path);
  }
  [[nodiscard]] std::size_t size() const noexcept { return names_.size(); }

 private:
  struct Name {
    std::uint64_t generation = 1;
    std::uint64_t renames = 0;       ///< names that were thought of
    std::optional<std::string> now;  ///< since it was renamed
  };
  std::vector<Name> names_;
};

struct ClientOpen;  // sim/client.hpp

/// One I/O that the gate has admitted and the kernel has not finished.
struct Io {
  FileKey key;
  OpenId open;
  coherence::LockRange range;  ///< exclusive: a write
  std::uint64_t serial = 0;
  NodeId node;
  std::shared_ptr<const ClientOpen> by;  ///< maybe closed meanwhile
};

}  // namespace flotilla::sim

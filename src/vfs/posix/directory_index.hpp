// Cached directory indexes: which name does a directory hold for a folded name? One scan of a
// directory answers every later miss and every name in other case until the directory changes.
// A stale answer is harmless: a hit is proved by the caller's open, and a miss is trusted only
// under the rules at `find`. Must not know users or paths.
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"

namespace flotilla::vfs {

/// When a directory last changed, as statx tells. Two changes within one tick of a coarse clock
/// look alike.
struct DirectoryStamp {
  std::int64_t written_ns = 0;
  std::int64_t changed_ns = 0;
  friend bool operator==(const DirectoryStamp&, const DirectoryStamp&) = default;
};

/// The stamp of `directory_fd` (O_PATH will do), or nothing where the kernel refuses.
[[nodiscard]] std::optional<DirectoryStamp> stamp_of(int directory_fd) noexcept;

struct IndexCounters {
  std::atomic<std::uint64_t> scans{0};
  std::atomic<std::uint64_t> getdents_calls{0};
  std::atomic<std::uint64_t> evictions{0};
};

/// Thread-safe. Bounded: the least recently used directories go first, and a directory too large
/// for half of the budget is scanned each time instead of kept.
class DirectoryIndexes {
 public:
  explicit DirectoryIndexes(std::size_t budget_bytes) : budget_bytes_(budget_bytes) {}

  /// The name as stored that equals `name` without case, or nothing. Where several do, the
  /// smallest by bytes, so that all nodes agree. Runs as the calling thread's identity, which must
  /// be able to read the directory.
  /// Freshness  an index answers while the directory's stamp is the one it was made under, and
  ///            either that stamp was 20 ms old at the scan, or it was made by a change reported
  ///            through `changed`; the latter is proved by a new scan once the directory has been
  ///            quiet for a second (at most one per cent of the time goes to that).
  [[nodiscard]] Result<std::optional<std::string>> find(int directory_fd, const FileKey& directory,
                                                        std::string_view name);

  /// The caller changed the directory itself: `removed` is gone and `added` is new (either may be
  /// empty). `before` is the stamp it saw ahead of its change. Keeps the index where nobody else
  /// changed the directory meanwhile.
  void changed(int directory_fd, const FileKey& directory,
               const std::optional<DirectoryStamp>& before, std::string_view removed,
               std::string_view added);

  /// Whether a `find` just now saw a directory without entries; false where nothing is known.
  [[nodiscard]] bool holds_nothing(const FileKey& directory);

  /// A hit turned out to be gone: the next `find` scans.
  void forget(const FileKey& directory);

  [[nodiscard]] const IndexCounters& counters() const noexcept { return counters_; }

 private:
  struct Index;
  using IndexPtr = std::shared_ptr<Index>;

  IndexPtr entry(const FileKey& directory, bool make);
  Result<std::optional<std::string>> scan(int directory_fd, const DirectoryStamp& stamp,
                                          std::string_view folded, Index& into);
  void account(const FileKey& directory, Index& index);

  const std::size_t budget_bytes_;
  IndexCounters counters_;
  std::mutex mutex_;  ///< guards what follows; taken inside an Index's mutex, never around it
  std::list<FileKey> used_;  ///< most recent first
  struct Slot {
    IndexPtr index;
    std::list<FileKey>::iterator position;
    std::size_t bytes = 0;
  };
  std::unordered_map<FileKey, Slot> slots_;
  std::size_t bytes_ = 0;
};

}  // namespace flotilla::vfs

// XattrCache: what files' xattrs said, kept as long as their change times say that they are the
// same. Saves the most expensive calls of opening a file. Knows no descriptor and asks nobody.
#pragma once

#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"

namespace flotilla::vfs {

/// What facts take from xattrs.
struct StoredFacts {
  std::uint32_t ea_size_bytes = 0;
  bool in_inode = false;  ///< so small that they take no block of their own
  std::optional<std::uint32_t> attributes;
  std::optional<NtTime> created;
  std::optional<NtTime> changed;  ///< set by a client, and still true
  std::uint32_t reparse_tag = 0;
  std::uint32_t file_type = 0;  ///< S_IFIFO and its like, where the reparse point stands for one
};

/// Thread-safe; bounded, and small enough to be emptied when full.
/// An answer is for the file as `st` shows it: every change of an xattr sets a new change time. So
/// `st` must be taken before the xattr is read, and a change time that is so young that another
/// change could leave it the same is not trusted: such files are not kept (see `settled`).
/// Calls   only where the file system keeps change times (Share::keeps_change_times)
class XattrCache {
 public:
  using Blob = std::shared_ptr<const Bytes>;  ///< empty bytes: there is no such xattr
  static constexpr std::size_t kBlobBytesMax = 4096;

  [[nodiscard]] std::optional<StoredFacts> facts(const FileKey& key, const struct statx& st);
  void keep_facts(const FileKey& key, const struct statx& st, const StoredFacts& facts);
  /// Null where nothing is known. security.NTACL.
  [[nodiscard]] Blob security(const FileKey& key, const struct statx& st);
  /// Keeps nothing larger than kBlobBytesMax.
  void keep_security(const FileKey& key, const struct statx& st, ByteView stored);

  /// True where the change time of `st` lies so far back that the clock which stamps changes has
  /// gone on since.
  [[nodiscard]] static bool settled(const struct statx& st) noexcept;

 private:
  struct Entry {
    std::int64_t change_seconds = 0;
    std::uint32_t change_nanoseconds = 0;
    std::optional<StoredFacts> facts;
    Blob security;
  };
  static constexpr std::size_t kEntriesMax = 256;
  struct Part {
    std::mutex mutex;
    std::unordered_map<FileKey, Entry> entries;
  };

  [[nodiscard]] Part& part_of(const FileKey& key) noexcept {
    return parts_[hash_of(key) % parts_.size()];
  }
  /// With the part's mutex held: the entry for `st`, or null.
  static Entry* find(Part& part, const FileKey& key, const struct statx& st);
  /// With the part's mutex held: the entry for `st`, made where there is none.
  static Entry& entry(Part& part, const FileKey& key, const struct statx& st);

  std::array<Part, 16> parts_;
};

}  // namespace flotilla::vfs

// OpenFiles: what this node knows about every file that it has open, beside the engine's state: its
// current name, whether it is delete-pending, and who is open below a directory. Thread-safe.
// Local knowledge only: handlers/pool_queries.hpp asks the other nodes.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "ports/backend.hpp"

namespace flotilla::handlers {

class OpenFiles {
  struct Tables;

 public:
  /// One file (or directory) as long as somebody on this node has it open.
  class Entry {
   public:
    ~Entry();
    [[nodiscard]] std::string path() const;
    [[nodiscard]] const FileKey& key() const noexcept { return key_; }
    std::atomic<bool> delete_pending{false};
    /// The write time that clients see while a write is not to show yet; 0: the file system's own.
    /// Samba's and Windows' delayed write time: the first write through an open shows after two
    /// seconds, later ones when it closes.
    std::atomic<std::uint64_t> shown_write_ticks{0};
    /// When shown_write_ticks ends to hold; 0: not before a close.
    std::atomic<std::uint64_t> shown_until_ticks{0};
    /// The file's own time shows again.
    void show_write_time();
    /// `before` goes on to be shown until `until` (0: until a close).
    void hold_write_time(NtTime before, NtTime until);

   private:
    friend class OpenFiles;
    Entry(std::shared_ptr<Tables> tables, const FileKey& key, const void* share, std::string path)
        : tables_(std::move(tables)), key_(key), share_(share), path_(std::move(path)) {}
    std::shared_ptr<Tables> tables_;
    FileKey key_;
    const void* share_;
    std::string path_;  ///< guarded by tables_->mutex
  };

  OpenFiles();

  /// The file's entry, shared by all its opens. CREATE calls it once the engine has granted the
  /// open and keeps the result on OpenState::open_file. `share` is an identity only.
  [[nodiscard]] std::shared_ptr<Entry> hold(const FileKey& key, const void* share,
                                            std::string_view path);
  /// Every open of the file sees the new name from now on.
  void renamed(Entry& entry, std::string path);
  /// `facts` with the times that clients are to see: the write time of a file that is being written
  /// may be held back; the change time is the write time, as in Samba.
  void show_times(ports::FileFacts& facts, NtTime now) const;
  /// What is open below the directory `path` (not itself) on this node, at most `limit` of it.
  [[nodiscard]] std::vector<FileKey> below(const void* share, std::string_view path,
                                           std::size_t limit) const;
  /// Another node has renamed the file, which may be open here.
  void renamed_elsewhere(const FileKey& file, const std::string& path);
  /// Whether the file, which may be open here, goes with its last close: as another node has it.
  void delete_pending_elsewhere(const FileKey& file, bool pending);

 private:
  [[nodiscard]] std::shared_ptr<Entry> find(const FileKey& file) const;
  using Place = std::pair<const void*, std::string>;
  struct Tables {
    std::mutex mutex;
    std::unordered_map<FileKey, std::weak_ptr<Entry>> files;
    std::multimap<Place, const Entry*> places;
    std::atomic<int> held_times{0};  ///< entries with shown_write_ticks: mostly none
    void forget_place(const Entry& entry);
  };
  std::shared_ptr<Tables> tables_;  ///< entries may outlive the server
};

}  // namespace flotilla::handlers

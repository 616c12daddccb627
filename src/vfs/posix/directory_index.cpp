#include "vfs/posix/directory_index.hpp"

#include <fcntl.h>
#include <time.h>

#include <algorithm>

#include "vfs/errno_table.hpp"
#include "vfs/names.hpp"
#include "vfs/posix/fd.hpp"
#include "vfs/posix/getdents.hpp"

namespace flotilla::vfs {
namespace {

constexpr std::int64_t kSettleNs = 20'000'000;    // coarser than any kernel's tick
constexpr std::int64_t kQuietNs = 1'000'000'000;  // own changes are proved after this
constexpr std::int64_t kProofShare = 100;         // of the time that proofs may take
constexpr std::size_t kEntryOverheadBytes = 24;

std::int64_t now_ns(clockid_t clock) noexcept {
  timespec t{};
  ::clock_gettime(clock, &t);
  return t.tv_sec * 1'000'000'000 + t.tv_nsec;
}

/// Folded hash -> stored name: open addressing over an arena of NUL-terminated names.
class NameTable {
 public:
  void clear() { *this = NameTable(); }
  [[nodiscard]] std::size_t bytes() const noexcept {
    return arena_.capacity() + slots_.capacity() * sizeof(Slot);
  }

  void insert(std::string_view name) {
    if ((used_ + 1) * 3 > slots_.size() * 2) grow();
    if (arena_.size() + name.size() + 1 >= kFree) return;  // 4 GiB of names: beyond any budget
    const auto offset = static_cast<std::uint32_t>(arena_.size());
    arena_.append(name);
    arena_.push_back('\0');
    place(Slot{hash_of_text(fold(name)), offset});
    ++used_;
    ++live_;
  }
  [[nodiscard]] bool empty() const noexcept { return live_ == 0; }

  void erase(std::string_view name) {
    if (slots_.empty()) return;
    const std::uint64_t hash = hash_of_text(fold(name));
    for (std::size_t at = hash & mask();; at = (at + 1) & mask()) {
      Slot& slot = slots_[at];
      if (slot.offset == kFree) return;
      if (slot.offset != kGone && slot.hash == hash && name_at(slot) == name) {
        slot.offset = kGone;
        --live_;
        return;
      }
    }
  }

  [[nodiscard]] std::optional<std::string> find(std::string_view folded) const {
    if (slots_.empty()) return std::nullopt;
    const std::uint64_t hash = hash_of_text(folded);
    std::optional<std::string> best;
    for (std::size_t at = hash & mask();; at = (at + 1) & mask()) {
      const Slot& slot = slots_[at];
      if (slot.offset == kFree) return best;
      if (slot.offset == kGone || slot.hash != hash) continue;
      const std::string_view name = name_at(slot);
      if (fold(name) == folded && (!best || name < *best)) best = std::string(name);
    }
  }

 private:
  static constexpr std::uint32_t kFree = ~std::uint32_t{0};
  static constexpr std::uint32_t kGone = kFree - 1;
  struct Slot {
    std::uint64_t hash = 0;
    std::uint32_t offset = kFree;
  };

  [[nodiscard]] std::size_t mask() const noexcept { return slots_.size() - 1; }
  [[nodiscard]] std::string_view name_at(const Slot& slot) const noexcept {
    return arena_.data() + slot.offset;
  }
  void place(const Slot& slot) {
    std::size_t at = slot.hash & mask();
    while (slots_[at].offset != kFree) at = (at + 1) & mask();
    slots_[at] = slot;
  }
  void grow() {
    std::vector<Slot> old(slots_.empty() ? 16 : slots_.size() * 2);
    old.swap(slots_);
    used_ = 0;
    for (const Slot& slot : old) {
      if (slot.offset == kFree || slot.offset == kGone) continue;
      place(slot);
      ++used_;
    }
  }

  std::vector<Slot> slots_;
  std::string arena_;
  std::size_t used_ = 0;  ///< slots that are not free, gone ones included
  std::size_t live_ = 0;
};

}  // namespace

struct DirectoryIndexes::Index {
  std::mutex mutex;
  NameTable names;
  std::optional<DirectoryStamp> stamp;  ///< nothing: `names` says nothing
  bool settled = false;                 ///< the scan saw a stamp that no later change can share
  bool own = false;                     ///< the stamp was made by our own change
  std::int64_t scanned_mono_ns = 0;
  std::int64_t scan_cost_ns = 0;

  [[nodiscard]] bool trusted() const noexcept {
    if (settled) return true;
    if (!own) return false;
    const std::int64_t last = std::max(stamp->written_ns, stamp->changed_ns);
    return now_ns(CLOCK_REALTIME) - last < kQuietNs ||
           now_ns(CLOCK_MONOTONIC) - scanned_mono_ns < scan_cost_ns * kProofShare;
  }
};

std::optional<DirectoryStamp> stamp_of(int directory_fd) noexcept {
  struct statx st{};
  if (::statx(directory_fd, "", AT_EMPTY_PATH, STATX_MTIME | STATX_CTIME, &st) != 0) {
    return std::nullopt;
  }
  return DirectoryStamp{st.stx_mtime.tv_sec * 1'000'000'000 + st.stx_mtime.tv_nsec,
                        st.stx_ctime.tv_sec * 1'000'000'000 + st.stx_ctime.tv_nsec};
}

DirectoryIndexes::IndexPtr DirectoryIndexes::entry(const FileKey& directory, bool make) {
  const std::lock_guard lock(mutex_);
  const auto found = slots_.find(directory);
  if (found != slots_.end()) {
    used_.splice(used_.begin(), used_, found->second.position);
    return found->second.index;
  }
  if (!make) return nullptr;
  used_.push_front(directory);
  auto index = std::make_shared<Index>();
  slots_.emplace(directory, Slot{index, used_.begin(), 0});
  return index;
}

void DirectoryIndexes::account(const FileKey& directory, Index& index) {
  const std::size_t size = index.names.bytes() + sizeof(Index) + 128;
  const std::lock_guard lock(mutex_);
  const auto found = slots_.find(directory);
  if (found == slots_.end() || found->second.index.get() != &index) return;
  bytes_ = bytes_ - found->second.bytes + size;
  found->second.bytes = size;
  while (bytes_ > budget_bytes_ && used_.size() > 1) {
    const auto victim = slots_.find(used_.back());
    bytes_ -= victim->second.bytes;
    slots_.erase(victim);
    used_.pop_back();
    ++counters_.evictions;
  }
}

Result<std::optional<std::string>> DirectoryIndexes::scan(int directory_fd,
                                                          const DirectoryStamp& stamp,
                                                          std::string_view folded, Index& into) {
  ++counters_.scans;
  into.names.clear();
  into.stamp.reset();
  const std::int64_t started_wall = now_ns(CLOCK_REALTIME);
  const std::int64_t started = now_ns(CLOCK_MONOTONIC);
  const Fd fd(::open(ProcPath(directory_fd).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_errno(During::Path);
  Getdents entries(fd.get());
  bool keep = true;
  std::optional<std::string> best;  // where the directory is too large to keep
  for (;;) {
    const auto raw = entries.next();
    counters_.getdents_calls += entries.take_calls();
    if (!raw) return std::unexpected(raw.error());
    if (!*raw) break;
    const std::string_view name = (*raw)->name;
    if (name == "." || name == ".." || !valid_utf8(name)) continue;
    if (keep) {
      into.names.insert(name);
      keep = into.names.bytes() + kEntryOverheadBytes < budget_bytes_ / 2;
      if (!keep) {
        best = into.names.find(folded);
        into.names.clear();
      }
    } else if (fold(name) == folded && (!best || name < *best)) {
      best = std::string(name);
    }
  }
  if (!keep) return best;
  into.stamp = stamp;
  into.settled = started_wall - std::max(stamp.written_ns, stamp.changed_ns) > kSettleNs;
  into.own = into.own && !into.settled;
  into.scanned_mono_ns = started;
  into.scan_cost_ns = now_ns(CLOCK_MONOTONIC) - started;
  return into.names.find(folded);
}

Result<std::optional<std::string>> DirectoryIndexes::find(int directory_fd,
                                                          const FileKey& directory,
                                                          std::string_view name) {
  const auto stamp = stamp_of(directory_fd);
  if (!stamp) return fail_errno(During::Path);
  const std::string folded = fold(name);
  const IndexPtr index = entry(directory, true);
  const std::lock_guard lock(index->mutex);
  if (index->stamp == stamp && index->trusted()) return index->names.find(folded);
  index->own = index->own && index->stamp == stamp;
  auto answer = scan(directory_fd, *stamp, folded, *index);
  account(directory, *index);
  return answer;
}

void DirectoryIndexes::changed(int directory_fd, const FileKey& directory,
                               const std::optional<DirectoryStamp>& before,
                               std::string_view removed, std::string_view added) {
  const IndexPtr index = entry(directory, false);
  if (!index) return;
  const std::lock_guard lock(index->mutex);
  const auto after = stamp_of(directory_fd);
  if (!index->stamp || !before || !after || index->stamp != before) {
    index->stamp.reset();
    return;
  }
  if (!removed.empty()) index->names.erase(removed);
  if (!added.empty()) index->names.insert(added);
  index->stamp = after;
  index->settled = false;
  index->own = true;
  account(directory, *index);
}

bool DirectoryIndexes::holds_nothing(const FileKey& directory) {
  const IndexPtr index = entry(directory, false);
  if (!index) return false;
  const std::lock_guard lock(index->mutex);
  return index->stamp && index->names.empty();
}

void DirectoryIndexes::forget(const FileKey& directory) {
  if (const IndexPtr index = entry(directory, false)) {
    const std::lock_guard lock(index->mutex);
    index->stamp.reset();
  }
}

}  // namespace flotilla::vfs

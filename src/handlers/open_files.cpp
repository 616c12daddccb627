#include "handlers/open_files.hpp"

namespace flotilla::handlers {

OpenFiles::OpenFiles() : tables_(std::make_shared<Tables>()) {}

void OpenFiles::Tables::forget_place(const Entry& entry) {
  auto [at, end] = places.equal_range(Place{entry.share_, entry.path_});
  for (; at != end; ++at) {
    if (at->second != &entry) continue;
    places.erase(at);
    return;
  }
}

OpenFiles::Entry::~Entry() {
  show_write_time();
  const std::scoped_lock lock(tables_->mutex);
  tables_->forget_place(*this);
  // A new entry may have taken the slot since the last reference went.
  const auto slot = tables_->files.find(key_);
  if (slot != tables_->files.end() && slot->second.expired()) tables_->files.erase(slot);
}

std::string OpenFiles::Entry::path() const {
  const std::scoped_lock lock(tables_->mutex);
  return path_;
}

void OpenFiles::Entry::show_write_time() {
  if (shown_write_ticks.exchange(0) != 0) --tables_->held_times;
  shown_until_ticks = 0;
}

void OpenFiles::Entry::hold_write_time(NtTime before, NtTime until) {
  shown_until_ticks = until.ticks;
  if (shown_write_ticks.exchange(before.ticks) == 0) ++tables_->held_times;
}

void OpenFiles::show_times(ports::FileFacts& facts, NtTime now) const {
  if (tables_->held_times != 0) {
    std::shared_ptr<Entry> entry;
    {
      const std::scoped_lock lock(tables_->mutex);
      const auto slot = tables_->files.find(facts.key);
      if (slot != tables_->files.end()) entry = slot->second.lock();
    }
    if (entry) {
      const std::uint64_t shown = entry->shown_write_ticks;
      const std::uint64_t until = entry->shown_until_ticks;
      if (shown != 0 && (until == 0 || now.ticks < until)) facts.written = NtTime{shown};
    }
  }
  if (!facts.change_time_set) facts.changed = facts.written;
}

std::shared_ptr<OpenFiles::Entry> OpenFiles::hold(const FileKey& key, const void* share,
                                                  std::string_view path) {
  const std::scoped_lock lock(tables_->mutex);
  std::weak_ptr<Entry>& slot = tables_->files[key];
  if (std::shared_ptr<Entry> known = slot.lock()) return known;
  std::shared_ptr<Entry> entry(new Entry(tables_, key, share, std::string(path)));
  slot = entry;
  tables_->places.emplace(Place{share, entry->path_}, entry.get());
  return entry;
}

void OpenFiles::renamed(Entry& entry, std::string path) {
  const std::scoped_lock lock(tables_->mutex);
  tables_->forget_place(entry);
  entry.path_ = std::move(path);
  tables_->places.emplace(Place{entry.share_, entry.path_}, &entry);
}

std::shared_ptr<OpenFiles::Entry> OpenFiles::find(const FileKey& file) const {
  const std::scoped_lock lock(tables_->mutex);
  const auto slot = tables_->files.find(file);
  return slot == tables_->files.end() ? nullptr : slot->second.lock();
}

void OpenFiles::renamed_elsewhere(const FileKey& file, const std::string& path) {
  if (const std::shared_ptr<Entry> entry = find(file)) renamed(*entry, path);
}

void OpenFiles::delete_pending_elsewhere(const FileKey& file, bool pending) {
  if (const std::shared_ptr<Entry> entry = find(file)) entry->delete_pending = pending;
}

std::vector<FileKey> OpenFiles::below(const void* share, std::string_view path,
                                      std::size_t limit) const {
  std::vector<FileKey> keys;
  const std::string prefix = path.empty() ? std::string() : std::string(path) + '/';
  const std::scoped_lock lock(tables_->mutex);
  for (auto at = tables_->places.lower_bound(Place{share, prefix});
       at != tables_->places.end() && keys.size() < limit; ++at) {
    if (at->first.first != share || !at->first.second.starts_with(prefix)) break;
    if (at->first.second != path) keys.push_back(at->second->key());
  }
  return keys;
}

}  // namespace flotilla::handlers

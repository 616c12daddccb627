#include "handlers/notify_hub.hpp"

#include <algorithm>

#include "wire/utf16.hpp"

namespace flotilla::handlers {

namespace {

/// What one event costs in a FILE_NOTIFY_INFORMATION list at most: [MS-FSCC] 2.7.1.
std::size_t event_bytes(const wire::NotifyEntry& entry) {
  return (12 + entry.file_name.size() * 2 + 3) / 4 * 4;
}

/// `path` below `directory`: the part relative to it; nothing where it is not below, or is deeper
/// than one level and `tree` is false.
std::optional<std::string_view> below(std::string_view directory, std::string_view path,
                                      bool tree) {
  std::string_view relative = path;
  if (!directory.empty()) {
    if (path.size() <= directory.size() + 1 || !path.starts_with(directory) ||
        path[directory.size()] != '/') {
      return std::nullopt;
    }
    relative = path.substr(directory.size() + 1);
  }
  if (relative.empty()) return std::nullopt;
  if (!tree && relative.find('/') != std::string_view::npos) return std::nullopt;
  return relative;
}

}  // namespace

void NotifyHub::add_event(NotifyWatch& watch, std::string_view relative,
                          wire::NotifyAction action) {
  if (watch.overflow_) return;
  auto name = wire::utf16_of(relative);
  if (!name) return;
  std::ranges::replace(*name, u'/', u'\\');
  wire::NotifyEntry entry{action, *std::move(name)};
  if (action == wire::NotifyAction::Modified && !watch.pending_.empty() &&
      watch.pending_.back() == entry) {
    return;
  }
  const std::size_t bytes = event_bytes(entry);
  if (watch.pending_bytes_ + bytes > watch.buffer_bytes_) {
    watch.overflow_ = true;
    watch.pending_.clear();
    watch.pending_bytes_ = 0;
    return;
  }
  watch.pending_bytes_ += bytes;
  watch.pending_.push_back(std::move(entry));
}

void NotifyHub::answer_waiter(NotifyWatch& watch, std::vector<Answer>& answers) {
  if (watch.waiters_.empty() || (watch.pending_.empty() && !watch.overflow_)) return;
  NotifyWatch::Waiter waiter = std::move(watch.waiters_.front());
  watch.waiters_.erase(watch.waiters_.begin());
  NotifyResult result;
  if (watch.overflow_ || watch.pending_bytes_ > waiter.limit_bytes) {
    result.status = NtStatus::NotifyEnumDir;
  } else {
    result.entries = std::move(watch.pending_);
  }
  watch.pending_.clear();
  watch.pending_bytes_ = 0;
  watch.overflow_ = false;
  answers.push_back({std::move(waiter.done), std::move(result)});
}

void NotifyHub::deliver(std::vector<Answer>& answers) {
  for (Answer& answer : answers) answer.done(std::move(answer.result));
}

void NotifyHub::report(const void* share, std::string_view path, wire::NotifyAction action,
                       std::uint32_t filter) {
  report_here(share, path, action, filter);
  if (relay_ != nullptr && relay_->wanted(share)) relay_->changed(share, path, action, filter);
}

void NotifyHub::report_rename(const void* share, std::string_view from, std::string_view to,
                              bool directory) {
  report_rename_here(share, from, to, directory);
  if (relay_ != nullptr && relay_->wanted(share)) relay_->renamed(share, from, to, directory);
}

void NotifyHub::report_delete_pending(const void* share, std::string_view path) {
  report_delete_pending_here(share, path);
  if (relay_ != nullptr && relay_->wanted(share)) relay_->delete_pending(share, path);
}

void NotifyHub::report_here(const void* share, std::string_view path, wire::NotifyAction action,
                            std::uint32_t filter) {
  if (watches_alive_.load(std::memory_order_relaxed) == 0) return;
  std::vector<Answer> answers;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& watch : watches_) {
      if (watch->share_ != share || (watch->filter_ & filter) == 0) continue;
      if (const auto relative = below(watch->path_, path, watch->tree_)) {
        add_event(*watch, *relative, action);
        answer_waiter(*watch, answers);
      }
    }
  }
  deliver(answers);
}

void NotifyHub::report_rename_here(const void* share, std::string_view from, std::string_view to,
                                   bool directory) {
  if (watches_alive_.load(std::memory_order_relaxed) == 0) return;
  const std::uint32_t filter =
      directory ? wire::notify_filter::kDirName : wire::notify_filter::kFileName;
  std::vector<Answer> answers;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& watch : watches_) {
      if (watch->share_ != share) continue;
      if ((watch->filter_ & filter) != 0) {
        const auto old_name = below(watch->path_, from, watch->tree_);
        const auto new_name = below(watch->path_, to, watch->tree_);
        const auto parent = [](std::string_view path) {
          const std::size_t slash = path.rfind('/');
          return slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
        };
        const bool same_directory = parent(from) == parent(to);
        if (old_name) {
          add_event(
              *watch, *old_name,
              same_directory ? wire::NotifyAction::RenamedOldName : wire::NotifyAction::Removed);
        }
        if (new_name) {
          add_event(
              *watch, *new_name,
              same_directory ? wire::NotifyAction::RenamedNewName : wire::NotifyAction::Added);
        }
        answer_waiter(*watch, answers);
      }
      // As Windows does: the file's new name has also changed, though a directory's has not. Who is
      // told of the name knows.
      constexpr std::uint32_t kTouched =
          wire::notify_filter::kAttributes | wire::notify_filter::kCreation;
      if (!directory && (watch->filter_ & kTouched) != 0 && (watch->filter_ & filter) == 0) {
        if (const auto name = below(watch->path_, to, watch->tree_)) {
          add_event(*watch, *name, wire::NotifyAction::Modified);
          answer_waiter(*watch, answers);
        }
      }
      if (directory && watch->path_ == from) {
        watch->path_ = std::string(to);
      } else if (directory && below(from, watch->path_, true) && !from.empty()) {
        watch->path_ = std::string(to) + watch->path_.substr(from.size());
      }
    }
  }
  deliver(answers);
}

void NotifyHub::report_delete_pending_here(const void* share, std::string_view path) {
  if (watches_alive_.load(std::memory_order_relaxed) == 0) return;
  std::vector<Answer> answers;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& watch : watches_) {
      if (watch->share_ != share || watch->path_ != path || watch->closed_) continue;
      watch->closed_ = true;
      watch->closed_status_ = NtStatus::DeletePending;
      for (auto& waiter : watch->waiters_) {
        answers.push_back({std::move(waiter.done), {NtStatus::DeletePending, {}}});
      }
      watch->waiters_.clear();
    }
  }
  deliver(answers);
}

std::shared_ptr<NotifyWatch> NotifyHub::add(const void* share, std::string path, bool tree,
                                            std::uint32_t filter, std::size_t buffer_bytes) {
  auto watch = std::make_shared<NotifyWatch>();
  watch->share_ = share;
  watch->path_ = std::move(path);
  watch->tree_ = tree;
  watch->filter_ = filter;
  watch->buffer_bytes_ = buffer_bytes;
  bool first = false;
  {
    const std::scoped_lock lock(mutex_);
    first = std::ranges::find(watches_, share, &NotifyWatch::share_) == watches_.end();
    watches_.push_back(watch);
    watches_alive_.store(watches_.size(), std::memory_order_relaxed);
  }
  if (first && relay_ != nullptr) relay_->watching(share, true);
  return watch;
}

std::uint64_t NotifyHub::wait(const std::shared_ptr<NotifyWatch>& watch, std::size_t limit_bytes,
                              NotifyDone done) {
  std::vector<Answer> answers;
  std::uint64_t id = 0;
  {
    const std::scoped_lock lock(mutex_);
    id = next_waiter_++;
    if (watch->closed_) {
      answers.push_back({std::move(done), {watch->closed_status_, {}}});
    } else {
      watch->waiters_.push_back({id, limit_bytes, std::move(done)});
      if (watch->waiters_.size() == 1) answer_waiter(*watch, answers);
    }
  }
  deliver(answers);
  return id;
}

void NotifyHub::cancel(const std::shared_ptr<NotifyWatch>& watch, std::uint64_t waiter) {
  std::vector<Answer> answers;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = std::ranges::find(watch->waiters_, waiter, &NotifyWatch::Waiter::id);
    if (found == watch->waiters_.end()) return;
    answers.push_back({std::move(found->done), {NtStatus::Cancelled, {}}});
    watch->waiters_.erase(found);
  }
  deliver(answers);
}

void NotifyHub::remove(const std::shared_ptr<NotifyWatch>& watch, NtStatus status) {
  std::vector<Answer> answers;
  bool last = false;
  {
    const std::scoped_lock lock(mutex_);
    const bool known = std::erase(watches_, watch) != 0;
    watches_alive_.store(watches_.size(), std::memory_order_relaxed);
    last =
        known && std::ranges::find(watches_, watch->share_, &NotifyWatch::share_) == watches_.end();
    watch->closed_ = true;
    watch->closed_status_ = status;
    for (auto& waiter : watch->waiters_) {
      answers.push_back({std::move(waiter.done), {status, {}}});
    }
    watch->waiters_.clear();
  }
  if (last && relay_ != nullptr) relay_->watching(watch->share_, false);
  deliver(answers);
}

std::size_t NotifyHub::watch_count() const {
  const std::scoped_lock lock(mutex_);
  return watches_.size();
}

}  // namespace flotilla::handlers

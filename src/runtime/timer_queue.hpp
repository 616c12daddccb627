// Timers in the order of their deadline; equal deadlines in the order of their making. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "runtime/executor.hpp"

namespace flotilla::runtime {

class TimerQueue {
 public:
  TimerId add(MonoTime due, Work work) {
    const std::uint64_t id = ++last_id_;
    by_due_.emplace(Key{due.ns, id}, std::move(work));
    due_of_.emplace(id, due.ns);
    return TimerId{id};
  }
  void cancel(TimerId timer) {
    const auto found = due_of_.find(timer.raw());
    if (found == due_of_.end()) return;
    const auto node = by_due_.extract(Key{found->second, timer.raw()});
    due_of_.erase(found);
    // `node` dies last: destroying the work may call back into this queue.
  }
  [[nodiscard]] std::optional<MonoTime> next_due() const {
    if (by_due_.empty()) return std::nullopt;
    return MonoTime{by_due_.begin()->first.first};
  }
  /// The earliest timer that is due at `now`, taken out; nothing where none is.
  [[nodiscard]] std::optional<Work> pop_due(MonoTime now) {
    if (by_due_.empty() || by_due_.begin()->first.first > now.ns) return std::nullopt;
    auto node = by_due_.extract(by_due_.begin());
    due_of_.erase(node.key().second);
    return std::move(node.mapped());
  }
  [[nodiscard]] std::size_t count() const noexcept { return by_due_.size(); }

 private:
  using Key = std::pair<std::int64_t, std::uint64_t>;
  std::map<Key, Work> by_due_;
  std::unordered_map<std::uint64_t, std::int64_t> due_of_;
  std::uint64_t last_id_ = 0;
};

}  // namespace flotilla::runtime

#include "handlers/logon_delays.hpp"

#include <algorithm>

#include "base/ascii.hpp"

namespace flotilla::handlers {

std::string LogonDelays::key_of(std::string_view user, std::string_view address) {
  constexpr std::size_t kUserBytesMax = 256;
  std::string key = ascii::lower(user.substr(0, kUserBytesMax));
  key += '\n';
  key += address;
  return key;
}

std::chrono::milliseconds LogonDelays::delay_of(std::uint32_t failures) {
  if (failures <= kFreeFailures) return {};
  const std::uint32_t doublings = std::min<std::uint32_t>(failures - kFreeFailures - 1, 10);
  return std::min(kMost, kFirst * (1U << doublings));
}

void LogonDelays::forget_old(MonoTime now) {
  const auto old = static_cast<std::uint64_t>(std::chrono::nanoseconds(kForgottenAfter).count());
  while (!order_.empty() && static_cast<std::uint64_t>(now.ns) >
                                static_cast<std::uint64_t>(order_.front().last.ns) + old) {
    by_key_.erase(order_.front().key);
    order_.pop_front();
  }
}

std::chrono::milliseconds LogonDelays::failed(std::string_view user, std::string_view address,
                                              MonoTime now) {
  const std::scoped_lock lock(mutex_);
  forget_old(now);
  const std::string key = key_of(user, address);
  auto found = by_key_.find(key);
  if (found == by_key_.end()) {
    if (order_.size() >= kEntriesMax) {
      by_key_.erase(order_.front().key);
      order_.pop_front();
    }
    order_.push_back({key, 0, now});
    found = by_key_.emplace(order_.back().key, std::prev(order_.end())).first;
  } else {
    order_.splice(order_.end(), order_, found->second);
  }
  Entry& entry = *found->second;
  entry.last = now;
  return delay_of(++entry.failures);
}

std::chrono::milliseconds LogonDelays::succeeded(std::string_view user, std::string_view address,
                                                 MonoTime now) {
  const std::scoped_lock lock(mutex_);
  forget_old(now);
  const auto found = by_key_.find(key_of(user, address));
  if (found == by_key_.end()) return {};
  const auto at = found->second;
  const auto delay = delay_of(at->failures);
  by_key_.erase(found);
  order_.erase(at);
  return delay;
}

std::size_t LogonDelays::size() const {
  const std::scoped_lock lock(mutex_);
  return order_.size();
}

}  // namespace flotilla::handlers

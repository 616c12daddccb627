#include "handlers/session_table.hpp"

namespace flotilla::handlers {

bool SessionTable::add(SessionId id, std::weak_ptr<session::Session> session,
                       runtime::Executor& executor, std::size_t limit) {
  const std::scoped_lock lock(mutex_);
  if (entries_.size() >= limit) return false;
  return entries_.emplace(id, Entry{std::move(session), &executor, {}}).second;
}

void SessionTable::set_user(SessionId id, const wire::Sid& user) {
  const std::scoped_lock lock(mutex_);
  if (const auto found = entries_.find(id); found != entries_.end()) found->second.user = user;
}

void SessionTable::remove(SessionId id) {
  const std::scoped_lock lock(mutex_);
  entries_.erase(id);
}

std::optional<SessionTable::Entry> SessionTable::find(SessionId id) const {
  const std::scoped_lock lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return std::nullopt;
  return found->second;
}

std::size_t SessionTable::count() const {
  const std::scoped_lock lock(mutex_);
  return entries_.size();
}

}  // namespace flotilla::handlers

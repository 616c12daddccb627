// SessionTable: every session of this node, whatever shard it lives on: GlobalSessionTable of
// [MS-SMB2] 3.3.1.5 as far as one node goes. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "base/ids.hpp"
#include "runtime/executor.hpp"
#include "session/session.hpp"
#include "wire/sid.hpp"

namespace flotilla::handlers {

class SessionTable {
 public:
  struct Entry {
    std::weak_ptr<session::Session> session;  ///< touched on `executor` only
    runtime::Executor* executor = nullptr;    ///< the session's home
    wire::Sid user;
  };
  /// False, with nothing added, where the table has `limit` sessions already or knows this id.
  [[nodiscard]] bool add(SessionId id, std::weak_ptr<session::Session> session,
                         runtime::Executor& executor, std::size_t limit);
  /// The session is valid now, and this user's.
  void set_user(SessionId id, const wire::Sid& user);
  void remove(SessionId id);
  [[nodiscard]] std::optional<Entry> find(SessionId id) const;
  [[nodiscard]] std::size_t count() const;

 private:
  mutable std::mutex mutex_;
  std::unordered_map<SessionId, Entry> entries_;
};

}  // namespace flotilla::handlers

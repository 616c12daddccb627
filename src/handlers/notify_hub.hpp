// NotifyHub: who watches which directory on this node, and what happened there. Thread-safe; pure
// but for its mutex. Must not know requests or channels. (Issue 3 feeds it from the other nodes.)
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/nt_status.hpp"
#include "wire/fscc_directory.hpp"
#include "wire/smb2_constants.hpp"

namespace flotilla::handlers {

/// What one CHANGE_NOTIFY is answered with. `status` Success: `entries` is not empty.
struct NotifyResult {
  NtStatus status = NtStatus::Success;
  std::vector<wire::NotifyEntry> entries;
};
/// Called once, on the thread that reports the change and without the hub's lock: post and return.
using NotifyDone = std::move_only_function<void(NotifyResult)>;

/// One watching open: events gather here between two CHANGE_NOTIFY requests.
/// Spec    [MS-SMB2] 3.3.5.19; [MS-FSA] 2.1.5.11 Server Requests Change Notifications for a
///         Directory
/// States  idle -> waiting (a request) -> answered -> idle; overflow is answered NotifyEnumDir
class NotifyWatch {
 public:
  [[nodiscard]] bool tree() const noexcept { return tree_; }
  [[nodiscard]] std::uint32_t filter() const noexcept { return filter_; }

 private:
  friend class NotifyHub;
  struct Waiter {
    std::uint64_t id;
    std::size_t limit_bytes;
    NotifyDone done;
  };
  const void* share_ = nullptr;
  std::string path_;
  bool tree_ = false;
  std::uint32_t filter_ = 0;
  std::size_t buffer_bytes_ = 0;
  std::vector<wire::NotifyEntry> pending_;
  std::size_t pending_bytes_ = 0;
  bool overflow_ = false;
  bool closed_ = false;
  NtStatus closed_status_ = NtStatus::NotifyCleanup;
  std::vector<Waiter> waiters_;
};

/// Who brings this node's changes to the watches of other nodes. Calls: any thread, without the
/// hub's lock. `share` as in NotifyHub.
class NotifyRelay {
 public:
  virtual ~NotifyRelay() = default;
  /// False where no other node watches `share`: nothing is sent then, and this costs an atomic.
  [[nodiscard]] virtual bool wanted(const void* share) = 0;
  virtual void changed(const void* share, std::string_view path, wire::NotifyAction action,
                       std::uint32_t filter) = 0;
  virtual void renamed(const void* share, std::string_view from, std::string_view to,
                       bool directory) = 0;
  virtual void delete_pending(const void* share, std::string_view path) = 0;
  /// This node has its first watch on `share`, or has lost its last.
  virtual void watching(const void* share, bool on) = 0;
};

class NotifyHub {
 public:
  /// Before the first call of anything else; lives as long as the hub. Null: this node alone.
  void set_relay(NotifyRelay* relay) { relay_ = relay; }
  /// What another node says has happened: for the watches of this node only.
  void report_here(const void* share, std::string_view path, wire::NotifyAction action,
                   std::uint32_t filter);
  void report_rename_here(const void* share, std::string_view from, std::string_view to,
                          bool directory);
  void report_delete_pending_here(const void* share, std::string_view path);
  /// Called for every WRITE: without a watch anywhere it takes no lock.
  /// Input   `share` is an identity only; paths are share-relative UTF-8 with '/'
  ///         `filter`: notify_filter bits; a watch with any of them sees the change
  /// Calls   any thread
  void report(const void* share, std::string_view path, wire::NotifyAction action,
              std::uint32_t filter);
  /// Both names; a move between directories is Removed and Added for those who see one end only.
  /// Watches on the directory itself or below it follow the new name.
  void report_rename(const void* share, std::string_view from, std::string_view to, bool directory);
  /// The directory is about to go: its watches are answered DeletePending.
  void report_delete_pending(const void* share, std::string_view path);

  /// A new watch; events gather from now on. Give it back to `remove`.
  /// `buffer_bytes`: what may gather between requests before it is an overflow.
  [[nodiscard]] std::shared_ptr<NotifyWatch> add(const void* share, std::string path, bool tree,
                                                 std::uint32_t filter, std::size_t buffer_bytes);
  /// Waits for the next events, or takes those there are. Returns a number for cancel().
  std::uint64_t wait(const std::shared_ptr<NotifyWatch>& watch, std::size_t limit_bytes,
                     NotifyDone done);
  /// A request that still waits is answered Cancelled.
  void cancel(const std::shared_ptr<NotifyWatch>& watch, std::uint64_t waiter);
  /// The open is closed: waiting requests are answered `status`.
  void remove(const std::shared_ptr<NotifyWatch>& watch, NtStatus status = NtStatus::NotifyCleanup);

  [[nodiscard]] std::size_t watch_count() const;

 private:
  struct Answer {
    NotifyDone done;
    NotifyResult result;
  };
  void add_event(NotifyWatch& watch, std::string_view relative, wire::NotifyAction action);
  void answer_waiter(NotifyWatch& watch, std::vector<Answer>& answers);
  static void deliver(std::vector<Answer>& answers);

  NotifyRelay* relay_ = nullptr;
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<NotifyWatch>> watches_;
  std::atomic<std::size_t> watches_alive_{0};  ///< watches_.size(), for those who hold no lock
  std::uint64_t next_waiter_ = 1;
};

}  // namespace flotilla::handlers

// The Engine port: all that handlers see of coherence. Two engines stand behind it: embedded (this
// process decides) and pool (the file's owner node decides). One contract suite tests both.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "coherence/command.hpp"
#include "ports/io_gate.hpp"

namespace flotilla::ports {

/// What the engine tells an open's owner out of the blue. Called on any thread, never with a lock
/// of the engine held; implementations post to their own executor and return.
class OpenEvents {
 public:
  virtual ~OpenEvents() = default;
  virtual void on_break(const coherence::Break& what) = 0;
  /// The open is fenced: its gate admits nothing any more. The handler drops it without Close.
  virtual void on_revoked(coherence::RevokeReason reason) = 0;
};

/// `done`     exactly once; maybe before submit returns; on any thread
/// `pending`  at most once and before `done`: the command waits for a client (break or lock), so
/// the
///            requester may be told STATUS_PENDING. May be empty.
struct Completion {
  std::move_only_function<void(coherence::Outcome)> done;
  std::move_only_function<void()> pending;
};

/// What Engine::open hands out beside the outcome.
struct OpenOutcome {
  coherence::Outcome outcome;
  std::shared_ptr<IoGate> gate;  ///< not null on Success
};

struct EngineStatus {
  std::string kind;  ///< "embedded" or "pool"
  NodeId self;
  Epoch epoch;
  bool quorate = true;
  std::vector<NodeId> members;  ///< ascending
  std::uint64_t files_owned = 0;
  std::uint64_t opens_held = 0;
};

class Engine {
 public:
  virtual ~Engine() = default;

  /// A number for a new open, unique in the pool for all time that matters (node and boot inside).
  [[nodiscard]] virtual OpenId next_open_id() = 0;

  /// Opens `key`. On Success `events` receives breaks until the open is closed or revoked, and
  /// restrictions are enforced in the gate before `done` runs. Returns a number for cancel().
  virtual RequestId open(const FileKey& key, coherence::Open command,
                         std::shared_ptr<OpenEvents> events,
                         std::move_only_function<void(OpenOutcome)> done,
                         std::move_only_function<void()> pending) = 0;

  /// Takes over an open that waits for its client: `events` and the gate are its new ones, as in
  /// open(). The answer is Reclaimed. Do not Reclaim by submit().
  virtual RequestId reclaim(const FileKey& key, coherence::Reclaim command,
                            std::shared_ptr<OpenEvents> events,
                            std::move_only_function<void(OpenOutcome)> done) = 0;

  /// Which opens of the whole pool can be named so. For reconnects, replays and application
  /// instances only: the pool asks every member. Members that do not answer are left out.
  /// `done`  exactly once, on any thread
  virtual void find_kept(const coherence::KeptQuery& query,
                         std::move_only_function<void(std::vector<coherence::KeptFound>)> done) = 0;

  /// Any other command about `key`. After a Detach that was answered Success the open's events and
  /// gate stay as they are, until it is revoked, closed or reclaimed. DeviceNotReady where this
  /// node may not serve.
  virtual RequestId submit(const FileKey& key, coherence::Body body, Completion completion) = 0;

  /// Asks that a waiting open or lock be given up; its own completion then says Cancelled, or what
  /// it got if that came first.
  virtual void cancel(const FileKey& key, RequestId request) = 0;

  /// A delete-pending file whose last open died with its node, or was revoked: whoever set the
  /// handler removes the name `path` (relative to the share of `key`), then submits Unlinked for
  /// `open`. Without a handler such a file keeps its name. Called on any thread, no lock held; set
  /// it once, before the first open.
  using OrphanHandler =
      std::function<void(const FileKey& key, OpenId open, const std::string& path)>;
  virtual void set_orphan_handler(OrphanHandler handler) { (void)handler; }

  [[nodiscard]] virtual EngineStatus status() const = 0;
  /// False where requests must be refused: no quorum, or a view this node is not part of. Ask it
  /// again right before a name is removed on the word of a Closed or an orphan: a node that hung in
  /// between is out, and the name may be somebody else's file by now (then Unlinked with ok false).
  [[nodiscard]] virtual bool serving() const = 0;
};

}  // namespace flotilla::ports

// PoolMarks: what a node has told all others of before it relies on it, so that they can ask a
// table of their own instead of the pool: which directories' entries a client caches, which clients
// have sessions. Thread-safe; pure but for its mutex. Must not know how notes travel, nor what
// follows from a mark.
#pragma once

#include <array>
#include <atomic>
#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "base/ids.hpp"

namespace flotilla::handlers {

/// `Listing`  a client has a lease on the directory `name`: changes of its entries break it
/// `Client`   sessions of this client are on the node; `name` is made of its ClientGuid
struct Mark {
  enum class Kind : std::uint8_t { Listing = 1, Client };
  Kind kind = Kind::Listing;
  FileKey name;
  friend auto operator<=>(const Mark&, const Mark&) = default;
};
inline constexpr std::size_t kMarkKinds = 2;
[[nodiscard]] Mark client_mark(const ClientGuid& client) noexcept;

/// A node in one of its lives: what it said in an earlier one does not count.
struct MarkPeer {
  NodeId node;
  std::uint64_t life = 0;
  friend auto operator<=>(const MarkPeer&, const MarkPeer&) = default;
};

/// One change of one node's marks. `seq` numbers the changes of a process.
struct MarkNote {
  std::uint64_t life = 0;
  std::uint64_t seq = 0;
  Mark mark;
  bool on = false;
};
/// All marks of one node after its change `seq`.
struct MarkList {
  std::uint64_t life = 0;
  std::uint64_t seq = 0;
  std::vector<Mark> marks;
};

/// Brings notes to other nodes. Called on any thread, without a lock of PoolMarks.
class MarkRelay {
 public:
  virtual ~MarkRelay() = default;
  /// False while a node that was lost may still change files, or files are being rebuilt: then no
  /// Listing is granted.
  [[nodiscard]] virtual bool settled() = 0;
  /// `done` once: the node knows, or has left.
  virtual void tell(NodeId to, const MarkNote& note, std::move_only_function<void()> done) = 0;
  /// Asks for list_for(); `done` once, with nothing where the node has left.
  virtual void pull(NodeId from, std::move_only_function<void(std::optional<MarkList>)> done) = 0;
};

class PoolMarks {
 public:
  /// `done(false)`: a Listing cannot be had now. Called once, on any thread, maybe at once.
  using Done = std::move_only_function<void(bool)>;

  /// Before the first call of anything else. Until on_members nothing is known of the others: every
  /// mark counts as set. Without a relay this node is alone.
  void set_relay(MarkRelay* relay);

  /// `holder` (an open or a session) wants the mark; `done` when all others know it.
  void claim(const Mark& mark, std::uint64_t holder, Done done);
  /// With its last holder the mark goes; nobody waits for that. No effect where it has none.
  void release(const Mark& mark, std::uint64_t holder);

  /// Whether there may be a mark of this kind on any node: an atomic, for ordinary paths.
  [[nodiscard]] bool any(Mark::Kind kind) const noexcept {
    return counts_[index_of(kind)].load(std::memory_order_acquire) != 0 ||
           unknown_.load(std::memory_order_acquire);
  }
  /// Whether some node has it; true also while this node cannot know.
  [[nodiscard]] bool marked(const Mark& mark) const;
  /// The other nodes that have it; all others while this node cannot know.
  [[nodiscard]] std::vector<NodeId> elsewhere(const Mark& mark) const;
  [[nodiscard]] std::vector<Mark> own(Mark::Kind kind) const;
  /// Grows with every loss of a member: a Listing that was claimed before and granted after it may
  /// have missed what the lost node did last.
  [[nodiscard]] std::uint64_t losses() const noexcept { return losses_.load(); }

  /// The pool's members without this node; `self_life` 0: this node is in no view.
  /// Output  true: one that was there has gone, and may have changed something unsaid
  bool on_members(std::uint64_t self_life, const std::vector<MarkPeer>& others);
  void receive(NodeId from, const MarkNote& note);
  /// For `asker`, which is told of all later changes too.
  [[nodiscard]] MarkList list_for(NodeId asker);

 private:
  struct Own {
    std::set<std::uint64_t> holders;
    std::uint64_t seq = 0;
    std::size_t missing = 0;  ///< nodes that have yet to hear of it
    bool known = false;
    std::vector<Done> waiting;
  };
  struct Entry {
    std::uint64_t seq = 0;
    bool on = false;  ///< false only while the list has not come
  };
  struct Peer {
    std::uint64_t life = 0;
    bool synced = false;
    bool pulling = false;
    std::uint64_t synced_seq = 0;
    std::map<Mark, Entry> marks;
  };
  [[nodiscard]] static constexpr std::size_t index_of(Mark::Kind kind) noexcept {
    return static_cast<std::size_t>(kind) - 1;
  }
  void told(const Mark& mark, std::uint64_t seq);
  void pull(NodeId from);
  void pulled(NodeId from, std::optional<MarkList> list);
  void count(const Mark& mark, bool on);                         // with mutex_ held
  void forget(Peer& peer);                                       // with mutex_ held
  void refresh_unknown();                                        // with mutex_ held
  [[nodiscard]] MarkNote retire(std::map<Mark, Own>::iterator);  // with mutex_ held

  MarkRelay* relay_ = nullptr;
  std::array<std::atomic<std::size_t>, kMarkKinds> counts_{};
  std::atomic<bool> unknown_{false};
  std::atomic<std::uint64_t> losses_{0};
  mutable std::mutex mutex_;
  std::uint64_t life_ = 0;
  std::uint64_t seq_ = 0;
  bool skewed_ = false;  ///< somebody spoke who is not in the view that this node has
  std::map<Mark, Own> own_;
  std::map<NodeId, Peer> peers_;
  std::set<NodeId> audience_;
};

}  // namespace flotilla::handlers

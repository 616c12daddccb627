// Placement: where new sessions go, and how the nodes of the pool reach each other's front.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/ids.hpp"

namespace flotilla::front {

/// A member of the view. `link_host` is a numeric address; the port is its front-link port.
struct Member {
  NodeId node;
  std::string link_host;
  std::uint16_t link_port = 0;
};

/// Told by the pool; thread-safe. A single node has none, or itself alone.
class Placement {
 public:
  virtual ~Placement() = default;
  /// The present view, this node included. Empty: there is no pool, serve everything here.
  [[nodiscard]] virtual std::vector<Member> members() const = 0;
};

/// The placement of a node without a pool.
class LocalPlacement final : public Placement {
 public:
  [[nodiscard]] std::vector<Member> members() const override { return {}; }
};

/// Spreads the sessions that one front assigns: to the member with the fewest, ties in turn.
/// Counts what this front assigned only; other fronts spread theirs evenly too. Thread-safe.
class SessionSpread {
 public:
  /// Chooses among `members` (not empty) and counts one session there.
  [[nodiscard]] NodeId assign(const std::vector<Member>& members);
  /// One session that was assigned to `node` is gone.
  void release(NodeId node);
  [[nodiscard]] std::map<NodeId, std::uint32_t> counts() const;
  [[nodiscard]] std::map<NodeId, std::uint64_t> totals() const;

 private:
  mutable std::mutex mutex_;
  std::map<NodeId, std::uint32_t> assigned_;
  std::map<NodeId, std::uint64_t> totals_;
  NodeId last_;
};

}  // namespace flotilla::front

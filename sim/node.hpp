// One node of the simulated pool: its clock, its engine (production code), and its troubles.
#pragma once

#include <memory>
#include <vector>

#include "pool/pool_engine.hpp"
#include "ports/clock.hpp"
#include "sim/schedule.hpp"

namespace flotilla::sim {

/// No two nodes' clocks start at the same number or run at quite the same rate, and the wall clock
/// is whatever somebody set it to.
class NodeClock final : public ports::Clock {
 public:
  explicit NodeClock(const Schedule& schedule) : schedule_(&schedule) {}
  void set(std::int64_t starts_at_ns, std::int64_t fast_ppm) {
    starts_at_ns_ = starts_at_ns;
    fast_ppm_ = fast_ppm;
  }
  void jump_wall(std::int64_t by_s) { wall_s_ += by_s; }

  [[nodiscard]] MonoTime mono() const noexcept override {
    const std::int64_t ns = schedule_->now().ns;
    return MonoTime{starts_at_ns_ + ns + ns / 1'000'000 * fast_ppm_};
  }
  [[nodiscard]] NtTime wall() const noexcept override {
    return nt_time_of(1'790'000'000 + wall_s_ + schedule_->now().ns / 1'000'000'000, 0);
  }

 private:
  const Schedule* schedule_;
  std::int64_t starts_at_ns_ = 0;
  std::int64_t fast_ppm_ = 0;
  std::int64_t wall_s_ = 0;
};

/// `boot`     counts the lives of its process; what was asked for in an earlier one is void
/// `hung`     the process does not run: nothing is received, answered or noticed. What the kernel
///            was given already is carried out.
/// `side`     nodes of different sides do not hear each other
/// `stalled`  what happens when it runs again
struct Node {
  explicit Node(NodeId node, const Schedule& schedule) : id(node), clock(schedule) {}
  NodeId id;
  NodeClock clock;
  std::uint64_t boot = 0;
  bool up = false;
  bool hung = false;
  MonoTime hung_since;
  int side = 0;
  std::unique_ptr<pool::PoolEngine> engine;
  std::vector<Schedule::Event> stalled;

  [[nodiscard]] bool runs() const noexcept { return up && !hung; }
  /// What this node's clients do counts: I/O of theirs is carried out.
  [[nodiscard]] bool serves() const { return up && engine->serving(); }
};

using Nodes = std::vector<std::unique_ptr<Node>>;

}  // namespace flotilla::sim

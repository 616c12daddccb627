// The links between nodes: first in, first out for each pair and lossless between two lives, as
// pool/peer makes them; different pairs delay as they like. Carries real bytes.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "pool/peer/links.hpp"
#include "sim/node.hpp"
#include "sim/random.hpp"
#include "sim/report.hpp"

namespace flotilla::sim {

/// `usual`  how long a message is under way at most; `slow`: one in `slow_one_in` takes up to that
struct Delays {
  std::chrono::microseconds usual{200};
  std::chrono::microseconds slow{20000};
  std::uint64_t slow_one_in = 30;
};

class Network {
 public:
  /// Sees every message before it is delivered.
  using Tap = std::function<void(NodeId from, NodeId to, pool::PeerTraffic, ByteView)>;

  Network(Schedule& schedule, Random& random, Report& report, const Nodes& nodes, Delays delays,
          Tap tap, Tap sends);

  [[nodiscard]] std::unique_ptr<pool::PeerLinks> attach(NodeId node);
  /// Something that messages may have waited for has changed.
  void look_again();
  /// The pair hears nothing of each other for so long, though the group goes on.
  void stall(NodeId a, NodeId b, std::chrono::milliseconds by);
  /// Of what the node had sent, some is on the wire, the rest is lost.
  void crashed(NodeId node);

 private:
  class Links;
  struct Item {
    pool::MemberId from;
    pool::MemberId to;
    MonoTime arrives;
    pool::PeerTraffic traffic;
    Bytes body;
  };
  using Pair = std::pair<NodeId, NodeId>;
  void send(pool::MemberId from, pool::MemberId to, pool::PeerTraffic traffic, Bytes body);
  void deliver(Pair pair);
  [[nodiscard]] bool passes(const Item& item) const;

  Schedule& schedule_;
  Random& random_;
  Report& report_;
  const Nodes& nodes_;
  const Delays delays_;
  const Tap tap_;
  const Tap sends_;
  std::map<NodeId, Links*> ends_;
  std::map<Pair, std::deque<Item>> queues_;
  std::map<Pair, MonoTime> last_arrival_;
  std::map<Pair, MonoTime> stalled_until_;
};

}  // namespace flotilla::sim

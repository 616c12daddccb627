#include "sim/network.hpp"

#include <algorithm>

namespace flotilla::sim {

using pool::Member;
using pool::MemberId;
using pool::PeerDelivery;
using pool::PeerTraffic;

class Network::Links final : public pool::PeerLinks {
 public:
  Links(Network& network, NodeId node) : network_(network), node_(node) {}
  ~Links() override {
    if (network_.ends_[node_] == this) network_.ends_.erase(node_);
  }
  void start(Receive receive) override {
    receive_ = std::move(receive);
    network_.ends_[node_] = this;
  }
  void stop() override { receive_ = nullptr; }
  void set_view(MemberId self, const std::vector<Member>& members) override {
    self_ = self;
    members_.clear();
    for (const Member& member : members) members_.insert(member.id);
    for (auto& [pair, queue] : network_.queues_) {
      if (pair.first != node_) continue;
      std::erase_if(queue, [&](const Item& item) {
        return item.from != self_ || !members_.contains(item.to);
      });
    }
    network_.schedule_.in({}, [&network = network_] { network.look_again(); });
  }
  void send(NodeId to, PeerTraffic traffic, Bytes body) override {
    if (!receive_) return;
    for (const MemberId& member : members_) {
      if (member.node == to) return network_.send(self_, member, traffic, std::move(body));
    }
  }

 private:
  friend class Network;
  Network& network_;
  NodeId node_;
  Receive receive_;
  MemberId self_;
  std::set<MemberId> members_;
};

Network::Network(Schedule& schedule, Random& random, Report& report, const Nodes& nodes,
                 Delays delays, Tap tap, Tap sends)
    : schedule_(schedule),
      random_(random),
      report_(report),
      nodes_(nodes),
      delays_(delays),
      tap_(std::move(tap)),
      sends_(std::move(sends)) {}

std::unique_ptr<pool::PeerLinks> Network::attach(NodeId node) {
  return std::make_unique<Links>(*this, node);
}

void Network::send(MemberId from, MemberId to, PeerTraffic traffic, Bytes body) {
  using std::chrono::microseconds;
  sends_(from.node, to.node, traffic, body);
  const bool slow = random_.one_in(delays_.slow_one_in);
  const microseconds delay = random_.between(microseconds{10}, slow ? delays_.slow : delays_.usual);
  const Pair pair{from.node, to.node};
  MonoTime& last = last_arrival_[pair];
  last = std::max(last, schedule_.now() + delay);
  queues_[pair].push_back({from, to, last, traffic, std::move(body)});
  schedule_.in(last - schedule_.now(), [this, pair] { deliver(pair); });
}

bool Network::passes(const Item& item) const {
  const Node& from = *nodes_[item.from.node.raw() - 1];
  const Node& to = *nodes_[item.to.node.raw() - 1];
  if (!to.runs() || from.side != to.side || item.arrives > schedule_.now()) return false;
  const auto stalled = stalled_until_.find(std::minmax(item.from.node, item.to.node));
  if (stalled != stalled_until_.end() && stalled->second > schedule_.now()) return false;
  const auto end = ends_.find(item.to.node);
  if (end == ends_.end() || !end->second->receive_) return false;
  return end->second->self_ == item.to && end->second->members_.contains(item.from);
}

void Network::deliver(Pair pair) {
  std::deque<Item>& queue = queues_[pair];
  std::vector<PeerDelivery> batch;
  MemberId from;
  while (!queue.empty() && passes(queue.front())) {
    Item& item = queue.front();
    if (!batch.empty() && item.from != from) break;
    from = item.from;
    report_.count("messages");
    for (const std::uint8_t byte : item.body) report_.mix(byte);
    tap_(pair.first, pair.second, item.traffic, item.body);
    batch.push_back({item.traffic, std::move(item.body)});
    queue.pop_front();
  }
  if (batch.empty()) return;
  ends_.at(pair.second)->receive_(from, batch);
  deliver(pair);
}

void Network::look_again() {
  std::vector<Pair> pairs;
  for (const auto& [pair, queue] : queues_) {
    if (!queue.empty()) pairs.push_back(pair);
  }
  for (const Pair& pair : pairs) deliver(pair);
}

void Network::stall(NodeId a, NodeId b, std::chrono::milliseconds by) {
  stalled_until_[std::minmax(a, b)] = schedule_.now() + by;
  schedule_.in(by, [this] { look_again(); });
}

void Network::crashed(NodeId node) {
  for (auto& [pair, queue] : queues_) {
    if (pair.second == node) queue.clear();
    if (pair.first == node && !queue.empty())
      queue.erase(queue.begin() + static_cast<std::ptrdiff_t>(random_.pick(queue.size() + 1)),
                  queue.end());
  }
}

}  // namespace flotilla::sim

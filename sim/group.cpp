#include "sim/group.hpp"

#include <algorithm>
#include <utility>

namespace flotilla::sim {

using namespace std::chrono_literals;
using pool::Hello;

Group::Group(Schedule& schedule, Random& random, Report& report, const Nodes& nodes)
    : schedule_(schedule), random_(random), report_(report), nodes_(nodes) {}

void Group::Port::start(pool::MembershipEvents& events, pool::NodeFacts self) {
  events_ = &events;
  agreement_.emplace(node_, group_.fresh_++, std::move(self));
  group_.look_again(100ms);
}

void Group::Port::publish(const std::string& key, ByteView value) {
  if (!ring_) return;
  for (const NodeId id : ring_->members) {
    Port& other = *group_.ports_.at(id);
    if (other.events_ != nullptr && other.ring_ == ring_) {
      other.events_->on_fact(node_, key, value);
    }
  }
}

pool::Membership& Group::boot(NodeId node) {
  clean_.erase(node);
  ports_[node] = std::make_unique<Port>(*this, node);
  return *ports_[node];
}

void Group::crashed(NodeId node, bool clean) {
  Port& port = *ports_.at(node);
  port.events_ = nullptr;
  ++port.change_;
  if (clean) clean_.insert(node);
  look_again(clean ? 20ms : 600ms);
}

void Group::in(Port& port, std::chrono::nanoseconds delay, void (Group::*what)(Port&)) {
  schedule_.in(delay, [this, node = port.node_, &port, change = port.change_, what] {
    if (ports_.at(node).get() == &port && port.change_ == change && port.events_ != nullptr) {
      (this->*what)(port);
    }
  });
}

void Group::look_again(std::chrono::milliseconds within, std::chrono::milliseconds after) {
  schedule_.in(after + random_.between(1ms, within + 1ms), [this] { change_rings(); });
}

void Group::lose(NodeId node) {
  Port& port = *ports_.at(node);
  if (port.events_ == nullptr || port.away_) return;
  ++port.change_;
  port.away_ = true;
  port.fenced_ = true;
  port.ring_.reset();
  port.told_.reset();
  port.missed_.reset();
  port.known_.clear();
  port.agreement_->lost();
  port.events_->on_lost();
  look_again(600ms);
  schedule_.in(random_.between(700ms, 1500ms), [this, node, &port] {
    if (ports_.at(node).get() != &port) return;
    port.away_ = false;
    look_again(100ms);
  });
}

void Group::prove_alive(NodeId node) {
  Port& port = *ports_.at(node);
  const MonoTime now = schedule_.now();
  if (port.events_ == nullptr || port.fenced_ || port.changing_ || port.known_.empty()) return;
  if (now - port.proven_at_ > timing_.pause_suspected) {
    // After a pause only what the ring orders proves that the node is still in it.
    const bool intact = port.ring_ && port.ring_ == port.told_ &&
                        std::all_of(port.known_.begin(), port.known_.end(), [&](NodeId id) {
                          const Port& other = *ports_.at(id);
                          return heard(other) && node_of(other).side == node_of(port).side &&
                                 !node_of(other).hung && other.ring_ == port.ring_;
                        });
    if (!intact) return;
  }
  port.proven_at_ = now;
  port.events_->on_alive(now.ns);
}

/// Who is silent for less than pause_suspected is waited for, not left out.
bool Group::heard(const Port& port) const {
  const Node& node = node_of(port);
  return port.events_ != nullptr && !port.away_ && node.up &&
         (!node.hung || schedule_.now() - node.hung_since < timing_.pause_suspected);
}

/// Extended virtual synchrony, as far as it matters: nodes that go on together have heard the same.
void Group::change_rings() {
  for (const int side : {0, 1}) {
    auto ring = std::make_shared<Ring>();
    for (const auto& [id, port] : ports_) {
      if (heard(*port) && node_of(*port).side == side) ring->members.push_back(id);
    }
    if (ring->members.empty()) continue;
    const std::shared_ptr<Ring> old = ports_.at(ring->members[0])->ring_;
    const bool same = old && old->members == ring->members &&
                      std::all_of(ring->members.begin(), ring->members.end(),
                                  [&](NodeId id) { return ports_.at(id)->ring_ == old; });
    if (same) continue;
    report_.count("rings");
    for (const NodeId id : ring->members) {
      Port& port = *ports_.at(id);
      const std::shared_ptr<Ring> former = port.ring_;
      if (!former || !former->view || former->installed.contains(id)) continue;
      const bool somebody_has =
          std::any_of(ring->members.begin(), ring->members.end(), [&](NodeId other) {
            return ports_.at(other)->ring_ == former && former->installed.contains(other);
          });
      if (!somebody_has) continue;
      if (node_of(port).hung) {
        port.missed_ = former;
      } else {
        install(port, former);
      }
    }
    for (const NodeId id : ring->members) {
      Port& port = *ports_.at(id);
      ++port.change_;
      port.ring_ = ring;
      in(port, random_.between(0ms, 40ms), &Group::told_of_ring);
    }
  }
}

void Group::told_of_ring(Port& port) {
  if (node_of(port).hung) return in(port, 10ms, &Group::told_of_ring);
  if (port.missed_) install(port, std::exchange(port.missed_, nullptr));
  const std::shared_ptr<Ring> ring = port.ring_;
  for (const NodeId id : port.known_) {
    const bool stays =
        std::find(ring->members.begin(), ring->members.end(), id) != ring->members.end();
    if (!stays && !clean_.contains(id)) port.unclean_[id] = schedule_.now();
  }
  port.told_ = ring;
  port.known_ = ring->members;
  port.changing_ = true;
  port.fenced_ = ring->members.size() < quorum();
  const Epoch recovered = port.events_->on_change_begins(!port.fenced_);
  Hello hello = port.agreement_->hello(ring->members, recovered, fresh_++);
  hello.quorum = quorum();
  for (const auto& [id, when] : port.unclean_) {
    if (schedule_.now() - when < 2 * timing_.grant_margin) hello.unclean.push_back(id);
  }
  hello.epoch_floor = Epoch{fresh_++};
  ring->hellos[port.node_] = std::move(hello);
  if (ring->hellos.size() < ring->members.size()) return;
  std::vector<Hello> all;
  for (const auto& [id, it] : ring->hellos) all.push_back(it);
  ring->view = agree(all);
  for (const NodeId id : ring->members) {
    Port& other = *ports_.at(id);
    if (other.ring_ == ring) in(other, random_.between(0ms, 30ms), &Group::install_told);
  }
}

void Group::install_told(Port& port) { install(port, port.ring_); }

void Group::install(Port& port, const std::shared_ptr<Ring>& ring) {
  if (port.events_ == nullptr || ring->installed.contains(port.node_)) return;
  if (node_of(port).hung) return in(port, 10ms, &Group::install_told);
  ring->installed.insert(port.node_);
  report_.count("views");
  port.agreement_->installed(*ring->view);
  port.fenced_ = !ring->view->quorate;
  port.changing_ = false;
  port.events_->on_view(*ring->view);
}

}  // namespace flotilla::sim

// PeerLinks: ordered, lossless bytes between the members of a view. peer/mesh carries it out over
// TCP; tests link engines in one process. Must not know what the bytes mean.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "pool/membership.hpp"

namespace flotilla::pool {

enum class PeerTraffic : std::uint8_t { Machine = 1, ServiceRequest = 2, ServiceReply = 3 };

struct PeerDelivery {
  PeerTraffic traffic = PeerTraffic::Machine;
  Bytes body;
};

class PeerLinks {
 public:
  /// `batch` is what arrived together, in order. One thread at a time for one peer.
  using Receive = std::function<void(MemberId from, std::vector<PeerDelivery>& batch)>;

  virtual ~PeerLinks() = default;
  virtual void start(Receive receive) = 0;
  /// No Receive runs when this has returned.
  virtual void stop() = 0;
  /// From here on exactly these lives are linked: messages to others, queued or new, are dropped.
  /// Links between lives that stay go on without a gap.
  virtual void set_view(MemberId self, const std::vector<Member>& members) = 0;
  /// Queues; never calls back. Lossless and in order while both lives stay in the view, over
  /// however many connections it takes. Any thread.
  virtual void send(NodeId to, PeerTraffic traffic, Bytes body) = 0;
  /// As send, in two halves: what was queued leaves with the next push to that node, or earlier.
  /// `queue` only takes its place and is quick; `push` may write to the network on this thread.
  virtual void queue(NodeId to, PeerTraffic traffic, Bytes body) {
    send(to, traffic, std::move(body));
  }
  virtual void push(NodeId) {}
};

}  // namespace flotilla::pool

// Requests from node to node that are not about files: other rooms register services by number.
// Must not know what the bytes mean.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>

#include "pool/peer/links.hpp"

namespace flotilla::pool {

class ServiceCalls {
 public:
  using Service = std::function<Bytes(NodeId from, ByteView request)>;
  using Done = std::move_only_function<void(std::optional<Bytes>)>;
  using Send = std::function<void(NodeId to, PeerTraffic traffic, Bytes body)>;

  ServiceCalls(NodeId self, Send send) : self_(self), send_(std::move(send)) {}

  void serve(std::uint16_t id, Service service);
  /// `done` runs once, without a lock: with the answer, or with nothing where the node leaves
  /// first, is not in the view, or does not know the service.
  void call(NodeId to, std::uint16_t id, Bytes request, Done done);
  void receive(NodeId from, PeerTraffic traffic, ByteView body);
  /// Ends the calls to those that are not in the view any more.
  void on_view(const View& view);

 private:
  struct Waiting {
    NodeId to;
    Done done;
  };
  std::optional<Bytes> answer(NodeId from, std::uint16_t id, ByteView request);

  const NodeId self_;
  const Send send_;
  std::mutex mutex_;
  std::map<std::uint16_t, Service> services_;
  std::map<std::uint64_t, Waiting> waiting_;
  std::vector<MemberId> members_;
  std::uint64_t next_call_ = 1;
};

}  // namespace flotilla::pool

// The TCP mesh: one connection per pair of nodes (the lower id calls), an I/O thread of its own. A
// link outlives its connections: what was sent and not confirmed is sent again on the next one.
// Must not know what the messages mean.
#pragma once

#include <chrono>
#include <expected>
#include <memory>
#include <string>

#include "pool/peer/links.hpp"
#include "pool/peer/secure_channel.hpp"

namespace flotilla::pool {

class PeerMesh final : public PeerLinks {
 public:
  /// Binds `listen` ("address:port"; port 0: any). An explanation where it cannot. `poll_window`:
  /// runtime::IdlePoll, for the mesh's thread.
  [[nodiscard]] static std::expected<std::unique_ptr<PeerMesh>, std::string> make(
      const std::string& listen, const PoolKey& key, std::chrono::nanoseconds poll_window = {});
  ~PeerMesh() override;

  /// "address:port" as bound.
  [[nodiscard]] std::string address() const;

  void start(Receive receive) override;
  void stop() override;
  void set_view(MemberId self, const std::vector<Member>& members) override;
  void send(NodeId to, PeerTraffic traffic, Bytes body) override;
  void queue(NodeId to, PeerTraffic traffic, Bytes body) override;
  void push(NodeId to) override;

  /// For tests: drops all TCP connections; links reconnect.
  void drop_connections();

 private:
  struct Impl;
  explicit PeerMesh(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace flotilla::pool

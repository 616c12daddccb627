// Membership by corosync: libcpg group "flotilla" for who is in and for ordered messages,
// votequorum for quorum. The only place that includes corosync's headers (in its .cpp).
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "pool/membership.hpp"
#include "pool/timing.hpp"

namespace flotilla::pool {

class CorosyncMembership final : public Membership {
 public:
  /// Connects to the corosync of this machine, to learn this node's id. An explanation where there
  /// is none.
  [[nodiscard]] static std::expected<std::unique_ptr<CorosyncMembership>, std::string> make(
      Timing timing = {});
  ~CorosyncMembership() override;

  void start(MembershipEvents& events, NodeFacts self) override;
  void stop() override;
  void publish(const std::string& key, ByteView value) override;
  [[nodiscard]] NodeId self() const noexcept override;

 private:
  struct Impl;
  explicit CorosyncMembership(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace flotilla::pool

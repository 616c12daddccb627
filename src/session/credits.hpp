// How many credits an answer carries, and whether a request paid enough. Pure arithmetic.
#pragma once

#include <cstdint>

namespace flotilla::session {

/// Grants credits for one channel of a connection.
/// Spec    [MS-SMB2] 3.3.1.2 Algorithm for the Granting of Credits
/// A response returns what its request consumed; beyond that all responses together hand out at
/// most `extra` credits, because the rest of the connection's window belongs to other nodes.
class CreditGranter {
 public:
  explicit CreditGranter(std::uint32_t extra) noexcept : extra_left_(extra) {}

  /// Input   `consumed` is the request's CreditCharge (0 counts as 1), `requested` its
  ///         CreditRequest
  /// Output  CreditResponse; at least 1, so that a client never runs dry
  [[nodiscard]] std::uint16_t grant(std::uint16_t consumed, std::uint16_t requested) noexcept;

  [[nodiscard]] std::uint32_t extra_left() const noexcept { return extra_left_; }

 private:
  std::uint32_t extra_left_;
};

/// Spec    [MS-SMB2] 3.3.5.2.5 Verifying the Credit Charge and the Payload Size
/// Input   the variable payload of the request and the largest one of its response, in bytes
/// Output  false: InvalidParameter
[[nodiscard]] bool charge_suffices(std::uint16_t credit_charge, std::uint64_t send_bytes,
                                   std::uint64_t receive_bytes) noexcept;

}  // namespace flotilla::session

// What an engine's decisions mean on this node, as data. The order of a file's effects is the order
// in which they must be delivered. Knows nothing of who decided.
#pragma once

#include <variant>

#include "coherence/command.hpp"

namespace flotilla::pool {

/// Names an effect whose completion the engine wants to hear of; zero: nobody waits for it.
using ConfirmId = Id<struct ConfirmIdTag, std::uint64_t>;

struct DeliverBreak {
  coherence::Break what;
  ConfirmId confirm;
};
/// Confirmed when the open's last admitted I/O has ended.
struct DeliverRevoke {
  OpenId open;
  coherence::RevokeReason reason = coherence::RevokeReason::ViewLost;
  ConfirmId confirm;
};
/// Confirmed when all I/O admitted under the former restrictions has ended.
struct DeliverRestrictions {
  coherence::Restrictions what;
  ConfirmId confirm;
};
/// The file has a new owner that knows nothing yet: keep the known locks, and ask before the next
/// write, whoever caches.
struct DeliverUnsettled {};
struct DeliverPending {
  RequestId request;
};
struct DeliverReply {
  RequestId request;
  coherence::Outcome outcome;
};

struct LocalEffect {
  FileKey key;
  std::variant<DeliverBreak, DeliverRevoke, DeliverRestrictions, DeliverUnsettled, DeliverPending,
               DeliverReply>
      what;
};

}  // namespace flotilla::pool

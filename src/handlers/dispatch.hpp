// Which handler carries a command out, and what must be found before it runs.
#pragma once

#include "handlers/request.hpp"

namespace flotilla::handlers {

struct CommandRule {
  HandlerTask (*handler)(Request&) = nullptr;  ///< null: not for a channel (NEGOTIATE, CANCEL)
  bool needs_session = true;
  bool needs_tree = true;
  bool while_expired = false;  ///< carried out on an expired session, [MS-SMB2] 3.3.5.2.9
};

/// `command` is below wire::kCommandCount.
[[nodiscard]] const CommandRule& rule_of(wire::Command command) noexcept;

/// Whether the request's CreditCharge covers what it carries and what it asks for.
/// Spec    [MS-SMB2] 3.3.5.2.5. Malformed bodies pass: their handler refuses them.
[[nodiscard]] bool charge_covers_payload(const wire::Smb2Header& header, ByteView message);

}  // namespace flotilla::handlers

// What goes into the audit: every authentication that came to an end, every refused access.
#pragma once

#include "base/result.hpp"
#include "ports/identity.hpp"

namespace flotilla::handlers {

struct Request;

/// Nothing happens where no audit is configured. `step` is the exchange's last.
void audit_logon(Request& request, const ports::AuthAttempt& attempt,
                 const Result<ports::AuthStep>& step);
/// The request was answered AccessDenied.
void audit_refusal(Request& request);

}  // namespace flotilla::handlers

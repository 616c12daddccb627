// What goes into the audit: every authentication that came to an end, every refused access.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "ports/identity.hpp"

namespace flotilla::handlers {

struct Request;

/// A client's address without its port: "10.0.0.7:41234" -> "10.0.0.7", "[::1]:41234" -> "::1".
[[nodiscard]] std::string address_of(std::string_view peer);

/// Nothing happens where no audit is configured. `step` is the exchange's last.
void audit_logon(Request& request, const ports::AuthAttempt& attempt,
                 const Result<ports::AuthStep>& step);
/// The request was answered AccessDenied.
void audit_refusal(Request& request);
/// The request is carried out by a privilege ("SeBackupPrivilege"), which the user's rights would
/// not have allowed.
void audit_privilege(Request& request, std::string_view privilege);

/// A log line for an answer that tells of a full, read-only or broken disk; at most one in ten
/// seconds.
void log_disk_trouble(Request& request, NtStatus status);

}  // namespace flotilla::handlers

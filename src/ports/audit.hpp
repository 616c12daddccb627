// Audit: who logged on or tried to, and what was refused. An interface only; admin/ writes a file.
#pragma once

#include <string>

#include "base/nt_status.hpp"
#include "base/time.hpp"

namespace flotilla::ports {

/// One line. Fields that do not apply are empty and not written.
struct AuditEvent {
  NtTime time;
  std::string event;  ///< "authentication", "access"
  NtStatus result = NtStatus::Success;
  std::string address;    ///< the client's
  std::string user;       ///< as the client wrote it until it is proven; UTF-8 by its form only
  std::string domain;     ///< the same
  std::string sid;        ///< proven
  std::string mechanism;  ///< "NTLM", "Kerberos"
  std::string session;    ///< hexadecimal
  std::string kind;       ///< "guest", "anonymous"
  std::string command;    ///< of a refused access: "CREATE"
  std::string share;
  std::string path;
  std::string reason;  ///< a sentence
};

/// Thread-safe; never blocks for long.
class Audit {
 public:
  virtual ~Audit() = default;
  virtual void record(AuditEvent event) = 0;
};

}  // namespace flotilla::ports

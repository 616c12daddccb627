// One authentication mechanism inside or outside SPNEGO: NTLM, Kerberos. Internal to auth/.
#pragma once

#include <memory>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "ports/identity.hpp"

namespace flotilla::auth {

/// The accepting side of one exchange. One thread at a time.
class Mechanism {
 public:
  virtual ~Mechanism() = default;

  /// As ports::AuthExchange::step, with the mechanism's own tokens.
  [[nodiscard]] virtual Result<ports::AuthStep> step(ByteView token) = 0;

  /// Signs for SPNEGO's mechListMIC; legal once step gave `done`.
  /// Errors  NotSupported  the mechanism negotiated no signatures
  [[nodiscard]] virtual Result<Bytes> mic(ByteView message) = 0;
  [[nodiscard]] virtual bool verify_mic(ByteView message, ByteView mic) = 0;

  /// As ports::AuthExchange::attempt.
  [[nodiscard]] const ports::AuthAttempt& attempt() const noexcept { return attempt_; }

 protected:
  ports::AuthAttempt attempt_;
};

}  // namespace flotilla::auth

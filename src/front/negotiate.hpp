// NEGOTIATE, answered by the front itself: dialect, contexts, capabilities, and the facts that
// every node that serves this connection is told. Pure: time and randomness come in.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <string>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "ports/channel.hpp"
#include "ports/config.hpp"

namespace flotilla::front {

/// What the answer depends on besides the request.
struct NegotiateContextIn {
  const ports::ServerConfig* config = nullptr;
  bool encryption = false;
  bool multichannel = false;
  NtTime now;
  Bytes security_token;               ///< ports::Identity::negotiate_token()
  std::array<std::uint8_t, 32> salt;  ///< unpredictable, new for each connection
};

struct NegotiateAnswer {
  Bytes frame;              ///< 4 reserved bytes, then the response
  bool negotiated = false;  ///< the connection has its dialect: a further NEGOTIATE ends it
  /// Set where `negotiated`; id, front and addresses are the caller's to fill.
  ports::ConnectionFacts facts;
};

/// Answers an SMB2 NEGOTIATE. An error status is an answer too, with `negotiated` false.
/// Spec    [MS-SMB2] 3.3.5.4 Receiving an SMB2 NEGOTIATE Request
/// Input   `message` from its SMB2 header, whose Command is NEGOTIATE
/// Errors  a text: the connection ends without an answer, and the text is the log line
[[nodiscard]] std::expected<NegotiateAnswer, std::string> answer_negotiate(
    ByteView message, const NegotiateContextIn& in);

/// Answers an SMB1 NEGOTIATE that offers SMB2: with 0x02FF (not final, the client sends an SMB2
/// NEGOTIATE next) or 0x0202 (final).
/// Spec    [MS-SMB2] 3.3.5.3.1 SMB 2.1 or 3.x Support, 3.3.5.3.2 SMB 2.0.2 Support
/// Errors  as above; also where no SMB2 dialect is offered: SMB1 is not served
[[nodiscard]] std::expected<NegotiateAnswer, std::string> answer_smb1_negotiate(
    ByteView message, const NegotiateContextIn& in);

}  // namespace flotilla::front

// The few answers that the front gives by itself after NEGOTIATE.
#pragma once

#include "base/bytes.hpp"
#include "front/frame_socket.hpp"

namespace flotilla::front {

/// Answers each request of a frame with STATUS_USER_SESSION_DELETED, unsigned; CANCEL has none.
/// Spec    [MS-SMB2] 3.3.5.2.9 Verifying the Session
/// False where the compound is broken: the connection should end.
[[nodiscard]] bool refuse_session(ByteView message, FrameSocket& socket);

/// Answers an ECHO without a session.
/// Spec    [MS-SMB2] 3.3.5.17 Receiving an SMB2 ECHO Request
void answer_echo(ByteView message, FrameSocket& socket);

}  // namespace flotilla::front

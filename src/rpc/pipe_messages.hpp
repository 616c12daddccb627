// What two nodes say to each other about a pipe that one of them serves for the other's client.
// Bytes <-> structs only; decoding is total. pipe_relay sends and receives them.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "base/bytes.hpp"
#include "base/nt_status.hpp"
#include "ports/identity.hpp"

namespace flotilla::rpc {

/// `pipe` is the number that the client's node gave, unique for its life.
/// client's node -> server's: everything that the pipe is told of its caller.
struct PipeOpen {
  std::uint64_t pipe = 0;
  std::string name;
  std::string peer_address;
  Bytes session_key;
  ports::Token caller;
};
/// Answers PipeOpen.
struct PipeOpened {
  std::uint64_t pipe = 0;
  NtStatus status = NtStatus::Success;
};
/// Either way: one message of the pipe. From the server's node, empty: nothing will come any more.
struct PipeData {
  std::uint64_t pipe = 0;
  Bytes bytes;
};
/// client's node -> server's: nobody is there any more. Not answered.
struct PipeClose {
  std::uint64_t pipe = 0;
};
using PipeMessage = std::variant<PipeOpen, PipeOpened, PipeData, PipeClose>;

[[nodiscard]] Bytes encode_pipe_message(const PipeMessage& message);
/// Nothing where the bytes are not exactly one message.
[[nodiscard]] std::optional<PipeMessage> decode_pipe_message(ByteView bytes);

}  // namespace flotilla::rpc

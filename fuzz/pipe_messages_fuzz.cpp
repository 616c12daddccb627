// What nodes say to each other about pipes: any bytes decode to a message or to nothing, and a
// message is what its encoding decodes to.
#include <cstdlib>

#include "rpc/pipe_messages.hpp"

using namespace flotilla;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto message = rpc::decode_pipe_message(ByteView(data, size));
  if (!message) return 0;
  const Bytes once = rpc::encode_pipe_message(*message);
  const auto again = rpc::decode_pipe_message(once);
  if (!again || rpc::encode_pipe_message(*again) != once) std::abort();
  return 0;
}

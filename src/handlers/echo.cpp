// ECHO: [MS-SMB2] 3.3.5.17.
#include "handlers/request.hpp"
#include "wire/smb2.hpp"

namespace flotilla::handlers {

HandlerTask handle_echo(Request& request) {
  const auto body = wire::decode<wire::EchoRequest>(request.message);
  if (!body) co_return wire::status_of(body.error());
  wire::encode(wire::EchoResponse{}, request.out);
  co_return NtStatus::Success;
}

}  // namespace flotilla::handlers

// LOGOFF: [MS-SMB2] 3.3.5.6.
#include "handlers/channel.hpp"
#include "handlers/request.hpp"
#include "wire/smb2.hpp"

namespace flotilla::handlers {

HandlerTask handle_logoff(Request& request) {
  const auto body = wire::decode<wire::LogoffRequest>(request.message);
  if (!body) co_return wire::status_of(body.error());
  co_await request.channel->close_session(request.session->id);
  wire::encode(wire::LogoffResponse{}, request.out);
  co_return NtStatus::Success;
}

}  // namespace flotilla::handlers

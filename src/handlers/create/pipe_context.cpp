#include "handlers/create/pipe_context.hpp"

#include <algorithm>
#include <map>

#include "handlers/audit_trail.hpp"
#include "handlers/channel.hpp"
#include "handlers/open_state.hpp"
#include "handlers/request.hpp"
#include "wire/smb2.hpp"

namespace flotilla::handlers {

namespace {

/// What `flotilla sessions` and `flotilla files` tell, as srvsvc tells it.
rpc::Listing listing_of(Server& server, const ServerSnapshot& snapshot) {
  rpc::Listing out;
  std::map<SessionId, std::map<std::string, std::uint32_t>> opens;
  for (const OpenInfo& open : snapshot.opens) {
    ++opens[open.session][open.share];
    const Share* const share = server.find_share(open.share);
    std::string path = share && !share->is_ipc ? "C:" + share->config.path + "/" + open.path
                                               : "\\PIPE\\" + open.path;
    std::ranges::replace(path, '/', '\\');
    out.files.push_back({.id = static_cast<std::uint32_t>(open.id.volatile_id),
                         .path = std::move(path),
                         .user = open.user,
                         .may_read = (open.access & wire::access::kReadData) != 0,
                         .may_write = (open.access & wire::access::kWriteData) != 0});
  }
  const std::uint64_t now = server.clock().wall().ticks;
  for (const SessionInfo& session : snapshot.sessions) {
    const std::uint64_t age = now - std::min(now, session.created.ticks);
    const auto& shares = opens[session.id];
    out.sessions.push_back({.user = session.user,
                            .client = address_of(session.peer),
                            .seconds = static_cast<std::uint32_t>(age / 10'000'000),
                            .shares = {shares.begin(), shares.end()}});
  }
  return out;
}

}  // namespace

rpc::PipeContext pipe_context_of(Server& server, runtime::Executor& home) {
  rpc::PipeContext context;
  context.config = &server.config();
  context.clock = &server.clock();
  context.accounts = server.identity().accounts();
  context.elsewhere = [server = &server, home = &home](auto work, auto then) {
    server->blocking().run([home, work = std::move(work), then = std::move(then)]() mutable {
      work();
      home->post(std::move(then));
    });
  };
  context.list = [server = &server, home = &home](auto done) {
    server->snapshot([server, home, done = std::move(done)](ServerSnapshot snapshot) mutable {
      home->post([server, snapshot = std::move(snapshot), done = std::move(done)]() mutable {
        done(listing_of(*server, snapshot));
      });
    });
  };
  return context;
}

rpc::PipeContext pipe_context_of(Request& request) {
  const auto& credentials = static_cast<const SessionCredentials&>(*request.session->credentials);
  rpc::PipeContext context = pipe_context_of(request.server, request.executor());
  context.caller = credentials.token;
  context.peer_address = address_of(request.channel->facts().peer_address);
  context.session_key = request.session->session_key;
  return context;
}

}  // namespace flotilla::handlers

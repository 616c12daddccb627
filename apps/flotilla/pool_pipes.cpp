#include "flotilla/pool_pipes.hpp"

#include <atomic>

#include "handlers/create/pipe_context.hpp"

namespace flotilla::app {
namespace {

constexpr std::uint16_t kPipeService = 0x4E05;

}  // namespace

std::shared_ptr<rpc::PipeRelay> make_pool_pipes(handlers::Server& server, pool::PoolEngine& engine,
                                                runtime::ShardGroup& shards,
                                                rpc::PipeRelay::Parts parts) {
  parts.send = [&engine](NodeId to, Bytes message, std::move_only_function<void()> lost) {
    engine.call(to, kPipeService, std::move(message),
                [lost = std::move(lost)](std::optional<Bytes> answer) mutable {
                  if (!answer) lost();
                });
  };
  const auto next = std::make_shared<std::atomic<std::size_t>>(0);
  parts.executor = [&shards, next]() -> runtime::Executor& {
    return shards.shard(next->fetch_add(1, std::memory_order_relaxed) % shards.count());
  };
  parts.context = [&server](runtime::Executor& home) {
    return handlers::pipe_context_of(server, home);
  };
  auto relay = std::make_shared<rpc::PipeRelay>(std::move(parts));
  engine.serve(kPipeService, [weak = std::weak_ptr(relay)](NodeId from, ByteView message) {
    if (const auto alive = weak.lock()) alive->receive(from, message);
    return Bytes{};
  });
  server.set_forwarder(relay);
  return relay;
}

void tell_members(rpc::PipeRelay& relay, const pool::View& view) {
  std::vector<rpc::PipeRelay::Life> lives;
  if (view.quorate) {
    for (const pool::Member& member : view.members) {
      lives.push_back({member.id.node, member.id.incarnation});
    }
  }
  relay.on_members(lives);
}

}  // namespace flotilla::app

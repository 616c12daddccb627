// The pool's rpc_node: ties rpc::PipeRelay to the engine's calls between nodes and to the shards.
#pragma once

#include <memory>

#include "handlers/server.hpp"
#include "pool/pool_engine.hpp"
#include "rpc/pipe_relay.hpp"
#include "runtime/shard_group.hpp"

namespace flotilla::app {

/// Fills in what `parts` needs beside its node, registers with server and engine; before the engine
/// starts. All of them outlive the relay's stop().
[[nodiscard]] std::shared_ptr<rpc::PipeRelay> make_pool_pipes(handlers::Server& server,
                                                              pool::PoolEngine& engine,
                                                              runtime::ShardGroup& shards,
                                                              rpc::PipeRelay::Parts parts);
void tell_members(rpc::PipeRelay& relay, const pool::View& view);

}  // namespace flotilla::app

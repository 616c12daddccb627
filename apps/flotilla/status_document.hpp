// What the daemon says of itself: one JSON document.
#pragma once

#include <functional>
#include <string>

#include "flotilla/app_config.hpp"
#include "flotilla/pool_node.hpp"
#include "front/front.hpp"
#include "handlers/server.hpp"
#include "pool/owner/digests.hpp"

namespace flotilla::app {

struct StatusParts {
  const AppConfig& config;
  handlers::Server& server;
  const front::Front& front;
  const ports::Engine& engine;
  const PoolNode* pool;  ///< null on a single node
  std::function<pool::StateDigests()> digests;
};

[[nodiscard]] std::string status_document(const StatusParts& parts);

}  // namespace flotilla::app

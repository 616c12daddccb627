#include "flotilla/status_document.hpp"

#include <fmt/core.h>

#include <chrono>
#include <future>
#include <nlohmann/json.hpp>

namespace flotilla::app {
namespace {

using nlohmann::json;

std::string dialect_name(std::uint16_t dialect) {
  if ((dialect & 0xF) == 0) return fmt::format("{:x}.{:x}", dialect >> 8, (dialect >> 4) & 0xF);
  return fmt::format("{:x}.{:x}.{:x}", dialect >> 8, (dialect >> 4) & 0xF, dialect & 0xF);
}

json sessions_of(handlers::Server& server) {
  // The channels answer on their own threads; one that is gone while it is asked never does.
  const auto answer = std::make_shared<std::promise<handlers::ServerSnapshot>>();
  auto future = answer->get_future();
  server.snapshot(
      [answer](handlers::ServerSnapshot snapshot) { answer->set_value(std::move(snapshot)); });
  json rows = json::array();
  if (future.wait_for(std::chrono::seconds(1)) != std::future_status::ready) return rows;
  for (const handlers::SessionInfo& session : future.get().sessions) {
    rows.push_back({{"id", fmt::format("{:016x}", session.id.raw())},
                    {"user", session.user},
                    {"peer", session.peer},
                    {"dialect", dialect_name(session.dialect)},
                    {"opens", session.opens}});
  }
  return rows;
}

void add_pool(const PoolNode& pool, json& document) {
  const pool::View view = pool.pool_engine().view();
  const pool::PoolCounters counters = pool.pool_engine().counters();
  document["holds_address"] = pool.holds_address();
  document["address_holder"] = view.address_holder().raw();
  document["engine_counters"] = {{"commands_local", counters.commands_local},
                                 {"commands_sent", counters.commands_sent},
                                 {"commands_received", counters.commands_received},
                                 {"opens_asserted", counters.opens_asserted},
                                 {"resubmitted", counters.commands_resubmitted},
                                 {"stale", counters.messages_stale},
                                 {"views", counters.views},
                                 {"claims_granted", counters.claims_granted},
                                 {"claims_recalled", counters.claims_recalled},
                                 {"claims_returned", counters.claims_returned},
                                 {"claims_held", counters.claims_held},
                                 {"commands_claimed", counters.commands_claimed},
                                 {"copies_kept", counters.copies_kept},
                                 {"slice_longest_us", counters.slice_longest_us}};
}

}  // namespace

std::string status_document(const StatusParts& parts) {
  const ports::EngineStatus engine = parts.engine.status();
  const handlers::ServerStats stats = parts.server.stats();
  const front::FrontStats front = parts.front.stats();
  const pool::StateDigests digests = parts.digests();
  json members = json::array();
  for (const NodeId member : engine.members) members.push_back(member.raw());
  json document = {{"version", FLOTILLA_VERSION},
                   {"server", parts.config.server.server_name},
                   {"engine", engine.kind},
                   {"node", engine.self.raw()},
                   {"epoch", engine.epoch.raw()},
                   {"quorate", engine.quorate},
                   {"serving", parts.engine.serving()},
                   {"members", std::move(members)},
                   {"files_owned", engine.files_owned},
                   {"state_digest", fmt::format("{:016x}", digests.state)},
                   {"opens_decided_digest", fmt::format("{:016x}", digests.decided)},
                   {"opens_held_digest", fmt::format("{:016x}", digests.held)},
                   {"connections", front.connections},
                   {"sessions", stats.sessions},
                   {"trees", stats.trees},
                   {"opens", stats.opens},
                   {"requests", stats.requests},
                   {"read_bytes", stats.read_bytes},
                   {"written_bytes", stats.written_bytes},
                   {"front",
                    {{"accepted", front.accepted},
                     {"refused", front.refused},
                     {"ended_for_cause", front.ended_for_cause},
                     {"links_out", front.links_out},
                     {"links_in", front.links_in},
                     {"relayed_bytes_in", front.relayed_bytes_in},
                     {"relayed_bytes_out", front.relayed_bytes_out},
                     {"spliced_bytes", front.spliced_bytes}}}};
  json shares = json::array();
  for (const ports::ShareConfig& share : parts.config.server.shares) {
    shares.push_back({{"name", share.name}, {"path", share.path}});
  }
  document["shares"] = std::move(shares);
  document["clients"] = sessions_of(parts.server);
  if (parts.pool != nullptr) add_pool(*parts.pool, document);
  return document.dump(1);
}

}  // namespace flotilla::app

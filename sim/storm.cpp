#include "sim/storm.hpp"

#include <algorithm>

#include "pool/owner/machine.hpp"
#include "sim/show.hpp"

namespace flotilla::sim {

using namespace std::chrono_literals;
using coherence::AccessMask;
using coherence::CacheKind;
using coherence::CacheRights;
using coherence::LockRange;
using coherence::ShareAccess;

WorldOptions Storm::world_of(const StormOptions& options) {
  Random chance{options.seed ^ 0x5EED};
  WorldOptions world;
  world.seed = options.seed;
  world.trace = options.trace;
  world.twins = options.twins;
  world.nodes = options.nodes != 0 ? options.nodes : 2 + static_cast<std::uint32_t>(chance.pick(6));
  world.names = 1 + chance.pick(7);
  world.clients = 3 + chance.pick(6);
  world.delays.usual = chance.between(100us, 2000us);
  world.delays.slow = chance.between(2ms, 80ms);
  world.delays.slow_one_in = 10 + chance.pick(90);
  world.habits.silent_percent = static_cast<unsigned>(chance.pick(12));
  world.habits.all_percent = static_cast<unsigned>(chance.pick(30));
  world.habits.within = chance.between(1ms, 60ms);
  world.break_timeout = std::chrono::milliseconds{300 + chance.pick(1500)};
  // Few files are kept and soon claimed again, so that all of it happens.
  world.claims.claims_max = static_cast<std::uint32_t>(chance.pick(4));
  world.claims.idle = std::chrono::milliseconds{50 + chance.pick(600)};
  world.claims.alone = std::chrono::milliseconds{chance.pick(60)};
  world.claims.alone_commands = 1 + static_cast<std::uint32_t>(chance.pick(4));
  world.tolerate = world.nodes >= 5 && chance.one_in(3) ? 2 : 1;
  world.io_within = chance.between(100us, 4000us);
  return world;
}

Storm::Storm(const StormOptions& options)
    : world_(world_of(options)),
      random_(world_.random()),
      kept_(options.kept),
      calm_(options.seed % 5 == 0) {
  lasts_ = std::chrono::milliseconds{1000 + random_.pick(2500)};
  thinks_ = random_.between(5ms, 40ms);
  troubles_every_ = std::chrono::milliseconds{100 + random_.pick(900)};
}

Report& Storm::run() {
  world_.run_for(1500ms);
  for (std::size_t i = 0; i < world_.clients().size(); ++i) client_acts(i);
  if (!calm_) trouble_comes();
  look();
  world_.run_for(lasts_);
  raging_ = false;
  if (!world_.failed()) come_to_rest();
  return world_.report();
}

void Storm::look() {
  world_.checker().check_all();
  world_.look_at_settling();
  if (!world_.failed()) world_.in(10ms, [this] { look(); });
}

NodeId Storm::some_node() {
  return NodeId{static_cast<std::uint32_t>(1 + random_.pick(world_.nodes().size()))};
}

void Storm::client_acts(std::size_t index) {
  if (!raging_) return;
  act(world_.clients()[index]);
  world_.in(random_.between(0us, thinks_), [this, index] { client_acts(index); });
}

void Storm::act(Client& client) {
  if (client.node == NodeId{}) {
    const NodeId node = some_node();
    if (world_.at(node).runs() && world_.at(node).engine->serving()) world_.connect(client, node);
    return;
  }
  if (!world_.at(client.node).runs()) return;
  if (random_.percent(60) && come_back(client)) return;
  if (random_.one_in(150)) return world_.disconnect(client);
  std::vector<OpenPtr> mine;
  for (const auto& [id, open] : world_.opens()) {
    if (open->client == &client && open->node == client.node) mine.push_back(open);
  }
  if (mine.empty() || random_.percent(22)) return ask_open(client);
  act_on(mine[random_.pick(mine.size())]);
}

void Storm::ask_open(Client& client) {
  static constexpr AccessMask kAccess[] = {coherence::kReadData,
                                           coherence::kReadData | coherence::kWriteData,
                                           coherence::kReadData | coherence::kWriteData,
                                           coherence::kReadData | coherence::kDelete,
                                           coherence::kWriteData,
                                           0x80,
                                           0x20080};
  static constexpr ShareAccess kShares[] = {7, 7, 7, 7, 3, 1, 0};
  static constexpr CacheRights kLeases[] = {1, 3, 5, 7, 7};
  static constexpr CacheRights kOplocks[] = {1, 5, 7};
  coherence::Open how;
  how.access = random_.of(kAccess);
  how.share = random_.of(kShares);
  how.overwrites = random_.one_in(10);
  how.delete_on_close = (how.access & coherence::kDelete) != 0 && random_.percent(30);
  // Most of the time a client keeps to a file of its own, so that there is something to claim.
  const std::size_t names = world_.disk().size();
  const std::size_t name = random_.percent(40) ? client.number % names : random_.pick(names);
  if (random_.percent(45)) {
    how.cache.kind = CacheKind::Lease;
    how.cache.rights = random_.of(kLeases);
    // One key names one file, of one life.
    const FileKey key = world_.disk().key_of(name);
    how.cache.key.bytes.fill(static_cast<std::uint8_t>(1 + name * 2 + random_.pick(2)));
    how.cache.key.bytes[15] = static_cast<std::uint8_t>(key.generation);
    // Nor of one client through two nodes: docs/limits.md.
    if (!world_.options().twins) {
      how.cache.key.bytes[14] = static_cast<std::uint8_t>(client.node.raw());
    }
    how.cache.version = random_.one_in(4) ? 1 : 2;
  } else if (random_.percent(40)) {
    how.cache.kind = CacheKind::Oplock;
    how.cache.rights = random_.of(kOplocks);
  }
  if (kept_) ask_to_keep(how);
  world_.open(client, name, std::move(how));
}

void Storm::ask_to_keep(coherence::Open& how) {
  using coherence::DurableKind;
  coherence::Durability& durability = how.durability;
  if ((how.cache.rights & coherence::kCacheHandle) != 0 && random_.percent(60)) {
    durability.kind = DurableKind::Durable;
    durability.timeout = std::chrono::milliseconds{200 + random_.pick(4000)};
  } else if (random_.percent(12)) {
    durability.kind = random_.one_in(4) ? DurableKind::Resilient : DurableKind::Persistent;
    durability.timeout = durability.kind == DurableKind::Persistent ? 60000ms : 3000ms;
  } else {
    return;
  }
  for (int i = 0; i < 8; ++i) {
    durability.passport.push_back(static_cast<std::uint8_t>(random_.pick(256)));
  }
}

/// Asks for the first of what the client has lost.
bool Storm::come_back(Client& client) {
  for (const auto& [id, lost] : world_.away()) {
    if (lost->client != &client) continue;
    world_.reclaim(client, lost);
    return true;
  }
  return false;
}

void Storm::act_on(const OpenPtr& open) {
  const auto offset = [&] { return random_.pick(5) * 8; };
  const std::uint64_t what = random_.pick(100);
  if (what < 36) {
    const bool write = open->writes() && (!open->reads() || random_.percent(50));
    if (write || open->reads()) world_.start_io(open, offset(), write);
  } else if (what < 52) {
    if ((open->command.access & (coherence::kReadData | coherence::kChangesData)) == 0) return;
    const LockRange range{offset(), random_.one_in(12) ? 0 : 4 + random_.pick(16),
                          random_.percent(60)};
    world_.lock(open, range, random_.percent(50));
  } else if (what < 62) {
    if (!open->locks.empty()) world_.unlock(open, open->locks[random_.pick(open->locks.size())]);
  } else if (what < 66) {
    if ((open->command.access & coherence::kDelete) != 0) {
      world_.set_delete(open, !random_.one_in(8));
    }
  } else if (what < 69) {
    if ((open->command.access & coherence::kDelete) != 0) world_.rename(open);
  } else if (what < 73) {
    std::vector<RequestPtr> waiting;
    for (const auto& [serial, it] : world_.requests()) {
      if (it->client == open->client && it->node == open->node) waiting.push_back(it);
    }
    if (!waiting.empty()) world_.cancel(waiting[random_.pick(waiting.size())]);
  } else {
    world_.close(open);
  }
}

void Storm::trouble_comes() {
  if (!raging_) return;
  world_.in(random_.between(10ms, 2 * troubles_every_), [this] {
    if (!raging_) return;
    trouble();
    trouble_comes();
  });
}

void Storm::trouble() {
  const NodeId node = some_node();
  const auto back = [&](std::chrono::milliseconds from, std::chrono::milliseconds to, auto what) {
    world_.in(random_.between(from, to), std::move(what));
  };
  switch (random_.pick(10)) {
    case 0:
    case 1:
      world_.crash(node, true);
      return back(50ms, 2000ms, [this, node] { world_.boot(node); });
    case 2:
      world_.crash(node, false);
      return back(50ms, 3000ms, [this, node] { world_.boot(node); });
    case 3:
    case 4:
    case 5:
      world_.hang(node);
      return back(10ms, random_.one_in(2) ? 200ms : 2500ms, [this, node] { world_.wake(node); });
    case 6: {
      std::vector<int> sides;
      for (std::size_t i = 0; i < world_.nodes().size(); ++i) {
        sides.push_back(static_cast<int>(random_.pick(2)));
      }
      world_.split(sides);
      return back(50ms, 2500ms, [this] { world_.heal(); });
    }
    case 7:
      return world_.lose_group(node);
    case 8:
      return world_.jump_wall(node, static_cast<std::int64_t>(random_.pick(200000)) - 100000);
    default:
      return world_.stall(node, some_node(), std::chrono::milliseconds{10 + random_.pick(900)});
  }
}

bool Storm::all_serve() {
  const auto& nodes = world_.nodes();
  return std::all_of(nodes.begin(), nodes.end(),
                     [](const auto& node) { return node->serves() && node->engine->recovered(); });
}

bool Storm::nobody_away() {
  const auto& away = world_.away();
  // Every client looks for what it has lost, through one node after the other.
  for (Client& client : world_.clients()) {
    world_.connect(client, some_node());
    (void)come_back(client);
  }
  return away.empty();
}

bool Storm::nothing_left() {
  const auto& nodes = world_.nodes();
  return std::all_of(nodes.begin(), nodes.end(), [](const auto& node) {
    const ports::EngineStatus status = node->engine->status();
    return status.files_owned == 0 && status.opens_held == 0 &&
           node->engine->machine().copies_kept() == 0;
  });
}

bool Storm::nothing_asked() { return world_.requests().empty(); }

/// Locks wait for as long as others have them, and a break that found no client for as long as that
/// client's open is kept for him.
bool Storm::only_patience_asked() {
  const auto waits_for_absent = [this](const FileKey& key) {
    return std::ranges::any_of(world_.nodes(), [&](const auto& node) {
      const coherence::FileState* const file = node->engine->machine().table().inspect(key);
      return file != nullptr && std::ranges::any_of(file->caches, [](const auto& it) {
               return it.second.breaking && it.second.untold;
             });
    });
  };
  return std::ranges::all_of(world_.requests(), [&](const auto& it) {
    return std::holds_alternative<coherence::Lock>(it.second->body) ||
           waits_for_absent(it.second->key);
  });
}

void Storm::wait_until(std::chrono::milliseconds at_most, const char* what, bool (Storm::*done)()) {
  const MonoTime until = world_.now() + at_most;
  while (!world_.failed() && !(this->*done)() && world_.now() < until) world_.run_for(20ms);
  if (world_.failed() || (this->*done)()) return;
  world_.wrong(Rule::Liveness, fmt::format("after {} ms {}", at_most.count(), what));
  for (const auto& [serial, it] : world_.requests()) {
    world_.wrong(Rule::Liveness, fmt::format("#{} on n{} is not answered: {}", serial,
                                             it->node.raw(), show(it->key, it->body)));
  }
}

void Storm::come_to_rest() {
  if (world_.tracing()) world_.say("the storm is over");
  world_.set_habits({});
  world_.heal();
  for (const auto& node : world_.nodes()) {
    world_.wake(node->id);
    world_.boot(node->id);
  }
  world_.run_for(700ms);  // a lost corosync may still be away
  wait_until(8000ms, "not every node serves", &Storm::all_serve);
  const std::chrono::milliseconds patience = world_.options().break_timeout + 4000ms;
  wait_until(patience, "something is not answered", &Storm::only_patience_asked);
  std::vector<RequestPtr> waiting;
  for (const auto& [serial, it] : world_.requests()) waiting.push_back(it);
  for (const RequestPtr& it : waiting) world_.cancel(it);
  wait_until(patience, "what was given up is not answered", &Storm::nothing_asked);
  for (int i = 0; i < 200 && !nobody_away(); ++i) world_.run_for(20ms);
  world_.run_for(3500ms);
  if (world_.failed()) return;
  world_.checker().check_all();
  world_.checker().check_rest();
  std::vector<OpenPtr> left;
  for (const auto& [id, open] : world_.opens()) left.push_back(open);
  for (const OpenPtr& open : left) world_.close(open);
  wait_until(3000ms, "a close is not answered", &Storm::nothing_asked);
  // What nobody asks for again goes when its time is over.
  for (int i = 0; i < 70 && !world_.failed() && !nothing_left(); ++i) world_.run_for(1000ms);
  if (!world_.failed()) world_.checker().check_empty();
}

}  // namespace flotilla::sim

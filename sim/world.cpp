// Time, nodes and their troubles.
#include "sim/world.hpp"

#include <algorithm>

#include "sim/show.hpp"

namespace flotilla::sim {

using namespace std::chrono_literals;

World::World(WorldOptions options)
    : options_(std::move(options)),
      random_(options_.seed),
      network_(
          schedule_, random_, report_, nodes_, options_.delays,
          [this](NodeId from, NodeId to, pool::PeerTraffic traffic, ByteView bytes) {
            if (!tracing() || traffic != pool::PeerTraffic::Machine) return;
            say(fmt::format("n{} > n{}  {}", from.raw(), to.raw(), show_message(bytes)));
          },
          [this](NodeId, NodeId, pool::PeerTraffic traffic, ByteView bytes) {
            if (traffic == pool::PeerTraffic::Machine) note_fenced(bytes);
          }),
      group_(schedule_, random_, report_, nodes_),
      disk_(options_.names),
      checker_(*this) {
  for (std::uint32_t i = 1; i <= options_.nodes; ++i) {
    nodes_.push_back(std::make_unique<Node>(NodeId{i}, schedule_));
  }
  for (std::uint32_t i = 1; i <= options_.clients; ++i) {
    Client& client = clients_.emplace_back();
    client.number = i;
    const std::uint32_t who = options_.twins ? (i + 1) / 2 : i;
    client.guid.bytes.fill(static_cast<std::uint8_t>(who));
  }
  for (const auto& node : nodes_) boot(node->id);
}

World::~World() {
  for (const auto& node : nodes_) {
    if (node->up) crash(node->id, true);
  }
  schedule_.clear();
}

void World::say(const std::string& what) {
  options_.trace(fmt::format("{:10.3f}  {}", static_cast<double>(schedule_.now().ns) / 1e6, what));
}

void World::wrong(Rule rule, std::string what) {
  if (tracing()) say(fmt::format("WRONG, {}: {}", name_of(rule), what));
  report_.wrong(schedule_.now(), rule, std::move(what));
}

void World::run_for(std::chrono::nanoseconds time) {
  const MonoTime until = schedule_.now() + time;
  while (!failed() && schedule_.run_next(until)) {
  }
}

void World::boot(NodeId id) {
  Node& node = at(id);
  if (node.up) return;
  report_.count("boots");
  // A machine that starts has no I/O of before, however soon that is.
  std::erase_if(ios_, [id](const Io& it) { return it.node == id; });
  ++node.boot;
  node.up = true;
  node.hung = false;
  if (options_.clocks_differ) {
    node.clock.set(static_cast<std::int64_t>(random_.pick(1'000'000'000'000)),
                   static_cast<std::int64_t>(random_.pick(400)) - 200);
  }
  pool::PoolOptions engine;
  engine.node = id;
  engine.name = "node" + std::to_string(id.raw());
  engine.tick_interval = 0ms;
  engine.claims = options_.claims;
  engine.tolerate = options_.tolerate;
  engine.limits.break_timeout = options_.break_timeout;
  pool::PoolCallbacks callbacks;
  callbacks.on_view = [this, id](const pool::View& view) {
    if (tracing()) say(fmt::format("n{}  {}", id.raw(), show(view)));
  };
  callbacks.on_lost_quorum = [this, id] {
    report_.count("lost views");
    count_loss(id);
    if (tracing()) say(fmt::format("n{}  serves nothing and drops its clients", id.raw()));
    for (Client& client : clients_) {
      if (client.node == id) client.node = NodeId{};
    }
  };
  node.engine = std::make_unique<pool::PoolEngine>(node.clock, engine, std::move(callbacks));
  node.engine->set_orphan_handler(
      [this, id, boot = node.boot](const FileKey& key, OpenId open, const std::string&) {
        if (!at(id).up || at(id).boot != boot) return;
        report_.count("orphans");
        remove_name(id, key, open);
      });
  node.engine->start(group_.boot(id), network_.attach(id));
  if (tracing()) say(fmt::format("n{}  starts", id.raw()));
  tick(id, node.boot);
}

void World::tick(NodeId id, std::uint64_t boot) {
  Node& node = at(id);
  if (!node.up || node.boot != boot) return;
  if (!node.hung) {
    group_.prove_alive(id);
    node.engine->tick(node.clock.mono());
  }
  schedule_.in(50ms, [this, id, boot] { tick(id, boot); });
}

void World::crash(NodeId id, bool clean) {
  Node& node = at(id);
  if (!node.up) return;
  report_.count(clean ? "processes ended" : "hosts lost");
  if (tracing()) say(fmt::format("n{}  {}", id.raw(), clean ? "ends" : "is lost"));
  // A process has ended, for corosync, when the kernel closes its socket; the kernel does so when
  // the last of its threads has left its system call. So this is the time after its I/O.
  if (clean) std::erase_if(ios_, [id](const Io& it) { return it.node == id; });
  network_.crashed(id);
  group_.crashed(id, clean);
  node.up = false;
  node.hung = false;
  for (Client& client : clients_) {
    if (client.node == id) client.node = NodeId{};
  }
  std::vector<OpenPtr> gone;
  for (const auto& [open, it] : opens_) {
    if (it->node == id) gone.push_back(it);
  }
  count_loss(id);
  for (const OpenPtr& open : gone) kept(*open) ? go_away(open) : forget(*open);
  std::erase_if(requests_, [id](const auto& it) { return it.second->node == id; });
  node.engine->stop();
  // I/O that the kernel still has, and callbacks of that, find the engine.
  dead_.push_back(std::move(node.engine));
  node.stalled.clear();
}

void World::hang(NodeId id) {
  Node& node = at(id);
  if (!node.runs()) return;
  report_.count("hangs");
  if (tracing()) say(fmt::format("n{}  hangs", id.raw()));
  node.hung = true;
  count_loss(id);
  node.hung_since = schedule_.now();
  group_.look_again(600ms, pool::Timing{}.pause_suspected);
}

void World::wake(NodeId id) {
  Node& node = at(id);
  if (!node.up || !node.hung) return;
  if (tracing()) say(fmt::format("n{}  goes on", id.raw()));
  node.hung = false;
  group_.look_again(300ms);
  std::vector<Schedule::Event> stalled = std::exchange(node.stalled, {});
  for (Schedule::Event& event : stalled) {
    schedule_.in(random_.between(0us, 2000us),
                 [this, id, boot = node.boot, event = std::move(event)]() mutable {
                   when_awake(id, boot, std::move(event));
                 });
  }
  schedule_.in(random_.between(0us, 2000us), [this] { network_.look_again(); });
}

void World::split(const std::vector<int>& sides) {
  report_.count("splits");
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    nodes_[i]->side = sides[i % sides.size()];
    count_loss(nodes_[i]->id);
    if (tracing()) say(fmt::format("n{}  is on side {}", i + 1, nodes_[i]->side));
  }
  group_.look_again(600ms);
  network_.look_again();
}

void World::heal() {
  if (tracing()) say("the network is whole");
  for (const auto& node : nodes_) node->side = 0;
  group_.look_again(200ms);
  network_.look_again();
}

void World::lose_group(NodeId id) {
  if (!at(id).runs()) return;
  report_.count("corosync lost");
  if (tracing()) say(fmt::format("n{}  loses its corosync", id.raw()));
  group_.lose(id);
}

void World::when_awake(NodeId id, std::uint64_t boot, Schedule::Event event) {
  Node& node = at(id);
  if (!node.up || node.boot != boot) return;
  if (node.hung) {
    node.stalled.push_back(std::move(event));
  } else {
    event();
  }
}

void World::later(NodeId id, std::chrono::nanoseconds delay, Schedule::Event event) {
  schedule_.in(delay, [this, id, boot = at(id).boot, event = std::move(event)]() mutable {
    when_awake(id, boot, std::move(event));
  });
}

void World::connect(Client& client, NodeId node) {
  client.node = node;
  client.session = SessionId{++next_serial_};
}

}  // namespace flotilla::sim

// The simulated pool: nodes with production engines, their network and their group, the disk under
// them, and clients who do as they are told and believe what they hear. Does nothing on its own
// but deliver; storm.hpp and scenario.hpp decide what happens.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sim/checker.hpp"
#include "sim/client.hpp"
#include "sim/disk.hpp"
#include "sim/group.hpp"
#include "sim/network.hpp"
#include "sim/node.hpp"

namespace flotilla::sim {

/// What clients do when they are told to give a caching right up.
/// `silent_percent`  never answer
/// `greedy_percent`  give up everything, not only what is asked
struct Habits {
  bool acknowledge = true;
  unsigned silent_percent = 0;
  unsigned all_percent = 0;
  std::chrono::microseconds within{1};
};

/// `trace`  takes a line for everything that happens; empty: nothing is made out
struct WorldOptions {
  std::uint64_t seed = 1;
  std::uint32_t nodes = 3;
  std::size_t names = 4;
  std::size_t clients = 3;
  Delays delays;
  Habits habits;
  std::chrono::milliseconds break_timeout{1000};
  std::uint32_t tolerate = 0;
  bool twins = false;  ///< two clients each are one, connected twice, and share their leases
  pool::ClaimOptions claims;
  std::chrono::microseconds io_within{500};
  bool clocks_differ = true;
  std::function<void(const std::string&)> trace;
};

class World {
 public:
  explicit World(WorldOptions options);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Time
  void run_for(std::chrono::nanoseconds time);
  [[nodiscard]] MonoTime now() const { return schedule_.now(); }
  [[nodiscard]] bool failed() const { return !report_.violations().empty(); }
  void in(std::chrono::nanoseconds delay, Schedule::Event event) {
    schedule_.in(delay, std::move(event));
  }

  // Troubles
  void boot(NodeId node);
  void crash(NodeId node, bool clean);
  void hang(NodeId node);
  void wake(NodeId node);
  void split(const std::vector<int>& sides);
  void heal();
  void stall(NodeId a, NodeId b, std::chrono::milliseconds by) { network_.stall(a, b, by); }
  void lose_group(NodeId node);
  void jump_wall(NodeId node, std::int64_t by_s) { at(node).clock.jump_wall(by_s); }

  // Clients. Each needs a node that runs; what comes of it is heard later.
  void connect(Client& client, NodeId node);
  OpenPtr open(Client& client, std::size_t name, coherence::Open how);
  void close(const OpenPtr& open, bool keeps_name = false);
  void lock(const OpenPtr& open, const coherence::LockRange& range, bool wait);
  void unlock(const OpenPtr& open, coherence::LockRange range);
  void start_io(const OpenPtr& open, std::uint64_t offset, bool write);
  void set_delete(const OpenPtr& open, bool pending);
  void rename(const OpenPtr& open);
  void acknowledge(const OpenPtr& open, coherence::CacheRights kept);
  /// An entry of the directory has changed.
  void change_entry(Client& client, std::size_t directory) {
    submit(&client, client.node, disk_.key_of(directory), coherence::ChildChanged{}, {});
  }
  void cancel(const RequestPtr& request);
  /// The client's connection is gone: opens that nothing keeps are closed for it.
  void disconnect(Client& client);
  /// Asks for one of away() through the node that the client has come to.
  void reclaim(Client& client, const OpenPtr& lost);
  /// The client does not ask for it any more.
  void give_up(const ClientOpen& open);

  // What engines tell clients
  void hear_break(ClientOpen& open, const coherence::Break& what);
  void hear_revoked(ClientOpen& open, coherence::RevokeReason reason);

  [[nodiscard]] Node& at(NodeId node) { return *nodes_[node.raw() - 1]; }
  [[nodiscard]] const Node& at(NodeId node) const { return *nodes_[node.raw() - 1]; }
  [[nodiscard]] const Nodes& nodes() const { return nodes_; }
  [[nodiscard]] std::vector<Client>& clients() { return clients_; }
  [[nodiscard]] const std::map<OpenId, OpenPtr>& opens() const { return opens_; }
  /// Opens whose clients have lost them and may ask for them again.
  [[nodiscard]] const std::map<OpenId, OpenPtr>& away() const { return away_; }
  /// Whether one of those must be there still: no more nodes were lost than the pool tolerates.
  [[nodiscard]] bool promised(const ClientOpen& open) const;
  void note_fenced(ByteView message);
  void look_at_settling();
  [[nodiscard]] const std::map<CacheName, CacheBelief>& caches() const { return caches_; }
  [[nodiscard]] const std::map<std::uint64_t, RequestPtr>& requests() const { return requests_; }
  [[nodiscard]] const std::vector<Io>& ios() const { return ios_; }
  [[nodiscard]] const Disk& disk() const { return disk_; }
  [[nodiscard]] Random& random() { return random_; }
  [[nodiscard]] Report& report() { return report_; }
  [[nodiscard]] Checker& checker() { return checker_; }
  [[nodiscard]] const WorldOptions& options() const { return options_; }
  void set_habits(Habits habits) { options_.habits = habits; }

  [[nodiscard]] bool tracing() const { return static_cast<bool>(options_.trace); }
  void say(const std::string& what);
  void wrong(Rule rule, std::string what);

 private:
  using Then = std::move_only_function<void(const coherence::Outcome&)>;
  void tick(NodeId node, std::uint64_t boot);
  /// Now where the node runs, else when it does again; never where it dies first.
  void when_awake(NodeId node, std::uint64_t boot, Schedule::Event event);
  void later(NodeId node, std::chrono::nanoseconds delay, Schedule::Event event);
  RequestPtr note(Client* client, NodeId node, const FileKey& key, coherence::Body body);
  void submit(Client* client, NodeId node, const FileKey& key, coherence::Body body, Then then);
  /// False where its node is dead by now: nobody hears it.
  [[nodiscard]] bool answered(const RequestPtr& request, const coherence::Outcome& outcome);
  void opened(const OpenPtr& open, ports::OpenOutcome& result, MonoTime asked);
  void look_at_path(const ClientOpen& open, const std::string& path);
  /// Drops R where it goes, and acknowledges by habit.
  void mind_break(const OpenPtr& open, CacheBelief& belief, coherence::CacheRights to);
  void take_cache(const ClientOpen& open, const coherence::Opened& answer, MonoTime asked);
  void forget(ClientOpen& open);
  [[nodiscard]] bool kept(const ClientOpen& open) const;
  void go_away(const OpenPtr& open);
  void reclaim_found(Client& client, const OpenPtr& lost, const FileKey& key);
  void reclaim_refused(const OpenPtr& lost);
  void reclaimed(const OpenPtr& open, const OpenPtr& lost, const coherence::Reclaimed& answer,
                 ports::OpenOutcome& result);
  void count_loss(NodeId node);
  void tell_rename(const OpenPtr& open);
  void remove_name(NodeId node, const FileKey& key, OpenId open);
  void carry_out(const OpenPtr& open, std::uint64_t offset, bool write, int rounds);

  WorldOptions options_;
  Random random_;
  Schedule schedule_;
  Report report_;
  Nodes nodes_;
  Network network_;
  Group group_;
  std::vector<std::unique_ptr<pool::PoolEngine>> dead_;
  Disk disk_;
  std::vector<Client> clients_;
  std::map<OpenId, OpenPtr> opens_;
  std::map<OpenId, OpenPtr> away_;
  std::map<CacheName, CacheBelief> caches_;
  /// What was kept by the last acknowledgment, and when: answers under way tell of the past.
  std::map<CacheName, std::pair<MonoTime, coherence::CacheRights>> acknowledged_;
  /// What the last break that is to be acknowledged leaves, and when it was heard: an open under
  /// way then is of a lease that its client knows to be breaking, also where its others have gone.
  std::map<CacheName, std::pair<MonoTime, coherence::CacheRights>> heard_;
  std::map<std::uint64_t, RequestPtr> requests_;
  std::vector<Io> ios_;
  Checker checker_;
  std::uint64_t next_serial_ = 1;
  std::optional<MonoTime> settled_since_;  ///< every node serves, and has what it should
  std::set<NodeId> lost_;                  ///< since they had that last
  std::set<OpenId> fenced_;                ///< whose break was not answered in time
  MonoTime excused_before_;                ///< more was lost at once than the pool tolerates
};

}  // namespace flotilla::sim

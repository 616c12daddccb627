// A pool in one thread: one owner with the production FileTable, nodes with the production IoGate,
// first-in-first-out links that delay, clients that may or may not answer, and nodes that die.
// Everything is drawn from one seed. What clients could observe is checked after every step.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "coherence/file_table.hpp"
#include "coherence/state.hpp"
#include "ports/io_gate.hpp"

namespace flotilla::sim {

struct PoolOptions {
  std::uint32_t nodes = 4;
  std::uint64_t files = 2;
  int steps = 600;
  int crash_one_in = 150;
  int silent_client_one_in = 12;  ///< breaks that are never acknowledged
  bool history = false;           ///< keep what was said, for a person to read
};

class VirtualPool {
 public:
  VirtualPool(std::uint64_t seed, PoolOptions options);

  /// Runs all steps, then lets the pool come to rest: every link empties, every break runs out.
  void run();

  [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }
  [[nodiscard]] const std::vector<std::string>& history() const { return history_; }
  [[nodiscard]] std::uint64_t digest() const;  ///< of the state and of all that was sent
  [[nodiscard]] std::size_t answers() const { return answers_; }
  [[nodiscard]] std::size_t waits() const { return waits_; }
  [[nodiscard]] std::size_t revocations() const { return revocations_; }
  [[nodiscard]] std::size_t ios() const { return ios_; }

 private:
  using CacheId = coherence::CacheId;

  struct Told {
    FileKey key;
    std::optional<CacheId> drop;
    std::variant<coherence::Outbox::Revocation, coherence::Outbox::BreakTo,
                 coherence::Outbox::RestrictionsTo, coherence::Outbox::PendingAt,
                 coherence::Outbox::ReplyTo>
        what;
  };
  /// An open as its client knows it: from the answer until it closes or is fenced.
  struct LiveOpen {
    FileKey key;
    NodeId node;
    coherence::Open command;
    std::optional<CacheId> cache;
    bool closing = false;
    std::vector<coherence::LockRange> locks;  ///< answered, not yet given back
  };
  struct Io {
    FileKey key;
    OpenId open;
    std::uint64_t offset = 0;
    bool write = false;
    ports::IoGate::Ticket ticket;
  };
  struct Node {
    std::deque<Told> from_owner;
    std::deque<coherence::Command> to_owner;
    std::map<FileKey, std::shared_ptr<ports::IoGate>> gates;
    std::map<RequestId, coherence::Command> asked;
    std::vector<Io> ios;
  };
  struct Knowledge {
    coherence::CacheRights rights = 0;
    int acks_on_the_way = 0;  ///< an answer made out before they arrive tells of the past
    ClientGuid client;
  };

  void step();
  void client_acts(NodeId id);
  void ask_open(NodeId id);
  void act_on_open(OpenId open);
  void start_io(OpenId open, bool write, std::uint64_t offset);
  void submit(NodeId id, const FileKey& key, coherence::Body body);
  void owner_takes(NodeId id);
  void owner_applies(const coherence::Command& command);
  void node_takes(NodeId id);
  void node_hears(NodeId id, const FileKey& key, const coherence::Outbox::Revocation& item);
  void node_hears(NodeId id, const FileKey& key, const coherence::Outbox::BreakTo& item);
  void node_hears(NodeId id, const FileKey& key, const coherence::Outbox::RestrictionsTo& item);
  void node_hears(NodeId id, const FileKey& key, const coherence::Outbox::PendingAt& item);
  void node_hears(NodeId id, const FileKey& key, const coherence::Outbox::ReplyTo& item);
  void opened(NodeId id, const coherence::Command& command, const coherence::Opened& answer);
  void drop_open(OpenId open);
  /// The name of what a break of an open is about; nothing where its open is not known any more.
  std::optional<CacheId> broken_cache(const FileKey& key, const coherence::Break& what) const;
  [[nodiscard]] bool dropped(const std::pair<FileKey, CacheId>& name) const {
    const auto it = drops_.find(name);
    return it != drops_.end() && it->second > 0;
  }
  /// A break to nothing is out: nobody waits until the client has let go of R.
  [[nodiscard]] bool told_to_drop(const std::pair<FileKey, CacheId>& name) const;
  void crash(NodeId id);
  void check_clients();
  void check_owner(const FileKey& key);
  void wrong(std::string what);
  void note(const FileKey& key, const coherence::Command& command);
  void note(const coherence::Outbox& out);
  std::shared_ptr<ports::IoGate> gate_of(NodeId id, const FileKey& key);
  std::uint64_t pick(std::uint64_t below) { return random_() % below; }
  bool one_in(int n) { return pick(static_cast<std::uint64_t>(n)) == 0; }
  Node& node(NodeId id) { return nodes_.at(id.raw() - 1); }

  std::mt19937_64 random_;
  PoolOptions options_;
  coherence::FileTable table_;
  MonoTime now_;
  std::vector<Node> nodes_;
  std::map<OpenId, LiveOpen> live_;
  std::map<std::pair<FileKey, CacheId>, Knowledge> caches_;  ///< as the clients know them
  /// Breaks of R that ask for no acknowledgment and have not arrived: the right is gone already.
  std::map<std::pair<FileKey, CacheId>, int> drops_;
  std::map<FileKey, int> unlinks_;  ///< names whose removal was asked for and not yet reported
  std::uint64_t next_open_ = 1;
  std::uint64_t next_request_ = 1;
  std::uint64_t sent_digest_ = 0;
  std::size_t answers_ = 0;
  std::size_t waits_ = 0;
  std::size_t revocations_ = 0;
  std::size_t ios_ = 0;
  int step_ = 0;
  bool resting_ = false;
  std::vector<std::string> violations_;
  std::vector<std::string> history_;
};

}  // namespace flotilla::sim

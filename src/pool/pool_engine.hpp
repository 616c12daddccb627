// The engine of a pool: glues the owner machine, the peer mesh and membership. Where the file's
// owner is this node, a command is a function call on the caller's thread.
#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "coherence/file_table.hpp"
#include "pool/membership.hpp"
#include "pool/owner/claims.hpp"
#include "pool/owner/digests.hpp"
#include "pool/timing.hpp"
#include "ports/clock.hpp"
#include "ports/engine.hpp"

namespace flotilla::pool {

class OwnerMachine;
class PeerLinks;

/// `clock`, `membership` outlive the engine. `links`: tests give their own, in-process ones.
struct PoolOptions {
  NodeId node;               ///< corosync's nodeid
  std::string name;          ///< shown in status
  std::string peer_listen;   ///< "address:port", reachable from the other nodes
  std::string front_listen;  ///< "address:port" of this node's link for client frames
  std::string ids;           ///< NodeFacts::ids
  std::string key_file;      ///< 32 bytes, mode 0600, the same on every node
  coherence::Limits limits;
  Timing timing;
  ClaimOptions claims;
  /// So many nodes may be lost at once without an open that outlives its client.
  std::size_t tolerate = 1;
  /// So long, at most, a busy peer thread looks for more before it sleeps.
  std::chrono::nanoseconds poll_window{};
  std::chrono::milliseconds tick_interval{50};  ///< zero: the owner calls tick()
};

/// What the rest of the process hears of the pool. Called on the membership's thread (or the one
/// that ticks), without a lock of the engine.
struct PoolCallbacks {
  std::function<void(const View&)> on_view;
  /// This node may serve nothing: drop all clients. Their opens are already gone.
  std::function<void()> on_lost_quorum;
  std::function<void(NodeId from, const std::string& key, ByteView value)> on_fact;
};

struct PoolCounters {
  std::uint64_t commands_local = 0;     ///< decided here for this node's own clients
  std::uint64_t commands_sent = 0;      ///< to another owner
  std::uint64_t commands_received = 0;  ///< from other holders
  std::uint64_t messages_stale = 0;     ///< refused: of an epoch that does not count any more
  std::uint64_t opens_asserted = 0;
  std::uint64_t commands_resubmitted = 0;
  std::uint64_t views = 0;
  std::uint64_t claims_granted = 0;   ///< to other nodes, on files that this one owns
  std::uint64_t claims_recalled = 0;  ///< from other nodes
  std::uint64_t claims_returned = 0;  ///< by this node, asked or not
  std::uint64_t claims_held = 0;      ///< now
  std::uint64_t copies_kept = 0;      ///< files of which this node has a copy for the owner
  std::uint64_t slice_longest_us =
      0;  ///< installing a view and its work: what others waited at most
  std::uint64_t commands_claimed = 0;  ///< of commands_local: on another's file, under a claim
};

class PoolEngine final : public ports::Engine {
 public:
  /// Answers a request of another node; runs on the mesh's thread and must not block.
  using Service = std::function<Bytes(NodeId from, ByteView request)>;

  PoolEngine(const ports::Clock& clock, PoolOptions options, PoolCallbacks callbacks);
  ~PoolEngine() override;

  /// Loads the key, listens, joins. An explanation where it cannot; call once.
  [[nodiscard]] std::expected<void, std::string> start(Membership& membership);
  /// The same over links that somebody else made (tests).
  void start(Membership& membership, std::unique_ptr<PeerLinks> links);
  void stop();

  [[nodiscard]] OpenId next_open_id() override;
  RequestId open(const FileKey& key, coherence::Open command,
                 std::shared_ptr<ports::OpenEvents> events,
                 std::move_only_function<void(ports::OpenOutcome)> done,
                 std::move_only_function<void()> pending) override;
  RequestId reclaim(const FileKey& key, coherence::Reclaim command,
                    std::shared_ptr<ports::OpenEvents> events,
                    std::move_only_function<void(ports::OpenOutcome)> done) override;
  void find_kept(const coherence::KeptQuery& query,
                 std::move_only_function<void(std::vector<coherence::KeptFound>)> done) override;
  RequestId submit(const FileKey& key, coherence::Body body, ports::Completion completion) override;
  void cancel(const FileKey& key, RequestId request) override;
  [[nodiscard]] ports::EngineStatus status() const override;
  [[nodiscard]] bool serving() const override;
  void set_orphan_handler(OrphanHandler handler) override;

  void tick(MonoTime now);
  [[nodiscard]] View view() const;
  [[nodiscard]] PoolCounters counters() const;
  /// Looks at everything, a slice at a time with others in between: of a pool at rest only.
  [[nodiscard]] StateDigests digests() const;
  [[nodiscard]] NodeId owner_of(const FileKey& key) const;
  /// True when this node decides about all files that it owns in this view.
  [[nodiscard]] bool recovered() const;
  /// For the simulator, where nothing else runs: what it looks at changes with the next call.
  [[nodiscard]] const OwnerMachine& machine() const noexcept;

  /// Pool-wide fact in the agreed order (see Membership::publish).
  void publish(const std::string& key, ByteView value);
  /// Node-to-node bytes for other rooms: `id` names a service that every node registers.
  void serve(std::uint16_t id, Service service);
  /// `done` gets the answer, or nothing where the node left first. Any thread.
  void call(NodeId to, std::uint16_t id, Bytes request,
            std::move_only_function<void(std::optional<Bytes>)> done);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace flotilla::pool

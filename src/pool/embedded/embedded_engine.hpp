// The engine of a pool of one: the file state machine in this process, partitioned by file so that
// shards do not wait for each other. Must not know of peers, views or epochs.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include "coherence/file_table.hpp"
#include "pool/local/local_opens.hpp"
#include "pool/owner/digests.hpp"
#include "pool/store/kept_store.hpp"
#include "ports/clock.hpp"
#include "ports/engine.hpp"

namespace flotilla::pool {

/// `clock`         outlives the engine
/// `tick_interval` how often break deadlines are looked at by a thread of the engine's own; zero:
///                 no thread, the owner calls tick()
/// `store`         makes safe what must survive a restart; null: nothing does
struct EmbeddedOptions {
  NodeId node{1};
  coherence::Limits limits;
  std::chrono::milliseconds tick_interval{100};
  std::shared_ptr<KeptStore> store;
};

class EmbeddedEngine : public ports::Engine {
 public:
  EmbeddedEngine(const ports::Clock& clock, EmbeddedOptions options);
  ~EmbeddedEngine() override;

  [[nodiscard]] OpenId next_open_id() override { return ids_.next(); }
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
  /// As PoolEngine::digests; `held` is `decided`, for nobody else knows of the opens.
  [[nodiscard]] StateDigests digests() const;
  [[nodiscard]] bool serving() const override { return true; }
  void set_orphan_handler(OrphanHandler handler) override;

  /// Takes in what a store has kept, as opens that wait for their clients. Before the first open.
  void restore(const std::vector<coherence::KeptFile>& files);

  /// Nobody is there to be answered any more: what is waiting for the store is made safe, and
  /// answered no more. No command may come after it; the destructor does it too.
  void stop();

  /// Carries out what is due: breaks past their deadline revoke their holders.
  void tick(MonoTime now);

 private:
  struct Orphan {
    OpenId open;
    std::string path;
  };
  /// What a command sends out. Where something must be made safe first, it waits for that, and all
  /// that comes of the same file waits behind it.
  struct Effects {
    bool safe = true;
    std::vector<LocalEffect> local;
    std::optional<Orphan> orphan;
  };
  struct Partition {
    mutable std::mutex mutex;
    coherence::FileTable table;
    std::unordered_map<FileKey, std::deque<std::shared_ptr<Effects>>> waiting;
  };

  void apply(const FileKey& key, RequestId request, coherence::Body body,
             std::optional<MonoTime> now = {});
  void apply_drained(const FileKey& key, RequestId request, coherence::Body body);
  static void collect(const FileKey& key, coherence::Outbox& out, const coherence::FileTable& table,
                      Effects& effects);
  void deliver(Effects& effects, std::vector<Orphan>& orphans);
  void now_safe(const FileKey& key, const std::shared_ptr<Effects>& effects);
  void remove(const FileKey& key, const std::vector<Orphan>& orphans);
  void run_timer(const std::stop_token& stop, std::chrono::milliseconds interval);

  const ports::Clock& clock_;
  EmbeddedOptions options_;
  OpenIdSource ids_;
  LocalOpens local_;
  OrphanHandler orphan_;
  std::atomic<bool> stopping_{false};
  std::array<Partition, kLaneCount> partitions_;
  std::mutex timer_mutex_;
  std::condition_variable_any timer_wake_;
  std::jthread timer_;  ///< last: joined before the rest goes
};

}  // namespace flotilla::pool

#include "pool/embedded/embedded_engine.hpp"

#include <utility>

#include "coherence/state.hpp"

namespace flotilla::pool {

namespace {
/// A tick's own question: whether it left a name to be removed. No handler has this number.
constexpr RequestId kTickRequest{~std::uint64_t{0}};
}  // namespace

EmbeddedEngine::EmbeddedEngine(const ports::Clock& clock, EmbeddedOptions options)
    : clock_(clock),
      options_(std::move(options)),
      ids_(options_.node, clock.wall()),
      local_(std::make_shared<ports::ServeLease>(), [this](const FileKey& key, ConfirmId version) {
        apply(key, RequestId{}, coherence::RestrictionsKnown{version.raw()});
      }) {
  for (Partition& partition : partitions_) {
    partition.table = coherence::FileTable(options_.limits);
  }
  if (options_.tick_interval.count() > 0) {
    timer_ = std::jthread(
        [this](const std::stop_token& stop) { run_timer(stop, options_.tick_interval); });
  }
}

EmbeddedEngine::~EmbeddedEngine() { stop(); }

void EmbeddedEngine::stop() {
  stopping_.store(true, std::memory_order_release);
  if (timer_.joinable()) {
    timer_.request_stop();
    timer_.join();
  }
  options_.store.reset();  // its thread calls back
}

RequestId EmbeddedEngine::open(const FileKey& key, coherence::Open command,
                               std::shared_ptr<ports::OpenEvents> events,
                               std::move_only_function<void(ports::OpenOutcome)> done,
                               std::move_only_function<void()> pending) {
  const RequestId request =
      local_.add_open(key, command.open, std::move(events), std::move(done), std::move(pending));
  apply(key, request, std::move(command));
  return request;
}

RequestId EmbeddedEngine::reclaim(const FileKey& key, coherence::Reclaim command,
                                  std::shared_ptr<ports::OpenEvents> events,
                                  std::move_only_function<void(ports::OpenOutcome)> done) {
  const RequestId request =
      local_.add_reclaim(key, command.open, std::move(events), std::move(done));
  apply_drained(key, request, command);
  return request;
}

void EmbeddedEngine::find_kept(
    const coherence::KeptQuery& query,
    std::move_only_function<void(std::vector<coherence::KeptFound>)> done) {
  std::vector<coherence::KeptFound> all;
  for (const Partition& partition : partitions_) {
    const std::lock_guard lock(partition.mutex);
    for (auto& found : partition.table.find(query)) all.push_back(std::move(found));
  }
  done(std::move(all));
}

RequestId EmbeddedEngine::submit(const FileKey& key, coherence::Body body,
                                 ports::Completion completion) {
  const RequestId request = local_.add_command(key, body, std::move(completion));
  apply_drained(key, request, std::move(body));
  return request;
}

void EmbeddedEngine::apply_drained(const FileKey& key, RequestId request, coherence::Body body) {
  if (const auto gate = local_.gate_to_drain(key, body)) {
    LocalOpens::drained(gate, body, [this, key, request](const coherence::Body& what) {
      apply(key, request, what);
    });
    return;
  }
  apply(key, request, std::move(body));
}

void EmbeddedEngine::cancel(const FileKey& key, RequestId request) {
  apply(key, RequestId{}, coherence::Cancel{request});
}

void EmbeddedEngine::apply(const FileKey& key, RequestId request, coherence::Body body,
                           std::optional<MonoTime> now) {
  const std::size_t lane = lane_of(key);
  Partition& partition = partitions_[lane];
  coherence::Command command{key, options_.node, request, {}, std::move(body)};
  std::vector<Orphan> orphans;
  std::shared_ptr<Effects> waits;
  std::optional<coherence::KeptFile> keep;
  {
    const std::lock_guard lock(partition.mutex);
    command.now = now.value_or(clock_.mono());
    coherence::Outbox out;
    partition.table.apply(command, out);
    Effects effects;
    collect(key, out, partition.table, effects);
    keep = std::move(out.keep);
    const bool must_keep = options_.store && keep;
    if (must_keep || (!partition.waiting.empty() && partition.waiting.contains(key))) {
      effects.safe = !must_keep;
      waits = std::make_shared<Effects>(std::move(effects));
      partition.waiting[key].push_back(waits);
    } else {
      deliver(effects, orphans);
    }
    // In the order of the commands, so under the lock; the store only takes note.
    if (must_keep) {
      options_.store->keep(*keep, [this, key, waits] { now_safe(key, waits); });
    }
  }
  local_.drain(lane);
  remove(key, orphans);
}

void EmbeddedEngine::collect(const FileKey& key, coherence::Outbox& out,
                             const coherence::FileTable& table, Effects& effects) {
  for (const auto& it : out.revocations) {
    effects.local.push_back({key, DeliverRevoke{it.open, it.reason, {}}});
  }
  for (const auto& it : out.breaks) effects.local.push_back({key, DeliverBreak{it.what, {}}});
  for (auto& it : out.restrictions) {
    const ConfirmId version{it.what.version};
    effects.local.push_back({key, DeliverRestrictions{std::move(it.what), version}});
  }
  for (const auto& it : out.pendings) effects.local.push_back({key, DeliverPending{it.request}});
  for (auto& it : out.replies) {
    if (it.request != kTickRequest) {
      effects.local.push_back({key, DeliverReply{it.request, std::move(it.outcome)}});
    } else if (auto* closed = std::get_if<coherence::Closed>(&it.outcome.answer)) {
      const coherence::FileState* file = table.inspect(key);
      if (!closed->unlink || file == nullptr) continue;
      effects.orphan = Orphan{file->unlink_open, std::move(closed->path)};
    }
  }
  for (const auto& it : out.owed) effects.local.push_back({key, DeliverBreak{it.what, {}}});
}

void EmbeddedEngine::deliver(Effects& effects, std::vector<Orphan>& orphans) {
  for (LocalEffect& effect : effects.local) local_.queue(std::move(effect));
  if (effects.orphan) orphans.push_back(std::move(*effects.orphan));
}

void EmbeddedEngine::now_safe(const FileKey& key, const std::shared_ptr<Effects>& effects) {
  if (stopping_.load(std::memory_order_acquire)) return;
  const std::size_t lane = lane_of(key);
  Partition& partition = partitions_[lane];
  std::vector<Orphan> orphans;
  {
    const std::lock_guard lock(partition.mutex);
    effects->safe = true;
    const auto at = partition.waiting.find(key);
    if (at == partition.waiting.end()) return;
    while (!at->second.empty() && at->second.front()->safe) {
      deliver(*at->second.front(), orphans);
      at->second.pop_front();
    }
    if (at->second.empty()) partition.waiting.erase(at);
  }
  local_.drain(lane);
  remove(key, orphans);
}

void EmbeddedEngine::remove(const FileKey& key, const std::vector<Orphan>& orphans) {
  for (const Orphan& orphan : orphans) {
    if (orphan_) {
      orphan_(key, orphan.open, orphan.path);
    } else {
      submit(key, coherence::Unlinked{orphan.open, false}, {});
    }
  }
}

void EmbeddedEngine::restore(const std::vector<coherence::KeptFile>& files) {
  for (const coherence::KeptFile& file : files) {
    for (const coherence::KeptOpen& kept : file.opens) ids_.avoid(kept.open.open);
    Partition& partition = partitions_[lane_of(file.key)];
    const std::lock_guard lock(partition.mutex);
    coherence::Outbox out;  // the store has it already
    partition.table.apply(
        {file.key, options_.node, RequestId{}, clock_.mono(), coherence::Restore{file}}, out);
  }
}

void EmbeddedEngine::set_orphan_handler(OrphanHandler handler) { orphan_ = std::move(handler); }

void EmbeddedEngine::tick(MonoTime now) {
  std::vector<FileKey> due;
  for (Partition& partition : partitions_) {
    const std::lock_guard lock(partition.mutex);
    const auto deadline = partition.table.next_deadline();
    if (!deadline || *deadline > now) continue;
    for (const FileKey& key : partition.table.due(now)) due.push_back(key);
  }
  for (const FileKey& key : due) apply(key, kTickRequest, coherence::Tick{}, now);
}

void EmbeddedEngine::run_timer(const std::stop_token& stop, std::chrono::milliseconds interval) {
  std::unique_lock lock(timer_mutex_);
  while (!stop.stop_requested()) {
    timer_wake_.wait_for(lock, stop, interval, [] { return false; });
    if (stop.stop_requested()) return;
    lock.unlock();
    tick(clock_.mono());
    lock.lock();
  }
}

StateDigests EmbeddedEngine::digests() const {
  constexpr std::size_t kSlice = 256;
  StateDigests out;
  for (const Partition& partition : partitions_) {
    std::optional<FileKey> after;
    for (;;) {
      const std::lock_guard lock(partition.mutex);
      const auto keys = partition.table.files_after(after, kSlice);
      if (keys.empty()) break;
      after = keys.back();
      add_decided(out, partition.table, keys);
    }
  }
  out.held = out.decided;
  return out;
}

ports::EngineStatus EmbeddedEngine::status() const {
  ports::EngineStatus status;
  status.kind = "embedded";
  status.self = options_.node;
  status.epoch = Epoch{1};
  status.members = {options_.node};
  for (const Partition& partition : partitions_) {
    const std::lock_guard lock(partition.mutex);
    status.files_owned += partition.table.file_count();
    status.opens_held += partition.table.open_count();
  }
  return status;
}

}  // namespace flotilla::pool

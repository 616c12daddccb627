#include "pool/embedded/embedded_engine.hpp"

#include <utility>

namespace flotilla::pool {

namespace {
// Confirmations of restrictions carry their version; those of revocations only have to be counted.
constexpr std::uint64_t kRevocation = std::uint64_t{1} << 63;
}  // namespace

EmbeddedEngine::EmbeddedEngine(const ports::Clock& clock, EmbeddedOptions options)
    : clock_(clock),
      options_(options),
      ids_(options.node, clock.wall()),
      local_(std::make_shared<ports::ServeLease>(),
             [this](const FileKey& key, ConfirmId id) { confirmed(key, id); }) {
  for (Partition& partition : partitions_) {
    partition.table = coherence::FileTable(options_.limits);
  }
  if (options_.tick_interval.count() > 0) {
    timer_ = std::jthread(
        [this](const std::stop_token& stop) { run_timer(stop, options_.tick_interval); });
  }
}

EmbeddedEngine::~EmbeddedEngine() = default;

RequestId EmbeddedEngine::open(const FileKey& key, coherence::Open command,
                               std::shared_ptr<ports::OpenEvents> events,
                               std::move_only_function<void(ports::OpenOutcome)> done,
                               std::move_only_function<void()> pending) {
  const RequestId request =
      local_.add_open(key, command.open, std::move(events), std::move(done), std::move(pending));
  apply(key, request, std::move(command));
  return request;
}

RequestId EmbeddedEngine::submit(const FileKey& key, coherence::Body body,
                                 ports::Completion completion) {
  const auto* close = std::get_if<coherence::Close>(&body);
  const RequestId request =
      local_.add_command(key, close != nullptr ? close->open : OpenId{}, std::move(completion));
  apply(key, request, std::move(body));
  return request;
}

void EmbeddedEngine::cancel(const FileKey& key, RequestId request) {
  apply(key, RequestId{}, coherence::Cancel{request});
}

void EmbeddedEngine::apply(const FileKey& key, RequestId request, coherence::Body body,
                           std::optional<MonoTime> now) {
  const std::size_t lane = lane_of(key);
  Partition& partition = partitions_[lane];
  coherence::Command command{key, options_.node, request, {}, std::move(body)};
  {
    const std::lock_guard lock(partition.mutex);
    command.now = now.value_or(clock_.mono());
    coherence::Outbox out;
    partition.table.apply(command, out);
    for (const auto& it : out.revocations) {
      emit(partition, {key, DeliverRevoke{it.open, it.reason, ConfirmId{kRevocation}}});
    }
    for (auto& it : out.breaks) emit(partition, {key, DeliverBreak{it.what, {}}});
    for (auto& it : out.restrictions) {
      const ConfirmId version{it.what.version};
      emit(partition, {key, DeliverRestrictions{std::move(it.what), version}});
    }
    for (const auto& it : out.pendings) emit(partition, {key, DeliverPending{it.request}});
    for (auto& it : out.replies) {
      if (it.request == RequestId{}) continue;
      emit(partition, {key, DeliverReply{it.request, std::move(it.outcome)}});
    }
  }
  local_.drain(lane);
}

void EmbeddedEngine::emit(Partition& partition, LocalEffect effect) {
  const bool revokes = std::holds_alternative<DeliverRevoke>(effect.what);
  auto at = partition.barriers.find(effect.key);
  if (at != partition.barriers.end() && !(revokes && at->second.waiting.empty())) {
    at->second.waiting.push_back(std::move(effect));
    return;
  }
  if (revokes) ++partition.barriers[effect.key].outstanding_count;
  local_.queue(std::move(effect));
}

void EmbeddedEngine::confirmed(const FileKey& key, ConfirmId id) {
  if (id.raw() != kRevocation) {
    return apply(key, RequestId{}, coherence::RestrictionsKnown{id.raw()});
  }
  const std::size_t lane = lane_of(key);
  Partition& partition = partitions_[lane];
  {
    const std::lock_guard lock(partition.mutex);
    const auto at = partition.barriers.find(key);
    if (at == partition.barriers.end() || --at->second.outstanding_count > 0) return;
    std::deque<LocalEffect> waiting = std::move(at->second.waiting);
    partition.barriers.erase(at);
    for (LocalEffect& effect : waiting) emit(partition, std::move(effect));
  }
  local_.drain(lane);
}

void EmbeddedEngine::tick(MonoTime now) {
  std::vector<FileKey> due;
  for (Partition& partition : partitions_) {
    const std::lock_guard lock(partition.mutex);
    const auto deadline = partition.table.next_deadline();
    if (!deadline || *deadline > now) continue;
    for (const FileKey& key : partition.table.due(now)) due.push_back(key);
  }
  for (const FileKey& key : due) apply(key, RequestId{}, coherence::Tick{}, now);
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

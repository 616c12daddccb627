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
      options_(options),
      ids_(options.node, clock.wall()),
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

RequestId EmbeddedEngine::reclaim(const FileKey& key, coherence::Reclaim command,
                                  std::shared_ptr<ports::OpenEvents> events,
                                  std::move_only_function<void(ports::OpenOutcome)> done) {
  const RequestId request =
      local_.add_reclaim(key, command.open, std::move(events), std::move(done));
  apply(key, request, command);
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
  std::optional<coherence::Closed> orphan;
  OpenId orphan_open;
  {
    const std::lock_guard lock(partition.mutex);
    command.now = now.value_or(clock_.mono());
    coherence::Outbox out;
    partition.table.apply(command, out);
    for (const auto& it : out.revocations) {
      local_.queue({key, DeliverRevoke{it.open, it.reason, {}}});
    }
    for (const auto& it : out.breaks) local_.queue({key, DeliverBreak{it.what, {}}});
    for (auto& it : out.restrictions) {
      const ConfirmId version{it.what.version};
      local_.queue({key, DeliverRestrictions{std::move(it.what), version}});
    }
    for (const auto& it : out.pendings) local_.queue({key, DeliverPending{it.request}});
    for (auto& it : out.replies) {
      if (it.request != kTickRequest) {
        local_.queue({key, DeliverReply{it.request, std::move(it.outcome)}});
      } else if (auto* closed = std::get_if<coherence::Closed>(&it.outcome.answer)) {
        const coherence::FileState* file = partition.table.inspect(key);
        if (!closed->unlink || file == nullptr) continue;
        orphan = std::move(*closed);
        orphan_open = file->unlink_open;
      }
    }
  }
  local_.drain(lane);
  if (!orphan) return;
  if (orphan_) return orphan_(key, orphan_open, orphan->path);
  submit(key, coherence::Unlinked{orphan_open, false}, {});
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

#include "front/local_serving.hpp"

#include <string>
#include <utility>

namespace flotilla::front {
namespace {

class HomeSink final : public ports::FrameSink {
 public:
  explicit HomeSink(std::shared_ptr<OutletRef> outlet) : outlet_(std::move(outlet)) {}
  void send(Bytes frame) override {
    if (outlet_->outlet != nullptr) outlet_->outlet->answer(std::move(frame));
  }
  [[nodiscard]] std::size_t queued_bytes() const noexcept override {
    return outlet_->socket->queued_bytes();
  }
  void disconnect(std::string_view reason) override {
    if (outlet_->outlet != nullptr) outlet_->outlet->end(reason);
  }

 private:
  std::shared_ptr<OutletRef> outlet_;
};

/// Posts to the connection's shard; order of calls is order of posts.
class AwaySink final : public ports::FrameSink {
 public:
  AwaySink(std::shared_ptr<OutletRef> outlet, runtime::Executor& home)
      : outlet_(std::move(outlet)), home_(home) {}
  void send(Bytes frame) override {
    const std::size_t size_bytes = frame.size();
    posted_->fetch_add(size_bytes, std::memory_order_relaxed);
    home_.post(
        [outlet = outlet_, posted = posted_, bytes = std::move(frame), size_bytes]() mutable {
          posted->fetch_sub(size_bytes, std::memory_order_relaxed);
          if (outlet->outlet != nullptr) outlet->outlet->answer(std::move(bytes));
        });
  }
  [[nodiscard]] std::size_t queued_bytes() const noexcept override {
    return posted_->load(std::memory_order_relaxed) + outlet_->socket->queued_bytes();
  }
  void disconnect(std::string_view reason) override {
    home_.post([outlet = outlet_, text = std::string(reason)] {
      if (outlet->outlet != nullptr) outlet->outlet->end(text);
    });
  }

 private:
  std::shared_ptr<OutletRef> outlet_;
  runtime::Executor& home_;
  std::shared_ptr<std::atomic<std::size_t>> posted_ = std::make_shared<std::atomic<std::size_t>>(0);
};

}  // namespace

/// Shared by both threads; the channel is touched on the other shard's only.
struct LocalServing::Away {
  std::shared_ptr<ports::Channel> channel;
  std::atomic<std::size_t> backlog_bytes{0};
  std::atomic<bool> tell{false};
};

LocalServing::LocalServing(ShardState& home, std::shared_ptr<OutletRef> outlet)
    : home_(home), outlet_(std::move(outlet)) {}

LocalServing::~LocalServing() { close(); }

std::size_t LocalServing::shard_count() const noexcept { return home_.core.shards.count(); }

std::uint8_t LocalServing::choose_shard() {
  const std::size_t count = shard_count();
  if (sessions_assigned_.empty()) sessions_assigned_.resize(count);
  std::size_t best = home_.index;
  for (std::size_t i = 1; i < count; ++i) {
    const std::size_t candidate = (home_.index + i) % count;
    if (sessions_assigned_[candidate] < sessions_assigned_[best]) best = candidate;
  }
  ++sessions_assigned_[best];
  return static_cast<std::uint8_t>(best);
}

void LocalServing::deliver(ports::ConnectionFacts& facts, std::uint8_t shard, Bytes frame) {
  if (closed_) return;
  Core& core = home_.core;
  if (shard == home_.index) {
    if (!channel_) {
      channel_ = core.server.open_channel(facts, home_.executor, home_.index,
                                          std::make_shared<HomeSink>(outlet_));
      facts.extra_credits = 0;
    }
    // A local copy: the call may end in close(), which drops ours.
    const std::shared_ptr<ports::Channel> channel = channel_;
    if (channel) channel->on_frame(std::move(frame));
    return;
  }
  runtime::Executor& there = core.shards.shard(shard);
  if (away_.empty()) away_.resize(shard_count());
  if (!away_[shard]) {
    away_[shard] = std::make_shared<Away>();
    there.post([&core, &there, shard, state = away_[shard], its_facts = facts,
                sink = std::make_shared<AwaySink>(outlet_, home_.executor)]() mutable {
      state->channel =
          core.server.open_channel(std::move(its_facts), there, shard, std::move(sink));
    });
    facts.extra_credits = 0;
  }
  const std::size_t size_bytes = frame.size();
  away_[shard]->backlog_bytes.fetch_add(size_bytes);
  there.post([state = away_[shard], outlet = outlet_, home = &home_.executor,
              bytes = std::move(frame), size_bytes]() mutable {
    if (state->channel) state->channel->on_frame(std::move(bytes));
    if (state->backlog_bytes.fetch_sub(size_bytes) - size_bytes < kBacklogLowBytes &&
        state->tell.exchange(false)) {
      home->post([outlet = std::move(outlet)] {
        if (outlet->outlet != nullptr) outlet->outlet->caught_up();
      });
    }
  });
}

bool LocalServing::lagging() {
  bool any = false;
  for (const auto& state : away_) {
    if (!state || state->backlog_bytes.load() < kBacklogHighBytes) continue;
    state->tell.store(true);
    // It may have caught up between the two lines; then it will not tell.
    if (state->backlog_bytes.load() < kBacklogLowBytes && state->tell.exchange(false)) continue;
    any = true;
  }
  return any;
}

void LocalServing::close() {
  if (std::exchange(closed_, true)) return;
  if (const auto channel = std::exchange(channel_, nullptr)) channel->on_closed();
  for (std::size_t shard = 0; shard < away_.size(); ++shard) {
    if (!away_[shard]) continue;
    home_.core.shards.shard(shard).post([state = std::move(away_[shard])] {
      if (const auto channel = std::exchange(state->channel, nullptr)) channel->on_closed();
    });
  }
}

}  // namespace flotilla::front

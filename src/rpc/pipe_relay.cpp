#include "rpc/pipe_relay.hpp"

#include <algorithm>

#include "base/log.hpp"

namespace flotilla::rpc {

namespace {

/// One message of a pipe between nodes, as one of samba-dcerpcd's.
constexpr std::size_t kMessageBytesMax = 65535;

}  // namespace

/// The client's side of a pipe. `sink` and `opened` are the executor's.
struct PipeRelay::End {
  End(runtime::Executor& on, ReplySink into, Opened then)
      : executor(on), sink(std::move(into)), opened(std::move(then)) {}
  runtime::Executor& executor;
  ReplySink sink;
  Opened opened;       ///< empty: it was
  bool there = false;  ///< with the relay's mutex: the rpc_node has opened it
  std::atomic<bool> ended{false};
  std::atomic<bool> broken{false};
};

/// The server's side. All but `executor` is that executor's.
struct PipeRelay::Served {
  explicit Served(runtime::Executor& on) : executor(on) {}
  runtime::Executor& executor;
  std::unique_ptr<PipeServer> server;
  bool ended = false;
};

/// What the client's pipe writes to.
class PipeRelay::Pipe final : public PipeServer {
 public:
  Pipe(std::shared_ptr<PipeRelay> relay, std::uint64_t id, std::shared_ptr<End> end)
      : relay_(std::move(relay)), id_(id), end_(std::move(end)) {}
  ~Pipe() override {
    end_->ended = true;
    relay_->close(id_);
  }
  [[nodiscard]] Status receive(ByteView data) override {
    if (end_->broken) return fail(NtStatus::PipeDisconnected);
    for (ByteView rest = data; !rest.empty();) {
      const ByteView part = rest.first(std::min(rest.size(), kMessageBytesMax));
      relay_->tell(relay_->parts_.server, PipeData{id_, Bytes(part.begin(), part.end())});
      rest = rest.subspan(part.size());
    }
    return {};
  }

 private:
  const std::shared_ptr<PipeRelay> relay_;
  const std::uint64_t id_;
  const std::shared_ptr<End> end_;
};

bool PipeRelay::takes(std::string_view) const noexcept {
  return parts_.all_pipes && parts_.self != parts_.server;
}

void PipeRelay::open(const std::string& name, PipeContext context, runtime::Executor& executor,
                     ReplySink sink, Opened done) {
  const auto refuse = [&](NtStatus status) {
    executor.post([done = std::move(done), status]() mutable { done(fail(status)); });
  };
  if (parts_.self == parts_.server) {
    if (!parts_.local) return refuse(NtStatus::ObjectNameNotFound);
    return parts_.local->open(name, std::move(context), executor, std::move(sink), std::move(done));
  }
  PipeOpen message{.pipe = 0,
                   .name = name,
                   .peer_address = context.peer_address,
                   .session_key = context.session_key,
                   .caller = *context.caller};
  bool gone = false;
  {
    const std::scoped_lock lock(mutex_);
    gone = stopped_ || std::ranges::find(members_, parts_.server, &Life::node) == members_.end();
    if (!gone) {
      message.pipe = next_++;
      ends_.emplace(message.pipe,
                    std::make_shared<End>(executor, std::move(sink), std::move(done)));
    } else if (!std::exchange(refusal_told_, true)) {
      log::warn("rpc: {}: node {} of [rpc] rpc_node is not in the pool; its pipes are refused",
                name, parts_.server.raw());
    }
  }
  if (gone) return refuse(NtStatus::PipeNotAvailable);
  tell(parts_.server, message);
}

void PipeRelay::tell(NodeId to, const PipeMessage& message) {
  {
    const std::scoped_lock lock(mutex_);
    if (stopped_) return;
  }
  std::uint64_t pipe = 0;
  if (!std::holds_alternative<PipeClose>(message)) {
    pipe = std::visit([](const auto& each) { return each.pipe; }, message);
  }
  const bool ours = to == parts_.server;
  parts_.send(to, encode_pipe_message(message), [weak = weak_from_this(), pipe, ours] {
    const auto alive = weak.lock();
    if (alive && ours && pipe != 0) alive->give_up(pipe, NtStatus::PipeNotAvailable);
  });
}

/// The pipe is over, or was never opened.
void PipeRelay::give_up(std::uint64_t pipe, NtStatus status) {
  std::shared_ptr<End> end;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = ends_.find(pipe);
    if (found == ends_.end()) return;
    end = std::move(found->second);
    ends_.erase(found);
  }
  end->broken = true;
  end->executor.post([end, status] {
    if (end->opened) {
      auto opened = std::exchange(end->opened, nullptr);
      opened(fail(status));
    } else if (!end->ended) {
      end->sink({});
    }
  });
}

void PipeRelay::close(std::uint64_t pipe) {
  {
    const std::scoped_lock lock(mutex_);
    if (ends_.erase(pipe) == 0) return;
  }
  tell(parts_.server, PipeClose{pipe});
}

void PipeRelay::on_opened(const PipeOpened& opened) {
  if (is_error(opened.status)) return give_up(opened.pipe, opened.status);
  std::shared_ptr<End> end;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = ends_.find(opened.pipe);
    if (found == ends_.end() || std::exchange(found->second->there, true)) return;
    end = found->second;
  }
  end->executor.post([self = shared_from_this(), pipe = opened.pipe, end] {
    if (!end->opened) return;
    auto done = std::exchange(end->opened, nullptr);
    done(std::make_unique<Pipe>(self, pipe, end));
  });
}

void PipeRelay::on_data(NodeId from, PipeData data) {
  if (from == parts_.server) {
    std::shared_ptr<End> end;
    {
      const std::scoped_lock lock(mutex_);
      const auto found = ends_.find(data.pipe);
      if (found == ends_.end() || !found->second->there) return;
      end = found->second;
    }
    if (data.bytes.empty()) return give_up(data.pipe, NtStatus::PipeDisconnected);
    end->executor.post([end, bytes = std::move(data.bytes)]() mutable {
      if (!end->ended) end->sink(std::move(bytes));
    });
    return;
  }
  std::shared_ptr<Served> served;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = served_.find({from, data.pipe});
    if (found == served_.end()) return;
    served = found->second;
  }
  served->executor.post([self = shared_from_this(), served, key = ServedKey{from, data.pipe},
                         bytes = std::move(data.bytes)] {
    if (served->ended || !served->server) return;
    if (!served->server->receive(bytes)) self->send_reply(key, {});
  });
}

void PipeRelay::send_reply(const ServedKey& key, Bytes message) {
  do {
    const std::size_t size = std::min(message.size(), kMessageBytesMax);
    const auto end = message.begin() + static_cast<std::ptrdiff_t>(size);
    tell(key.first, PipeData{key.second, Bytes(message.begin(), end)});
    message.erase(message.begin(), end);
  } while (!message.empty());
}

void PipeRelay::serve(NodeId from, PipeOpen open) {
  const ServedKey key{from, open.pipe};
  std::shared_ptr<Served> served;
  {
    const std::scoped_lock lock(mutex_);
    if (stopped_ || served_.contains(key)) return;
    if (served_.size() < kServedMax) {
      served = std::make_shared<Served>(parts_.executor());
      served_.emplace(key, served);
    }
  }
  if (!served) return tell(from, PipeOpened{open.pipe, NtStatus::InsufficientResources});
  served->executor.post([self = shared_from_this(), served, key, open = std::move(open)]() mutable {
    const auto done = [self, served, key](Result<std::unique_ptr<PipeServer>> opened) {
      if (served->ended) return;
      if (!opened) {
        const std::scoped_lock lock(self->mutex_);
        const auto found = self->served_.find(key);
        if (found != self->served_.end() && found->second == served) self->served_.erase(found);
      } else {
        served->server = std::move(*opened);
      }
      self->tell(key.first, PipeOpened{key.second, opened ? NtStatus::Success : opened.error()});
    };
    PipeContext context = self->parts_.context(served->executor);
    context.caller = std::make_shared<const ports::Token>(std::move(open.caller));
    context.peer_address = std::move(open.peer_address);
    context.session_key = std::move(open.session_key);
    const auto sink = [weak = std::weak_ptr(self), key](Bytes message) {
      if (const auto alive = weak.lock()) alive->send_reply(key, std::move(message));
    };
    if (self->parts_.all_pipes && pipe_exists(open.name)) {
      return done(open_pipe_server(open.name, std::move(context), sink));
    }
    if (!self->parts_.local) return done(fail(NtStatus::ObjectNameNotFound));
    self->parts_.local->open(open.name, std::move(context), served->executor, sink, done);
  });
}

void PipeRelay::end_served(const std::shared_ptr<Served>& served) {
  served->executor.post([served] {
    served->ended = true;
    served->server.reset();
  });
}

void PipeRelay::receive(NodeId from, ByteView bytes) {
  auto message = decode_pipe_message(bytes);
  if (!message) {
    log::error("rpc: node {} sent {} bytes that are no message about a pipe", from.raw(),
               bytes.size());
    return;
  }
  if (auto* const open = std::get_if<PipeOpen>(&*message)) return serve(from, std::move(*open));
  if (auto* const data = std::get_if<PipeData>(&*message)) return on_data(from, std::move(*data));
  if (const auto* const opened = std::get_if<PipeOpened>(&*message)) {
    if (from == parts_.server) on_opened(*opened);
    return;
  }
  std::shared_ptr<Served> served;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = served_.find({from, std::get<PipeClose>(*message).pipe});
    if (found == served_.end()) return;
    served = std::move(found->second);
    served_.erase(found);
  }
  end_served(served);
}

void PipeRelay::on_members(const std::vector<Life>& members) {
  std::vector<std::uint64_t> lost;
  std::vector<std::shared_ptr<Served>> ended;
  {
    const std::scoped_lock lock(mutex_);
    const auto before = std::exchange(members_, members);
    refusal_told_ = false;
    const auto stays = [&](NodeId node) {
      return std::ranges::any_of(members, [&](const Life& life) {
        return life.node == node && std::ranges::find(before, life) != before.end();
      });
    };
    if (!stays(parts_.server)) {
      for (const auto& [pipe, end] : ends_) lost.push_back(pipe);
    }
    for (auto at = served_.begin(); at != served_.end();) {
      if (stays(at->first.first)) {
        ++at;
        continue;
      }
      ended.push_back(std::move(at->second));
      at = served_.erase(at);
    }
  }
  if (!lost.empty()) {
    log::warn("rpc: node {} of [rpc] rpc_node has left the pool: {} pipes are disconnected",
              parts_.server.raw(), lost.size());
  }
  for (const std::uint64_t pipe : lost) give_up(pipe, NtStatus::PipeNotAvailable);
  for (const auto& served : ended) end_served(served);
}

void PipeRelay::stop() {
  on_members({});
  const std::scoped_lock lock(mutex_);
  stopped_ = true;
}

std::size_t PipeRelay::sent_away() const {
  const std::scoped_lock lock(mutex_);
  return ends_.size();
}

std::size_t PipeRelay::served() const {
  const std::scoped_lock lock(mutex_);
  return served_.size();
}

}  // namespace flotilla::rpc

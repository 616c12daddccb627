#include "handlers/server.hpp"

#include <algorithm>

#include "base/ascii.hpp"
#include "handlers/channel.hpp"
#include "handlers/durable/durable_opens.hpp"
#include "handlers/lease_index.hpp"
#include "handlers/notify_hub.hpp"
#include "handlers/offload_tokens.hpp"
#include "handlers/open_state.hpp"
#include "handlers/session_channels.hpp"
#include "handlers/session_table.hpp"
#include "handlers/torture_fsctls.hpp"

namespace flotilla::handlers {

namespace {

void describe(const ServerChannel& channel, ServerSnapshot& into) {
  for (const auto& [id, entry] : channel.sessions()) {
    const session::Session& session = *entry->session;
    if (session.state == session::SessionState::InProgress || entry->binding) continue;
    // A session of several channels is told of by the first one.
    if (channels_of(session).list.empty() ||
        channels_of(session).list.front().lock().get() != &channel) {
      continue;
    }
    into.sessions.push_back({id, session.user_name, session.peer_address, session.dialect,
                             session.signing_required,
                             static_cast<std::uint32_t>(session.trees.size()),
                             static_cast<std::uint32_t>(session.opens.size()), session.created});
    for (const auto& [volatile_id, open] : session.opens) {
      if (into.opens.size() == ServerSnapshot::kOpensListed) break;
      const auto tree = session.trees.find(open->tree);
      into.opens.push_back({id, open->id, session.user_name,
                            tree == session.trees.end() ? std::string() : tree->second->share_name,
                            open->path, open->directory, open->granted_access, open->share_access,
                            open->cache_kind, open->cache_rights});
    }
  }
}

}  // namespace

Server::Server(ServerParts parts)
    : parts_(std::move(parts)),
      ids_(parts_.identity ? parts_.config.ids()
                                 .with_directory(parts_.identity->directory())
                                 .with_rids(parts_.identity->rids())
                           : parts_.config.ids()),
      notify_(std::make_unique<NotifyHub>()),
      sessions_(std::make_unique<SessionTable>()),
      leases_(std::make_unique<LeaseIndex>()),
      offload_tokens_(std::make_unique<OffloadTokens>()),
      user_shares_(parts_.open_share),
      durable_(std::make_shared<DurableOpens>(*this)) {
  if (parts_.config.torture_fsctls) torture_ = std::make_unique<TortureFsctls>();
  ipc_.config.name = "IPC$";
  ipc_.config.comment = "IPC Service";
  ipc_.config.hidden = true;
  ipc_.is_ipc = true;
}

Server::~Server() = default;

std::shared_ptr<ports::Channel> Server::open_channel(ports::ConnectionFacts facts,
                                                     runtime::Executor& executor,
                                                     std::uint16_t shard,
                                                     std::shared_ptr<ports::FrameSink> sink) {
  auto channel =
      std::make_shared<ServerChannel>(*this, std::move(facts), executor, shard, std::move(sink));
  const std::scoped_lock lock(channels_mutex_);
  std::erase_if(channels_, [](const auto& weak) { return weak.expired(); });
  channels_.push_back(channel);
  return channel;
}

std::vector<std::shared_ptr<ServerChannel>> Server::channels() const {
  std::vector<std::shared_ptr<ServerChannel>> alive;
  const std::scoped_lock lock(channels_mutex_);
  for (const auto& weak : channels_) {
    if (auto channel = weak.lock()) alive.push_back(std::move(channel));
  }
  return alive;
}

std::uint32_t Server::session_count() const noexcept {
  return static_cast<std::uint32_t>(sessions_->count());
}

const Share* Server::find_share(std::string_view name) const {
  const Share* const share = configured_share(name);
  return share != nullptr ? share : user_shares_.find(name);
}

const Share* Server::homes() const noexcept {
  const auto found =
      std::ranges::find_if(parts_.shares, [](const Share& share) { return share.config.homes; });
  return found != parts_.shares.end() ? &*found : nullptr;
}

const Share* Server::configured_share(std::string_view name) const noexcept {
  for (const Share& share : parts_.shares) {
    if (ascii::equal_without_case(share.config.name, name)) return &share;
  }
  return ascii::equal_without_case(name, ipc_.config.name) ? &ipc_ : nullptr;
}

ServerStats Server::stats() const noexcept {
  ServerStats stats;
  stats.channels = channels_count.load(std::memory_order_relaxed);
  stats.sessions = session_count();
  stats.trees = trees_count.load(std::memory_order_relaxed);
  stats.opens = opens_count.load(std::memory_order_relaxed);
  stats.requests = requests_count.load(std::memory_order_relaxed);
  stats.read_bytes = read_bytes.load(std::memory_order_relaxed);
  stats.written_bytes = written_bytes.load(std::memory_order_relaxed);
  return stats;
}

void Server::snapshot(std::move_only_function<void(ServerSnapshot)> done) {
  struct Gathering {
    std::mutex mutex;
    ServerSnapshot so_far;
    std::size_t left = 0;
    std::move_only_function<void(ServerSnapshot)> done;
  };
  auto all = channels();
  auto gathering = std::make_shared<Gathering>();
  gathering->left = all.size();
  gathering->done = std::move(done);
  if (all.empty()) return gathering->done({});
  for (auto& channel : all) {
    runtime::Executor& executor = channel->executor();
    executor.post([gathering, channel = std::move(channel)] {
      std::unique_lock lock(gathering->mutex);
      describe(*channel, gathering->so_far);
      if (--gathering->left != 0) return;
      lock.unlock();
      gathering->done(std::move(gathering->so_far));
    });
  }
}

bool Server::close_session_of(SessionId id, const wire::Sid& user) {
  const auto entry = sessions_->find(id);
  if (!entry || entry->user != user) return false;
  std::shared_ptr<session::Session> session = entry->session.lock();
  if (!session) return false;
  entry->executor->post([this, home = entry->executor, session = std::move(session)]() mutable {
    runtime::spawn(ServerChannel::end_session(*this, *home, std::move(session)));
  });
  return true;
}

void Server::drop_all(std::string reason) {
  for (auto& channel : channels()) {
    runtime::Executor& executor = channel->executor();
    executor.post([channel = std::move(channel), reason] { channel->disconnect(reason); });
  }
}

}  // namespace flotilla::handlers

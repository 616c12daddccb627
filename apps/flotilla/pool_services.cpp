#include "flotilla/pool_services.hpp"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "base/log.hpp"
#include "ports/channel.hpp"

namespace flotilla::app {
namespace {

constexpr std::uint16_t kNotifyService = 0x4E01;
constexpr std::uint16_t kCloseService = 0x4E02;
constexpr std::chrono::milliseconds kCloseRetry{20};
constexpr int kCloseTriesMax = 100;

enum class Kind : std::uint8_t { Watching = 1, NotWatching, Changed, Renamed, DeletePending };

const std::string& name_of_share(const void* share) {
  return static_cast<const handlers::Share*>(share)->config.name;
}

void put_text(ByteWriter& writer, std::string_view text) {
  writer.u32(static_cast<std::uint32_t>(text.size()));
  writer.bytes(as_bytes(text));
}

std::string take_text(ByteReader& reader) {
  const std::uint32_t size = reader.u32();
  return std::string(as_text(reader.view(size)));
}

}  // namespace

/// One layout for all kinds; what a kind does not need is empty.
struct PoolServices::Message {
  Kind kind{};
  const void* share = nullptr;
  std::string_view path;
  std::string_view to;
  std::uint32_t action = 0;
  std::uint32_t filter = 0;
  bool directory = false;

  [[nodiscard]] Bytes encoded() const {
    Bytes out;
    ByteWriter writer(out);
    writer.u8(static_cast<std::uint8_t>(kind));
    writer.u8(directory ? 1 : 0);
    writer.u32(action);
    writer.u32(filter);
    put_text(writer, name_of_share(share));
    put_text(writer, path);
    put_text(writer, to);
    return out;
  }
};

PoolServices::PoolServices(handlers::Server& server, pool::PoolEngine& engine, NodeId self)
    : server_(server), engine_(engine), self_(self) {
  server_.notify().set_relay(this);
  engine_.serve(kNotifyService,
                [this](NodeId from, ByteView request) { return receive(from, request); });
  engine_.serve(kCloseService, [this](NodeId, ByteView request) { return close_session(request); });
  server_.set_close_elsewhere(
      [this](SessionId id, const wire::Sid& user, std::move_only_function<void()> done) {
        Bytes request;
        ByteWriter writer(request);
        writer.u64(id.raw());
        user.encode(request);
        NodeId home;
        {
          const std::scoped_lock lock(mutex_);
          const auto found = std::ranges::find_if(members_, [id](NodeId node) {
            return static_cast<std::uint16_t>(node.raw()) == ports::home_of(id).node;
          });
          if (found != members_.end()) home = *found;
        }
        if (home == NodeId{}) return done();  // its node has left, and the session with it
        ask_to_close(home, std::move(request), kCloseTriesMax,
                     std::make_shared<std::move_only_function<void()>>(std::move(done)));
      });
}

void PoolServices::on_view(const pool::View& view) {
  std::vector<NodeId> others;
  std::vector<const void*> own;
  {
    const std::scoped_lock lock(mutex_);
    members_.clear();
    for (const pool::Member& member : view.members) {
      if (member.id.node != self_) members_.insert(member.id.node);
    }
    std::erase_if(interest_, [this](const auto& of) { return !members_.contains(of.first); });
    any_interest_ = !interest_.empty();
    others.assign(members_.begin(), members_.end());
    own.assign(own_.begin(), own_.end());
  }
  // A node that came knows nothing yet; the others hear it twice.
  for (const void* const share : own) tell(others, {.kind = Kind::Watching, .share = share});
}

bool PoolServices::wanted(const void* share) {
  return any_interest_.load(std::memory_order_relaxed) && !interested_in(share).empty();
}

std::vector<NodeId> PoolServices::interested_in(const void* share) const {
  std::vector<NodeId> nodes;
  const std::string& name = name_of_share(share);
  const std::scoped_lock lock(mutex_);
  for (const auto& [node, shares] : interest_) {
    if (shares.contains(name)) nodes.push_back(node);
  }
  return nodes;
}

void PoolServices::tell(const std::vector<NodeId>& nodes, const Message& message) {
  for (const NodeId node : nodes) {
    engine_.call(node, kNotifyService, message.encoded(), [](std::optional<Bytes>) {});
  }
}

void PoolServices::changed(const void* share, std::string_view path, wire::NotifyAction action,
                           std::uint32_t filter) {
  tell(interested_in(share), {.kind = Kind::Changed,
                              .share = share,
                              .path = path,
                              .action = static_cast<std::uint32_t>(action),
                              .filter = filter});
}

void PoolServices::renamed(const void* share, std::string_view from, std::string_view to,
                           bool directory) {
  tell(interested_in(share),
       {.kind = Kind::Renamed, .share = share, .path = from, .to = to, .directory = directory});
}

void PoolServices::delete_pending(const void* share, std::string_view path) {
  tell(interested_in(share), {.kind = Kind::DeletePending, .share = share, .path = path});
}

void PoolServices::watching(const void* share, bool on) {
  std::vector<NodeId> others;
  {
    const std::scoped_lock lock(mutex_);
    if (on) {
      own_.insert(share);
    } else {
      own_.erase(share);
    }
    others.assign(members_.begin(), members_.end());
  }
  tell(others, {.kind = on ? Kind::Watching : Kind::NotWatching, .share = share});
}

Bytes PoolServices::receive(NodeId from, ByteView request) {
  ByteReader reader(request);
  const auto kind = static_cast<Kind>(reader.u8());
  const bool directory = reader.u8() != 0;
  const std::uint32_t action = reader.u32();
  const std::uint32_t filter = reader.u32();
  const std::string name = take_text(reader);
  const std::string path = take_text(reader);
  const std::string to = take_text(reader);
  if (!reader.ok()) return {};
  if (kind == Kind::Watching || kind == Kind::NotWatching) {
    // Also where this node has not made that user's share yet.
    const std::scoped_lock lock(mutex_);
    if (kind == Kind::Watching) {
      interest_[from].insert(name);
    } else if (const auto found = interest_.find(from); found != interest_.end()) {
      found->second.erase(name);
      if (found->second.empty()) interest_.erase(found);
    }
    any_interest_ = !interest_.empty();
    return {};
  }
  const handlers::Share* const share = server_.find_share(name);
  if (share == nullptr) return {};  // a share that this node does not have: nobody watches it here
  handlers::NotifyHub& hub = server_.notify();
  switch (kind) {
    case Kind::Watching:
    case Kind::NotWatching:
      break;
    case Kind::Changed:
      hub.report_here(share, path, static_cast<wire::NotifyAction>(action), filter);
      break;
    case Kind::Renamed:
      hub.report_rename_here(share, path, to, directory);
      break;
    case Kind::DeletePending:
      hub.report_delete_pending_here(share, path);
      break;
  }
  return {};
}

Bytes PoolServices::close_session(ByteView request) {
  ByteReader reader(request);
  const SessionId id{reader.u64()};
  const auto user = wire::Sid::decode(request.subspan(std::min(request.size(), reader.position())));
  const bool there = reader.ok() && user && server_.close_session_of(id, *user);
  return Bytes{static_cast<std::uint8_t>(there ? 1 : 0)};
}

/// Asks again until the session is gone, so that the new one finds the old one's files closed.
void PoolServices::ask_to_close(NodeId node, Bytes request, int tries_left,
                                std::shared_ptr<std::move_only_function<void()>> done) {
  Bytes copy = request;
  engine_.call(node, kCloseService, std::move(copy),
               [this, node, request = std::move(request), tries_left,
                done](std::optional<Bytes> answer) mutable {
                 const bool there = answer && !answer->empty() && answer->front() != 0;
                 if (!there || tries_left == 0) return (*done)();
                 server_.blocking().run([this, node, request = std::move(request), tries_left,
                                         done = std::move(done)]() mutable {
                   std::this_thread::sleep_for(kCloseRetry);
                   ask_to_close(node, std::move(request), tries_left - 1, std::move(done));
                 });
               });
}

}  // namespace flotilla::app

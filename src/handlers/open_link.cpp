#include "handlers/open_link.hpp"

#include "base/log.hpp"
#include "handlers/channel.hpp"
#include "handlers/close.hpp"
#include "handlers/durable/durable_opens.hpp"
#include "handlers/lease_index.hpp"
#include "handlers/open_state.hpp"
#include "handlers/request.hpp"
#include "handlers/session_channels.hpp"
#include "handlers/session_table.hpp"
#include "handlers/torture_fsctls.hpp"
#include "wire/smb2.hpp"

namespace flotilla::handlers {

std::uint8_t oplock_level_of(coherence::CacheRights rights) noexcept {
  using coherence::kCacheHandle;
  using coherence::kCacheRead;
  using coherence::kCacheWrite;
  wire::OplockLevel level = wire::OplockLevel::None;
  if ((rights & kCacheWrite) != 0) {
    level = (rights & kCacheHandle) != 0 ? wire::OplockLevel::Batch : wire::OplockLevel::Exclusive;
  } else if ((rights & kCacheRead) != 0) {
    level = wire::OplockLevel::LevelII;
  }
  return static_cast<std::uint8_t>(level);
}

OpenLink::OpenLink(const std::shared_ptr<ServerChannel>& channel)
    : server_(channel->server()),
      client_(channel->facts().client_guid),
      channel_(channel),
      executor_(&channel->executor()) {}

runtime::Executor& OpenLink::executor() const {
  const std::scoped_lock lock(mutex_);
  return *executor_;
}

OpenLink::Home OpenLink::home() const {
  const std::scoped_lock lock(mutex_);
  return {session_.lock(), open_.lock(), executor_, state_ == State::Detached};
}

bool OpenLink::attached() const {
  const std::scoped_lock lock(mutex_);
  return state_ == State::Attached;
}

void OpenLink::post(const coherence::Break& what) {
  posted_.fetch_add(1, std::memory_order_relaxed);
  executor().post([self = shared_from_this(), what] {
    self->posted_.fetch_sub(1, std::memory_order_relaxed);
    self->deliver(what);
  });
}

void OpenLink::on_break(const coherence::Break& what) {
  if (what.kind == coherence::CacheKind::Lease) server_.leases().tell_early(client_, what);
  // At once where that is possible: a request that came with the one that causes the break, on the
  // same connection, would else be answered before it. Not before a break that is on its way.
  if (executor().in_thread() && posted_.load(std::memory_order_relaxed) == 0) {
    deliver(what);
  } else {
    post(what);
  }
}

void OpenLink::on_revoked(coherence::RevokeReason reason) {
  revoked_.store(true, std::memory_order_release);
  executor().post([self = shared_from_this(), reason] { self->drop(reason); });
}

void OpenLink::drop(coherence::RevokeReason reason) {
  if (!executor().in_thread()) {
    executor().post([self = shared_from_this(), reason] { self->drop(reason); });
    return;
  }
  const Home home = this->home();
  if (!home.open) return;
  home.open->revoked = true;
  const bool expected = reason == coherence::RevokeReason::Moved ||
                        reason == coherence::RevokeReason::Expired ||
                        reason == coherence::RevokeReason::Displaced;
  log::line(expected ? log::Level::Info : log::Level::Warn,
            "open {} of \"{}\" (client {}) is fenced, reason {}: its handle is gone",
            home.open->open_id.raw(), home.open->path,
            home.session ? home.session->peer_address : std::string("away"),
            static_cast<int>(reason));
  if (home.open->cache_kind == coherence::CacheKind::Lease &&
      reason == coherence::RevokeReason::BreakTimedOut) {
    server_.leases().timed_out(home.open->client_guid, home.open->lease_key);
  }
  if (home.detached && server_.durable().forget(home.open->open_id)) return;
  if (home.session) drop_open(server_, *home.session, home.open);
}

void OpenLink::attach(const std::shared_ptr<session::Open>& open,
                      const std::shared_ptr<session::Session>& session,
                      const std::shared_ptr<ServerChannel>& channel) {
  std::vector<coherence::Break> early;
  {
    const std::scoped_lock lock(mutex_);
    state_ = State::Attached;
    open_ = open;
    session_ = session;
    channel_ = channel;
    executor_ = &channel->executor();
    early.swap(early_);
  }
  for (const coherence::Break& what : early) post(what);
}

void OpenLink::detach() {
  std::vector<coherence::Break> early;
  {
    const std::scoped_lock lock(mutex_);
    state_ = State::Detached;
    session_.reset();
    early.swap(early_);
  }
  unanswered_.reset();
  for (const coherence::Break& what : early) post(what);
}

void OpenLink::hear_early(const coherence::Break& what) {
  if (!granted_.load(std::memory_order_acquire)) return;  // its answer will be made out later
  const std::scoped_lock lock(mutex_);
  if (state_ != State::Early) return;
  early_.push_back(what);
  early_.back().elsewhere = true;
}

void OpenLink::take_in_early(coherence::Opened& opened) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(early_, [&](const coherence::Break& what) {
    if (!what.elsewhere) return false;
    if (opened.lease_version == 2) opened.lease_epoch = what.new_epoch;
    opened.break_in_progress = what.ack_required;
    if (!what.ack_required) opened.rights = what.to;
    return true;
  });
}

void OpenLink::begin_attach() {
  const std::scoped_lock lock(mutex_);
  state_ = State::Early;
}

/// [MS-SMB2] 3.3.4.6 Object Store Indicates an Oplock Break, 3.3.4.7 ... a Lease Break.
void OpenLink::deliver(const coherence::Break& what) {
  std::shared_ptr<session::Session> session;
  std::shared_ptr<session::Open> open;
  {
    std::unique_lock lock(mutex_);
    if (state_ == State::Early) {
      early_.push_back(what);
      return;
    }
    open = open_.lock();
    session = session_.lock();
    if (!open) return;
    const State state = state_;
    const bool here = executor_->in_thread();
    lock.unlock();
    if (state == State::Detached) {
      // Sent before the engine knew. It asks nobody else while the open has a client by its books;
      // another one of the lease may be there to be asked.
      if (what.kind != coherence::CacheKind::Lease || what.elsewhere) return;
      const auto other = server_.leases().attached_link(open->client_guid, what.key);
      if (other) other->on_break(what);
      return;
    }
    if (!here) return post(what);
  }
  if (!session || open->revoked) return;
  if (what.elsewhere) return learn(*session, what);
  tell_client(*session, *open, what);
}

/// What the opens of a lease have from now on.
void OpenLink::learn(session::Session& session, const coherence::Break& what) {
  for (const auto& [id, open] : session.opens) {
    if (open->cache_kind != coherence::CacheKind::Lease || open->lease_key != what.key) continue;
    open->cache_rights = what.to;
    state_of(*open).lease_epoch = what.new_epoch;
    // Where it was asked for here, it has been answered through another node.
    const auto& link = state_of(*open).events;
    if (what.elsewhere && !what.ack_required && link) link->acknowledged();
  }
}

void OpenLink::retry_break(const ServerChannel* gone) {
  if (!unanswered_ || unanswered_->through != gone) return;
  const coherence::Break what = unanswered_->what;
  unanswered_.reset();
  deliver(what);
}

void OpenLink::tell_client(session::Session& session, session::Open& open,
                           const coherence::Break& what) {
  Bytes frame(kBodyOffset);
  if (what.kind == coherence::CacheKind::Lease) {
    learn(session, what);
    wire::LeaseBreakNotification body;
    body.new_epoch = what.new_epoch;
    body.flags = what.ack_required ? wire::lease_flags::kBreakAckRequired : 0U;
    body.lease_key = what.key;
    body.current_lease_state = what.from;
    body.new_lease_state = what.to;
    wire::encode(body, frame);
  } else {
    open.cache_rights = what.to;
    wire::OplockBreak body;
    body.oplock_level = static_cast<wire::OplockLevel>(oplock_level_of(what.to));
    body.file_id = open.id;
    wire::encode(body, frame);
  }
  SessionChannels& channels = channels_of(session);
  // A lease is the client's, not a connection's.
  const std::shared_ptr<ServerChannel> channel =
      channels.pick(what.kind == coherence::CacheKind::Lease ? nullptr : channel_.lock());
  if (!channel) return;  // the session is about to end, and the open with it
  unanswered_.reset();
  if (what.ack_required) {
    unanswered_ = Unanswered{channel.get(), what};
    if (const TortureFsctls* const torture = server_.torture();
        torture != nullptr && torture->is_unacked(channel->facts().id)) {
      channel->executor().schedule_after(TortureFsctls::kUnackedTimeout, [channel] {
        channel->disconnect("smbtorture asked for it: a break that nobody acknowledges");
      });
    }
  }
  channel->send_notification(std::move(frame),
                             session.encrypt_data ? channels.sealing.get() : nullptr);
}

}  // namespace flotilla::handlers

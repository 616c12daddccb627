#include "handlers/open_link.hpp"

#include "base/log.hpp"
#include "handlers/channel.hpp"
#include "handlers/close.hpp"
#include "handlers/request.hpp"
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

OpenLink::OpenLink(std::shared_ptr<ServerChannel> channel)
    : channel_(channel), executor_(channel->executor()) {}

void OpenLink::on_break(const coherence::Break& what) {
  executor_.post([self = shared_from_this(), what] { self->deliver(what); });
}

void OpenLink::on_revoked(coherence::RevokeReason reason) {
  revoked_.store(true, std::memory_order_release);
  executor_.post([self = shared_from_this(), reason] {
    const auto channel = self->channel_.lock();
    const auto open = self->open_.lock();
    if (!channel || !open) return;
    open->revoked = true;
    log::warn("open {} of \"{}\" (client {}) is fenced, reason {}: its handle is gone",
              open->open_id.raw(), open->path, channel->facts().peer_address,
              static_cast<int>(reason));
    if (const auto entry = channel->find_session(open->session)) {
      drop_open(channel->server(), *entry->session, open);
    }
  });
}

void OpenLink::attach(std::shared_ptr<session::Open> open) {
  attached_ = true;
  open_ = open;
  for (const coherence::Break& what : early_) {
    executor_.post([self = shared_from_this(), what] { self->deliver(what); });
  }
  early_.clear();
}

/// [MS-SMB2] 3.3.4.6 Object Store Indicates an Oplock Break, 3.3.4.7 ... a Lease Break.
void OpenLink::deliver(const coherence::Break& what) {
  if (!attached_) {
    early_.push_back(what);
    return;
  }
  const auto channel = channel_.lock();
  const auto open = open_.lock();
  if (!channel || !open || open->revoked) return;
  Bytes frame(kBodyOffset);
  if (what.kind == coherence::CacheKind::Lease) {
    if (const auto entry = channel->find_session(open->session)) {
      for (const auto& [id, other] : entry->session->opens) {
        if (other->cache_kind == coherence::CacheKind::Lease && other->lease_key == what.key) {
          other->cache_rights = what.to;
        }
      }
    }
    wire::LeaseBreakNotification body;
    body.new_epoch = what.new_epoch;
    body.flags = what.ack_required ? wire::lease_flags::kBreakAckRequired : 0U;
    body.lease_key = what.key;
    body.current_lease_state = what.from;
    body.new_lease_state = what.to;
    wire::encode(body, frame);
  } else {
    open->cache_rights = what.to;
    wire::OplockBreak body;
    body.oplock_level = static_cast<wire::OplockLevel>(oplock_level_of(what.to));
    body.file_id = open->id;
    wire::encode(body, frame);
  }
  channel->send_notification(std::move(frame));
}

}  // namespace flotilla::handlers

#include "ports/io_gate.hpp"

#include <time.h>

#include <algorithm>
#include <limits>

#include "coherence/locks.hpp"

namespace flotilla::ports {
namespace {

bool allows(const coherence::HeldLock& lock, OpenId open, IoGate::Access access) noexcept {
  if (lock.range.exclusive) return lock.open == open;
  return access == IoGate::Access::Read;
}

}  // namespace

bool ServeLease::valid() const noexcept {
  const std::int64_t until = until_ns_.load(std::memory_order_acquire);
  if (until == INT64_MAX) return true;
  if (until == 0) return false;
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return std::int64_t{now.tv_sec} * 1000000000 + now.tv_nsec < until;
}

IoGate::Ticket& IoGate::Ticket::operator=(Ticket&& other) noexcept {
  if (this != &other) {
    release();
    gate_ = std::move(other.gate_);
    generation_ = other.generation_;
  }
  return *this;
}

void IoGate::Ticket::release() noexcept {
  if (const std::shared_ptr<IoGate> gate = std::move(gate_)) gate->release(generation_);
}

bool IoGate::forbidden(OpenId open, std::uint64_t offset, std::uint64_t length_bytes,
                       Access access) const {
  if (length_bytes == 0) return false;
  const coherence::LockRange io{offset, length_bytes, false};
  return restrictions_.locks.any_near(io, [&](const coherence::HeldLock& lock) {
    return !allows(lock, open, access) && coherence::ranges_overlap(lock.range, io);
  });
}

Result<IoGate::Ticket> IoGate::admit(OpenId open, std::uint64_t offset, std::uint64_t length_bytes,
                                     Access access) {
  std::shared_ptr<IoGate> self = shared_from_this();
  const std::lock_guard guard{mutex_};
  // Asked under the mutex: what is admitted here is seen by every drain that starts later.
  if (lease_ != nullptr && !lease_->valid()) return fail(NtStatus::DeviceNotReady);
  if (!revoked_.empty() && std::binary_search(revoked_.begin(), revoked_.end(), open)) {
    return fail(NtStatus::FileClosed);
  }
  if (forbidden(open, offset, length_bytes, access)) return fail(NtStatus::FileLockConflict);
  if (inflight_.empty() || inflight_.back().first != generation_) {
    inflight_.emplace_back(generation_, 0);
  }
  ++inflight_.back().second;
  return Ticket{std::move(self), generation_};
}

bool IoGate::must_break_readers(OpenId /*open*/, const ClientGuid& client,
                                const LeaseKey& key) const {
  if (!restricted_.load(std::memory_order_acquire)) return false;
  const std::lock_guard guard{mutex_};
  return std::any_of(restrictions_.cachers.begin(), restrictions_.cachers.end(),
                     [&](const coherence::Cacher& cacher) {
                       const bool own_lease =
                           !cacher.key.is_zero() && cacher.key == key && cacher.client == client;
                       return !own_lease;
                     });
}

void IoGate::drain(std::unique_lock<std::mutex> lock, std::function<void()> done) {
  if (inflight_.empty()) {  // then nobody waits either
    ++generation_;
    lock.unlock();
    if (done) done();
    return;
  }
  drains_.push_back({generation_, std::move(done)});
  ++generation_;
  const std::vector<std::function<void()>> ready = take_drained();
  lock.unlock();
  for (const auto& call : ready) {
    if (call) call();
  }
}

void IoGate::restrict(coherence::Restrictions restrictions, std::function<void()> drained) {
  std::unique_lock lock{mutex_};
  if (restrictions.version > restrictions_.version) {
    restricted_.store(!restrictions.cachers.empty(), std::memory_order_release);
    std::swap(restrictions_, restrictions);  // what goes may be large: without the mutex
  }
  drain(std::move(lock), std::move(drained));
}

void IoGate::revoke(OpenId open, std::function<void()> drained) {
  std::unique_lock lock{mutex_};
  const auto at = std::lower_bound(revoked_.begin(), revoked_.end(), open);
  if (at == revoked_.end() || *at != open) revoked_.insert(at, open);
  drain(std::move(lock), std::move(drained));
}

bool IoGate::idle() const {
  const std::lock_guard guard{mutex_};
  return inflight_.empty();
}

void IoGate::readmit(OpenId open) {
  const std::lock_guard lock(mutex_);
  std::erase(revoked_, open);
}

void IoGate::reset_version() {
  const std::lock_guard guard{mutex_};
  restrictions_.version = 0;
}

void IoGate::release(std::uint64_t generation) {
  std::vector<std::function<void()>> ready;
  {
    const std::lock_guard guard{mutex_};
    const auto it = std::lower_bound(
        inflight_.begin(), inflight_.end(), generation,
        [](const auto& entry, std::uint64_t wanted) { return entry.first < wanted; });
    if (it == inflight_.end() || it->first != generation) return;
    if (--it->second == 0) {
      inflight_.erase(it);
      if (!drains_.empty()) ready = take_drained();
    }
  }
  for (const auto& call : ready) {
    if (call) call();
  }
}

std::vector<std::function<void()>> IoGate::take_drained() {
  std::vector<std::function<void()>> ready;
  const std::uint64_t oldest =
      inflight_.empty() ? std::numeric_limits<std::uint64_t>::max() : inflight_.front().first;
  auto it = drains_.begin();
  for (; it != drains_.end() && it->generation < oldest; ++it) {
    ready.push_back(std::move(it->done));
  }
  drains_.erase(drains_.begin(), it);
  return ready;
}

}  // namespace flotilla::ports

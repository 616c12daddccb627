#include "handlers/durable/durable_opens.hpp"

#include <utility>

#include "base/log.hpp"
#include "handlers/channel.hpp"
#include "handlers/close.hpp"
#include "handlers/open_link.hpp"

namespace flotilla::handlers {

CreateGuidClaim& CreateGuidClaim::operator=(CreateGuidClaim&& other) noexcept {
  std::swap(table_, other.table_);
  std::swap(client_, other.client_);
  std::swap(guid_, other.guid_);
  return *this;
}

CreateGuidClaim::~CreateGuidClaim() {
  if (table_) table_->forget_guid(client_, guid_, nullptr);
}

void CreateGuidClaim::fulfil(const std::shared_ptr<session::Open>& open) {
  if (!table_) return;
  const std::scoped_lock lock(table_->mutex_);
  table_->guids_[{client_, guid_}] = {false, open};
  table_.reset();
}

bool survives_disconnect(session::Open& open) {
  if (open.pipe || open.directory || open.revoked || open.closing) return false;
  const DurableTraits& traits = state_of(open).durable;
  if (traits.resilient) return true;
  return traits.durable && (open.cache_rights & coherence::kCacheHandle) != 0;
}

void DurableOpens::detach(const std::shared_ptr<session::Open>& open, ports::Credentials who,
                          runtime::Executor& executor, std::chrono::milliseconds timeout) {
  std::uint64_t generation = 0;
  {
    const std::scoped_lock lock(mutex_);
    generation = next_generation_++;
    detached_[open->open_id] = {open, std::move(who), &executor, generation};
    state_of(*open).events->detach();
  }
  log::debug("open {} of \"{}\" waits {} ms for its client", open->open_id.raw(), open->path,
             timeout.count());
  executor.schedule_after(timeout, [weak = weak_from_this(), id = open->open_id, generation] {
    if (const auto self = weak.lock()) self->expire(id, generation);
  });
}

void DurableOpens::expire(OpenId open, std::uint64_t generation) {
  Detached entry;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = detached_.find(open);
    if (found == detached_.end() || found->second.generation != generation) return;
    entry = std::move(found->second);
    detached_.erase(found);
  }
  log::info("open {} of \"{}\": its client has not come back in time", open.raw(),
            entry.open->path);
  close(std::move(entry), {});
}

void DurableOpens::close(Detached entry, std::function<void()> done) {
  runtime::Executor& executor = *entry.executor;
  executor.post([weak = weak_from_this(), entry = std::move(entry), done = std::move(done)] {
    const auto self = weak.lock();
    if (!self) return;
    runtime::spawn([](std::shared_ptr<DurableOpens> table, Detached gone,
                      std::function<void()> then) -> runtime::Task<void> {
      release_open(table->server_, *gone.open);
      co_await give_back(table->server_, *gone.executor, *state_of(*gone.open).share, gone.who,
                         gone.open->key, gone.open->open_id, gone.open->directory);
      if (const auto hold = std::exchange(state_of(*gone.open).stream_hold, nullptr)) {
        co_await give_back(table->server_, *gone.executor, *state_of(*gone.open).share, gone.who,
                           hold->key, hold->open, false);
      }
      if (then) then();
    }(self, entry, done));
  });
}

Result<std::shared_ptr<session::Open>> DurableOpens::reclaim(
    OpenId open, const std::function<NtStatus(session::Open&)>& check) {
  const std::scoped_lock lock(mutex_);
  const auto found = detached_.find(open);
  if (found == detached_.end()) return fail(NtStatus::ObjectNameNotFound);
  std::shared_ptr<session::Open> kept = found->second.open;
  if (const NtStatus status = check(*kept); status != NtStatus::Success) return fail(status);
  detached_.erase(found);
  state_of(*kept).events->begin_attach();
  return kept;
}

bool DurableOpens::close_broken(const session::Open& open, const coherence::Break& what) {
  std::vector<Detached> broken;
  {
    const std::scoped_lock lock(mutex_);
    if (!detached_.contains(open.open_id)) return false;
    for (auto it = detached_.begin(); it != detached_.end();) {
      const session::Open& other = *it->second.open;
      const bool same_lease =
          what.kind == coherence::CacheKind::Lease && other.client_guid == open.client_guid &&
          other.cache_kind == coherence::CacheKind::Lease && other.lease_key == what.key;
      if (it->first != open.open_id && !same_lease) {
        ++it;
        continue;
      }
      broken.push_back(std::move(it->second));
      it = detached_.erase(it);
    }
  }
  for (Detached& entry : broken) {
    log::debug("open {} of \"{}\": broken while its client is away", entry.open->open_id.raw(),
               entry.open->path);
    close(std::move(entry), {});
  }
  return true;
}

bool DurableOpens::forget(OpenId open) {
  Detached entry;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = detached_.find(open);
    if (found == detached_.end()) return false;
    entry = std::move(found->second);
    detached_.erase(found);
  }
  release_open(server_, *entry.open);
  return true;
}

std::size_t DurableOpens::detached_count() const {
  const std::scoped_lock lock(mutex_);
  return detached_.size();
}

DurableOpens::Earlier DurableOpens::claim_guid(const ClientGuid& client, const CreateGuid& guid,
                                               CreateGuidClaim& claim) {
  const std::scoped_lock lock(mutex_);
  const auto [found, fresh] = guids_.try_emplace({client, guid});
  if (!fresh) {
    if (found->second.pending) return {true, nullptr};
    if (auto open = found->second.open.lock(); open && !open->closing) return {false, open};
  }
  found->second = {true, {}};
  claim.table_ = shared_from_this();
  claim.client_ = client;
  claim.guid_ = guid;
  return {};
}

void DurableOpens::forget_guid(const ClientGuid& client, const CreateGuid& guid,
                               const session::Open* open) {
  const std::scoped_lock lock(mutex_);
  const auto found = guids_.find({client, guid});
  if (found == guids_.end()) return;
  // By now a later CREATE may have the guid.
  const bool mine = open == nullptr
                        ? found->second.pending
                        : !found->second.pending && found->second.open.lock().get() == open;
  if (mine) guids_.erase(found);
}

void DurableOpens::add_instance(const AppInstanceId& instance,
                                const std::shared_ptr<OpenLink>& link) {
  const std::scoped_lock lock(mutex_);
  for (auto it = instances_.begin(); it != instances_.end();) {
    std::erase_if(it->second, [](const auto& weak) { return weak.expired(); });
    it = it->second.empty() ? instances_.erase(it) : std::next(it);
  }
  instances_[instance].push_back(link);
}

std::vector<std::shared_ptr<OpenLink>> DurableOpens::of_instance(const AppInstanceId& instance) {
  const std::scoped_lock lock(mutex_);
  std::vector<std::shared_ptr<OpenLink>> links;
  const auto found = instances_.find(instance);
  if (found == instances_.end()) return links;
  for (const auto& weak : found->second) {
    if (auto link = weak.lock()) links.push_back(std::move(link));
  }
  return links;
}

runtime::Task<void> DurableOpens::close_anywhere(std::shared_ptr<OpenLink> link,
                                                 runtime::Executor& resume_on) {
  const OpenLink::Home home = link->home();
  if (!home.open) co_return;
  auto shot = runtime::OneShot<bool>::make();
  Detached entry;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = detached_.find(home.open->open_id);
    if (found != detached_.end()) {
      entry = std::move(found->second);
      detached_.erase(found);
    }
  }
  if (entry.open) {
    close(std::move(entry), [shot] { shot->set(true); });
  } else if (home.session) {
    home.executor->post([home, shot, &server = server_] {
      runtime::spawn([](OpenLink::Home where, std::shared_ptr<runtime::OneShot<bool>> done,
                        Server& on) -> runtime::Task<void> {
        co_await close_open(on, *where.executor, where.session, where.open);
        done->set(true);
      }(home, shot, server));
    });
  } else {
    co_return;
  }
  co_await runtime::OneShot<bool>::wait(shot, resume_on);
}

}  // namespace flotilla::handlers

#include "handlers/durable/durable_opens.hpp"

#include <utility>

#include "base/log.hpp"
#include "handlers/channel.hpp"
#include "handlers/close.hpp"
#include "handlers/durable/passport.hpp"
#include "handlers/engine_call.hpp"
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
  if (traits.resilient || traits.persistent) return true;
  return traits.durable && (open.cache_rights & coherence::kCacheHandle) != 0;
}

runtime::Task<void> DurableOpens::detach(std::shared_ptr<session::Open> open,
                                         ports::Credentials who, runtime::Executor& executor) {
  {
    const std::scoped_lock lock(mutex_);
    detached_[open->open_id] = {open, who, &executor};
    state_of(*open).events->detach();
  }
  log::debug("open {} of \"{}\" waits {} ms for its client", open->open_id.raw(), open->path,
             state_of(*open).durable.timeout.count());
  if (open->position != 0) {
    const DurableTraits& durable = state_of(*open).durable;
    const auto kind = durable.persistent  ? coherence::DurableKind::Persistent
                      : durable.resilient ? coherence::DurableKind::Resilient
                                          : coherence::DurableKind::Durable;
    server_.engine().submit(open->key, kept_update(*open, kind, durable.timeout), {});
  }
  coherence::Body body = coherence::Detach{open->open_id};
  coherence::Outcome outcome =
      co_await engine_submit(server_, executor, open->key, std::move(body));
  const bool stays =
      outcome.status == NtStatus::Success && std::holds_alternative<std::monostate>(outcome.answer);
  if (stays) co_return;
  (void)forget(open->open_id);
  co_await finish_close(server_, executor, *state_of(*open).share, std::move(who), open->key,
                        open->open_id, open->directory, std::move(outcome));
}

std::optional<DurableOpens::Detached> DurableOpens::take_out(OpenId open) {
  const std::scoped_lock lock(mutex_);
  const auto found = detached_.find(open);
  if (found == detached_.end()) return std::nullopt;
  Detached entry = std::move(found->second);
  detached_.erase(found);
  return entry;
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
      co_await table->release_stream(gone.open, gone.who, *gone.executor);
      if (then) then();
    }(self, entry, done));
  });
}

std::optional<Result<std::shared_ptr<session::Open>>> DurableOpens::take(
    OpenId open, const std::function<NtStatus(session::Open&)>& check) {
  const std::scoped_lock lock(mutex_);
  const auto found = detached_.find(open);
  if (found == detached_.end()) return std::nullopt;
  std::shared_ptr<session::Open> kept = found->second.open;
  if (const NtStatus status = check(*kept); status != NtStatus::Success) return fail(status);
  detached_.erase(found);
  state_of(*kept).events->begin_attach();
  return kept;
}

bool DurableOpens::forget(OpenId open) {
  std::optional<Detached> entry = take_out(open);
  if (!entry) return false;
  release_open(server_, *entry->open);
  if (state_of(*entry->open).stream_hold) {
    runtime::Executor& executor = *entry->executor;
    executor.post([weak = weak_from_this(), entry = *std::move(entry)] {
      const auto self = weak.lock();
      if (!self) return;
      runtime::spawn([](std::shared_ptr<DurableOpens> table, Detached gone) -> runtime::Task<void> {
        co_await table->release_stream(gone.open, gone.who, *gone.executor);
      }(self, entry));
    });
  }
  return true;
}

runtime::Task<void> DurableOpens::release_stream(std::shared_ptr<session::Open> open,
                                                 ports::Credentials who,
                                                 runtime::Executor& executor) {
  const auto hold = std::exchange(state_of(*open).stream_hold, nullptr);
  if (!hold) co_return;
  co_await give_back(server_, executor, *state_of(*open).share, std::move(who), hold->key,
                     hold->open, false);
}

runtime::Task<void> DurableOpens::discard(std::shared_ptr<session::Open> open,
                                          ports::Credentials who, runtime::Executor& executor) {
  if (!open->closing) release_open(server_, *open);
  co_await release_stream(std::move(open), std::move(who), executor);
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
  if (std::optional<Detached> entry = take_out(home.open->open_id)) {
    close(*std::move(entry), [shot] { shot->set(true); });
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

coherence::UpdateKept kept_update(session::Open& open, coherence::DurableKind kind,
                                  std::chrono::milliseconds timeout) {
  const OpenState& state = state_of(open);
  coherence::UpdateKept update;
  update.open = open.open_id;
  coherence::Durability& durability = update.durability;
  durability.kind = kind;
  durability.timeout = timeout;
  durability.create_guid = state.durable.create_guid;
  durability.app_instance = state.durable.app_instance;
  durability.app_version_high = state.durable.app_version_high;
  durability.app_version_low = state.durable.app_version_low;
  durability.passport =
      encode(Passport{state.share->config.name, state.durable.owner, open.create_options,
                      state.create_action, state.cache_asked, open.position});
  return update;
}

}  // namespace flotilla::handlers

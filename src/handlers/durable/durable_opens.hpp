// DurableOpens: the opens of this node that a client may name in a later CREATE: detached ones that
// wait for it to come back, those with a CreateGuid that a replay may name, and those of an
// application instance. Thread-safe. Must not know of create contexts or responses.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/result.hpp"
#include "handlers/open_state.hpp"
#include "runtime/executor.hpp"
#include "runtime/task.hpp"

namespace flotilla::handlers {

class DurableOpens;

/// A CREATE with a CreateGuid under way. Gives the guid back when it goes without fulfil().
class CreateGuidClaim {
 public:
  CreateGuidClaim() = default;
  CreateGuidClaim(CreateGuidClaim&& other) noexcept { *this = std::move(other); }
  CreateGuidClaim& operator=(CreateGuidClaim&& other) noexcept;
  ~CreateGuidClaim();
  /// The CREATE has succeeded: replays find `open` from now on.
  void fulfil(const std::shared_ptr<session::Open>& open);

 private:
  friend class DurableOpens;
  std::shared_ptr<DurableOpens> table_;
  ClientGuid client_;
  CreateGuid guid_;
};

class DurableOpens : public std::enable_shared_from_this<DurableOpens> {
 public:
  explicit DurableOpens(Server& server) : server_(server) {}

  /// Keeps an open whose session has gone (it is out of it already) until it is reclaimed, or the
  /// engine ends it: its time is over, or somebody else wants the file. Done when the engine knows.
  /// Where the engine does not keep it, it is closed with the rights of `who`.
  /// Spec    [MS-SMB2] 3.3.7.1 Handling Loss of a Connection; 3.3.6.1, 3.3.6.3 (the timers)
  /// Calls   `executor`
  runtime::Task<void> detach(std::shared_ptr<session::Open> open, ports::Credentials who,
                             runtime::Executor& executor);

  /// Takes a detached open of this node out for its client.
  /// Output  nothing: none is kept here under this number
  /// Errors  what `check` says; then the open stays
  /// Effect  its OpenLink keeps breaks back until it is attached again
  [[nodiscard]] std::optional<Result<std::shared_ptr<session::Open>>> take(
      OpenId open, const std::function<NtStatus(session::Open&)>& check);
  /// What was taken could not be had from the engine: it is gone.
  runtime::Task<void> discard(std::shared_ptr<session::Open> open, ports::Credentials who,
                              runtime::Executor& executor);

  /// The engine has revoked it. Output  false: not detached
  bool forget(OpenId open);
  [[nodiscard]] std::size_t detached_count() const;

  /// What a CREATE with a CreateGuid finds of an earlier one.
  struct Earlier {
    bool pending = false;                 ///< not answered yet
    std::shared_ptr<session::Open> open;  ///< null: none, or pending
  };
  /// Reserves the guid where nobody has it.
  /// Spec    [MS-SMB2] 3.3.5.9.10, the look-up in GlobalOpenTable
  [[nodiscard]] Earlier claim_guid(const ClientGuid& client, const CreateGuid& guid,
                                   CreateGuidClaim& claim);
  /// The open was used, or is gone: a CREATE with its guid is a new one. [MS-SMB2] 3.3.1.10
  /// IsReplayEligible
  /// `open` null: the claim of a CREATE that failed.
  void forget_guid(const ClientGuid& client, const CreateGuid& guid, const session::Open* open);

  /// The open belongs to an application instance from now on, until it goes.
  void add_instance(const AppInstanceId& instance, const std::shared_ptr<OpenLink>& link);
  /// Its opens by now, in the order of their making.
  [[nodiscard]] std::vector<std::shared_ptr<OpenLink>> of_instance(const AppInstanceId& instance);
  /// Ends an open of any session, or a detached one; done when the engine knows.
  runtime::Task<void> close_anywhere(std::shared_ptr<OpenLink> link, runtime::Executor& resume_on);

 private:
  friend class CreateGuidClaim;
  struct Detached {
    std::shared_ptr<session::Open> open;
    ports::Credentials who;
    runtime::Executor* executor = nullptr;
  };
  struct Named {
    bool pending = false;
    std::weak_ptr<session::Open> open;
  };
  std::optional<Detached> take_out(OpenId open);
  runtime::Task<void> release_stream(std::shared_ptr<session::Open> open, ports::Credentials who,
                                     runtime::Executor& executor);
  void close(Detached entry, std::function<void()> done);

  Server& server_;
  mutable std::mutex mutex_;
  std::map<OpenId, Detached> detached_;
  std::map<std::pair<ClientGuid, CreateGuid>, Named> guids_;
  std::map<AppInstanceId, std::vector<std::weak_ptr<OpenLink>>> instances_;
};

/// Whether the open outlives its connection.
/// Spec    [MS-SMB2] 3.3.7.1: resilient or persistent; or durable and its batch oplock, or its
///         lease's H, is held
[[nodiscard]] bool survives_disconnect(session::Open& open);

/// What the engine is to keep of the open from now on.
[[nodiscard]] coherence::UpdateKept kept_update(session::Open& open, coherence::DurableKind kind,
                                                std::chrono::milliseconds timeout);

}  // namespace flotilla::handlers

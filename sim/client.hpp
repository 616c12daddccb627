// A client of the simulated pool, and what it believes: the promises that were made to it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "coherence/command.hpp"
#include "coherence/share.hpp"
#include "ports/engine.hpp"

namespace flotilla::sim {

class World;

/// `node`     zero: not connected
/// `session`  another one with every connection
struct Client {
  std::uint64_t number = 0;
  ClientGuid guid;
  NodeId node;
  SessionId session;
  [[nodiscard]] std::string name() const { return "c" + std::to_string(number); }
};

/// Names one lease, or the oplock of `oplock`, at one client.
struct CacheName {
  FileKey key;
  ClientGuid client;
  LeaseKey lease;
  OpenId oplock;
  friend auto operator<=>(const CacheName&, const CacheName&) = default;
};

/// `rights`  what the client acts by. R goes as soon as it is told to drop it; W and H when it
///           acknowledges, for it may have something to write back first.
/// `acks`    acknowledgments under way: answers made out before they arrive tell of the past
struct CacheBelief {
  coherence::CacheRights rights = 0;
  std::optional<coherence::CacheRights> breaking_to;
  int acks = 0;
};

/// One open as its client knows it. It counts from the answer to its Open until its client closes
/// it or hears that it is gone, as long as its node serves.
class ClientOpen final : public ports::OpenEvents, public std::enable_shared_from_this<ClientOpen> {
 public:
  ClientOpen(World& world, Client& whose, NodeId where)
      : world_(world), client(&whose), node(where) {}
  void on_break(const coherence::Break& what) override;
  void on_revoked(coherence::RevokeReason reason) override;

 private:
  World& world_;

 public:
  Client* client;
  NodeId node;
  FileKey key;
  coherence::Open command;
  coherence::CacheKind kind = coherence::CacheKind::None;
  std::vector<coherence::LockRange> locks;
  std::shared_ptr<ports::IoGate> gate;
  bool of_breaking_lease = false;  ///< its client knew that when it asked
  bool granted = false;
  bool gone = false;  ///< closed, or heard to be gone
  MonoTime since;     ///< granted, or its last change acknowledged
  // Of one that its client has lost and may have back.
  MonoTime lost_at;
  coherence::CacheRights rights_when_lost = 0;
  bool breaking_when_lost = false;
  int tries = 0;
  bool returning = false;               ///< asked for with a reclaim that was not answered
  std::vector<coherence::Break> early;  ///< heard meanwhile: told after the answer (OpenLink)
  SessionId asked_in;  ///< its client has asked for it, and was not answered, in this session

  [[nodiscard]] OpenId id() const { return command.open; }
  [[nodiscard]] bool writes() const { return (command.access & coherence::kChangesData) != 0; }
  [[nodiscard]] bool reads() const { return (command.access & coherence::kReadData) != 0; }
  /// Whether `name` is the lease or oplock of this very open, also where it was refused: what the
  /// open does takes nothing from it.
  [[nodiscard]] bool is_of(const CacheName& name) const {
    if (kind != coherence::CacheKind::None) return cache_name() == name;
    return command.cache.kind == coherence::CacheKind::Lease &&
           name == CacheName{key, client->guid, command.cache.key, OpenId{}};
  }
  [[nodiscard]] CacheName cache_name() const {
    if (kind == coherence::CacheKind::Lease) {
      return {key, client->guid, command.cache.key, OpenId{}};
    }
    return {key, client->guid, LeaseKey{}, command.open};
  }
};
using OpenPtr = std::shared_ptr<ClientOpen>;

/// What a client has asked and not been answered.
struct Request {
  std::uint64_t serial = 0;
  NodeId node;
  std::uint64_t boot = 0;
  Client* client = nullptr;
  RequestId id;
  FileKey key;
  coherence::Body body;
  MonoTime asked;
  bool cancelled = false;
};
using RequestPtr = std::shared_ptr<Request>;

}  // namespace flotilla::sim

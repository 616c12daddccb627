// DESIGN.md section 3's invariants over what clients believe, what the gates of all nodes admit and
// what the nodes keep. The world tells it of everything that could break one.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "pool/membership.hpp"
#include "sim/client.hpp"
#include "sim/disk.hpp"
#include "sim/report.hpp"

namespace flotilla::sim {

class World;
struct Node;

class Checker {
 public:
  explicit Checker(World& world) : world_(world) {}

  // What clients come to believe.
  void granted(const ClientOpen& open, MonoTime asked);
  void locked(const ClientOpen& open, const coherence::LockRange& range);
  void cache_grown(const CacheName& name);
  void io_admitted(const ClientOpen& open, const Io& io);
  void reclaimed(const ClientOpen& open);
  /// An open whose client is away was taken from its node.
  void ended_away(const ClientOpen& open, coherence::RevokeReason reason);
  // What they hear of losses, or give up: it clears suspicions.
  void heard_gone(const ClientOpen& open);
  void cache_gone(const CacheName& name);
  void close_answered(OpenId open, NtStatus status);
  // The file is to be deleted: the answer has come, through `by`. Somebody asks that it is not.
  void doomed(NodeId by, const FileKey& key);
  void not_doomed(const FileKey& key);
  /// `by` is about to remove the name.
  void name_removed(NodeId by, const FileKey& key);

  /// Everything, over everybody; the square of the opens of a file.
  void check_all();
  /// Everything has healed and come to rest: what nodes keep and what clients believe is the same.
  void check_rest();
  /// Every client has closed everything: nothing is left anywhere.
  void check_empty();

 private:
  /// Wrong, unless it turns out soon that the right was taken away already and that its client,
  /// far away, had yet to hear it.
  struct Suspicion {
    OpenId open;
    CacheName cache;
    MonoTime until;
    Rule rule = Rule::Machinery;
    std::string what;
  };
  /// `witnesses`  as long as one of them is open, the file stays to be deleted
  struct Doomed {
    MonoTime since;
    std::vector<OpenId> witnesses;
  };
  void check_opens(const ClientOpen& a, const ClientOpen& b);
  void check_locks(const ClientOpen& a, const ClientOpen& b);
  void check_cache(const CacheName& name, const CacheBelief& belief);
  void check_write_caching(const CacheName& name, const CacheBelief& belief);
  void check_lock_against_io(const ClientOpen& open, const coherence::LockRange& range);
  void check_gates_mind(const ClientOpen& open, const coherence::LockRange& range);
  void check_against_away(const ClientOpen& open);
  void check_deciders();
  void check_copies(const Node& decider, const FileKey& key);
  void suspect(Suspicion suspicion);
  void settle_suspicions();
  [[nodiscard]] bool counts(const ClientOpen& open) const;
  [[nodiscard]] bool counts(const CacheName& name) const;

  World& world_;
  std::vector<Suspicion> suspicions_;
  std::map<FileKey, Doomed> doomed_;
  std::map<FileKey, MonoTime> not_doomed_;
  std::map<std::pair<std::vector<pool::MemberId>, FileKey>, pool::MemberId> deciders_;
};

}  // namespace flotilla::sim

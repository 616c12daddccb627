// What a holder knows of its own opens: enough to tell a new owner all of them. Kept up to date by
// everything that passes between handlers and owners. Pure.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "pool/owner/message.hpp"

namespace flotilla::pool {

/// One lease (`key` not zero) or the oplock of `open`.
/// `rights`        as the client has them; already lowered when its acknowledgment is under way
/// `breaking_to`   the client was told and has not answered
/// `acks`          acknowledgments that leave R, and that the owner has not answered: it may want
///                 that too
/// `doubtful`      such an owner was lost, and what it wanted is not known
struct HeldCache {
  coherence::CacheKind kind = coherence::CacheKind::None;
  OpenId open;
  ClientGuid client;
  LeaseKey key;
  coherence::CacheRights rights = 0;
  std::uint16_t epoch = 0;
  std::optional<coherence::CacheRights> breaking_to;
  std::uint32_t acks = 0;
  bool doubtful = false;
};

struct HeldOpen {
  coherence::Open command;
  coherence::CacheKind kind = coherence::CacheKind::None;
  std::uint8_t lease_version = 0;
  coherence::LockSet locks;
  std::vector<coherence::LockSequence> sequences;
  bool closing = false;         ///< Close is under way: it forbids nobody anything any more
  std::uint64_t reclaimed = 0;  ///< the Reclaimed that brought its locks; zero: none
};

/// `detached`  opens that wait for their clients and were here last: parts of them may be left
/// `told`      a fact has come while something was asked, whose answer may be older than that
struct HeldFile {
  std::map<OpenId, HeldOpen> opens;
  std::set<OpenId> detached;
  std::vector<HeldCache> caches;
  std::string path;
  bool delete_pending = false;
  bool told = false;
  OpenId unlinking;  ///< closed; this node is removing the name
};

/// A command that an owner has not answered.
/// `settled`   what to answer if the owner changes: its effect is in the record already
struct Inflight {
  FileKey key;
  coherence::Body body;
  bool cancelled = false;
  std::optional<coherence::Outcome> settled;
  std::uint64_t reclaimed = 0;  ///< of a Lock: of its open, when it left
  bool leaves_doubt = false;    ///< counted in HeldCache::acks
};

class Holder {
 public:
  /// A command leaves for the owner: gives up at once what the client has given up.
  [[nodiscard]] Inflight begin(const FileKey& key, coherence::Body body);
  /// Its owner is lost, and `outcome` is made out here.
  void end_without_owner(const Inflight& command, const coherence::Outcome& outcome);
  /// The owner has answered it.
  void end(const Inflight& command, const coherence::Outcome& outcome);

  void on_break(const FileKey& key, const coherence::Break& what);
  void on_revoked(const FileKey& key, OpenId open);
  /// `expected`  a command on the file is under way, whose answer may bring its first open
  void on_fact(const FactMessage& fact, bool expected);
  [[nodiscard]] bool told(const FileKey& key) const;
  /// Nothing is under way, or goes to another owner: what a fact has told ahead is forgotten.
  void settle(const FileKey& key);
  /// The file has another owner, who knows nothing of what its detached opens have left here.
  [[nodiscard]] std::set<OpenId> take_detached(const FileKey& key);

  [[nodiscard]] const std::map<FileKey, HeldFile>& files() const noexcept { return files_; }
  /// All that a new owner must know of one file.
  [[nodiscard]] std::vector<AssertMessage> assertions(const FileKey& key) const;
  [[nodiscard]] bool holds(const FileKey& key, OpenId open) const;
  [[nodiscard]] std::size_t open_count() const noexcept;
  void clear() { files_.clear(); }

 private:
  HeldCache* cache_of(HeldFile& file, OpenId open, const ClientGuid& client, const LeaseKey& key);
  static const HeldCache* cache_of(const HeldFile& file, const HeldOpen& open);
  HeldCache* cache_of(const FileKey& key, const coherence::AcknowledgeBreak& ack);
  void acknowledged(const Inflight& command, const coherence::Outcome& outcome);
  void opened(const FileKey& key, const coherence::Open& command, const coherence::Opened& answer);
  void reclaimed(const FileKey& key, const coherence::Reclaimed& answer);
  void forget(std::map<FileKey, HeldFile>::iterator file, OpenId open);
  void forget_if_empty(std::map<FileKey, HeldFile>::iterator file);

  std::map<FileKey, HeldFile> files_;
  std::uint64_t reclaimed_count_ = 0;
};

}  // namespace flotilla::pool

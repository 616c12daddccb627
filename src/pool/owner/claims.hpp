// What a claim is made of: an owner's leave to the only node that uses a file to decide about it
// alone. docs/pool.md, "Claims". Plain data of the owner machine.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/time.hpp"
#include "pool/membership.hpp"
#include "pool/owner/message.hpp"

namespace flotilla::pool {

/// `claims_max`      how many files a holder keeps claimed, used or not; zero: no claims. What has
///                   not been used for longest goes back first
/// `idle`            a claim without an open goes back after so long
/// `alone`, `alone_commands`
///                   a file that two nodes have used is claimed again when one has used it alone
///                   for so long and so often
struct ClaimOptions {
  std::uint32_t claims_max = 32768;
  std::chrono::milliseconds idle{60000};
  std::chrono::milliseconds alone{2000};
  std::uint32_t alone_commands = 16;
};

/// A command that nobody decides about yet.
struct Parked {
  MemberId from;
  CommandMessage command;
};

/// At the owner: a file that `holder` decides about.
/// `doomed`   where the holder dies, the file is to be deleted: what DoomMessage said last
/// `waiting`  commands of others, and of the holder since the recall, in the order of arrival
struct GivenClaim {
  NodeId holder;
  std::uint64_t serial = 0;
  bool recalled = false;
  bool doomed = false;
  OpenId doomed_open;
  std::string doomed_path;
  std::deque<Parked> waiting;
};

/// At the holder.
/// `recalled`   goes back as soon as what was decided has reached this node's clients
/// `doom_told`  the last DoomMessage said so, with `doomed_path`
struct HeldClaim {
  std::uint64_t serial = 0;
  bool recalled = false;
  bool may_doom = false;  ///< somebody has asked for a deletion under this claim
  bool doom_told = false;
  std::string doomed_path;
  std::vector<CommandMessage> waiting;  ///< go to the owner after the claim
  MonoTime used;
  std::list<FileKey>::iterator by_use;
};

/// Files that more than one node has used a short time ago, and who has used them since. Forgets
/// the oldest of many: what is forgotten may be claimed at once.
class Contention {
 public:
  struct Use {
    NodeId node;
    MonoTime since;
    std::uint32_t count = 0;
  };
  /// Another node than before uses the file.
  void mark(const FileKey& key, NodeId node, MonoTime now);
  /// `node` uses the file. True where it may be claimed: nobody else has used it of late.
  [[nodiscard]] bool alone(const FileKey& key, NodeId node, MonoTime now, const ClaimOptions& how);
  void clear();

 private:
  Use* find(const FileKey& key);
  std::unordered_map<FileKey, Use> young_;
  std::unordered_map<FileKey, Use> old_;  ///< goes when `young_` is full
};

}  // namespace flotilla::pool

#include "sim/show.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "base/nt_status.hpp"
#include "coherence/file_table.hpp"
#include "pool/owner/message.hpp"

namespace flotilla::sim {

using namespace coherence;

namespace {
std::uint64_t version_in_epoch(std::uint64_t version) {
  return version & ((std::uint64_t{1} << kVersionsOfEpochBits) - 1);
}
}  // namespace

std::string show(const FileKey& key) {
  const std::string name = fmt::format("file {}", key.inode - 100);
  return key.generation == 1 ? name : name + fmt::format("({})", key.generation);
}

std::string show_path(std::string path) {
  std::ranges::replace(path, '\0', '|');
  return path;
}

std::string show(OpenId open) {
  return fmt::format("{}.{}", open.raw() >> 48, open.raw() & 0xFFFFF);
}

std::string show_rights(CacheRights rights) {
  std::string text;
  if ((rights & kCacheRead) != 0) text += 'R';
  if ((rights & kCacheWrite) != 0) text += 'W';
  if ((rights & kCacheHandle) != 0) text += 'H';
  return text.empty() ? "nothing" : text;
}

std::string show(const CacheName& name) {
  if (name.lease.is_zero()) return fmt::format("the oplock of open {}", show(name.oplock));
  return fmt::format("lease {} of c{}", name.lease.bytes[0], name.client.bytes[0]);
}

std::string show(const LockRange& range) {
  return fmt::format("{} lock {}+{}", range.exclusive ? "exclusive" : "shared", range.offset,
                     range.length_bytes);
}

std::string show(const Restrictions& what) {
  std::string text = fmt::format("version {}", version_in_epoch(what.version));
  for (const HeldLock& lock : what.locks) {
    text += fmt::format(", {} of {}", show(lock.range), show(lock.open));
  }
  for (const Cacher& cacher : what.cachers) text += fmt::format(", {} caches", show(cacher.open));
  return text;
}

std::string show(const Break& what) {
  return fmt::format(
      "break {} of open {} from {} to {}{}{}", what.kind == CacheKind::Lease ? "lease" : "oplock",
      show(what.open), show_rights(what.from), show_rights(what.to),
      what.ack_required ? ", acknowledge" : "", what.elsewhere ? ", told elsewhere" : "");
}

const char* show(RevokeReason reason) {
  switch (reason) {
    case RevokeReason::BreakTimedOut:
      return "break timed out";
    case RevokeReason::NodeGone:
      return "node gone";
    case RevokeReason::ViewLost:
      return "view lost";
    case RevokeReason::Moved:
      return "moved";
    case RevokeReason::Expired:
      return "expired";
    case RevokeReason::Displaced:
      return "displaced";
    default:
      return "administrator";
  }
}

namespace {

struct ShowAnswer {
  std::string operator()(const std::monostate&) const { return ""; }
  std::string operator()(const Opened& it) const {
    std::string text = it.kind == CacheKind::None ? std::string{", no caching"}
                                                  : ", caching " + show_rights(it.rights);
    if (it.break_in_progress) text += " (breaking)";
    return text + ", " + show(it.restrictions);
  }
  std::string operator()(const Closed& it) const {
    return it.unlink ? ", remove " + show_path(it.path) : std::string{};
  }
  std::string operator()(const BreakAcknowledged& it) const {
    return ", keeps " + show_rights(it.rights);
  }
  std::string operator()(const Reclaimed& it) const {
    return fmt::format(", caching {}, {} locks, {}", show_rights(it.what.open.cache.rights),
                       it.what.locks.size(), show(it.restrictions));
  }
  template <class T>
  std::string operator()(const T&) const {
    return ", ...";
  }
};

struct ShowBody {
  std::string operator()(const Open& it) const {
    std::string text = fmt::format(
        "open {} for {}{}{} sharing {}{}{}", show(it.open), (it.access & kReadData) != 0 ? "r" : "",
        (it.access & kChangesData) != 0 ? "w" : "", (it.access & kDelete) != 0 ? "d" : "",
        (it.share & kShareRead) != 0 ? "r" : "", (it.share & kShareWrite) != 0 ? "w" : "",
        (it.share & kShareDelete) != 0 ? "d" : "");
    if (it.cache.kind == CacheKind::Lease) {
      text += fmt::format(", lease {} {}", it.cache.key.bytes[0], show_rights(it.cache.rights));
    }
    if (it.cache.kind == CacheKind::Oplock) text += ", oplock " + show_rights(it.cache.rights);
    if (it.durability.kind == DurableKind::Durable) text += ", durable";
    if (it.durability.kind == DurableKind::Resilient) text += ", resilient";
    if (it.durability.kind == DurableKind::Persistent) text += ", persistent";
    if (it.overwrites) text += ", overwrites";
    if (it.delete_on_close) text += ", deletes on close";
    return text;
  }
  std::string operator()(const Close& it) const { return "close " + show(it.open); }
  std::string operator()(const Unlinked& it) const {
    return fmt::format("unlinked for {}{}", show(it.open),
                       it.ok ? "" : (it.later ? ": not now" : ": not removed"));
  }
  std::string operator()(const Lock& it) const {
    std::string text = fmt::format("{} {}", it.unlock ? "unlock" : "lock", show(it.open));
    for (const LockRange& range : it.ranges) text += ", " + show(range);
    return text + (it.fail_immediately || it.unlock ? "" : ", waits");
  }
  std::string operator()(const Cancel&) const { return "cancel"; }
  std::string operator()(const AcknowledgeBreak& it) const {
    return fmt::format("acknowledge break of {}, keep {}", show(it.open), show_rights(it.kept));
  }
  std::string operator()(const SetDeletePending& it) const {
    return fmt::format("delete-pending {} through {}", it.pending ? "on" : "off", show(it.open));
  }
  std::string operator()(const BeginRename& it) const { return "begin rename " + show(it.open); }
  std::string operator()(const Renamed& it) const {
    static constexpr const char* kStages[] = {"renamed {} to {}", "is to rename {} to {}",
                                              "did not rename {} to {}", "finds {} at {}"};
    return fmt::format(fmt::runtime(kStages[static_cast<int>(it.stage)]), show(it.open), it.path);
  }
  std::string operator()(const ChildChanged&) const { return "an entry has changed"; }
  std::string operator()(const Modify& it) const { return "modify through " + show(it.open); }
  std::string operator()(const RestrictionsKnown& it) const {
    return fmt::format("knows restrictions of version {}", version_in_epoch(it.version));
  }
  std::string operator()(const AssertOpen& it) const {
    return fmt::format("asserts {}, caching {}{}, {} locks", show(it.open.open),
                       show_rights(it.held), it.breaking ? " (breaking)" : "", it.locks.size());
  }
  std::string operator()(const Detach& it) const { return "detach " + show(it.open); }
  std::string operator()(const Reclaim& it) const { return "reclaim " + show(it.open); }
  std::string operator()(const UpdateKept& it) const { return "update kept " + show(it.open); }
  template <class T>
  std::string operator()(const T&) const {
    return "command";
  }
};

struct ShowMessage {
  std::string operator()(const pool::CommandMessage& it) const {
    return "command " + show(it.key, it.body);
  }
  std::string operator()(const pool::ReplyMessage& it) const {
    return fmt::format("reply {}: {}", show(it.key), show(it.outcome));
  }
  std::string operator()(const pool::PendingMessage& it) const {
    return fmt::format("pending {}", show(it.key));
  }
  std::string operator()(const pool::BreakMessage& it) const {
    return fmt::format("{}: {}{}", show(it.key), show(it.what), it.token != 0 ? ", confirm" : "");
  }
  std::string operator()(const pool::RevokeMessage& it) const {
    return fmt::format("revoke {} open {}", show(it.key), show(it.open));
  }
  std::string operator()(const pool::RestrictMessage& it) const {
    return fmt::format("restrict {}: {}", show(it.key), show(it.what));
  }
  std::string operator()(const pool::FactMessage& it) const {
    return fmt::format("fact {}: at {}{}{}", show(it.key), show_path(it.path),
                       it.delete_pending ? ", to be deleted" : "",
                       it.token != 0 ? ", confirm" : "");
  }
  std::string operator()(const pool::ConfirmMessage& it) const {
    return fmt::format("confirm {}", show(it.key));
  }
  std::string operator()(const pool::AssertMessage& it) const {
    return fmt::format("assert {}: {}, caching {}{}, {} locks{}", show(it.key),
                       show(it.open.open.open), show_rights(it.open.held),
                       it.open.breaking ? " (breaking)" : "", it.open.locks.size(),
                       it.unlinking ? ", unlinking" : "");
  }
  std::string operator()(const pool::ClaimMessage& it) const {
    return fmt::format("claim {}: it is yours", show(it.key));
  }
  std::string operator()(const pool::RecallMessage& it) const {
    return fmt::format("recall {}", show(it.key));
  }
  std::string operator()(const pool::ClaimReturnMessage& it) const {
    return fmt::format("return {}", show(it.key));
  }
  std::string operator()(const pool::BounceMessage& it) const {
    return "decide yourself: " + show(it.key, it.body);
  }
  std::string operator()(const pool::DoomMessage& it) const {
    return fmt::format("{}: if I die, {}", show(it.key), it.doomed ? "delete it" : "keep it");
  }
  std::string operator()(const pool::KeepMessage& it) const {
    return fmt::format("keep {}: {} opens", show(it.file.key), it.file.opens.size());
  }
  std::string operator()(const pool::HandOverMessage& it) const {
    return fmt::format("hand over {}: {} opens", show(it.file.key), it.file.opens.size());
  }
  std::string operator()(const pool::AssertDoneMessage&) const { return "all asserted"; }
  template <class T>
  std::string operator()(const T&) const {
    return "message";
  }
};

}  // namespace

std::string show(const Outcome& outcome) {
  return std::string{name_of(outcome.status)} + std::visit(ShowAnswer{}, outcome.answer);
}

std::string show(const FileKey& key, const Body& body) {
  return show(key) + ": " + std::visit(ShowBody{}, body);
}

std::string show(const pool::View& view) {
  std::string text = fmt::format("view {}{}:", view.epoch.raw(), view.quorate ? "" : ", no quorum");
  for (const pool::Member& member : view.members) text += fmt::format(" n{}", member.id.node.raw());
  for (const NodeId node : view.unclean_left) text += fmt::format(", n{} lost", node.raw());
  return text;
}

std::string show_message(ByteView bytes) {
  const auto message = pool::decode_peer_message(bytes);
  if (!message) return "bytes that nobody can read";
  return std::visit(ShowMessage{}, message->body);
}

}  // namespace flotilla::sim

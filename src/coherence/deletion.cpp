#include "coherence/deletion.hpp"

#include "coherence/caching.hpp"
#include "coherence/path_names.hpp"
#include "coherence/share.hpp"

namespace flotilla::coherence {
namespace {

CacheId cache_of(const FileState& file, OpenId open) {
  const auto it = file.opens.find(open);
  if (it == file.opens.end() || !it->second.cached) return CacheId{open, {}, {}};
  return it->second.cache;
}

/// The file's path when `told` is known.
std::string renamed(const std::string& path, const Renamed& told) {
  if (told.stage == RenameStage::Done) return told.path;
  std::vector<std::string_view> names = names_of(path);
  std::erase(names, told.path);
  const bool leads = told.stage == RenameStage::Begins || told.stage == RenameStage::Seen;
  if (leads) names.insert(names.begin(), told.path);
  return names.empty() ? path : path_of(names);
}

}  // namespace

Verdict try_delete(Turn& turn, NodeId from, RequestId request, const SetDeletePending& asked) {
  FileState& file = turn.file;
  if (!file.opens.contains(asked.open)) return {false, NtStatus::FileClosed};
  if (asked.pending && break_handles(turn, cache_of(file, asked.open))) {
    return {true, NtStatus::Success};
  }
  if (file.delete_pending != asked.pending) turn.look_again = true;
  file.delete_pending = asked.pending;
  turn.reply(from, request, {});
  return {};
}

Verdict try_rename(Turn& turn, NodeId from, RequestId request, const BeginRename& asked) {
  FileState& file = turn.file;
  const bool is_target = asked.open.raw() == 0;
  if (!is_target && !file.opens.contains(asked.open)) return {false, NtStatus::FileClosed};
  if (file.delete_pending || file.unlinking) return {false, NtStatus::DeletePending};
  const CacheId own =
      asked.key.is_zero() ? cache_of(file, asked.open) : lease_id(asked.client, asked.key);
  if (break_handles(turn, own)) return {true, NtStatus::Success};
  if (is_target && !file.opens.empty()) return {false, NtStatus::AccessDenied};
  turn.reply(from, request, {});
  return {};
}

Verdict take_name(Turn& turn, NodeId from, RequestId request, const Renamed& told) {
  FileState& file = turn.file;
  if (told.stage == RenameStage::Begins) {
    if (!file.opens.contains(told.open)) return {false, NtStatus::FileClosed};
    if (file.renaming.raw() != 0 && file.renaming != told.open) return {true, NtStatus::Success};
    file.renaming = told.open;
    file.renaming_node = from;
  } else if (told.stage != RenameStage::Seen) {
    end_rename(turn, from, told.open);
  }
  // It has happened, also where the open that did it was closed meanwhile.
  if (file.opens.empty()) return {false, NtStatus::FileClosed};
  file.path = renamed(file.path, told);
  turn.reply(from, request, {});
  return {};
}

void end_rename(Turn& turn, NodeId node, OpenId open) {
  FileState& file = turn.file;
  if (file.renaming.raw() == 0 || file.renaming_node != node) return;
  if (open.raw() != 0 && file.renaming != open) return;
  file.renaming = OpenId{};
  file.renaming_node = NodeId{};
  turn.look_again = true;
}

NtStatus may_take_names(const FileState& directory) {
  return share_conflict(directory.shares, kWriteData, kShareRead | kShareWrite)
             ? NtStatus::SharingViolation
             : NtStatus::Success;
}

void keep_name(Turn& turn, OpenId open) {
  const auto it = turn.file.opens.find(open);
  if (it != turn.file.opens.end()) it->second.delete_on_close = false;
}

Closed after_close(Turn& turn, NodeId node, OpenId open) {
  FileState& file = turn.file;
  Closed closed;
  if (!file.opens.empty()) return closed;
  if (file.delete_pending) {
    file.unlinking = true;
    file.unlink_node = node;
    file.unlink_open = open;
    closed.unlink = true;
    closed.path = file.path;
    turn.look_again = true;
  }
  return closed;
}

void unlinked(Turn& turn, const Unlinked& told) {
  FileState& file = turn.file;
  if (!file.unlinking || file.unlink_open != told.open) return;
  if (told.later) {
    file.unlink_node = NodeId{};
    return;
  }
  file.unlinking = false;
  file.delete_pending = false;
  file.unlink_node = NodeId{};
  file.unlink_open = OpenId{};
  turn.look_again = true;
}

}  // namespace flotilla::coherence

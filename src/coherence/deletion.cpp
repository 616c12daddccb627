#include "coherence/deletion.hpp"

#include <algorithm>

#include "coherence/caching.hpp"

namespace flotilla::coherence {
namespace {

CacheId cache_of(const FileState& file, OpenId open) {
  const auto it = file.opens.find(open);
  if (it == file.opens.end() || !it->second.cached) return CacheId{open, {}, {}};
  return it->second.cache;
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

NtStatus may_take_names(const FileState& directory) {
  const bool held = std::any_of(directory.opens.begin(), directory.opens.end(),
                                [](const auto& at) { return (at.second.access & kDelete) != 0; });
  return held ? NtStatus::SharingViolation : NtStatus::Success;
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

void unlinked(Turn& turn, OpenId open) {
  FileState& file = turn.file;
  if (!file.unlinking || file.unlink_open != open) return;
  file.unlinking = false;
  file.delete_pending = false;
  file.unlink_node = NodeId{};
  file.unlink_open = OpenId{};
  turn.look_again = true;
}

}  // namespace flotilla::coherence

#include "coherence/file_table.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <type_traits>

#include "base/digest.hpp"
#include "coherence/caching.hpp"
#include "coherence/codec.hpp"
#include "coherence/deletion.hpp"
#include "coherence/kept.hpp"
#include "coherence/kept_index.hpp"
#include "coherence/locks.hpp"
#include "coherence/recovery.hpp"
#include "coherence/turn.hpp"

namespace flotilla::coherence {

using namespace std::chrono_literals;

namespace {

/// One lease key of a client names one file; [MS-SMB2] 3.3.5.9.8.
struct LeaseName {
  ClientGuid client;
  LeaseKey key;
  friend auto operator<=>(const LeaseName&, const LeaseName&) = default;
};

struct Entry {
  FileState state;
  bool timed = false;
  MonoTime deadline;  ///< where `timed`: as the table's index has it
  // What the last Outbox::keep said: version (0: none yet) and a digest of the rest.
  std::uint64_t kept_version = 0;
  std::uint64_t kept_digest = 0;
};

template <class... F>
struct Overload : F... {
  using F::operator()...;
};

}  // namespace

struct FileTable::Impl {
  explicit Impl(Limits limits_in) : limits(limits_in) {}

  Limits limits;
  std::map<FileKey, Entry> files;
  std::set<std::pair<MonoTime, FileKey>> deadlines;
  std::map<LeaseName, FileKey> leases;
  KeptIndex kept_index;
  std::uint64_t version_counter = 0;
  std::uint64_t kept_counter = 0;
  std::size_t opens = 0;

  void carry_out(Turn& turn, const Command& command);
  void open(Turn& turn, const Command& command, const Open& body);
  void wait_or_answer(Turn& turn, const Command& command, const Verdict& verdict, Waiter&& waiter);
  void index_deadline(const FileKey& key, Entry& entry);
  void index_leases(const FileKey& key, const std::vector<LeaseName>& before,
                    const FileState& state);
  bool lease_elsewhere(const FileKey& key, const Open& body) const;
  void publish_kept(const FileKey& key, Entry& entry, Outbox& out);
};

namespace {

std::vector<LeaseName> leases_of(const FileState& state) {
  std::vector<LeaseName> names;
  for (const auto& [id, cache] : state.caches) {
    if (cache.kind == CacheKind::Lease) names.push_back({id.client, id.key});
  }
  return names;
}

/// Whether the command can bring a file into being; all others find nothing.
bool creates(const Body& body) {
  return std::holds_alternative<Open>(body) || std::holds_alternative<AssertOpen>(body) ||
         std::holds_alternative<Restore>(body);
}

NtStatus status_where_unknown(const Body& body) {
  return std::visit(Overload{
                        [](const Cancel&) { return NtStatus::Success; },
                        [](const Unlinked&) { return NtStatus::Success; },
                        [](const RestrictionsKnown&) { return NtStatus::Success; },
                        [](const Tick&) { return NtStatus::Success; },
                        [](const AllAsserted&) { return NtStatus::Success; },
                        [](const NodeGone&) { return NtStatus::Success; },
                        [](const ChildChanged&) { return NtStatus::Success; },
                        [](const ProbeNames&) { return NtStatus::Success; },
                        [](const BeginRename& body_in) {
                          return body_in.open.raw() == 0 ? NtStatus::Success : NtStatus::FileClosed;
                        },
                        [](const Reclaim&) { return NtStatus::ObjectNameNotFound; },
                        [](const AcknowledgeBreak& ack) {
                          return ack.key.is_zero() ? NtStatus::FileClosed
                                                   : NtStatus::ObjectNameNotFound;
                        },
                        [](const auto&) { return NtStatus::FileClosed; },
                    },
                    body);
}

}  // namespace

FileTable::FileTable(Limits limits) : impl_(std::make_unique<Impl>(limits)) {}
FileTable::FileTable(FileTable&&) noexcept = default;
FileTable& FileTable::operator=(FileTable&&) noexcept = default;
FileTable::~FileTable() = default;

bool FileTable::Impl::lease_elsewhere(const FileKey& key, const Open& body) const {
  if (!asks_lease(body)) return false;
  const auto it = leases.find({body.client, body.cache.key});
  return it != leases.end() && it->second != key;
}

void FileTable::Impl::wait_or_answer(Turn& turn, const Command& command, const Verdict& verdict,
                                     Waiter&& waiter) {
  if (verdict.waits) {
    turn.file.waiters.push_back(std::move(waiter));
    if (command.request.raw() != 0) turn.out.pendings.push_back({command.from, command.request});
  } else if (verdict.status != NtStatus::Success) {
    turn.reply(command.from, command.request, {verdict.status, {}});
  }
}

void FileTable::Impl::open(Turn& turn, const Command& command, const Open& body) {
  if (lease_elsewhere(command.key, body)) {
    turn.reply(command.from, command.request, {NtStatus::InvalidParameter, {}});
    return;
  }
  const Verdict verdict = try_open(turn, command.from, command.request, body, false);
  wait_or_answer(turn, command, verdict, {command.from, command.request, body});
}

void FileTable::Impl::carry_out(Turn& turn, const Command& command) {
  const NodeId from = command.from;
  const RequestId request = command.request;
  FileState& file = turn.file;
  const auto plain = [&](NtStatus status) { turn.reply(from, request, {status, {}}); };
  const auto lost = [&](const Closed& closed) {
    Outcome outcome;
    if (closed.unlink) outcome.answer = closed;
    turn.reply(from, request, std::move(outcome));
  };
  std::visit(
      Overload{
          [&](const Open& body) { open(turn, command, body); },
          [&](const Close& body) {
            tell_holder(turn, from, body.open);
            if (body.keeps_name) keep_name(turn, body.open);
            if (!remove_open(turn, body.open)) return plain(NtStatus::FileClosed);
            Outcome outcome{NtStatus::Success, after_close(turn, from, body.open)};
            if (turn.locks_changed) return turn.reply_when_known(from, request, std::move(outcome));
            turn.reply(from, request, std::move(outcome));
          },
          [&](const Unlinked& body) {
            unlinked(turn, body);
            plain(NtStatus::Success);
          },
          [&](const Lock& body) {
            wait_or_answer(turn, command, try_lock(turn, from, request, body),
                           {from, request, body});
          },
          [&](const Cancel& body) {
            std::erase_if(file.waiters, [&](const Waiter& waiter) {
              if (waiter.from != from || waiter.request != body.request) return false;
              turn.reply(from, waiter.request, {NtStatus::Cancelled, {}});
              return true;
            });
            plain(NtStatus::Success);
          },
          [&](const AcknowledgeBreak& body) {
            turn.reply(from, request, acknowledge(turn, from, body));
          },
          [&](const SetDeletePending& body) {
            wait_or_answer(turn, command, try_delete(turn, from, request, body),
                           {from, request, body});
          },
          [&](const BeginRename& body) {
            wait_or_answer(turn, command, try_rename(turn, from, request, body),
                           {from, request, body});
          },
          [&](const Renamed& body) {
            wait_or_answer(turn, command, take_name(turn, from, request, body),
                           {from, request, body});
          },
          [&](const Modify& body) {
            if (!file.opens.contains(body.open)) return plain(NtStatus::FileClosed);
            break_readers(turn, body.open);
            plain(NtStatus::Success);
          },
          [&](const ChildChanged& body) {
            break_listings(turn, body);
            plain(NtStatus::Success);
          },
          [&](const ProbeNames&) { plain(may_take_names(file)); },
          [&](const RestrictionsKnown& body) {
            confirm(turn, from, body.version);
            plain(NtStatus::Success);
          },
          [&](const AssertOpen& body) { turn.reply(from, request, assert_open(turn, from, body)); },
          [&](const Detach& body) { turn.reply(from, request, detach(turn, from, body)); },
          [&](const Reclaim& body) {
            const NtStatus status = reclaim(turn, from, request, body);
            if (status != NtStatus::Success) plain(status);
          },
          [&](const UpdateKept& body) { plain(update_kept(turn, from, body)); },
          [&](const Restore& body) {
            if (body.file.key != command.key) return plain(NtStatus::InvalidParameter);
            kept_counter = std::max(kept_counter, body.file.version);
            plain(restore(turn, body.file));
          },
          [&](const AllAsserted&) {
            settle_doubts(turn);
            plain(NtStatus::Success);
          },
          [&](const Tick&) { lost(expire_breaks(turn, from, request.raw() != 0)); },
          [&](const NodeGone& body) { lost(node_gone(turn, body.node, from, request.raw() != 0)); },
      },
      command.body);
}

void FileTable::Impl::index_deadline(const FileKey& key, Entry& entry) {
  bool timed = false;
  MonoTime earliest;
  for (const auto& [id, cache] : entry.state.caches) {
    if (!cache.breaking) continue;
    if (!timed || cache.deadline < earliest) earliest = cache.deadline;
    timed = true;
  }
  for (const auto& [id, kept] : entry.state.kept) {
    if (!is_detached(entry.state.opens.at(id))) continue;
    if (!timed || kept.deadline < earliest) earliest = kept.deadline;
    timed = true;
  }
  if (timed == entry.timed && (!timed || earliest == entry.deadline)) return;
  if (entry.timed) deadlines.erase({entry.deadline, key});
  if (timed) deadlines.insert({earliest, key});
  entry.timed = timed;
  entry.deadline = earliest;
}

void FileTable::Impl::index_leases(const FileKey& key, const std::vector<LeaseName>& before,
                                   const FileState& state) {
  for (const LeaseName& name : before) {
    const auto it = leases.find(name);
    if (state.caches.contains(lease_id(name.client, name.key))) continue;
    if (it != leases.end() && it->second == key) leases.erase(it);
  }
  for (const LeaseName& name : leases_of(state)) leases.try_emplace(name, key);
}

void FileTable::apply(const Command& command, Outbox& out) {
  out.key = command.key;
  auto it = impl_->files.find(command.key);
  if (it == impl_->files.end()) {
    if (!creates(command.body)) {
      if (command.request.raw() != 0) {
        Outcome outcome{status_where_unknown(command.body), {}};
        out.replies.push_back({command.from, command.request, std::move(outcome)});
      }
      return;
    }
    it = impl_->files.try_emplace(command.key).first;
  }
  Entry& entry = it->second;
  FileState& file = entry.state;
  const std::size_t opens_before = file.opens.size();
  // With nothing kept these close no open, so that no name goes: a file may have many.
  const bool names_stay =
      file.kept.empty() && (std::holds_alternative<Lock>(command.body) ||
                            std::holds_alternative<RestrictionsKnown>(command.body));
  const std::size_t caches_before = file.caches.size();
  const std::vector<LeaseName> leases_before =
      names_stay ? std::vector<LeaseName>{} : leases_of(file);
  const std::vector<KeptName> names_before = kept_names(file);
  Turn turn{file, out, impl_->limits, command.now, impl_->version_counter, {}, {}, {}, {}, {}};
  impl_->carry_out(turn, command);
  do resume_waiters(turn);
  while (end_forsaken(turn));
  settle(turn);
  impl_->kept_index.update(command.key, names_before, kept_names(file));
  impl_->publish_kept(command.key, entry, out);
  impl_->opens = impl_->opens - opens_before + file.opens.size();
  if (!names_stay || file.caches.size() != caches_before) {
    impl_->index_leases(command.key, leases_before, file);
  }
  impl_->index_deadline(command.key, entry);
  if (file.empty()) impl_->files.erase(it);
}

void FileTable::begin_epoch(Epoch epoch) {
  const std::uint64_t first = epoch.raw() << kVersionsOfEpochBits;
  impl_->version_counter = std::max(impl_->version_counter, first);
  impl_->kept_counter = std::max(impl_->kept_counter, first);
}

void FileTable::refresh(const FileKey& key, OpenId open, Opened& answer) const {
  if (answer.kind == CacheKind::None) return;
  const FileState* const file = inspect(key);
  if (file == nullptr) return;
  const auto it = file->opens.find(open);
  if (it == file->opens.end()) return;  // its end follows
  const auto cache = it->second.cached ? file->caches.find(it->second.cache) : file->caches.end();
  if (cache == file->caches.end()) {
    // An oplock that has fallen to nothing. The client is told that too, behind this.
    answer.rights = answer.breaking_to = 0;
    answer.break_in_progress = false;
    return;
  }
  const CacheRights held = cache->second.rights;
  answer.rights = static_cast<CacheRights>(answer.rights & held);
  answer.break_in_progress = cache->second.breaking;
  answer.breaking_to = static_cast<CacheRights>(answer.rights & cache->second.offered);
  if (answer.rights == held && cache->second.version == 2) answer.lease_epoch = cache->second.epoch;
}

void FileTable::Impl::publish_kept(const FileKey& key, Entry& entry, Outbox& out) {
  if (entry.state.kept.empty() && entry.kept_version == 0) return;
  KeptFile now = kept_file(key, entry.state);
  if (now.opens.empty() && entry.kept_version == 0) return;
  Bytes bytes;
  encode(now, bytes);
  const std::uint64_t digest = now.opens.empty() ? 0 : digest_of(bytes);
  if (entry.kept_version != 0 && digest == entry.kept_digest) return;
  now.version = ++kept_counter;
  entry.kept_version = now.opens.empty() ? 0 : now.version;
  entry.kept_digest = digest;
  out.keep = std::move(now);
}

std::optional<KeptFile> FileTable::kept(const FileKey& key) const {
  const auto it = impl_->files.find(key);
  if (it == impl_->files.end() || it->second.kept_version == 0) return std::nullopt;
  KeptFile file = kept_file(key, it->second.state);
  file.version = it->second.kept_version;
  return file;
}

std::vector<KeptFound> FileTable::find(const KeptQuery& query) const {
  std::vector<KeptFound> found;
  for (const auto& [open, key] : impl_->kept_index.find(query)) {
    found.push_back({key, kept_open(impl_->files.at(key).state, open)});
  }
  return found;
}

std::optional<MonoTime> FileTable::next_deadline() const {
  if (impl_->deadlines.empty()) return std::nullopt;
  return impl_->deadlines.begin()->first;
}

std::vector<FileKey> FileTable::due(MonoTime now) const {
  std::vector<FileKey> keys;
  for (const auto& [deadline, key] : impl_->deadlines) {
    if (deadline > now) break;
    keys.push_back(key);
  }
  return keys;
}

std::vector<FileKey> FileTable::files() const {
  std::vector<FileKey> keys;
  keys.reserve(impl_->files.size());
  for (const auto& [key, entry] : impl_->files) keys.push_back(key);
  return keys;
}

std::vector<FileKey> FileTable::files_after(const std::optional<FileKey>& after,
                                            std::size_t count_max) const {
  std::vector<FileKey> keys;
  auto it = after ? impl_->files.upper_bound(*after) : impl_->files.begin();
  for (; it != impl_->files.end() && keys.size() < count_max; ++it) keys.push_back(it->first);
  return keys;
}

std::size_t FileTable::file_count() const noexcept { return impl_->files.size(); }
std::size_t FileTable::open_count() const noexcept { return impl_->opens; }

void FileTable::forget(const FileKey& key) {
  const auto it = impl_->files.find(key);
  if (it == impl_->files.end()) return;
  Entry& entry = it->second;
  impl_->opens -= entry.state.opens.size();
  impl_->index_leases(key, leases_of(entry.state), FileState{});
  impl_->kept_index.update(key, kept_names(entry.state), {});
  if (entry.timed) impl_->deadlines.erase({entry.deadline, key});
  impl_->files.erase(it);
}

HandedFile FileTable::take(const FileKey& key, MonoTime now) {
  HandedFile file;
  file.counter = std::max(impl_->version_counter, impl_->kept_counter);
  const auto it = impl_->files.find(key);
  if (it == impl_->files.end()) return file;
  file.state = it->second.state;
  file.kept_version = it->second.kept_version;
  forget(key);
  for (auto& [id, cache] : file.state.caches) {
    if (cache.breaking) cache.deadline.ns -= now.ns;
  }
  for (auto& [id, kept] : file.state.kept) kept.deadline.ns -= now.ns;
  return file;
}

void FileTable::put(const FileKey& key, HandedFile file, MonoTime now) {
  forget(key);
  impl_->version_counter = std::max(impl_->version_counter, file.counter);
  impl_->kept_counter = std::max(impl_->kept_counter, file.counter);
  if (file.state.empty()) return;
  // A clock must not overflow, whatever a peer says.
  const auto from_now = [now](MonoTime left) {
    return now + std::clamp(std::chrono::nanoseconds{left.ns}, 0ns, std::chrono::nanoseconds{168h});
  };
  for (auto& [id, cache] : file.state.caches) {
    if (cache.breaking) cache.deadline = from_now(cache.deadline);
  }
  for (auto& [id, kept] : file.state.kept) kept.deadline = from_now(kept.deadline);
  Entry& entry = impl_->files[key];
  entry.state = std::move(file.state);
  entry.kept_version = file.kept_version;
  if (entry.kept_version != 0) {
    Bytes bytes;
    encode(kept_file(key, entry.state), bytes);
    entry.kept_digest = digest_of(bytes);
  }
  impl_->opens += entry.state.opens.size();
  impl_->kept_index.update(key, {}, kept_names(entry.state));
  impl_->index_leases(key, {}, entry.state);
  impl_->index_deadline(key, entry);
}

const FileState* FileTable::inspect(const FileKey& key) const {
  const auto it = impl_->files.find(key);
  return it == impl_->files.end() ? nullptr : &it->second.state;
}

Bytes FileTable::encode_file(const FileKey& key) const {
  Bytes bytes;
  if (const FileState* const file = inspect(key)) encode_state(*file, bytes);
  return bytes;
}

std::uint64_t FileTable::digest() const {
  std::uint64_t digest = 0;
  Bytes bytes;
  for (const auto& [key, entry] : impl_->files) {
    bytes.clear();
    encode_state(entry.state, bytes);
    digest = digest_of(bytes, mix64(digest + hash_of(key) + bytes.size()));
  }
  return digest;
}

}  // namespace flotilla::coherence

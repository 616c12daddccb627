#include "sim/virtual_pool.hpp"

#include <algorithm>

#include "coherence/caching.hpp"
#include "coherence/codec.hpp"
#include "coherence/invariants.hpp"
#include "coherence/locks.hpp"
#include "coherence/share.hpp"

namespace flotilla::sim {

using namespace coherence;

namespace {

constexpr NodeId kOwner{99};
constexpr std::uint64_t kIoLength = 4;

LeaseKey lease_key(std::uint64_t number) {
  LeaseKey key;
  key.bytes[0] = static_cast<std::uint8_t>(number);
  return key;
}

bool known_in(const std::map<OpenId, auto>& live, const CacheId& id, const FileKey& key) {
  return std::any_of(live.begin(), live.end(), [&](const auto& entry) {
    return entry.second.key == key && entry.second.cache == id && !entry.second.closing;
  });
}

}  // namespace

VirtualPool::VirtualPool(std::uint64_t seed, PoolOptions options)
    : random_(seed), options_(options), table_(Limits{}), nodes_(options.nodes) {}

void VirtualPool::wrong(std::string what) {
  if (violations_.size() < 10) {
    violations_.push_back("step " + std::to_string(step_) + ": " + std::move(what));
  }
}

std::uint64_t VirtualPool::digest() const { return mix64(table_.digest() + sent_digest_); }

std::shared_ptr<ports::IoGate> VirtualPool::gate_of(NodeId id, const FileKey& key) {
  auto& gate = node(id).gates[key];
  if (!gate) gate = std::make_shared<ports::IoGate>(nullptr);
  return gate;
}

void VirtualPool::run() {
  for (step_ = 0; step_ < options_.steps && violations_.empty(); ++step_) step();
  resting_ = true;
  for (int round = 0; round < 2000 && violations_.empty(); ++round, ++step_) {
    bool busy = false;
    for (std::uint32_t i = 1; i <= options_.nodes; ++i) {
      Node& at = node(NodeId{i});
      busy = busy || !at.from_owner.empty() || !at.to_owner.empty() || !at.ios.empty();
      at.ios.clear();
      owner_takes(NodeId{i});
      node_takes(NodeId{i});
    }
    if (busy) continue;
    if (!table_.next_deadline()) break;
    now_ = *table_.next_deadline();
    for (const FileKey& key : table_.due(now_)) {
      owner_applies({key, kOwner, RequestId{1}, now_, Tick{}});
    }
  }
  for (const FileKey& key : table_.files()) {
    const FileState& file = *table_.inspect(key);
    for (const Waiter& waiter : file.waiters) {
      if (!std::holds_alternative<Lock>(waiter.what)) wrong("a waiter is left when all is at rest");
    }
    if (!file.held.empty()) wrong("an answer is held back when all is at rest");
  }
}

void VirtualPool::step() {
  now_ = now_ + std::chrono::milliseconds(pick(400));
  for (const FileKey& key : table_.due(now_)) {
    owner_applies({key, kOwner, RequestId{1}, now_, Tick{}});
  }
  const NodeId id{static_cast<std::uint32_t>(1 + pick(options_.nodes))};
  switch (pick(4)) {
    case 0:
      client_acts(id);
      break;
    case 1:
      owner_takes(id);
      break;
    case 2:
      node_takes(id);
      break;
    default: {
      auto& ios = node(id).ios;
      if (!ios.empty()) ios.erase(ios.begin() + static_cast<std::ptrdiff_t>(pick(ios.size())));
      break;
    }
  }
  if (one_in(options_.crash_one_in)) crash(id);
  check_clients();
}

void VirtualPool::submit(NodeId id, const FileKey& key, Body body) {
  Command command{key, id, RequestId{next_request_++}, MonoTime{}, std::move(body)};
  node(id).asked[command.request] = command;
  node(id).to_owner.push_back(std::move(command));
}

void VirtualPool::client_acts(NodeId id) {
  std::vector<OpenId> mine;
  for (const auto& [open, live] : live_) {
    if (live.node == id && !live.closing) mine.push_back(open);
  }
  if (mine.empty() || one_in(3)) return ask_open(id);
  act_on_open(mine[pick(mine.size())]);
}

void VirtualPool::ask_open(NodeId id) {
  Open open;
  open.open = OpenId{next_open_++};
  const FileKey key{1, 1 + pick(options_.files), 1};
  const std::uint64_t client = id.raw() * 2 + pick(2);
  open.client.bytes[0] = static_cast<std::uint8_t>(client);
  constexpr AccessMask kAccess[] = {kReadData, kReadData | kWriteData, kReadData | kDelete, 0x80,
                                    0x20080};
  constexpr ShareAccess kShares[] = {7, 7, 7, 3, 1, 0};
  open.access = kAccess[pick(std::size(kAccess))];
  open.share = kShares[pick(std::size(kShares))];
  open.path = "f" + std::to_string(key.inode);
  open.overwrites = one_in(8);
  open.delete_on_close = (open.access & kDelete) != 0 && one_in(4);
  constexpr CacheRights kRights[] = {7, 7, 3, 1, 5, 0};
  open.cache.rights = kRights[pick(std::size(kRights))];
  switch (pick(3)) {
    case 0:
      open.cache.kind = CacheKind::Lease;
      open.cache.key = lease_key(key.inode * 10 + pick(2));
      open.cache.version = static_cast<std::uint8_t>(1 + pick(2));
      break;
    case 1:
      open.cache.kind = CacheKind::Oplock;
      if (open.cache.rights == (kCacheRead | kCacheHandle)) open.cache.rights = kCacheRead;
      break;
    default:
      open.cache.rights = 0;
      break;
  }
  submit(id, key, open);
}

void VirtualPool::act_on_open(OpenId id) {
  LiveOpen& live = live_.at(id);
  const NodeId at = live.node;
  const bool writes = (live.command.access & kChangesData) != 0;
  switch (pick(9)) {
    case 0:
    case 1: {
      live.closing = true;
      live.locks.clear();
      if (live.cache && !known_in(live_, *live.cache, live.key)) {
        caches_.erase({live.key, *live.cache});
      }
      submit(at, live.key, Close{id});
      break;
    }
    case 2:
    case 3:
      start_io(id, writes && one_in(2), pick(16));
      break;
    case 4: {
      Lock lock{id, {{pick(16), pick(6), one_in(2)}}, false, one_in(2)};
      submit(at, live.key, lock);
      break;
    }
    case 5:
      if (!live.locks.empty()) {
        const LockRange range = live.locks[pick(live.locks.size())];
        std::erase(live.locks, range);
        submit(at, live.key, Lock{id, {range}, true, true});
      }
      break;
    case 6:
      if ((live.command.access & kDelete) != 0) {
        submit(at, live.key, SetDeletePending{id, one_in(2)});
      }
      break;
    case 7:
      if ((live.command.access & kDelete) != 0) submit(at, live.key, BeginRename{id, {}, {}});
      break;
    default: {
      const auto& asked = node(at).asked;
      if (!asked.empty()) {
        auto it = asked.begin();
        std::advance(it, static_cast<std::ptrdiff_t>(pick(asked.size())));
        submit(at, it->second.key, Cancel{it->first});
      }
      break;
    }
  }
}

void VirtualPool::start_io(OpenId id, bool write, std::uint64_t offset) {
  const LiveOpen& live = live_.at(id);
  const auto gate = gate_of(live.node, live.key);
  auto ticket = gate->admit(id, offset, kIoLength,
                            write ? ports::IoGate::Access::Write : ports::IoGate::Access::Read);
  if (!ticket) return;
  if (write && gate->must_break_readers(id, live.command.client, live.command.cache.key)) {
    ticket->release();
    submit(live.node, live.key, Modify{id});
    return;  // the client would write when Modify is answered; here it comes round again
  }
  ++ios_;
  node(live.node).ios.push_back({live.key, id, offset, write, std::move(*ticket)});
}

void VirtualPool::owner_takes(NodeId id) {
  auto& queue = node(id).to_owner;
  if (queue.empty()) return;
  Command command = std::move(queue.front());
  queue.pop_front();
  command.now = now_;
  owner_applies(command);
}

void VirtualPool::note(const FileKey& key, const Command& command) {
  static constexpr const char* kNames[] = {
      "Open",   "Close",   "Unlinked", "Lock",    "Cancel", "Acknowledge", "Delete",
      "Rename", "Renamed", "Modify",   "Known",   "Assert", "Tick",        "NodeGone",
      "Detach", "Reclaim", "Update",   "Restore", "Child",  "Probe"};
  std::string line = "step " + std::to_string(step_) + " file " + std::to_string(key.inode) + " n" +
                     std::to_string(command.from.raw()) + " #" +
                     std::to_string(command.request.raw()) + " " + kNames[command.body.index()];
  const auto number = [&](const char* name, std::uint64_t value) {
    line += std::string{" "} + name + "=" + std::to_string(value);
  };
  if (const auto* const open = std::get_if<Open>(&command.body)) {
    number("open", open->open.raw());
    number("client", open->client.bytes[0]);
    number("access", open->access);
    number("share", open->share);
    number("kind", static_cast<unsigned>(open->cache.kind));
    number("key", open->cache.key.bytes[0]);
    number("rights", open->cache.rights);
    number("overwrites", open->overwrites ? 1 : 0);
  } else if (const auto* const close = std::get_if<Close>(&command.body)) {
    number("open", close->open.raw());
  } else if (const auto* const lock = std::get_if<Lock>(&command.body)) {
    number(lock->unlock ? "unlock" : "open", lock->open.raw());
  } else if (const auto* const ack = std::get_if<AcknowledgeBreak>(&command.body)) {
    number("open", ack->open.raw());
    number("kept", ack->kept);
  } else if (const auto* const known = std::get_if<RestrictionsKnown>(&command.body)) {
    number("version", known->version);
  }
  history_.push_back(std::move(line));
}

void VirtualPool::note(const Outbox& out) {
  const auto to = [](NodeId id) { return " n" + std::to_string(id.raw()); };
  for (const auto& item : out.revocations) {
    history_.push_back("    revoke" + to(item.to) + " open=" + std::to_string(item.open.raw()));
  }
  for (const auto& item : out.breaks) {
    history_.push_back("    break" + to(item.to) + " open=" + std::to_string(item.what.open.raw()) +
                       " " + std::to_string(item.what.from) + "->" + std::to_string(item.what.to) +
                       (item.what.ack_required ? " ack" : ""));
  }
  for (const auto& item : out.restrictions) {
    history_.push_back("    restrict" + to(item.to) +
                       " version=" + std::to_string(item.what.version));
  }
  for (const auto& item : out.pendings) {
    history_.push_back("    pending" + to(item.to) + " #" + std::to_string(item.request.raw()));
  }
  for (const auto& item : out.replies) {
    std::string line = "    reply" + to(item.to) + " #" + std::to_string(item.request.raw()) + " " +
                       std::string{name_of(item.outcome.status)};
    if (const auto* const opened = std::get_if<Opened>(&item.outcome.answer)) {
      line += " rights=" + std::to_string(opened->rights);
    }
    history_.push_back(std::move(line));
  }
}

void VirtualPool::owner_applies(const Command& command) {
  if (options_.history) note(command.key, command);
  Bytes bytes;
  encode(command, bytes);
  ByteReader in{bytes};
  const auto received = decode_command(in);
  if (!received || *received != command) return wrong("a command changed on its way");
  Outbox out;
  table_.apply(*received, out);
  if (options_.history) note(out);
  const auto tell = [&](NodeId to, auto item) {
    sent_digest_ = mix64(sent_digest_ + to.raw() * 8 + Told{out.key, {}, item}.what.index());
    if (to == kOwner) return;
    node(to).from_owner.push_back({out.key, {}, std::move(item)});
  };
  for (const auto& item : out.revocations) tell(item.to, item);
  for (const auto& item : out.breaks) {
    tell(item.to, item);
    if (item.what.ack_required || item.to == kOwner) continue;
    const std::optional<CacheId> cache = broken_cache(out.key, item.what);
    if (!cache) continue;
    node(item.to).from_owner.back().drop = cache;
    ++drops_[{out.key, *cache}];
  }
  for (const auto& item : out.restrictions) tell(item.to, item);
  for (const auto& item : out.pendings) tell(item.to, item);
  for (const auto& item : out.replies) {
    if (item.to == kOwner) {
      const auto* const closed = std::get_if<Closed>(&item.outcome.answer);
      if (closed == nullptr || !closed->unlink) continue;
      const OpenId open = table_.inspect(out.key)->unlink_open;
      owner_applies({out.key, kOwner, RequestId{1}, now_, Unlinked{open, true}});
      continue;
    }
    tell(item.to, item);
  }
  check_owner(command.key);
}

std::optional<CacheId> VirtualPool::broken_cache(const FileKey& key, const Break& what) const {
  if (what.kind == CacheKind::Oplock) return CacheId{what.open, {}, {}};
  const FileState* const file = table_.inspect(key);
  if (file == nullptr || !file->opens.contains(what.open)) return std::nullopt;
  return lease_id(file->opens.at(what.open).client, what.key);
}

void VirtualPool::check_owner(const FileKey& key) {
  const FileState* const file = table_.inspect(key);
  if (file == nullptr) return;
  for (const std::string& what : broken_invariants(*file)) wrong("owner: " + what);
}

void VirtualPool::node_takes(NodeId id) {
  auto& queue = node(id).from_owner;
  if (queue.empty()) return;
  const Told told = std::move(queue.front());
  queue.pop_front();
  if (told.drop) --drops_[{told.key, *told.drop}];
  std::visit([&](const auto& item) { node_hears(id, told.key, item); }, told.what);
}

void VirtualPool::drop_open(OpenId open) {
  const auto it = live_.find(open);
  if (it == live_.end()) return;
  const FileKey key = it->second.key;
  const std::optional<CacheId> cache = it->second.cache;
  live_.erase(it);
  if (cache && !known_in(live_, *cache, key)) caches_.erase({key, *cache});
}

void VirtualPool::node_hears(NodeId id, const FileKey& key, const Outbox::Revocation& item) {
  ++revocations_;
  gate_of(id, key)->revoke(item.open, {});
  drop_open(item.open);
}

void VirtualPool::node_hears(NodeId id, const FileKey& key, const Outbox::BreakTo& item) {
  const Break& what = item.what;
  const auto live = live_.find(what.open);
  if (live == live_.end()) return;
  const CacheId cache = what.kind == CacheKind::Oplock
                            ? CacheId{what.open, {}, {}}
                            : lease_id(live->second.command.client, what.key);
  const auto known = caches_.find({key, cache});
  if (known == caches_.end()) return;
  if (!what.ack_required) {
    known->second.rights = what.to;
    return;
  }
  if (!resting_ && one_in(options_.silent_client_one_in)) return;
  const CacheRights kept = one_in(5) ? CacheRights{0} : what.to;
  known->second.rights = kept;  // from now on the client acts by it
  ++known->second.acks_on_the_way;
  AcknowledgeBreak ack{what.open, known->second.client, what.key, kept};
  submit(id, key, ack);
}

void VirtualPool::node_hears(NodeId id, const FileKey& key, const Outbox::RestrictionsTo& item) {
  const std::uint64_t version = item.what.version;
  gate_of(id, key)->restrict(item.what, [this, id, key, version] {
    node(id).to_owner.push_back({key, id, RequestId{}, MonoTime{}, RestrictionsKnown{version}});
  });
}

void VirtualPool::node_hears(NodeId, const FileKey&, const Outbox::PendingAt&) { ++waits_; }

void VirtualPool::node_hears(NodeId id, const FileKey& key, const Outbox::ReplyTo& item) {
  auto& asked = node(id).asked;
  const auto it = asked.find(item.request);
  if (it == asked.end()) return wrong("an answer to nothing, or a second one");
  const Command command = it->second;
  asked.erase(it);
  ++answers_;
  if (const auto* const answer = std::get_if<Opened>(&item.outcome.answer)) {
    return opened(id, command, *answer);
  }
  if (const auto* const ack = std::get_if<AcknowledgeBreak>(&command.body)) {
    const CacheId cache =
        ack->key.is_zero() ? CacheId{ack->open, {}, {}} : lease_id(ack->client, ack->key);
    const auto known = caches_.find({key, cache});
    if (known != caches_.end() && known->second.acks_on_the_way > 0) {
      --known->second.acks_on_the_way;
    }
    return;
  }
  if (const auto* const close = std::get_if<Close>(&command.body)) {
    drop_open(close->open);
    const auto* const closed = std::get_if<Closed>(&item.outcome.answer);
    if (closed == nullptr || !closed->unlink) return;
    if (++unlinks_[key] > 1) wrong("a name is to be removed twice");
    --unlinks_[key];
    submit(id, key, Unlinked{close->open, true});
    return;
  }
  const auto* const lock = std::get_if<Lock>(&command.body);
  if (lock == nullptr || lock->unlock || item.outcome.status != NtStatus::Success) return;
  const auto live = live_.find(lock->open);
  if (live == live_.end() || live->second.closing) return;
  for (const LockRange& range : lock->ranges) live->second.locks.push_back(range);
}

void VirtualPool::opened(NodeId id, const Command& command, const Opened& answer) {
  const Open& open = std::get<Open>(command.body);
  // The engine enforces what the answer brings before it lets the client know.
  gate_of(id, command.key)->restrict(answer.restrictions, {});
  LiveOpen live;
  live.key = command.key;
  live.node = id;
  live.command = open;
  if (answer.kind != CacheKind::None) {
    live.cache = answer.kind == CacheKind::Oplock ? CacheId{open.open, {}, {}}
                                                  : lease_id(open.client, open.cache.key);
    Knowledge& known = caches_[{command.key, *live.cache}];
    if (known.acks_on_the_way == 0) known.rights = answer.rights;
    known.client = open.client;
  }
  live_.emplace(open.open, std::move(live));
}

void VirtualPool::crash(NodeId id) {
  std::vector<OpenId> gone;
  for (const auto& [open, live] : live_) {
    if (live.node == id) gone.push_back(open);
  }
  for (const OpenId open : gone) drop_open(open);
  node(id).ios.clear();
  for (const Told& told : node(id).from_owner) {
    if (told.drop) --drops_[{told.key, *told.drop}];
  }
  node(id) = Node{};
  for (const FileKey& key : table_.files()) {
    owner_applies({key, kOwner, RequestId{1}, now_, NodeGone{id}});
  }
}

bool VirtualPool::told_to_drop(const std::pair<FileKey, CacheId>& name) const {
  const FileState* const file = table_.inspect(name.first);
  if (file == nullptr) return false;
  const auto it = file->caches.find(name.second);
  return it != file->caches.end() && it->second.breaking && !caches_reads(it->second);
}

void VirtualPool::check_clients() {
  for (auto a = live_.begin(); a != live_.end(); ++a) {
    for (auto b = std::next(a); b != live_.end(); ++b) {
      const LiveOpen& one = a->second;
      const LiveOpen& two = b->second;
      if (one.key != two.key || one.closing || two.closing) continue;
      if (share_conflict(one.command.access, one.command.share, two.command.access,
                         two.command.share)) {
        wrong("two clients have opens that exclude each other");
      }
    }
  }
  for (const auto& [name, known] : caches_) {
    if ((known.rights & kCacheWrite) == 0) continue;
    for (const auto& [other_name, other] : caches_) {
      if (other_name == name || other_name.first != name.first) continue;
      if (other.rights != 0 && !dropped(other_name)) {
        wrong("a client caches writes while another caches");
      }
    }
  }
  for (const Node& at : nodes_) {
    for (const Io& io : at.ios) {
      const auto mine = live_.find(io.open);
      for (const auto& [open, live] : live_) {
        if (live.key != io.key || open == io.open) continue;
        for (const LockRange& range : live.locks) {
          const LockRange touched{io.offset, kIoLength, io.write};
          if ((range.exclusive || io.write) && ranges_overlap(range, touched)) {
            wrong("I/O is under way that an answered lock forbids");
          }
        }
      }
      if (!io.write || mine == live_.end()) continue;
      for (const auto& [name, known] : caches_) {
        if (name.first != io.key || (known.rights & kCacheRead) == 0) continue;
        if (mine->second.cache == name.second || dropped(name) || told_to_drop(name)) continue;
        wrong("a client caches reads while open " + std::to_string(io.open.raw()) +
              " writes to file " + std::to_string(io.key.inode) + "; cache of open " +
              std::to_string(name.second.open.raw()) + " key " +
              std::to_string(name.second.key.bytes[0]) + " client " +
              std::to_string(known.client.bytes[0]) + " rights " + std::to_string(known.rights));
      }
    }
  }
}

}  // namespace flotilla::sim

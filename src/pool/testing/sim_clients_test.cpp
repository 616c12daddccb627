// What the simulated clients do, and what they believe they hold.
#include <fmt/core.h>

#include <algorithm>

#include "pool/testing/sim_pool.hpp"

namespace flotilla::pool::testing {

namespace {
using coherence::CacheKind;

constexpr std::size_t kFileCount = 9;

FileKey file(std::uint64_t index) { return FileKey{1, 100 + index, 1}; }

SimCacheName cache_name(const FileKey& key, const coherence::Open& open, CacheKind kind) {
  if (kind == CacheKind::Lease) return {key, {}, open.client, open.cache.key};
  return {key, open.open, {}, {}};
}
}  // namespace

void SimPool::submit(SimNode& node, const FileKey& key, coherence::Body body) {
  const RequestId request{next_request_++};
  node.requests[request] = SimRequest{key, body};
  step(node, LocalCommand{key, request, std::move(body)});
}

void SimPool::start_open(SimNode& node) {
  static constexpr coherence::AccessMask kAccess[] = {
      coherence::kReadData, coherence::kReadData | coherence::kWriteData,
      coherence::kReadData | coherence::kDelete, coherence::kWriteData};
  static constexpr coherence::ShareAccess kShare[] = {7, 7, 7, 1, 0, 3};
  // Every node has files of its own, so that there is something to claim.
  const std::uint64_t index =
      chance(60) ? (node.id.raw() * 2 + pick(2)) % kFileCount : pick(kFileCount);
  coherence::Open open;
  open.open = OpenId{std::uint64_t{node.id.raw()} << 48 | next_open_++};
  open.path = "f" + std::to_string(index);
  open.access = kAccess[pick(4)];
  open.share = kShare[pick(6)];
  const auto client = static_cast<std::uint8_t>(node.id.raw() * 10 + pick(2));
  open.client.bytes.fill(client);
  if (chance(40)) {
    open.cache.kind = CacheKind::Lease;
    static constexpr coherence::CacheRights kRights[] = {1, 3, 5, 7};
    open.cache.rights = kRights[pick(4)];
    open.cache.key.bytes.fill(static_cast<std::uint8_t>(index + 1));
    open.cache.version = 2;
  } else if (chance(30)) {
    open.cache.kind = CacheKind::Oplock;
    static constexpr coherence::CacheRights kRights[] = {1, 5, 7};
    open.cache.rights = kRights[pick(3)];
  }
  if (chance(15)) {
    open.durability.kind =
        chance(50) ? coherence::DurableKind::Persistent : coherence::DurableKind::Durable;
    open.durability.timeout = std::chrono::milliseconds{200 + pick(1500)};
  }
  open.delete_on_close = (open.access & coherence::kDelete) != 0 && chance(30);
  ++counts["opens asked"];
  submit(node, file(index), std::move(open));
}

void SimPool::client_action(SimNode& node) {
  if (!node.up || node.hung || !may_serve(node)) return;
  if (node.opens.empty() || chance(30)) return start_open(node);
  auto at = node.opens.begin();
  std::advance(at, static_cast<std::ptrdiff_t>(pick(node.opens.size())));
  const OpenId id = at->first;
  SimOpen& open = at->second;
  const FileKey key = open.key;
  switch (pick(8)) {
    case 0:
    case 1: {
      coherence::Lock lock{id, {{pick(4) * 10, 10 + pick(10), chance(60)}}, false, chance(50)};
      return submit(node, key, std::move(lock));
    }
    case 2: {
      if (open.locks.empty()) return;
      coherence::Lock unlock{id, {open.locks[pick(open.locks.size())]}, true, false};
      // As the table does: the first granted of those with this range.
      open.locks.erase(std::find_if(open.locks.begin(), open.locks.end(), [&](const auto& held) {
        return held.offset == unlock.ranges[0].offset &&
               held.length_bytes == unlock.ranges[0].length_bytes;
      }));
      return submit(node, key, std::move(unlock));
    }
    case 3:
      return submit(node, key, coherence::Modify{id});
    case 4:
      if (chance(20)) return submit(node, key, coherence::SetDeletePending{id, chance(60)});
      return;
    case 5: {
      if (node.requests.empty()) return;
      auto waiting = node.requests.begin();
      std::advance(waiting, static_cast<std::ptrdiff_t>(pick(node.requests.size())));
      return step(
          node, LocalCommand{waiting->second.key, RequestId{}, coherence::Cancel{waiting->first}});
    }
    default:
      forget(node, id);  // from here on the client makes no use of it
      return submit(node, key, coherence::Close{id});
  }
}

void SimPool::forget(SimNode& node, OpenId id) {
  const auto at = node.opens.find(id);
  if (at == node.opens.end()) return;
  const SimOpen gone = std::move(at->second);
  node.opens.erase(at);
  if (gone.kind == CacheKind::None) return;
  const SimCacheName name = cache_name(gone.key, gone.command, gone.kind);
  const bool shared = std::any_of(node.opens.begin(), node.opens.end(), [&](const auto& it) {
    return it.second.kind == gone.kind &&
           cache_name(it.second.key, it.second.command, it.second.kind) == name;
  });
  if (!shared) node.caches.erase(name);
}

void SimPool::believe(SimNode& node, const FileKey& key, const coherence::Outcome& outcome,
                      const SimRequest& request) {
  const bool success = outcome.status == NtStatus::Success;
  if (const auto* open = std::get_if<coherence::Open>(&request.body)) {
    if (!success) return;
    const auto& opened = std::get<coherence::Opened>(outcome.answer);
    ++counts["opens granted"];
    const bool first = std::none_of(node.opens.begin(), node.opens.end(),
                                    [&](const auto& it) { return it.second.key == key; });
    node.opens[open->open] = SimOpen{key, *open, opened.kind, {}};
    if (first) node.known.erase(key);
    learn(node, key, opened.restrictions);
    if (opened.kind != CacheKind::None) {
      const SimCacheName name = cache_name(key, *open, opened.kind);
      // Made out while the lease was breaking: the client may have acknowledged since.
      if (!opened.break_in_progress) node.acknowledged.erase(name);
      const auto kept = node.acknowledged.find(name);
      const unsigned mask = kept == node.acknowledged.end() ? 7U : kept->second;
      node.caches[name] = static_cast<coherence::CacheRights>(opened.rights & mask);
    }
  } else if (const auto* lock = std::get_if<coherence::Lock>(&request.body)) {
    const auto at = node.opens.find(lock->open);
    if (!success || lock->unlock || at == node.opens.end()) return;
    ++counts["locks granted"];
    at->second.locks.insert(at->second.locks.end(), lock->ranges.begin(), lock->ranges.end());
  } else if (std::holds_alternative<coherence::Close>(request.body)) {
    const auto* closed = std::get_if<coherence::Closed>(&outcome.answer);
    if (!success || closed == nullptr || !closed->unlink) return;
    // Who may not serve removes no name, whatever it was told before it hung.
    if (!may_serve(node)) {
      const OpenId closed_open = std::get<coherence::Close>(request.body).open;
      return submit(node, key, coherence::Unlinked{closed_open, false});
    }
    ++counts["unlinks"];
    for (const SimNode& other : nodes_) {
      if (!may_serve(other)) continue;
      for (const auto& [id, it] : other.opens) {
        if (it.key == key)
          wrong(fmt::format("file {} is unlinked for {:x} of node {} while node {} has {:x} open",
                            key.inode, std::get<coherence::Close>(request.body).open.raw(),
                            node.id.raw(), other.id.raw(), id.raw()));
      }
    }
    node.to_unlink.emplace_back(key, std::get<coherence::Close>(request.body).open);
  }
}

/// As the gate does: what is older than what it knows counts for nothing.
void SimPool::learn(SimNode& node, const FileKey& key, const coherence::Restrictions& what) {
  coherence::Restrictions& known = node.known[key];
  if (what.version > known.version || what.version == 0) known = what;
}

void SimPool::on_effect(SimNode& node, LocalEffect& effect) {
  const FileKey key = effect.key;
  trace(node, effect);
  if (auto* reply = std::get_if<DeliverReply>(&effect.what)) {
    const auto at = node.requests.find(reply->request);
    if (at == node.requests.end()) return wrong("a request is answered twice, or never asked");
    const SimRequest request = std::move(at->second);
    node.requests.erase(at);
    believe(node, key, reply->outcome, request);
  } else if (auto* broken = std::get_if<DeliverBreak>(&effect.what)) {
    ++counts["breaks"];
    const auto open = node.opens.find(broken->what.open);
    if (open != node.opens.end()) {
      const SimCacheName name = cache_name(key, open->second.command, open->second.kind);
      if (!broken->what.ack_required) {
        node.caches[name] = broken->what.to;
      } else if (!chance(10)) {
        node.to_acknowledge.emplace_back(
            key, coherence::AcknowledgeBreak{broken->what.open, open->second.command.client,
                                             broken->what.key, broken->what.to});
      }
    }
    if (broken->confirm != ConfirmId{}) node.confirms.emplace_back(key, broken->confirm);
  } else if (auto* revoked = std::get_if<DeliverRevoke>(&effect.what)) {
    ++counts["revoked"];
    forget(node, revoked->open);
    if (revoked->confirm != ConfirmId{}) node.confirms.emplace_back(key, revoked->confirm);
  } else if (auto* restricted = std::get_if<DeliverRestrictions>(&effect.what)) {
    learn(node, key, restricted->what);
    node.confirms.emplace_back(key, restricted->confirm);
  } else if (std::holds_alternative<DeliverUnsettled>(effect.what)) {
    ++counts["unsettled"];
    node.known[key].version = 0;
  }
}

void SimPool::duties(SimNode& node, bool all) {
  if (!node.up || node.hung) return;
  while (node.machine->has_work() && (all || chance(60))) {
    ++counts["slices"];
    step(node, Work{});
  }
  while (!node.confirms.empty() && (all || chance(60))) {
    const auto [key, id] = node.confirms.front();
    node.confirms.erase(node.confirms.begin());
    step(node, LocalConfirm{key, id});
  }
  while (!node.to_acknowledge.empty() && (all || chance(30))) {
    auto [key, ack] = node.to_acknowledge.front();
    node.to_acknowledge.erase(node.to_acknowledge.begin());
    const auto open = node.opens.find(ack.open);
    if (open == node.opens.end()) continue;
    const auto cache = node.caches.find(cache_name(key, open->second.command, open->second.kind));
    if (cache != node.caches.end()) {
      cache->second = static_cast<coherence::CacheRights>(cache->second & ack.kept);
      node.acknowledged[cache->first] = ack.kept;
    }
    submit(node, key, ack);
  }
  while (!node.to_unlink.empty() && (all || chance(30))) {
    const auto [key, open] = node.to_unlink.front();
    node.to_unlink.erase(node.to_unlink.begin());
    submit(node, key, coherence::Unlinked{open, true});
  }
}

}  // namespace flotilla::pool::testing

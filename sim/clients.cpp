// What clients ask for, and what they come to believe.
#include <algorithm>

#include "coherence/path_names.hpp"
#include "sim/show.hpp"
#include "sim/world.hpp"

namespace flotilla::sim {

using namespace std::chrono_literals;
using coherence::CacheKind;
using coherence::CacheRights;
using coherence::kCacheRead;
using coherence::LockRange;

namespace {
/// As production gives up asking: handlers/file_call.cpp.
constexpr int kModifyRoundsMax = 16;
constexpr std::uint64_t kIoBytes = 8;

bool success(const coherence::Outcome& outcome) { return outcome.status == NtStatus::Success; }
}  // namespace

void ClientOpen::on_break(const coherence::Break& what) { world_.hear_break(*this, what); }
void ClientOpen::on_revoked(coherence::RevokeReason reason) { world_.hear_revoked(*this, reason); }

RequestPtr World::note(Client* client, NodeId node, const FileKey& key, coherence::Body body) {
  auto request = std::make_shared<Request>();
  request->serial = ++next_serial_;
  request->node = node;
  request->boot = at(node).boot;
  request->client = client;
  request->key = key;
  request->asked = now();
  request->body = std::move(body);
  requests_.emplace(request->serial, request);
  if (tracing()) {
    say(fmt::format("n{}  {} asks #{}: {}", node.raw(), client != nullptr ? client->name() : "node",
                    request->serial, show(key, request->body)));
  }
  return request;
}

bool World::answered(const RequestPtr& request, const coherence::Outcome& outcome) {
  const Node& node = at(request->node);
  if (!node.up || node.boot != request->boot) return false;
  if (requests_.erase(request->serial) == 0) {
    wrong(Rule::Machinery, fmt::format("request #{} is answered twice", request->serial));
  }
  report_.count("answers");
  report_.mix(request->serial * 31 + static_cast<std::uint32_t>(outcome.status));
  if (tracing()) {
    say(fmt::format("n{}  answers #{}: {}", request->node.raw(), request->serial, show(outcome)));
  }
  return true;
}

void World::submit(Client* client, NodeId node, const FileKey& key, coherence::Body body,
                   Then then) {
  const RequestPtr request = note(client, node, key, body);
  ports::Completion completion;
  completion.done = [this, request, then = std::move(then)](coherence::Outcome outcome) mutable {
    if (answered(request, outcome) && then) then(outcome);
  };
  completion.pending = [this, request] {
    report_.count("pendings");
    if (tracing()) say(fmt::format("n{}  tells #{} to wait", request->node.raw(), request->serial));
  };
  request->id = at(node).engine->submit(key, std::move(body), std::move(completion));
}

OpenPtr World::open(Client& client, std::size_t name, coherence::Open how) {
  auto open = std::make_shared<ClientOpen>(*this, client, client.node);
  open->key = disk_.key_of(name);
  how.open = at(client.node).engine->next_open_id();
  how.client = client.guid;
  how.session = client.session;
  how.path = disk_.path_of(name);
  open->command = how;
  const auto lease = caches_.find({open->key, client.guid, how.cache.key, OpenId{}});
  open->of_breaking_lease = lease != caches_.end() && lease->second.breaking_to.has_value();
  report_.count("opens asked");
  const RequestPtr request = note(&client, client.node, open->key, how);
  request->id =
      at(client.node)
          .engine->open(
              open->key, how, open,
              [this, open, request](ports::OpenOutcome result) {
                if (!answered(request, result.outcome)) return;
                opened(open, result, request->asked);
                if (open->granted) checker_.granted(*open, request->asked);
              },
              [this, request] {
                report_.count("pendings");
                if (tracing())
                  say(fmt::format("n{}  tells #{} to wait", request->node.raw(), request->serial));
              });
  return open;
}

void World::opened(const OpenPtr& open, ports::OpenOutcome& result, MonoTime asked) {
  const auto* answer = std::get_if<coherence::Opened>(&result.outcome.answer);
  if (!success(result.outcome)) return report_.count("opens refused");
  if (answer == nullptr || result.gate == nullptr) {
    return wrong(Rule::Machinery, "an open is granted without its answer or its gate");
  }
  report_.count("opens granted");
  open->granted = true;
  open->since = now();
  open->kind = answer->kind;
  open->gate = std::move(result.gate);
  opens_[open->id()] = open;
  take_cache(*open, *answer, asked);
  // A file that has lost its name by now, or has another one, is not what its client asked for; and
  // nobody is left to have what a session that has ended asked for.
  const bool named = disk_.has(open->key) && disk_.path_of(open->key) == open->command.path;
  const bool wanted = named && open->client->session == open->command.session;
  if (!wanted) later(open->node, 0us, [this, open, named] { close(open, !named); });
  if (named && !answer->path.empty()) look_at_path(*open, answer->path);
}

/// As handlers/create: the owner has the file's path from an open that was late.
void World::look_at_path(const ClientOpen& open, const std::string& path) {
  const auto names = coherence::names_of(path);
  if (std::ranges::find(names, open.command.path) != names.end()) return;
  report_.count("owners with an old path");
  submit(nullptr, open.node, open.key,
         coherence::Renamed{open.id(), open.command.path, coherence::RenameStage::Seen}, {});
}

void World::take_cache(const ClientOpen& open, const coherence::Opened& answer, MonoTime asked) {
  if (answer.kind == CacheKind::None) return;
  const CacheName name = open.cache_name();
  const auto [at, is_new] = caches_.try_emplace(name);
  CacheBelief& belief = at->second;
  if (is_new) {
    belief.rights = answer.rights;
    const auto kept = acknowledged_.find(name);
    const bool since = kept != acknowledged_.end() && asked < kept->second.first;
    if (answer.break_in_progress && since) belief.rights = belief.rights & kept->second.second;
    const auto heard = heard_.find(name);
    if (answer.break_in_progress && !since && heard != heard_.end() &&
        (asked < heard->second.first || open.of_breaking_lease)) {
      mind_break(opens_.at(open.id()), belief, heard->second.second);
    }
  } else if (answer.break_in_progress || belief.breaking_to || belief.acks > 0) {
    // Made out while a break was under way: the client may have heard or said more since.
    belief.rights = belief.rights & answer.rights;
  } else {
    belief.rights = answer.rights;
  }
  if (answer.rights != 0) report_.count("caches granted");
  checker_.cache_grown(name);
}

void World::forget(ClientOpen& open) {
  if (open.gone) return;
  open.gone = true;
  open.locks.clear();
  open.gate.reset();
  const CacheName name = open.cache_name();
  const OpenPtr self = open.shared_from_this();
  opens_.erase(open.id());
  if (open.kind == CacheKind::None) return;
  const bool shared = std::any_of(opens_.begin(), opens_.end(), [&](const auto& it) {
    return it.second->kind == open.kind && it.second->key == name.key &&
           it.second->cache_name() == name;
  });
  if (shared) return;
  caches_.erase(name);
  checker_.cache_gone(name);
}

void World::close(const OpenPtr& open, bool keeps_name) {
  if (open->gone) return;
  const bool dooms = open->command.delete_on_close && !keeps_name;
  forget(*open);
  submit(open->client, open->node, open->key, coherence::Close{open->id(), keeps_name},
         [this, open, dooms](const coherence::Outcome& outcome) {
           checker_.close_answered(open->id(), outcome.status);
           const auto* closed = std::get_if<coherence::Closed>(&outcome.answer);
           if (!success(outcome) || closed == nullptr) return;
           if (dooms) checker_.doomed(open->node, open->key);
           if (closed->unlink) remove_name(open->node, open->key, open->id());
         });
}

/// What handlers/close.cpp does with the word of a Closed: asks as late as possible.
void World::remove_name(NodeId node, const FileKey& key, OpenId open) {
  later(node, random_.between(0us, 3000us), [this, node, key, open] {
    bool removed = false;
    const bool serves = at(node).engine->serving();
    if (serves) {
      checker_.name_removed(node, key);
      removed = disk_.remove(key);
      report_.count(removed ? "unlinks" : "unlinks in vain");
      if (tracing()) {
        say(fmt::format("n{}  removes {}: {}", node.raw(), show(key), removed ? "done" : "gone"));
      }
    }
    submit(nullptr, node, key, coherence::Unlinked{open, removed, !serves}, {});
  });
}

void World::lock(const OpenPtr& open, const LockRange& range, bool wait) {
  submit(open->client, open->node, open->key, coherence::Lock{open->id(), {range}, false, !wait},
         [this, open, range](const coherence::Outcome& outcome) {
           if (!success(outcome) || open->gone) return;
           report_.count("locks granted");
           open->locks.push_back(range);
           open->since = now();
           checker_.locked(*open, range);
         });
}

void World::unlock(const OpenPtr& open, LockRange range) {
  // As the table does: of those with this range an exclusive one first.
  const auto with = [&](bool exclusive) {
    return std::find(open->locks.begin(), open->locks.end(),
                     LockRange{range.offset, range.length_bytes, exclusive});
  };
  auto held = with(true);
  if (held == open->locks.end()) held = with(false);
  if (held != open->locks.end()) open->locks.erase(held);
  submit(open->client, open->node, open->key, coherence::Lock{open->id(), {range}, true, true}, {});
}

void World::start_io(const OpenPtr& open, std::uint64_t offset, bool write) {
  carry_out(open, offset, write, 0);
}

/// The read and write path: handlers/file_call.cpp admit_change().
void World::carry_out(const OpenPtr& open, std::uint64_t offset, bool write, int rounds) {
  using ports::IoGate;
  if (open->gone) return;
  auto ticket = open->gate->admit(open->id(), offset, kIoBytes,
                                  write ? IoGate::Access::Write : IoGate::Access::Read);
  if (!ticket) {
    report_.count("I/O refused");
    if (tracing()) {
      say(fmt::format("n{}  refuses {} to {} {} at {}: {}", open->node.raw(), open->client->name(),
                      write ? "write" : "read", show(open->key), offset, name_of(ticket.error())));
    }
    return;
  }
  if (write && rounds < kModifyRoundsMax &&
      open->gate->must_break_readers(open->id(), open->client->guid, open->command.cache.key)) {
    ticket->release();
    return submit(open->client, open->node, open->key, coherence::Modify{open->id()},
                  [this, open, offset, rounds](const coherence::Outcome& outcome) {
                    if (success(outcome)) carry_out(open, offset, true, rounds + 1);
                  });
  }
  report_.count(write ? "writes" : "reads");
  const Io io{open->key, open->id(), {offset, kIoBytes, write}, ++next_serial_, open->node, open};
  if (tracing()) {
    say(fmt::format("n{}  {} {}s {} at {}", open->node.raw(), open->client->name(),
                    write ? "write" : "read", show(open->key), offset));
  }
  ios_.push_back(io);
  checker_.io_admitted(*open, io);
  const bool slow = random_.one_in(16);
  const auto time = random_.between(5us, slow ? 40 * options_.io_within : options_.io_within);
  // The kernel ends it, whatever becomes of the node; the node hears of it when it runs.
  const NodeId node = open->node;
  const std::uint64_t boot = at(node).boot;
  schedule_.in(time, [this, node, boot, serial = io.serial,
                      held = std::make_shared<IoGate::Ticket>(std::move(*ticket))] {
    std::erase_if(ios_, [serial](const Io& it) { return it.serial == serial; });
    when_awake(node, boot, [held] { held->release(); });
  });
}

void World::set_delete(const OpenPtr& open, bool pending) {
  if (!pending) checker_.not_doomed(open->key);
  submit(open->client, open->node, open->key, coherence::SetDeletePending{open->id(), pending},
         [this, open, pending](const coherence::Outcome& outcome) {
           if (success(outcome) && pending) checker_.doomed(open->node, open->key);
         });
}

void World::rename(const OpenPtr& open) {
  const coherence::BeginRename begin{open->id(), open->client->guid, open->command.cache.key};
  submit(open->client, open->node, open->key, begin,
         [this, open](const coherence::Outcome& outcome) {
           if (!success(outcome) || !at(open->node).engine->serving() || !disk_.has(open->key))
             return;
           tell_rename(open);
         });
}

/// As handlers/set_info/rename.cpp: both names are known before the file system has the new one.
void World::tell_rename(const OpenPtr& open) {
  using coherence::RenameStage;
  const std::string name = disk_.next_path_of(open->key);
  submit(open->client, open->node, open->key,
         coherence::Renamed{open->id(), name, RenameStage::Begins},
         [this, open, name](const coherence::Outcome& outcome) {
           if (!success(outcome)) return;
           later(open->node, random_.between(0us, 3000us), [this, open, name] {
             const bool done =
                 at(open->node).engine->serving() && disk_.has(open->key) && !random_.one_in(5);
             if (done) {
               disk_.rename(open->key, name);
               report_.count("renames");
               if (tracing())
                 say(fmt::format("n{}  renames {} to {}", open->node.raw(), show(open->key), name));
             }
             submit(open->client, open->node, open->key,
                    coherence::Renamed{open->id(), name,
                                       done ? RenameStage::Done : RenameStage::Failed},
                    {});
           });
         });
}

void World::acknowledge(const OpenPtr& open, CacheRights kept) {
  if (open->gone) return;
  const auto at = caches_.find(open->cache_name());
  if (at == caches_.end() || !at->second.breaking_to) return;
  const auto rights = static_cast<CacheRights>(at->second.rights & kept);
  at->second.rights = rights;
  // It drops its reads by itself, so nobody has to tell it what it would have lost next.
  if ((rights & coherence::kCacheRead) == 0) checker_.cache_gone(at->first);
  at->second.breaking_to.reset();
  ++at->second.acks;
  acknowledged_[at->first] = {now(), rights};
  coherence::AcknowledgeBreak ack{open->id(), open->client->guid, at->first.lease, kept};
  submit(open->client, open->node, open->key, ack,
         [this, name = at->first](const coherence::Outcome&) {
           const auto belief = caches_.find(name);
           if (belief != caches_.end() && belief->second.acks > 0) --belief->second.acks;
         });
}

void World::cancel(const RequestPtr& request) {
  request->cancelled = true;
  if (tracing()) say(fmt::format("n{}  gives #{} up", request->node.raw(), request->serial));
  at(request->node).engine->cancel(request->key, request->id);
}

void World::hear_break(ClientOpen& open, const coherence::Break& what) {
  if (what.elsewhere) return;  // its node only learns of it
  report_.count("breaks");
  report_.mix(what.open.raw() * 8 + what.to);
  if (tracing()) {
    say(fmt::format("n{}  {} hears: {}", open.node.raw(), open.client->name(), show(what)));
  }
  if (open.returning) {
    open.early.push_back(what);
    return;
  }
  // A lease is told through any of its opens, also through one that is being closed.
  if (what.ack_required) heard_[open.cache_name()] = {now(), what.to};
  const auto at = caches_.find(open.cache_name());
  const auto carrier = std::find_if(opens_.begin(), opens_.end(), [&](const auto& it) {
    return it.second->kind == open.kind && it.second->cache_name() == open.cache_name();
  });
  if (at == caches_.end() || carrier == opens_.end()) return;
  CacheBelief& belief = at->second;
  checker_.cache_gone(at->first);
  if (!what.ack_required) {
    belief.rights = belief.rights & what.to;
    belief.breaking_to.reset();
    return;
  }
  mind_break(carrier->second, belief, what.to);
}

void World::mind_break(const OpenPtr& open, CacheBelief& belief, CacheRights to) {
  if ((to & kCacheRead) == 0) belief.rights = belief.rights & ~kCacheRead & 7U;
  belief.breaking_to = to;
  const Habits& habits = options_.habits;
  if (!habits.acknowledge || random_.percent(habits.silent_percent)) return;
  const CacheRights kept = random_.percent(habits.all_percent) ? CacheRights{0} : to;
  later(open->node, random_.between(0us, habits.within),
        [this, open, kept] { acknowledge(open, kept); });
}

void World::hear_revoked(ClientOpen& open, coherence::RevokeReason reason) {
  report_.count("revocations");
  report_.mix(open.id().raw());
  if (tracing()) {
    say(fmt::format("n{}  {} hears: open {} is gone ({})", open.node.raw(), open.client->name(),
                    show(open.id()), show(reason)));
  }
  checker_.heard_gone(open);
  using coherence::RevokeReason;
  if (open.gone) {
    // Of one whose client is away: it has ended, unless only this node has nothing to do with it.
    if (reason != RevokeReason::Moved && reason != RevokeReason::ViewLost) {
      checker_.ended_away(open, reason);
      give_up(open);
    }
    return;
  }
  if (reason == RevokeReason::ViewLost && kept(open)) {
    go_away(open.shared_from_this());
  } else {
    forget(open);
  }
}

}  // namespace flotilla::sim

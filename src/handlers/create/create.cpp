// CREATE: [MS-SMB2] 3.3.5.9. In the order of DESIGN.md section 3: locate, let the engine grant, and
// only then truncate or overwrite.
#include <utility>

#include "base/log.hpp"
#include "handlers/access.hpp"
#include "handlers/audit_trail.hpp"
#include "handlers/channel.hpp"
#include "handlers/close.hpp"
#include "handlers/create/create_locate.hpp"
#include "handlers/create/pipe_context.hpp"
#include "handlers/directory_change.hpp"
#include "handlers/open_link.hpp"
#include "handlers/open_state.hpp"
#include "handlers/pipe.hpp"
#include "handlers/posix.hpp"
#include "handlers/quota/quota.hpp"
#include "handlers/reparse.hpp"
#include "handlers/request.hpp"
#include "wire/utf16.hpp"

namespace flotilla::handlers {

wire::CreateAction action_of(const Making& making) noexcept {
  if (making.created) return wire::CreateAction::Created;
  if (!making.overwriting()) return wire::CreateAction::Opened;
  return making.body.create_disposition == wire::CreateDisposition::Supersede
             ? wire::CreateAction::Superseded
             : wire::CreateAction::Overwritten;
}

namespace {

namespace o = wire::create_options;
namespace nf = wire::notify_filter;

/// A race lost to another creator or remover is run again; so often it is no race any more.
constexpr int kAttemptsMax = 16;

/// The rights that the request gets on what exists. An overwrite needs more than it asks for.
Status decide_access(Making& making) {
  coherence::AccessMask maximal = making.rights.maximal;
  if (making.created) maximal = wire::access::kFileAllAccess;  // the maker's own file
  if (making.read_only_share) maximal &= ~kWritingAccess;
  making.rights.maximal = maximal;
  const auto granted =
      grant_access(making.body.desired_access, maximal, making.privileged || making.by_privilege);
  if (!granted) return fail(granted.error());
  making.granted = *granted;
  if (making.overwriting()) {
    // [MS-FSA] 2.1.5.1.2 asks for DELETE to supersede; the data goes all the same, so as Samba
    // does, the right to write it is needed too.
    const coherence::AccessMask needed =
        making.body.create_disposition == wire::CreateDisposition::Supersede
            ? wire::access::kDelete | wire::access::kWriteData
            : wire::access::kWriteData;
    if ((needed & ~maximal) != 0) return fail(NtStatus::AccessDenied);
  }
  if ((making.body.create_options & o::kDeleteOnClose) != 0 &&
      (making.granted & wire::access::kDelete) == 0) {
    return fail(NtStatus::AccessDenied);
  }
  return {};
}

/// Finds the file, or makes it. Sets everything up to `created`.
runtime::Task<NtStatus> find_or_make(Request& request, Making& making) {
  making.created = false;
  const bool names_stream = making.name.unnamed_stream || !making.name.stream.empty();
  if (names_stream && (making.body.create_options & o::kDirectoryFile) != 0) {
    co_return NtStatus::NotADirectory;
  }
  Result<Located> found = co_await locate(request, making);
  const wire::CreateDisposition disposition = making.body.create_disposition;
  if (!found) {
    if (found.error() == NtStatus::StoppedOnSymlink) {
      co_return co_await stop_on_reparse_point(request, making.share, making.who, making.name.path);
    }
    if (found.error() != NtStatus::ObjectNameNotFound || must_exist(disposition)) {
      co_return found.error();
    }
    if (making.read_only_share) co_return NtStatus::AccessDenied;
    if (making.name.needs_directory && (making.body.create_options & o::kDirectoryFile) == 0) {
      co_return NtStatus::ObjectNameInvalid;
    }
    if ((making.body.file_attributes & wire::file_attribute::kReadonly) != 0 &&
        (making.body.create_options & o::kDeleteOnClose) != 0) {
      co_return NtStatus::CannotDelete;
    }
    // 3.3.5.9.8 looks at the key while the path is validated: no file is made for nothing.
    if (co_await key_is_taken(request, making)) co_return NtStatus::InvalidParameter;
    making.created = true;
    // What is asked must be grantable before there is a file.
    if (const Status good = decide_access(making); !good) co_return good.error();
    found = co_await make_file(request, making);
    if (!found) {
      making.created = false;
      if (found.error() == NtStatus::ObjectNameCollision &&
          disposition != wire::CreateDisposition::Create) {
        co_return NtStatus::Pending;  // somebody else was faster: once more, as an open
      }
      co_return found.error();
    }
  }
  making.file = found->file;
  making.facts = found->facts;
  making.rights = found->rights;
  making.path = making.file->located_path();
  if ((making.facts.attributes & wire::file_attribute::kReparsePoint) != 0 && !making.created &&
      (making.body.create_options & o::kOpenReparsePoint) == 0) {
    co_return co_await stop_on_reparse_point(request, making.share, making.who, making.path);
  }
  if (making.facts.type == ports::FileType::Other) co_return NtStatus::AccessDenied;
  if (making.name.unnamed_stream && making.directory()) co_return NtStatus::FileIsADirectory;
  if (const Status good = decide_access(making); !good) {
    if (disposition == wire::CreateDisposition::Create && !making.created) {
      co_return NtStatus::ObjectNameCollision;
    }
    co_return good.error();
  }
  if (!making.created) {
    const Status good = check_existing(making.body, making.name, making.facts, making.granted);
    if (!good) co_return good.error();
    if (!found->removable) co_return found->removable.error();
  }
  co_return NtStatus::Success;
}

bool asks_by_privilege(const Request& request, const Making& making) {
  return (making.body.create_options & o::kOpenForBackupIntent) != 0 && !making.by_privilege &&
         may_back_up(*request.session, *making.share);
}

/// Once more with SeBackupPrivilege and SeRestorePrivilege, where the user's rights do not suffice.
runtime::Task<NtStatus> find_or_make_by_privilege(Request& request, Making& making) {
  making.by_privilege = true;
  act_by_privilege(making.who);
  const NtStatus status = co_await find_or_make(request, making);
  if (status != NtStatus::Success) co_return status;
  const bool restores =
      making.created || making.overwriting() || (making.granted & kRestoreAccess & kWritingAccess);
  audit_privilege(request, restores ? "SeRestorePrivilege" : "SeBackupPrivilege");
  co_return status;
}

struct Grant {
  coherence::AccessMask access = 0;
  bool created = false;
  bool overwriting = false;
  bool directory = false;
  bool late = false;  ///< see Making::late
};

/// What has to happen in the file system once the grant is there: data access, truncation,
/// attributes, EAs, allocation. One trip. Answers fresh facts.
Result<ports::FileFacts> prepare(ports::Backend& backend, const std::string& path,
                                 const std::shared_ptr<ports::BackendFile>& file,
                                 const ports::Credentials& who, const wire::CreateRequest& body,
                                 const CreateAsks& asks, const Grant& grant) {
  if (grant.late && !leads_to(backend, who, path, file->base_key())) {
    return fail(NtStatus::FileDeleted);
  }
  const auto [granted, created, overwriting, directory, late] = grant;
  auto facts = file->facts();
  if (!facts) return facts;
  if (facts->links == 0) return fail(NtStatus::FileDeleted);
  if (!directory) {
    const bool reads = (granted & (wire::access::kReadData | wire::access::kExecute)) != 0;
    const bool writes = (granted & (wire::access::kWriteData | wire::access::kAppendData)) != 0 ||
                        overwriting || (created && asks.allocation_bytes != 0);
    const auto access = reads ? (writes ? ports::DataAccess::ReadWrite : ports::DataAccess::Read)
                              : (writes ? ports::DataAccess::Write : ports::DataAccess::None);
    if (access != ports::DataAccess::None) {
      if (const Status good = file->activate(who, access); !good) return fail(good.error());
    }
  }
  bool changed = false;
  if (overwriting) {
    if (const Status good = file->set_size(0); !good) return fail(good.error());
    if (file->stream().empty()) {
      ports::BasicChange change;
      change.attributes = initial_attributes(body.file_attributes, false);
      if (const Status good = file->set_basic(who, change); !good) return fail(good.error());
      // [MS-FSA] 2.1.5.1.2: an overwritten file loses its streams.
      const auto streams = file->streams();
      if (!streams) return fail(streams.error());
      for (const ports::StreamFacts& stream : *streams) {
        if (const Status gone = file->remove_stream(who, stream.name); !gone) {
          return fail(gone.error());
        }
      }
    }
    changed = true;
  }
  if ((created || overwriting) && !asks.eas.empty()) {
    if (const Status good = file->set_eas(who, asks.eas); !good) return fail(good.error());
    changed = true;
  }
  if ((created || overwriting) && !directory && asks.allocation_bytes != 0) {
    if (const Status good = file->set_allocation(asks.allocation_bytes); !good) {
      return fail(good.error());
    }
    changed = true;
  }
  return changed ? file->facts() : facts;
}

std::shared_ptr<session::Open> hang_up(Request& request, Making& making) {
  auto open = std::make_shared<session::Open>();
  session::Session& session = *request.session;
  open->open_id = making.open_id;
  open->id = FileId{making.open_id.raw(), session.next_volatile++};
  open->tree = request.tree->id;
  open->session = session.id;
  open->path = making.path;
  open->granted_access = making.granted;
  open->share_access = making.body.share_access;
  open->create_options = making.body.create_options;
  open->mode = making.body.create_options &
               (o::kWriteThrough | o::kSequentialOnly | o::kNoIntermediateBuffering |
                o::kSynchronousIoAlert | o::kSynchronousIoNonalert | o::kDeleteOnClose);
  open->file_attributes = making.facts.attributes;
  open->client_guid = request.channel->facts().client_guid;
  open->channel_sequence = request.header.channel_sequence();
  auto state = std::make_unique<OpenState>();
  state->share = making.share;
  if (making.file) {
    open->key = making.file->key();
    open->directory = making.directory();
    open->cache_kind = making.opened.kind;
    open->cache_rights = making.opened.rights;
    open->lease_key = making.asks.cache.key;
    open->lease_version = making.opened.lease_version;
    open->delete_on_close = (making.body.create_options & o::kDeleteOnClose) != 0;
    state->name_goes_at_close = open->delete_on_close && speaks_posix(request);
    state->file = making.file;
    if (making.by_privilege) state->acts_as = std::make_unique<ports::Credentials>(making.who);
    state->gate = making.gate;
    state->events = making.link;
    state->cache_asked = making.asks.cache;
    state->lease_epoch = making.opened.lease_epoch;
    state->open_file = request.server.open_files().hold(open->key, making.share, making.path);
    state->stream_hold = std::move(making.stream_hold);
  }
  state->create_action = action_of(making);
  open->state = std::move(state);
  if (open->cache_kind == coherence::CacheKind::Lease) {
    // An upgrade is one of all opens of the lease.
    for (const auto& [id, other] : session.opens) {
      if (other->cache_kind != coherence::CacheKind::Lease) continue;
      if (other->lease_key != open->lease_key) continue;
      other->cache_rights = open->cache_rights;
      state_of(*other).lease_epoch = making.opened.lease_epoch;
    }
  }
  session.opens.emplace(open->id.volatile_id, open);
  request.server.opens_count.fetch_add(1, std::memory_order_relaxed);
  request.chain.file = open->id;
  return open;
}

HandlerTask open_pipe(Request& request, const wire::CreateRequest& body) {
  Making making;
  making.body = body;
  making.share = &share_of(*request.tree);
  auto name = wire::utf8_of(body.name);
  if (!name) co_return NtStatus::ObjectNameNotFound;
  rpc::PipeForwarder* const forwarder = request.server.forwarder();
  Result<std::unique_ptr<Pipe>> pipe = fail(NtStatus::ObjectNameNotFound);
  if (forwarder == nullptr || !forwarder->takes(*name)) {
    pipe = Pipe::open(*name, pipe_context_of(request));
  }
  if (!pipe && pipe.error() == NtStatus::ObjectNameNotFound && forwarder != nullptr) {
    const auto opened =
        Pipe::forward(*name, pipe_context_of(request), *forwarder, request.executor());
    pipe = co_await Pipe::Opened::wait(opened, request.executor());
    if (!request.alive()) co_return NtStatus::UserSessionDeleted;
  }
  if (!pipe) co_return pipe.error();
  making.open_id = request.server.engine().next_open_id();
  making.path = *std::move(name);
  making.granted = map_generic(body.desired_access) & wire::access::kFileAllAccess;
  if ((body.desired_access & wire::access::kMaximumAllowed) != 0) {
    making.granted |= request.tree->maximal_access;
  }
  making.facts.attributes = wire::file_attribute::kNormal;
  making.facts.allocation_bytes = 4096;
  making.rights.maximal = request.tree->maximal_access;
  const std::shared_ptr<session::Open> open = hang_up(request, making);
  open->pipe = true;
  state_of(*open).pipe = *std::move(pipe);
  append_response(request, making, *open);
  co_return NtStatus::Success;
}

/// The index of the share's quotas, which is no file: nobody shares it, and it is always there.
/// Spec    [MS-FSA] 2.1.5.21: quotas are asked for through an open of it
NtStatus open_quota_index(Request& request, const wire::CreateRequest& body) {
  namespace fa = wire::file_attribute;
  if (!must_exist(body.create_disposition) &&
      body.create_disposition != wire::CreateDisposition::OpenIf) {
    return NtStatus::AccessDenied;
  }
  if (overwrites(body.create_disposition)) return NtStatus::AccessDenied;
  Making making;
  making.body = body;
  making.share = &share_of(*request.tree);
  making.open_id = request.server.engine().next_open_id();
  // Most clients ask for the right to write, also to read.
  making.rights.maximal = wire::access::kFileAllAccess;
  making.granted = map_generic(body.desired_access) & wire::access::kFileAllAccess;
  making.facts.attributes = fa::kHidden | fa::kSystem | fa::kDirectory | fa::kArchive;
  const std::shared_ptr<session::Open> open = hang_up(request, making);
  open->pipe = true;
  state_of(*open).quota = std::make_shared<QuotaIndex>();
  append_response(request, making, *open);
  return NtStatus::Success;
}

/// What other clients' watches see.
void report(Request& request, const Making& making) {
  NotifyHub& hub = request.server.notify();
  if (making.created) {
    hub.report(making.share, making.path, wire::NotifyAction::Added,
               making.directory() ? nf::kDirName : nf::kFileName);
  } else if (making.overwriting()) {
    hub.report(making.share, making.path, wire::NotifyAction::Modified,
               nf::kSize | nf::kLastWrite | nf::kAttributes);
  }
}

/// Who caches the entries of the directory hears that one is new or another one.
runtime::Task<void> tell_makers_parent(Request& request, const Making& making) {
  if (!listings_cached(request.server) || (!making.created && !making.overwriting())) co_return;
  EntryChange change{making.share, making.path, making.who, request.channel->facts().client_guid,
                     parent_key_of(making.asks.cache)};
  co_await tell_parent(request.server, request.executor(), std::move(change));
}

/// The grant is there: file system work, then the open gets its place in the session. On an error
/// the grant is given back.
runtime::Task<NtStatus> settle(Request& request, Making& making) {
  Server& server = request.server;
  std::shared_ptr<ports::BackendFile> file = making.file;
  const Grant grant{making.granted, making.created, making.overwriting(), making.directory(),
                    making.late};
  Result<ports::FileFacts> facts = fail(NtStatus::UserSessionDeleted);
  if (!request.alive()) {
    // Nothing is truncated for nobody.
  } else if (making.backend->local()) {
    facts = prepare(*making.backend, making.name.path, file, making.who, making.body, making.asks,
                    grant);
  } else {
    auto call = [backend = making.backend, path = making.name.path, file, who = making.who,
                 body = making.body, asks = making.asks,
                 grant] { return prepare(*backend, path, file, who, body, asks, grant); };
    facts = co_await offload(server, request.executor(), false, std::move(call));
  }
  if (listings_cached(server)) co_await tell_makers_parent(request, making);
  NtStatus status = facts ? NtStatus::Success : facts.error();
  if (status == NtStatus::Success && !request.alive()) status = NtStatus::UserSessionDeleted;
  if (status == NtStatus::Success && making.link->revoked()) status = NtStatus::FileClosed;
  if (status != NtStatus::Success) {
    unclaim(request, making);
    const FileKey key = file->key();
    ports::Credentials who = making.who;
    co_await give_back(server, request.executor(), *making.share, std::move(who), key,
                       making.open_id, making.directory(), {}, status == NtStatus::FileDeleted);
    co_await release_base(request, making);
    co_return status;
  }
  making.facts = *facts;
  if (!making.opened.path.empty()) co_await look_at_path(request, making);
  making.link->take_in_early(making.opened);
  const std::shared_ptr<session::Open> open = hang_up(request, making);
  if (making.overwriting()) state_of(*open).open_file->show_write_time();
  server.open_files().show_times(making.facts, server.clock().wall());
  grant_durability(request, making, *open);
  making.guid_claim.fulfil(open);
  making.link->attach(open, request.session, request.channel);
  append_response(request, making, *open);
  report(request, making);
  co_return NtStatus::Success;
}

}  // namespace

HandlerTask handle_create(Request& request) {
  auto body = wire::decode<wire::CreateRequest>(request.message);
  if (!body) co_return wire::status_of(body.error());
  request.chain.file = kRelatedFileId;
  Server& server = request.server;
  if (request.session->opens.size() >= server.config().opens_per_session_max ||
      server.opens_count.load(std::memory_order_relaxed) >= server.config().opens_max) {
    co_return NtStatus::TooManyOpenedFiles;
  }
  // A reconnect asks nothing anew: [MS-SMB2] 3.3.5.9.7 and .12 skip names and access.
  const bool reconnects =
      wire::find_context(body->create_contexts, wire::create_tag::kDHnC) != nullptr ||
      (request.channel->facts().dialect >= 0x0300 &&
       wire::find_context(body->create_contexts, wire::create_tag::kDH2C) != nullptr);
  if (!reconnects) {
    if (const Status good = check_create(*body); !good) co_return good.error();
  }
  if (request.tree->ipc) co_return co_await open_pipe(request, *body);
  Making making;
  auto asks = read_create_contexts(*body, request.channel->facts(), server.config().leases);
  if (!asks) co_return asks.error();
  if (asks->posix_mode) learn_posix(request);
  auto name = parse_name(request, body->name);
  if (!name && !reconnects) {
    co_return names_quota_index(body->name) ? open_quota_index(request, *body) : name.error();
  }
  making.body = *std::move(body);
  making.asks = *std::move(asks);
  if (name) making.name = *std::move(name);
  making.share = &share_of(*request.tree);
  making.backend = making.share->backend;
  making.who = kernel_credentials(*request.session, *making.share);
  making.privileged = is_privileged(*request.session, *making.share);
  making.read_only_share = request.tree->read_only;
  if (!making.share->config.named_streams &&
      (making.name.unnamed_stream || !making.name.stream.empty())) {
    co_return NtStatus::ObjectNameInvalid;
  }
  const auto previous =
      enter_snapshot(making.name, making.asks.version, making.share->config.snapshots);
  if (!previous) co_return previous.error();
  making.read_only_share = making.read_only_share || *previous;
  if (making.asks.reconnect_v1 || making.asks.reconnect_v2) {
    co_return co_await reconnect(request, making);
  }
  if (making.asks.durable_v2) {
    if (const auto answered = co_await replay(request, making)) co_return *answered;
    request.outlives_channel = true;
  }
  if (!making.asks.app_instance.is_zero()) {
    const NtStatus displaced = co_await displace_instance(request, making);
    if (displaced != NtStatus::Success) co_return displaced;
    if (!request.alive()) co_return NtStatus::UserSessionDeleted;
  }
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    NtStatus status = co_await find_or_make(request, making);
    if ((status == NtStatus::AccessDenied || status == NtStatus::PrivilegeNotHeld) &&
        request.alive() && asks_by_privilege(request, making)) {
      status = co_await find_or_make_by_privilege(request, making);
    }
    if (!request.alive()) co_return NtStatus::UserSessionDeleted;
    if (status == NtStatus::Pending) continue;
    if (status != NtStatus::Success) co_return status;
    status = co_await ask_engine(request, making);
    if (status != NtStatus::Success) {
      if (making.created) co_await tell_makers_parent(request, making);
      co_return status;
    }
    status = co_await settle(request, making);
    if (status != NtStatus::FileDeleted) co_return status;
    // The name we found was removed, or changed, before the engine granted it: look again.
  }
  log::warn("create \"{}\" on {}: lost {} races in a row", making.name.path,
            making.share->config.name, kAttemptsMax);
  co_return NtStatus::SharingViolation;
}

}  // namespace flotilla::handlers

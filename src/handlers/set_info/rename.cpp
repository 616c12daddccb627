// New names: FileRenameInformation and FileLinkInformation.
#include "handlers/access.hpp"
#include "handlers/channel.hpp"
#include "handlers/close.hpp"
#include "handlers/create/create_name.hpp"
#include "handlers/directory_change.hpp"
#include "handlers/engine_call.hpp"
#include "handlers/open_link.hpp"
#include "handlers/pool_lookup.hpp"
#include "handlers/posix.hpp"
#include "handlers/set_info/set_info.hpp"
#include "handlers/share_path.hpp"
#include "handlers/wildcard.hpp"
#include "wire/fscc.hpp"

namespace flotilla::handlers {

namespace {

using coherence::RenameStage;

struct Wish {
  std::string path;
  bool replace = false;
  bool posix = false;            ///< an open file may be replaced: others keep it without its name
  bool ignore_readonly = false;  ///< of the file that is replaced
  std::optional<std::string> stream;  ///< the new name of a stream; "" is the unnamed one
};

/// Spec    [MS-SMB2] 3.3.5.21.1; [MS-FSCC] 2.4.42.2
Result<Wish> wish_of(const Request& request, ByteView buffer, bool extended) {
  namespace flags = wire::rename_flags;
  if (buffer.size() < 20) return fail(NtStatus::InfoLengthMismatch);
  wire::FileRenameInformation info;
  bool posix = speaks_posix(request);
  bool ignore_readonly = false;
  if (extended) {
    const auto ex = wire::decode<wire::FileRenameInformationEx>(buffer);
    if (!ex) return fail(wire::status_of(ex.error()));
    posix = posix || (ex->flags & flags::kPosixSemantics) != 0;
    ignore_readonly = (ex->flags & flags::kIgnoreReadonlyAttribute) != 0;
    info = {static_cast<std::uint8_t>(ex->flags & flags::kReplaceIfExists), ex->root_directory,
            ex->file_name};
  } else {
    const auto plain = wire::decode<wire::FileRenameInformation>(buffer);
    if (!plain) return fail(wire::status_of(plain.error()));
    info = *plain;
  }
  if (info.root_directory != 0) return fail(NtStatus::InvalidParameter);
  if (info.file_name.empty()) return fail(NtStatus::ObjectNameInvalid);
  if (info.file_name.starts_with(u':') && !speaks_posix(request)) {
    auto stream = parse_stream_name(info.file_name);
    if (!stream) return fail(stream.error());
    return Wish{{}, info.replace_if_exists != 0, false, false, std::move(*stream)};
  }
  std::u16string_view name = info.file_name;
  if (name.starts_with(u'\\')) name.remove_prefix(1);  // some clients count from the share's root
  auto path = parse_name(request, name);
  if (!path) return fail(path.error());
  if (path->path.empty() || path->needs_directory) return fail(NtStatus::ObjectNameInvalid);
  if (!path->stream.empty()) return fail(NtStatus::SharingViolation);  // as NTFS has it
  return Wish{std::move(path->path), info.replace_if_exists != 0, posix, ignore_readonly, {}};
}

/// What has the new name by now.
struct Occupant {
  bool there = false;
  FileKey key;
  bool directory = false;
  bool readonly = false;
};

/// The place that a new name leads to, in the directory's stored spelling.
struct Place {
  std::string path;
  FileKey parent;
  Occupant occupant;
};

/// Blocks.
Result<Place> look_up(ports::Backend& backend, const ports::Credentials& who,
                      const std::string& path) {
  Place place;
  const auto located = backend.locate(who, path);
  if (located) {
    const auto facts = (*located)->facts();
    if (!facts) return fail(facts.error());
    place.occupant = {true, facts->key, facts->type == ports::FileType::Directory,
                      (facts->attributes & wire::file_attribute::kReadonly) != 0};
  } else if (located.error() == NtStatus::StoppedOnSymlink) {
    return fail(NtStatus::ObjectPathNotFound);
  } else if (located.error() != NtStatus::ObjectNameNotFound) {
    return fail(located.error());
  }
  const std::string_view parent = parent_of(path);
  const auto directory = backend.locate(who, parent);
  if (!directory) {
    return fail(directory.error() == NtStatus::ObjectNameNotFound ? NtStatus::ObjectPathNotFound
                                                                  : directory.error());
  }
  const auto facts = (*directory)->facts();
  if (!facts) return fail(facts.error());
  if (facts->type != ports::FileType::Directory) return fail(NtStatus::ObjectPathNotFound);
  place.path = join_path((*directory)->located_path(), last_component(path));
  place.parent = facts->key;
  return place;
}

/// Whether what has the name may be replaced.
/// Spec    [MS-FSA] 2.1.5.15.11: without ReplaceIfExists a collision; a directory, a read-only or
/// an
///         open file is AccessDenied
NtStatus may_replace(const Occupant& occupant, bool replace, bool source_is_directory) {
  if (!replace) return NtStatus::ObjectNameCollision;
  if (occupant.directory || occupant.readonly || source_is_directory) return NtStatus::AccessDenied;
  return NtStatus::Success;
}

/// Asks for leave to take the name away from the file that has it.
SetInfoTask begin_replace(Request& request, FileKey key) {
  coherence::Body begin = coherence::BeginRename{};
  const coherence::Outcome outcome = co_await engine_submit(request, key, std::move(begin));
  co_return outcome.status;
}

/// FILE_RENAME_POSIX_SEMANTICS: a file that is open is replaced too, where all who have it open
/// share its deletion. Handles that are only cached are closed first, so that nobody takes the old
/// file for the new one.
/// Spec    [MS-FSA] 2.1.5.15.11; [MS-FSCC] 2.4.43
SetInfoTask begin_posix_replace(Request& request, FileKey key, const Share* share,
                                std::string path) {
  const NtStatus alone = co_await begin_replace(request, key);
  if (alone != NtStatus::AccessDenied) co_return alone;
  coherence::Open probe;
  const OpenId id = request.server.engine().next_open_id();
  probe.open = id;
  probe.client = request.channel->facts().client_guid;
  probe.session = request.session->id;
  probe.path = std::move(path);
  probe.access = wire::access::kDelete;
  probe.share = coherence::kShareRead | coherence::kShareWrite | coherence::kShareDelete;
  ports::Credentials who = kernel_credentials(*request.session, *share);
  auto link = std::make_shared<OpenLink>(request.channel);
  std::shared_ptr<OpenLink> events = link;
  const ports::OpenOutcome opened =
      co_await engine_open(request, key, std::move(probe), std::move(events));
  if (opened.outcome.status != NtStatus::Success) co_return opened.outcome.status;
  co_await give_back(request.server, request.executor(), *share, std::move(who), key, id, false);
  co_return NtStatus::Success;
}

/// Asks everybody who has something open below a directory to let it go: handles that are only
/// cached are closed then, and the rest is in the way.
/// Spec    [MS-FSA] 2.1.5.15.11: open files below a directory that is renamed
SetInfoTask clear_below(Request& request, const Share* share, std::string path) {
  const std::vector<FileKey> open =
      co_await opens_below(request.server, request.executor(), share, std::move(path));
  if (open.size() >= kOpensBelowMax) co_return NtStatus::AccessDenied;
  for (const FileKey& key : open) {
    const NtStatus gone = co_await begin_replace(request, key);
    if (is_error(gone)) co_return gone == NtStatus::Cancelled ? gone : NtStatus::AccessDenied;
  }
  co_return NtStatus::Success;
}

/// Also where the client is gone by now: the name is the file's, not the request's.
SetInfoTask tell_name(Request& request, const session::Open& open, std::string path,
                      RenameStage stage) {
  coherence::Body renamed = coherence::Renamed{open.open_id, std::move(path), stage};
  const coherence::Outcome outcome =
      co_await engine_submit(request.server, request.executor(), open.key, std::move(renamed));
  co_return outcome.status;
}

bool is_below(std::string_view path, std::string_view directory) {
  return path.size() > directory.size() && path.starts_with(directory) &&
         path[directory.size()] == '/';
}

}  // namespace

namespace {

/// Spec    [MS-FSA] 2.1.5.15.11: a stream is renamed within its file
SetInfoTask rename_stream(Request& request, FileOpen target, Wish wish) {
  if (target.file->stream().empty()) co_return NtStatus::NotSupported;  // a file into a stream
  if (wish.stream->empty()) co_return NtStatus::NotSupported;           // onto the unnamed one
  auto ticket = target.gate->admit(target.open->open_id, 0, 0, ports::IoGate::Access::Write);
  if (!ticket) co_return ticket.error();
  auto call = [file = target.file, who = kernel_credentials(*request.session, *target.share),
               to = *wish.stream,
               replace = wish.replace] { return file->rename_stream(who, to, replace); };
  const Status done =
      co_await offload(request.server, request.executor(), target.local, std::move(call));
  ticket->release();
  if (!done) co_return done.error();
  const std::string path = target.file->located_path();
  if (const auto& entry = target.state().open_file) {
    request.server.open_files().renamed(*entry, path);
  }
  target.open->path = path;
  coherence::Body renamed = coherence::Renamed{target.open->open_id, path};
  co_await engine_submit(request.server, request.executor(), target.open->key, std::move(renamed));
  co_return NtStatus::Success;
}

}  // namespace

SetInfoTask set_rename(Request& request, FileOpen target, ByteView buffer, bool extended) {
  const auto wish = wish_of(request, buffer, extended);
  if (!wish) co_return wish.error();
  if (!target.allows(wire::access::kDelete)) co_return NtStatus::AccessDenied;
  if (wish->stream) co_return co_await rename_stream(request, std::move(target), *wish);
  if (!target.file->stream().empty()) co_return NtStatus::InvalidParameter;
  const std::shared_ptr<session::Open> open = target.open;
  if (refresh_path(*open).empty()) co_return NtStatus::AccessDenied;  // the share's root
  const bool directory = open->directory;
  Server& server = request.server;
  const Share* const share = target.share;
  const ports::Credentials who = kernel_credentials(*request.session, *target.share);

  // Others' handle caching goes first; their opens below a directory stand in the way.
  coherence::Body begin = coherence::BeginRename{open->open_id, open->client_guid, open->lease_key};
  const coherence::Outcome leave = co_await engine_submit(request, open->key, std::move(begin));
  if (is_error(leave.status)) co_return leave.status;
  if (const Status there = still_open(*open); !there) co_return there.error();
  if (directory) {
    const NtStatus clear = co_await clear_below(request, share, refresh_path(*open));
    if (is_error(clear)) co_return clear;
    if (const Status there = still_open(*open); !there) co_return there.error();
  }

  auto find = [share, who, path = wish->path] { return look_up(*share->backend, who, path); };
  const auto place = co_await offload(server, request.executor(), target.local, std::move(find));
  if (!place) co_return place.error();
  if (const Status there = still_open(*open); !there) co_return there.error();
  const std::string from = refresh_path(*open);
  const std::string to = place->path;
  if (to == from) co_return NtStatus::Success;
  if (directory && is_below(to, from)) co_return NtStatus::SharingViolation;
  // Another spelling of the same name; a hard link elsewhere is a collision like any other.
  const bool same_file = place->occupant.there && place->occupant.key == open->key &&
                         fold_case(wire_path(from)) == fold_case(wire_path(to));
  bool replace = wish->replace;
  if (place->occupant.there && !same_file) {
    Occupant occupant = place->occupant;
    if (wish->ignore_readonly) occupant.readonly = false;
    if (const NtStatus may = may_replace(occupant, replace, directory); is_error(may)) {
      co_return may;
    }
    if (occupant.key == open->key) co_return NtStatus::AccessDenied;
    const NtStatus may = wish->posix
                             ? co_await begin_posix_replace(request, occupant.key, share, to)
                             : co_await begin_replace(request, occupant.key);
    if (is_error(may)) co_return may;
    if (const Status there = still_open(*open); !there) co_return there.error();
  }

  if (!directory) {  // as smbd, which lets directories come
    coherence::Body probe = coherence::ProbeNames{};
    const coherence::Outcome names =
        co_await engine_submit(server, request.executor(), place->parent, std::move(probe));
    if (is_error(names.status)) co_return names.status;
    if (const Status there = still_open(*open); !there) co_return there.error();
  }
  // Whoever has the file open elsewhere learns both names first, lest this node is lost between.
  if (const NtStatus told = co_await tell_name(request, *open, to, RenameStage::Begins);
      is_error(told)) {
    co_return told;
  }
  auto ticket = target.gate->admit(open->open_id, 0, 0, ports::IoGate::Access::Write);
  Status done = ticket ? Status{} : fail(ticket.error());
  if (done) {
    auto call = [share, who, from, to, replace] {
      return share->backend->rename(who, from, to, replace);
    };
    done = co_await offload(server, request.executor(), target.local, std::move(call));
    ticket->release();
  }
  if (!done) {
    (void)co_await tell_name(request, *open, to, RenameStage::Failed);
    co_return done.error();
  }
  if (const auto& entry = target.state().open_file) server.open_files().renamed(*entry, to);
  open->path = to;
  (void)co_await tell_name(request, *open, to, RenameStage::Done);
  co_await tell_renamed(server, request.executor(), open->key, to);
  server.notify().report_rename(share, from, to, directory);
  if (listings_cached(server)) {
    const LeaseKey key = parent_key_of(target.state().cache_asked);
    for (const std::string& path : {from, to}) {
      EntryChange change{share, path, who, open->client_guid, key};
      co_await tell_parent(server, request.executor(), std::move(change));
    }
  }
  co_return NtStatus::Success;
}

SetInfoTask set_link(Request& request, FileOpen target, ByteView buffer) {
  const auto wish = wish_of(request, buffer, false);
  if (!wish) co_return wish.error();
  if (wish->stream || !target.file->stream().empty()) co_return NtStatus::NotSupported;
  const std::shared_ptr<session::Open> open = target.open;
  if (open->directory) co_return NtStatus::FileIsADirectory;
  if (request.tree->read_only) co_return NtStatus::AccessDenied;
  Server& server = request.server;
  const Share* const share = target.share;
  const ports::Credentials who = kernel_credentials(*request.session, *target.share);

  auto find = [share, who, path = wish->path] { return look_up(*share->backend, who, path); };
  const auto place = co_await offload(server, request.executor(), target.local, std::move(find));
  if (!place) co_return place.error();
  if (const Status there = still_open(*open); !there) co_return there.error();
  if (place->occupant.there) {
    if (place->occupant.key == open->key && wish->replace) co_return NtStatus::Success;
    if (const NtStatus may = may_replace(place->occupant, wish->replace, false); is_error(may)) {
      co_return may;
    }
    if (const NtStatus may = co_await begin_replace(request, place->occupant.key); is_error(may)) {
      co_return may;
    }
    if (const Status there = still_open(*open); !there) co_return there.error();
  }
  const std::string from = refresh_path(*open);
  auto call = [share, who, from, to = place->path, replace = wish->replace] {
    return share->backend->link(who, from, to, replace);
  };
  const Status done = co_await offload(server, request.executor(), target.local, std::move(call));
  if (!done) co_return done.error();
  server.notify().report(share, place->path, wire::NotifyAction::Added,
                         wire::notify_filter::kFileName);
  EntryChange change{share, place->path, who, open->client_guid,
                     parent_key_of(target.state().cache_asked)};
  co_await tell_parent(server, request.executor(), std::move(change));
  co_return NtStatus::Success;
}

}  // namespace flotilla::handlers

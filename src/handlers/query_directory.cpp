// SMB2 QUERY_DIRECTORY. Spec [MS-SMB2] 3.3.5.18; [MS-FSA] 2.1.5.6.3 Directory Information
// The cursor keeps its place on the open; memory does not grow with the directory.
#include <utility>

#include "handlers/access.hpp"
#include "handlers/file_call.hpp"
#include "handlers/macos.hpp"
#include "handlers/posix.hpp"
#include "handlers/share_path.hpp"
#include "handlers/wildcard.hpp"
#include "ports/short_name.hpp"
#include "wire/fscc.hpp"
#include "wire/query_directory.hpp"
#include "wire/utf16.hpp"

namespace flotilla::handlers {

namespace {

constexpr std::size_t kPatternUnitsMax = 1024;
/// A listing of so much is read on the shard's own thread; a longer one on the blocking pool.
constexpr std::uint32_t kInlineBytesMax = 64 * 1024;

/// The one entry that a pattern without wildcards can name, looked up instead of searched for.
class OneEntryCursor final : public ports::DirectoryCursor {
 public:
  explicit OneEntryCursor(std::optional<ports::DirectoryEntry> entry) : entry_(std::move(entry)) {}
  Result<std::optional<ports::DirectoryEntry>> next() override {
    if (std::exchange(done_, true)) return std::optional<ports::DirectoryEntry>();
    return entry_;
  }
  void unread() override { done_ = false; }
  Status rewind() override {
    done_ = false;
    return {};
  }

 private:
  std::optional<ports::DirectoryEntry> entry_;
  bool done_ = false;
};

/// All that reading needs, owned, so that it may go to another thread and come back.
struct Scan {
  std::optional<Enumeration> enumeration;  ///< nothing: begin anew with `pattern`
  std::u16string pattern;
  bool rewind = false;
  std::shared_ptr<ports::BackendFile> directory;
  std::string directory_path;
  const Share* share = nullptr;
  ports::Credentials who;
  wire::FileInformationClass information_class{};
  bool single_entry = false;
  std::uint32_t room_bytes = 0;
  std::optional<Requester> macos;         ///< set where each entry tells what it wants
  std::optional<Requester> reader;        ///< set: entries that he may not read are left out
  const OpenFiles* open_files = nullptr;  ///< the server's, which outlives the blocking pool
  NtTime now;
};

struct Scanned {
  std::optional<Enumeration> enumeration;
  Bytes data;
  NtStatus status = NtStatus::Success;
};

Result<Enumeration> begin_enumeration(Scan& scan) {
  Enumeration enumeration;
  enumeration.pattern = fold_case(scan.pattern.empty() ? u"*" : scan.pattern);
  const bool literal =
      !has_wildcards(scan.pattern) && !scan.pattern.empty() && scan.pattern.front() != u'.';
  if (literal) {
    const auto name = wire::utf8_of(scan.pattern);
    if (!name) return fail(NtStatus::ObjectNameInvalid);
    const auto located =
        scan.share->backend->locate(scan.who, join_path(scan.directory_path, *name));
    std::optional<ports::DirectoryEntry> entry;
    if (located) {
      const auto facts = (*located)->facts();
      if (facts) {
        entry =
            ports::DirectoryEntry{std::string(last_component((*located)->located_path())), *facts};
      }
    }
    enumeration.cursor = std::make_unique<OneEntryCursor>(std::move(entry));
    return enumeration;
  }
  auto cursor = scan.directory->list(scan.who);
  if (!cursor) return fail(cursor.error());
  enumeration.cursor = std::move(*cursor);
  return enumeration;
}

wire::DirectoryEntry wire_entry(const ports::DirectoryEntry& entry, std::u16string name) {
  const ports::FileFacts& facts = entry.facts;
  const bool directory = facts.type == ports::FileType::Directory;
  wire::DirectoryEntry out;
  out.creation_time = facts.created;
  out.last_access_time = facts.accessed;
  out.last_write_time = facts.written;
  out.change_time = facts.changed;
  out.end_of_file = directory ? 0 : facts.size_bytes;
  out.allocation_size = directory ? 0 : facts.allocation_bytes;
  out.file_attributes = facts.attributes;
  out.reparse_tag = facts.reparse_tag;
  out.ea_size = facts.attributes & wire::file_attribute::kReparsePoint ? facts.reparse_tag
                                                                       : facts.ea_size_bytes;
  out.file_id = facts.key.inode;
  store_le(out.file_id_128.data(), facts.key.inode);
  if (!ports::is_short_name(entry.name) && entry.name != "." && entry.name != "..") {
    out.short_name = wire::utf16_of(ports::short_name_of(entry.name)).value_or(u"");
  }
  out.posix = posix_facts_of(facts);
  out.file_name = std::move(name);
  return out;
}

/// "." and ".." are the directory itself: nobody is told what is above.
std::string entry_path(const std::string& directory, const std::string& name) {
  return name == "." || name == ".." ? directory : join_path(directory, name);
}

/// Access-based enumeration. Spec [MS-SMB2] 3.3.1.6 Share.DoAccessBasedDirectoryEnumeration: what
/// the user has not FILE_GENERIC_READ for is not there for him.
bool may_see(const Scan& scan, const std::string& name) {
  if (name == "." || name == "..") return true;
  const std::string path = join_path(scan.directory_path, name);
  const auto file = scan.share->backend->locate(scan.reader->kernel, path);
  if (!file) return false;
  const auto rights = own_rights_for(*scan.share->backend, *scan.reader, **file, path);
  return rights && (wire::access::kFileGenericRead & ~rights->maximal) == 0;
}

/// Reads on from the cursor into a buffer of the client's size. Blocks.
Scanned run(Scan scan) {
  Scanned result;
  if (scan.enumeration) {
    if (scan.rewind) {
      if (const Status done = scan.enumeration->cursor->rewind(); !done) {
        return {std::move(scan.enumeration), {}, done.error()};
      }
    }
    result.enumeration = std::move(scan.enumeration);
  } else {
    auto begun = begin_enumeration(scan);
    if (!begun) return {std::nullopt, {}, begun.error()};
    result.enumeration = std::move(*begun);
  }
  Enumeration& place = *result.enumeration;
  wire::DirectoryWriter writer(scan.information_class, scan.room_bytes, result.data);
  for (;;) {
    auto entry = place.cursor->next();
    if (!entry) {
      if (writer.count() == 0) result.status = entry.error();
      break;
    }
    if (!*entry) {
      if (writer.count() == 0) {
        result.status = place.delivered_any ? NtStatus::NoMoreFiles : NtStatus::NoSuchFile;
      }
      break;
    }
    auto name = wire::utf16_of((*entry)->name);
    if (!name || !matches_folded(fold_case(*name), place.pattern)) continue;
    if (scan.reader && !may_see(scan, (*entry)->name)) continue;
    scan.open_files->show_times((*entry)->facts, scan.now);
    if (!writer.append(wire_entry(**entry, std::move(*name)))) {
      place.cursor->unread();
      if (writer.count() == 0) result.status = NtStatus::InfoLengthMismatch;
      break;
    }
    if (scan.macos) {
      writer.overlay(mac_listing(*scan.share->backend, *scan.macos,
                                 entry_path(scan.directory_path, (*entry)->name)));
    }
    if (scan.single_entry) break;
  }
  if (writer.count() > 0) place.delivered_any = true;
  return result;
}

NtStatus check(const Request& request, const wire::QueryDirectoryRequest& query,
               const session::Open& open) {
  if (!open.directory) return NtStatus::InvalidParameter;
  if (query.output_buffer_length > max_transaction_bytes(request)) {
    return NtStatus::InvalidParameter;
  }
  if (!wire::is_directory_class(query.file_information_class) ||
      (query.file_information_class == wire::FileInformationClass::FilePosixInformation &&
       !speaks_posix(request))) {
    return NtStatus::InvalidInfoClass;
  }
  if (!(open.granted_access & wire::access::kListDirectory)) return NtStatus::AccessDenied;
  if (query.search_pattern.size() > kPatternUnitsMax ||
      query.search_pattern.find_first_of(u"\\/") != std::u16string::npos) {
    return NtStatus::ObjectNameInvalid;
  }
  if (query.output_buffer_length < wire::directory_entry_fixed_size(query.file_information_class)) {
    return NtStatus::InfoLengthMismatch;
  }
  return NtStatus::Success;
}

/// Holds the open's turn; hands it on when it goes.
class Turn {
 public:
  explicit Turn(std::shared_ptr<EnumerationTurn> turn) : turn_(std::move(turn)) {}
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    if (turn_->waiters.empty()) {
      turn_->busy = false;
      return;
    }
    const auto next = std::move(turn_->waiters.front());
    turn_->waiters.pop_front();
    next->set(true);
  }

 private:
  std::shared_ptr<EnumerationTurn> turn_;
};

}  // namespace

HandlerTask handle_query_directory(Request& request) {
  auto decoded = wire::decode<wire::QueryDirectoryRequest>(request.message);
  if (!decoded) co_return wire::status_of(decoded.error());
  const wire::QueryDirectoryRequest query = std::move(*decoded);
  auto found = request.find_open(query.file_id);
  if (!found) co_return found.error();
  const std::shared_ptr<session::Open>& open = *found;
  if (const NtStatus wrong = check(request, query, *open); is_error(wrong)) co_return wrong;
  const auto target = file_of(request, open);
  if (!target) co_return target.error();

  auto& slot = target->state().enumeration_turn;
  if (!slot) slot = std::make_shared<EnumerationTurn>();
  const std::shared_ptr<EnumerationTurn> whose = slot;
  if (whose->busy) {
    auto my_turn = runtime::OneShot<bool>::make();
    whose->waiters.push_back(my_turn);
    co_await runtime::OneShot<bool>::wait(my_turn, request.executor());
  }
  whose->busy = true;
  const Turn turn(whose);
  if (const Status there = still_open(*open); !there) co_return there.error();

  namespace flags = wire::query_directory_flags;
  OpenState& state = target->state();
  Scan scan;
  const bool reopen = query.flags & flags::kReopen;
  scan.rewind = query.flags & flags::kRestartScans;
  const bool new_pattern = scan.rewind && !query.search_pattern.empty() && state.enumeration &&
                           state.enumeration->pattern != fold_case(query.search_pattern);
  // A single name is looked up anew, so that a restart tells what has become of it.
  const bool look_up_again =
      scan.rewind && state.enumeration && !has_wildcards(state.enumeration->pattern);
  scan.pattern = query.search_pattern;
  if (look_up_again && scan.pattern.empty()) scan.pattern = state.enumeration->pattern;
  if (!reopen && !new_pattern && !look_up_again) {
    scan.enumeration = std::exchange(state.enumeration, std::nullopt);
  }
  scan.directory = target->file;
  scan.directory_path = refresh_path(*open);
  scan.share = target->share;
  scan.who = credentials_of(*request.session, state);
  if (target->share->config.access_based_enumeration) {
    scan.reader = requester_of(request.server, *request.session, *target->share);
  }
  scan.information_class = query.file_information_class;
  if (static_cast<const TreeState&>(*request.tree->state).macos_listings &&
      scan.information_class == wire::FileInformationClass::FileIdBothDirectoryInformation) {
    scan.macos = requester_of(request.server, *request.session, *target->share);
  }
  scan.single_entry = query.flags & flags::kReturnSingleEntry;
  scan.room_bytes = query.output_buffer_length;
  scan.open_files = &request.server.open_files();
  scan.now = request.server.clock().wall();
  // Who has every entry opened and judged does not hold up the others of this shard.
  const bool in_place =
      target->local && !scan.macos && !scan.reader && query.output_buffer_length <= kInlineBytesMax;
  auto call = [scan = std::move(scan)]() mutable { return run(std::move(scan)); };
  Scanned scanned = co_await offload(request.server, request.executor(), in_place, std::move(call));
  // A CLOSE sent right behind may have come in between: what was read is answered all the same.
  if (scanned.enumeration && still_open(*open)) {
    state_of(*open).enumeration = std::move(scanned.enumeration);
  }
  if (is_error(scanned.status) || scanned.data.empty()) co_return scanned.status;
  wire::encode(wire::QueryDirectoryResponse{scanned.data}, request.out);
  co_return NtStatus::Success;
}

}  // namespace flotilla::handlers

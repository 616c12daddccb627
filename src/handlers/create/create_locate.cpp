#include "handlers/create/create_locate.hpp"

#include <algorithm>

#include "coherence/path_names.hpp"
#include "handlers/engine_call.hpp"
#include "handlers/system_rights.hpp"

namespace flotilla::handlers {

namespace {

namespace o = wire::create_options;

Result<Located> look_at(ports::Backend& backend, const Requester& who,
                        std::shared_ptr<ports::BackendFile> file) {
  Located out;
  out.file = std::move(file);
  const auto facts = backend.access_facts(who.kernel, *out.file);
  if (!facts) return fail(facts.error());
  out.facts = facts->file;
  out.rights = rights_by_facts(who, *facts, out.file->located_path());
  return out;
}

/// The stream of a file that was looked at; its rights are the file's.
Result<Located> look_at_stream(const Requester& who, Located base, const std::string& name,
                               bool create) {
  auto stream = base.file->open_stream(who.kernel, name, create);
  if (!stream) return fail(stream.error());
  base.file = *std::move(stream);
  const auto facts = base.file->facts();
  if (!facts) return fail(facts.error());
  base.facts = *facts;
  return base;
}

/// Makes the file at `path` with the rights that are its due.
Result<Located> make_at(ports::Backend& backend, const Requester& who, const std::string& path,
                        bool directory, std::uint32_t attributes, const CreateAsks& asks,
                        bool compressible) {
  const auto security = security_of_new(backend, who, path, directory, asks.security);
  if (!security) return fail(security.error());
  auto made = backend.create(who.kernel, path, directory, attributes);
  if (!made) return fail(made.error());
  if (who.backs_up) {
    const Status given = (*made)->set_owner(who.ids.uid_of(who.owner), who.ids.gid_of(who.group));
    if (!given) return fail(given.error());
  }
  if (asks.posix_mode) {
    const Status set = (*made)->set_mode(who.kernel, *asks.posix_mode);
    if (!set && set.error() != NtStatus::NotSupported) return fail(set.error());
  }
  if (*security) {
    const Status stored = keep_security(**made, who, **security);
    if (!stored && stored.error() != NtStatus::NotSupported) {
      (void)backend.remove(who.kernel, (*made)->located_path(), (*made)->key(), directory);
      return fail(stored.error());
    }
  }
  auto file = look_at(backend, who, *std::move(made));
  if (file && !compressible && (file->facts.attributes & wire::file_attribute::kCompressed) != 0) {
    (void)file->file->set_compressed(false);  // the directory's wish, not the maker's
    return look_at(backend, who, std::move(file->file));
  }
  return file;
}

std::shared_ptr<const Requester> asker_of(Request& request, const Making& making) {
  if (!making.by_privilege) {
    return requester_for(request.server, *request.session, *making.share);
  }
  auto who =
      std::make_shared<Requester>(requester_of(request.server, *request.session, *making.share));
  act_by_privilege(who->kernel);
  who->privileged = who->backs_up = true;
  return who;
}

Result<Located> find_file(ports::Backend& backend, const Requester& who, const CreateName& name,
                          bool deletes) {
  auto found = backend.locate(who.kernel, name.path);
  if (!found) return fail(found.error());
  auto base = look_at(backend, who, *std::move(found));
  if (base && deletes && !name.path.empty()) {
    base->removable = backend.may_remove(who.kernel, base->file->located_path(), *base->file);
  }
  if (!base || name.stream.empty()) return base;
  return look_at_stream(who, std::move(*base), name.stream, false);
}

}  // namespace

runtime::Task<Result<Located>> locate(Request& request, const Making& making) {
  std::shared_ptr<const Requester> asker = asker_of(request, making);
  const bool deletes = (making.body.create_options & o::kDeleteOnClose) != 0;
  if (making.backend->local()) co_return find_file(*making.backend, *asker, making.name, deletes);
  auto call = [backend = making.backend, name = making.name, asker = std::move(asker), deletes] {
    return find_file(*backend, *asker, name, deletes);
  };
  co_return co_await offload(request.server, request.executor(), false, std::move(call));
}

runtime::Task<Result<Located>> make_file(Request& request, const Making& making) {
  std::shared_ptr<ports::Backend> backend = making.backend;
  std::shared_ptr<const Requester> asker = asker_of(request, making);
  const bool directory = (making.body.create_options & o::kDirectoryFile) != 0;
  const std::uint32_t attributes = initial_attributes(making.body.file_attributes, directory);
  const bool local = backend->local();
  const bool compressible = (making.body.create_options & o::kNoCompression) == 0;
  auto call = [backend, name = making.name, asker = std::move(asker), directory, attributes,
               compressible, asks = making.asks]() -> Result<Located> {
    const Requester& who = *asker;
    if (name.stream.empty()) {
      return make_at(*backend, who, name.path, directory, attributes, asks, compressible);
    }
    auto found = backend->locate(who.kernel, name.path);
    if (!found && found.error() != NtStatus::ObjectNameNotFound) return fail(found.error());
    if (!found) {
      auto base = make_at(*backend, who, name.path, false, attributes, asks, compressible);
      if (!base) return base;
      const std::shared_ptr<ports::BackendFile> file = base->file;
      auto stream = look_at_stream(who, std::move(*base), name.stream, true);
      if (!stream) {
        (void)backend->remove(who.kernel, file->located_path(), file->key(), false);
      }
      return stream;
    }
    auto base = look_at(*backend, who, *std::move(found));
    if (!base) return base;
    // A new stream is a change of what is there.
    if ((base->rights.maximal & wire::access::kWriteData) == 0) return fail(NtStatus::AccessDenied);
    return look_at_stream(who, std::move(*base), name.stream, true);
  };
  co_return co_await offload(request.server, request.executor(), local, std::move(call));
}

bool leads_to(ports::Backend& backend, const ports::Credentials& who, std::string_view path,
              const FileKey& base_key) {
  const auto there = backend.locate(who, path);
  return there && (*there)->key() == base_key;
}

runtime::Task<void> look_at_path(Request& request, const Making& making) {
  const std::string told = making.opened.path;
  if (!making.file->stream().empty()) co_return;
  auto call = [backend = making.backend, who = making.who, told, key = making.file->key()] {
    return std::ranges::any_of(coherence::names_of(told), [&](std::string_view name) {
      return leads_to(*backend, who, name, key);
    });
  };
  const bool there = co_await offload(request.server, request.executor(), making.backend->local(),
                                      std::move(call));
  if (there) co_return;
  coherence::Body seen =
      coherence::Renamed{making.open_id, making.path, coherence::RenameStage::Seen};
  co_await engine_submit(request.server, request.executor(), making.file->key(), std::move(seen));
}

}  // namespace flotilla::handlers

// The trips to the file system that find the file of a CREATE, or make it. They know nothing of
// share modes nor of what the request may do with what they find.
#pragma once

#include "handlers/create/making.hpp"

namespace flotilla::handlers {

/// What the file system said about the name, gathered in one trip to a blocking thread.
struct Located {
  std::shared_ptr<ports::BackendFile> file;
  ports::FileFacts facts;
  Rights rights;
  Status removable;  ///< of a file that is found to be deleted on close
};

/// Finds `making.name` with the user's credentials; a named stream on its file.
/// Errors  as Backend::locate, BackendFile::open_stream
runtime::Task<Result<Located>> locate(Request& request, const Making& making);

/// Makes `making.name`, with the rights and attributes that are its due; of a stream the file too,
/// where there is none.
/// Errors  as Backend::create, security_of_new, BackendFile::open_stream
runtime::Task<Result<Located>> make_file(Request& request, const Making& making);

/// Whether `path` leads to the file (of a stream: to its file) at this moment. Blocks.
[[nodiscard]] bool leads_to(ports::Backend& backend, const ports::Credentials& who,
                            std::string_view path, const FileKey& base_key);

/// The engine has granted the open under another path than it was asked by. Where no file is there
/// (its owner has an old one from an open that was late), the engine is told the one that counts.
/// Input   `making.opened.path` is not empty
runtime::Task<void> look_at_path(Request& request, const Making& making);

}  // namespace flotilla::handlers

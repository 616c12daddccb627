// What makes, moves and removes names on a posix share. The functions lock the directories
// concerned, act as the user, and keep the directory indexes true.
#pragma once

#include "vfs/posix/share.hpp"

namespace flotilla::vfs {

// Contracts as in ports::Backend; paths are checked already.
[[nodiscard]] Result<std::unique_ptr<ports::BackendFile>> create_name(const SharePtr& share,
                                                                      const ports::Credentials& who,
                                                                      std::string_view path,
                                                                      bool directory,
                                                                      std::uint32_t attributes);
[[nodiscard]] Status remove_name(Share& share, const ports::Credentials& who, std::string_view path,
                                 const FileKey& key, bool directory);
/// `fd` is the file's, O_PATH will do.
[[nodiscard]] Status may_remove_name(const Share& share, const ports::Credentials& who,
                                     std::string_view path, int fd);
[[nodiscard]] Status rename_name(Share& share, const ports::Credentials& who, std::string_view from,
                                 std::string_view to, bool replace);
[[nodiscard]] Status link_name(Share& share, const ports::Credentials& who, std::string_view from,
                               std::string_view to, bool replace);

}  // namespace flotilla::vfs

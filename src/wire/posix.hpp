// The POSIX extensions of SMB 3.1.1, as Samba and Linux have agreed on them: create context and
// information classes. (smb3_posix_extensions, https://gitlab.com/samba-team/smb3-posix-spec)
#pragma once

#include "wire/codec.hpp"
#include "wire/create_contexts.hpp"
#include "wire/fscc_directory.hpp"

namespace flotilla::wire {

/// The data of negotiate context 0x0100 is the tag of the create context that both sides know.
inline constexpr std::string_view kPosixVersion = create_tag::kPosix;

/// Create context, request: the mode of what is made.
struct PosixCreateRequest {
  static constexpr auto kTag = create_tag::kPosix;
  std::uint32_t mode = 0;
};

/// Appends the create context's answer: link count, reparse tag, mode, owner and group.
void encode_posix_created(const PosixFacts& facts, Bytes& out);

/// Appends information class 100 of one file.
void encode_posix_information(const DirectoryEntry& facts, const PosixFacts& posix, Bytes& out);

/// Information class 100 of a file system: sizes as statvfs(3) has them.
struct PosixFsInformation {
  std::uint32_t optimal_transfer_size = 0;
  std::uint32_t block_size = 0;
  std::uint64_t total_blocks = 0;
  std::uint64_t free_blocks = 0;
  std::uint64_t available_blocks = 0;
  std::uint64_t total_inodes = 0;
  std::uint64_t free_inodes = 0;
  std::uint64_t file_system_id = 0;
};

}  // namespace flotilla::wire

// [MS-FSCC] 2.4: what QUERY_DIRECTORY and CHANGE_NOTIFY answer: chains of entries.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "wire/codec.hpp"
#include "wire/fscc_constants.hpp"
#include "wire/sid.hpp"
#include "wire/smb2_constants.hpp"

namespace flotilla::wire {

/// What the POSIX extensions tell of a file beside the rest.
struct PosixFacts {
  std::uint32_t hard_links = 1;
  std::uint32_t reparse_tag = 0;
  std::uint32_t mode = 0;  ///< rights, set-id and sticky bits; above them the type
  std::uint32_t device = 0;
  Sid owner;
  Sid group;
  friend bool operator==(const PosixFacts&, const PosixFacts&) = default;
};

/// The facts of one directory entry; each information class puts its own selection on the wire.
struct DirectoryEntry {
  std::uint32_t file_index = 0;
  NtTime creation_time;
  NtTime last_access_time;
  NtTime last_write_time;
  NtTime change_time;
  std::uint64_t end_of_file = 0;
  std::uint64_t allocation_size = 0;
  std::uint32_t file_attributes = 0;
  std::uint32_t ea_size = 0;      ///< EaSize; the reparse tag where attributes has kReparsePoint
  std::uint32_t reparse_tag = 0;  ///< ReparsePointTag of the Extd classes
  std::u16string short_name;      ///< at most 12 characters; longer ones are not sent
  std::uint64_t file_id = 0;
  std::array<std::uint8_t, 16> file_id_128{};  ///< of the Extd classes
  PosixFacts posix;                            ///< of FilePosixInformation
  std::u16string file_name;
  friend bool operator==(const DirectoryEntry&, const DirectoryEntry&) = default;
};

/// What a macOS client reads out of fields that mean nothing to it, in entries of
/// FileIdBothDirectoryInformation: MaximalAccess for EaSize, and in the place of the short name the
/// resource fork's size and the gist of the Finder's information.
struct MacListing {
  std::uint32_t maximal_access = 0;
  std::uint64_t resource_fork_bytes = 0;
  std::array<std::uint8_t, 16> finder_info{};
};

/// Whether QUERY_DIRECTORY knows this class (else InvalidInfoClass).
[[nodiscard]] bool is_directory_class(FileInformationClass c) noexcept;
/// Bytes in front of FileName.
[[nodiscard]] std::size_t directory_entry_fixed_size(FileInformationClass c) noexcept;

/// Appends entries to a buffer that somebody else owns, within a limit.
/// Spec    [MS-SMB2] 3.3.5.18, [MS-FSCC] 2.4.10 and siblings
/// Layout  each entry starts 8-aligned from the first one; the last has NextEntryOffset 0
/// Calls   `append` any number of times; after a false the writer stays usable
class DirectoryWriter {
 public:
  /// `limit_bytes`: OutputBufferLength, counted from out.size() now. `c` must be a directory class.
  DirectoryWriter(FileInformationClass c, std::size_t limit_bytes, Bytes& out) noexcept
      : class_(c), begin_(out.size()), limit_bytes_(limit_bytes), out_(out) {}
  /// False, with nothing written, where the entry does not fit.
  [[nodiscard]] bool append(const DirectoryEntry& entry);
  /// Into the entry that was appended last; `c` is FileIdBothDirectoryInformation.
  void overlay(const MacListing& listing) noexcept;
  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  [[nodiscard]] std::size_t size_bytes() const noexcept { return out_.size() - begin_; }

 private:
  [[nodiscard]] bool append_posix(const DirectoryEntry& entry);

  FileInformationClass class_;
  std::size_t begin_;
  std::size_t limit_bytes_;
  std::size_t last_ = 0;
  std::size_t count_ = 0;
  Bytes& out_;
};

[[nodiscard]] Wire<std::vector<DirectoryEntry>> decode_directory(FileInformationClass c,
                                                                 ByteView bytes);

/// [MS-FSCC] 2.7.1 FILE_NOTIFY_INFORMATION.
struct NotifyEntry {
  NotifyAction action{};
  std::u16string file_name;  ///< relative to the watched directory, backslashes
  friend bool operator==(const NotifyEntry&, const NotifyEntry&) = default;
};
/// Appends all entries (4-aligned, chained). False, with nothing written, where they do not all fit
/// into `limit_bytes`: the answer is then NotifyEnumDir ([MS-SMB2] 3.3.4.4).
[[nodiscard]] bool encode_notify(const std::vector<NotifyEntry>& entries, std::size_t limit_bytes,
                                 Bytes& out);
[[nodiscard]] Wire<std::vector<NotifyEntry>> decode_notify(ByteView bytes);

}  // namespace flotilla::wire

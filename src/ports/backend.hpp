// The Backend port: one share's file system, as handlers see it. Calls block; handlers decide on
// which thread. Paths are share-relative UTF-8 with '/' between components, no leading slash, ""
// for the share's root, no empty, "." or ".." component; streams are separate.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "ports/posix_acl.hpp"

namespace flotilla::ports {

/// Whose kernel credentials a call runs with.
/// `use_share_owner`  the user has no Unix identity of its own: acts as the owner of the share's
///                    root directory
/// `posix_names`      a client of the POSIX extensions: names mean what they say, letter for
/// letter,
///                    and links are the client's to follow
struct Credentials {
  std::uint32_t uid = 65534;
  std::uint32_t gid = 65534;
  std::vector<std::uint32_t> groups;
  bool use_share_owner = false;
  bool posix_names = false;
};

enum class FileType : std::uint8_t { File, Directory, Symlink, Other };

/// `attributes`   FILE_ATTRIBUTE_* ([MS-FSCC] 2.6), at least Directory/Normal/Archive set
/// truthfully `allocation_bytes`  0 for an empty file, else space really used rounded as the file
/// system says
struct FileFacts {
  FileKey key;
  FileType type = FileType::File;
  std::uint64_t size_bytes = 0;
  std::uint64_t allocation_bytes = 0;
  std::uint32_t attributes = 0;
  std::uint32_t links = 1;
  std::uint32_t ea_size_bytes = 0;
  std::uint32_t reparse_tag = 0;
  std::uint32_t mode = 0;  ///< st_mode
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  bool hidden_by_name = false;   ///< `attributes` has Hidden though nobody has set it
  bool change_time_set = false;  ///< `changed` is a client's, not the file system's
  NtTime created, accessed, written, changed;
};

/// Zero ticks in a time: leave as it is. `attributes` nothing: leave.
struct BasicChange {
  NtTime created, accessed, written, changed;
  std::optional<std::uint32_t> attributes;
};

struct DirectoryEntry {
  std::string name;  ///< UTF-8, as stored
  FileFacts facts;   ///< of the entry; symlinks that lead inside the share are followed, but for
                     ///< Credentials::posix_names
};

struct ExtendedAttribute {
  std::string name;  ///< without "user.", as stored
  Bytes value;
  std::uint8_t flags = 0;
};

/// A named stream of a file or directory; the unnamed one is not among them.
struct StreamFacts {
  std::string name;  ///< UTF-8, as stored, without ":$DATA"
  std::uint64_t size_bytes = 0;
  std::uint64_t allocation_bytes = 0;
};

/// [offset, offset + length) of a file's data.
struct DataRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  friend bool operator==(const DataRange&, const DataRange&) = default;
};

/// What may be done with data through a handle.
enum class DataAccess : std::uint8_t { None, Read, Write, ReadWrite };

/// A stable cursor over one directory: constant memory, "." and ".." first. Names that cannot be
/// shown (invalid UTF-8, links out of the share) are skipped.
class DirectoryCursor {
 public:
  virtual ~DirectoryCursor() = default;
  /// The next entry, or nothing at the end.
  [[nodiscard]] virtual Result<std::optional<DirectoryEntry>> next() = 0;
  /// The entry that the last next() gave will be given again.
  virtual void unread() = 0;
  virtual Status rewind() = 0;
};

/// One located file. Starts without data access (O_PATH); `activate` gives it. Holds the inode: the
/// key cannot be reused while this lives.
class BackendFile {
 public:
  virtual ~BackendFile() = default;

  [[nodiscard]] virtual const FileKey& key() const noexcept = 0;
  [[nodiscard]] virtual Result<FileFacts> facts() = 0;  ///< fresh
  /// Path as stored (canonical case) at the time of locating.
  [[nodiscard]] virtual const std::string& located_path() const noexcept = 0;

  /// Reopens for data with the user's credentials. AccessDenied where the kernel says so.
  [[nodiscard]] virtual Status activate(const Credentials& who, DataAccess access) = 0;

  /// Bytes read; 0 at or past the end. Fills as much as there is.
  [[nodiscard]] virtual Result<std::size_t> read(std::uint64_t offset, MutableBytes into) = 0;
  /// As read, but answers nothing instead of blocking on the disk.
  [[nodiscard]] virtual Result<std::optional<std::size_t>> try_read(std::uint64_t offset,
                                                                    MutableBytes into) = 0;
  /// Writes all or fails. `through`: on stable storage when it returns.
  [[nodiscard]] virtual Status write(std::uint64_t offset, ByteView data, bool through) = 0;
  [[nodiscard]] virtual Status flush() = 0;
  [[nodiscard]] virtual Status set_size(std::uint64_t size_bytes) = 0;
  /// Reserves at least so much without changing the size where it is larger; a smaller one
  /// truncates.
  [[nodiscard]] virtual Status set_allocation(std::uint64_t allocation_bytes) = 0;
  [[nodiscard]] virtual Status set_basic(const Credentials& who, const BasicChange& change) = 0;

  [[nodiscard]] virtual Result<std::vector<ExtendedAttribute>> eas() = 0;
  /// An empty value removes. EaTooLarge, DiskFull.
  [[nodiscard]] virtual Status set_eas(const Credentials& who,
                                       const std::vector<ExtendedAttribute>& eas) = 0;

  /// The self-relative security descriptor as stored in Samba's security.NTACL (its NDR wrapper
  /// removed), or nothing where none is stored (the caller synthesises one from mode bits).
  [[nodiscard]] virtual Result<std::optional<Bytes>> stored_security() = 0;

  /// Stores `descriptor` (self-relative) in security.NTACL as Samba's acl_xattr does. With the
  /// daemon's rights: the caller has checked the user's.
  /// Errors  NotSupported  the file system keeps no such thing
  [[nodiscard]] virtual Status store_security(ByteView descriptor) {
    (void)descriptor;
    return fail(NtStatus::NotSupported);
  }

  /// Mode bits and ACLs. With the daemon's rights.
  [[nodiscard]] virtual Result<SystemRights> system_rights() {
    const auto now = facts();
    if (!now) return fail(now.error());
    return SystemRights{PosixAcl::of_mode(now->mode), std::nullopt};
  }
  /// Sets the access ACL; set-id and sticky bits stay. With the daemon's rights: the caller has
  /// checked the user's. Where the file system keeps no entries, the mode bits alone.
  /// Errors  DiskFull, NotSupported
  [[nodiscard]] virtual Status set_system_acl(const PosixAcl& acl) {
    (void)acl;
    return fail(NtStatus::NotSupported);
  }
  /// Sets what a directory gives to whatever is made in it by whomever; nothing takes it away. With
  /// the daemon's rights, as set_system_acl.
  /// Errors  DiskFull, NotSupported
  [[nodiscard]] virtual Status set_default_acl(const std::optional<PosixAcl>& acl) {
    (void)acl;
    return fail(NtStatus::NotSupported);
  }
  /// Gives the file away; nothing leaves as it is. With the daemon's rights.
  /// Errors  NotSupported, AccessDenied where the daemon may not
  [[nodiscard]] virtual Status set_owner(std::optional<std::uint32_t> uid,
                                         std::optional<std::uint32_t> gid) {
    (void)uid, (void)gid;
    return fail(NtStatus::NotSupported);
  }

  /// Of a stream: its file's key.
  [[nodiscard]] virtual const FileKey& base_key() const noexcept { return key(); }
  /// This file's stream where it is a named one, as stored; "" for the file itself.
  [[nodiscard]] virtual std::string_view stream() const noexcept { return {}; }
  [[nodiscard]] virtual Result<std::vector<StreamFacts>> streams() {
    return std::vector<StreamFacts>();
  }
  /// The named stream as a file of its own: own key and data, all else is its file's. Without case.
  /// Errors  ObjectNameNotFound (not `create`), ObjectNameCollision (`create`), AccessDenied,
  ///         DiskFull, NotSupported
  [[nodiscard]] virtual Result<std::unique_ptr<BackendFile>> open_stream(const Credentials& who,
                                                                         std::string_view name,
                                                                         bool create) {
    (void)who, (void)name;
    return fail(create ? NtStatus::NotSupported : NtStatus::ObjectNameNotFound);
  }
  [[nodiscard]] virtual Status remove_stream(const Credentials& who, std::string_view name) {
    (void)who, (void)name;
    return fail(NtStatus::ObjectNameNotFound);
  }
  /// Of a stream: gives it another name. ObjectNameCollision where that exists and not `replace`.
  [[nodiscard]] virtual Status rename_stream(const Credentials& who, std::string_view to,
                                             bool replace) {
    (void)who, (void)to, (void)replace;
    return fail(NtStatus::NotSupported);
  }

  /// FILE_ATTRIBUTE_SPARSE_FILE on or off; what is allocated stays so.
  [[nodiscard]] virtual Status set_sparse(const Credentials& who, bool sparse) {
    (void)who, (void)sparse;
    return fail(NtStatus::NotSupported);
  }
  /// FILE_ATTRIBUTE_COMPRESSED on or off: what is written from now on, and is made in a directory.
  /// With the daemon's rights: the caller has checked the user's.
  [[nodiscard]] virtual Status set_compressed(bool compressed) {
    (void)compressed;
    return fail(NtStatus::NotSupported);
  }
  /// Zeroes the range within the file's size; holes where `punch` and the file system can.
  [[nodiscard]] virtual Status zero(DataRange range, bool punch) {
    (void)range, (void)punch;
    return fail(NtStatus::NotSupported);
  }
  /// The parts of the range, cut to the file's size, that may hold other bytes than zero.
  [[nodiscard]] virtual Result<std::vector<DataRange>> allocated_ranges(DataRange range) {
    (void)range;
    return fail(NtStatus::NotSupported);
  }
  /// Shares `length` bytes of `from` instead of copying them. NotSupported where the file system
  /// cannot.
  [[nodiscard]] virtual Status clone_range(BackendFile& from, std::uint64_t from_offset,
                                           DataRange to) {
    (void)from, (void)from_offset, (void)to;
    return fail(NtStatus::NotSupported);
  }

  /// What set_object_id kept: a FILE_OBJECTID_BUFFER ([MS-FSCC] 2.1.3.1), or nothing.
  [[nodiscard]] virtual Result<std::optional<Bytes>> object_id() { return std::optional<Bytes>(); }
  /// Nothing: forgets it. With the daemon's rights: the caller has checked the user's.
  [[nodiscard]] virtual Status set_object_id(const std::optional<Bytes>& id) {
    (void)id;
    return fail(NtStatus::NotSupported);
  }

  /// The reparse point's buffer, tag and length included ([MS-FSCC] 2.1.2.2, 2.1.2.3); nothing
  /// where there is none. A symbolic link of the file system's is one of IO_REPARSE_TAG_SYMLINK.
  [[nodiscard]] virtual Result<std::optional<Bytes>> reparse_point() {
    return std::optional<Bytes>();
  }
  /// Makes the file a reparse point, or with an empty `buffer` a plain file again. The caller has
  /// checked the buffer.
  /// Errors  NotSupported  the file system keeps no such thing; AccessDenied; DiskFull
  [[nodiscard]] virtual Status set_reparse_point(const Credentials& who, ByteView buffer) {
    (void)who, (void)buffer;
    return fail(NtStatus::NotSupported);
  }

  /// Rights, set-id and sticky bits, as chmod(2). For clients that speak POSIX.
  [[nodiscard]] virtual Status set_mode(const Credentials& who, std::uint32_t mode) {
    (void)who, (void)mode;
    return fail(NtStatus::NotSupported);
  }

  /// For directories. `pattern_hint`: a name without wildcards lets the backend look up instead of
  /// scan.
  [[nodiscard]] virtual Result<std::unique_ptr<DirectoryCursor>> list(const Credentials& who) = 0;
  [[nodiscard]] virtual Result<bool> empty_directory() = 0;
};

/// All that decides about access to a located file, of one moment.
/// `granted`        see Backend::granted_access
/// `security`       see BackendFile::stored_security; `above` is the directory's
/// `reaches_above`  the user finds the directory; else nothing is known of it. The root has none.
struct AccessFacts {
  FileFacts file;
  std::uint32_t granted = 0;
  std::optional<Bytes> security;
  bool reaches_above = false;
  std::optional<Bytes> above;
};

struct VolumeFacts {
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;       ///< free for root
  std::uint64_t available_bytes = 0;  ///< free for users
  std::uint32_t block_bytes = 4096;
  std::uint64_t serial = 0;
  NtTime created;
  bool read_only = false;
  bool compresses = false;  ///< BackendFile::set_compressed works
  bool clones = false;      ///< BackendFile::clone_range works
};

/// What the file system counts of users' files.
struct QuotaState {
  bool tracked = false;
  bool enforced = false;  ///< writes past a limit fail
};

/// One user's share of the file system. A limit of 0 is none.
struct UserQuota {
  std::uint32_t uid = 0;
  std::uint64_t used_bytes = 0;
  std::uint64_t soft_bytes = 0;
  std::uint64_t hard_bytes = 0;
};

/// Rights the kernel grants on a located file, as an access mask (for MxAc and access checks where
/// no ACL is stored).
struct Backend {
  virtual ~Backend() = default;

  /// Finds `path` without case, following symlinks only inside the share; with
  /// Credentials::posix_names exactly, and a symlink as the last component is what is found.
  /// Errors  ObjectNameNotFound (last component), ObjectPathNotFound (an earlier one is missing),
  ///         ObjectPathNotFound too where an earlier one is not a directory, AccessDenied (no
  ///         search right, or a link that leaves the share), StoppedOnSymlink (an earlier
  ///         component is a reparse point that the client has to follow)
  [[nodiscard]] virtual Result<std::unique_ptr<BackendFile>> locate(const Credentials& who,
                                                                    std::string_view path) = 0;

  /// Makes a file or directory, exclusively, with the user's credentials.
  /// Errors  ObjectNameCollision where it exists by now (in any case of letters), others as locate
  [[nodiscard]] virtual Result<std::unique_ptr<BackendFile>> create(const Credentials& who,
                                                                    std::string_view path,
                                                                    bool directory,
                                                                    std::uint32_t attributes) = 0;

  /// Removes the name if it still names `key`; "path:stream" removes a stream. ObjectNameNotFound,
  /// DirectoryNotEmpty, AccessDenied.
  [[nodiscard]] virtual Status remove(const Credentials& who, std::string_view path,
                                      const FileKey& key, bool directory) = 0;

  /// What remove() would be refused for if it were called now, as far as that can be known without
  /// doing it: entries of a directory are not looked at.
  /// Errors  MediaWriteProtected, CannotDelete (the file is immutable), AccessDenied
  [[nodiscard]] virtual Status may_remove(const Credentials& who, std::string_view path,
                                          BackendFile& file) {
    (void)who, (void)path, (void)file;
    return {};
  }

  /// ObjectNameCollision where `to` exists and not `replace`. A change of case only is a rename.
  [[nodiscard]] virtual Status rename(const Credentials& who, std::string_view from,
                                      std::string_view to, bool replace) = 0;
  [[nodiscard]] virtual Status link(const Credentials& who, std::string_view from,
                                    std::string_view to, bool replace) = 0;

  /// What the kernel lets `who` do: R, W, X bits of access(2) turned into an access mask.
  [[nodiscard]] virtual Result<std::uint32_t> granted_access(const Credentials& who,
                                                             BackendFile& file) = 0;

  /// What a CREATE asks of every file; whoever can answer it in fewer calls does.
  [[nodiscard]] virtual Result<AccessFacts> access_facts(const Credentials& who,
                                                         BackendFile& file) {
    const auto granted = granted_access(who, file);
    if (!granted) return fail(granted.error());
    const auto facts = file.facts();
    if (!facts) return fail(facts.error());
    auto security = file.stored_security();
    if (!security) return fail(security.error());
    AccessFacts out{*facts, *granted, *std::move(security), false, {}};
    const std::string_view path = file.located_path();
    if (path.empty()) return out;
    const std::size_t slash = path.rfind('/');
    const auto parent = locate(who, path.substr(0, slash == path.npos ? 0 : slash));
    if (!parent) return out;
    auto above = (*parent)->stored_security();
    if (!above) return fail(above.error());
    out.reaches_above = true;
    out.above = *std::move(above);
    return out;
  }

  [[nodiscard]] virtual Result<VolumeFacts> volume() = 0;

  // Quotas of the file system that holds the share's root, with the daemon's rights: the caller has
  // checked the user's. NotSupported where it keeps none.
  [[nodiscard]] virtual Result<QuotaState> quota_state() { return fail(NtStatus::NotSupported); }
  /// All zeros for a user who owns nothing and has no limits.
  [[nodiscard]] virtual Result<UserQuota> quota_of(std::uint32_t uid) {
    (void)uid;
    return fail(NtStatus::NotSupported);
  }
  /// The first user from `uid` on who has an entry; nothing after the last.
  [[nodiscard]] virtual Result<std::optional<UserQuota>> next_quota(std::uint32_t uid) {
    (void)uid;
    return fail(NtStatus::NotSupported);
  }
  /// Sets the limits; what is used is what it is.
  [[nodiscard]] virtual Status set_quota(const UserQuota& quota) {
    (void)quota;
    return fail(NtStatus::NotSupported);
  }

  [[nodiscard]] virtual std::uint64_t volume_id() const noexcept = 0;
  /// Who Credentials::use_share_owner stands for.
  [[nodiscard]] virtual std::uint32_t owner_uid() const noexcept { return 65534; }
  [[nodiscard]] virtual std::uint32_t owner_gid() const noexcept { return 65534; }
  /// False: calls may stall (network file systems), so handlers offload even metadata.
  [[nodiscard]] virtual bool local() const noexcept = 0;
};

}  // namespace flotilla::ports

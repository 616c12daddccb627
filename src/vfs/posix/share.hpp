// Share: what all files, cursors and name operations of one posix backend have in common. Lives
// until the last of them is gone.
#pragma once

#include <sys/stat.h>

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "ports/backend.hpp"
#include "vfs/posix/directory_index.hpp"
#include "vfs/posix/fd.hpp"
#include "vfs/posix/kernel_identity.hpp"
#include "vfs/posix/posix_backend.hpp"
#include "vfs/posix/xattr_cache.hpp"
#include "vfs/samba_xattr.hpp"

namespace flotilla::vfs {

struct Share {
  explicit Share(PosixOptions opts)
      : options(std::move(opts)), indexes(options.index_budget_bytes) {}

  PosixOptions options;
  Fd root;  ///< O_PATH
  /// `options.path` with its links resolved: absolute links below it stay in the share.
  std::string real_path;
  std::uint64_t volume_id = 0;
  std::uint64_t root_device = 0;
  std::uint32_t owner_uid = 65534;
  std::uint32_t owner_gid = 65534;
  bool can_switch = false;
  bool local = true;
  /// The file system is one of those that give a file a new change time with every xattr that is
  /// set, and stamps it by this machine's clock.
  bool keeps_change_times = false;
  XattrCache xattrs;
  DirectoryIndexes indexes;

  /// One name operation at a time in a directory, so that "FOO" and "foo" made at once collide.
  std::array<std::mutex, 64> name_locks;
  [[nodiscard]] std::mutex& name_lock(const FileKey& directory) noexcept {
    return name_locks[hash_of(directory) % name_locks.size()];
  }

  /// Names that went lately: a file that is made by such a one's short name gets the long one back
  /// ([MS-FSA] 2.1.1.1, Volume.TunnelCacheList; 15 seconds). Bounded; a node's own.
  struct Tunnel {
    static constexpr std::size_t kNamesMax = 256;
    static constexpr std::int64_t kSeconds = 15;
    struct Gone {
      FileKey directory;
      std::string short_name;
      std::string name;
      std::int64_t at_seconds = 0;
    };
    std::mutex mutex;
    std::deque<Gone> names;
    void remember(const FileKey& directory, std::string_view name);
    /// The long name; "" where there is none.
    [[nodiscard]] std::string find(const FileKey& directory, std::string_view short_name);
  };
  Tunnel tunnel;

  std::mutex volumes_mutex;
  std::map<std::uint64_t, std::uint64_t> volumes;  ///< of mounts below the root, by st_dev
};
using SharePtr = std::shared_ptr<Share>;

/// Acts as `who` on `share`.
class ActAsUser : public ActAs {
 public:
  ActAsUser(const Share& share, const ports::Credentials& who) noexcept
      : ActAs(share.can_switch, who.use_share_owner ? share.owner_uid : who.uid,
              who.use_share_owner ? share.owner_gid : who.gid, groups_of(who)) {}

 private:
  static const std::vector<std::uint32_t>& groups_of(const ports::Credentials& who) noexcept {
    static const std::vector<std::uint32_t> none;
    return who.use_share_owner ? none : who.groups;
  }
};

/// Acts as the daemon again, inside an ActAsUser.
class ActAsDaemon : public ActAs {
 public:
  explicit ActAsDaemon(const Share& share) noexcept : ActAs(share.can_switch) {}
};

/// How a path is understood: see ports::Credentials::posix_names.
enum class Naming : std::uint8_t { WithoutCase, Exact };
[[nodiscard]] inline Naming naming_of(const ports::Credentials& who) noexcept {
  return who.posix_names ? Naming::Exact : Naming::WithoutCase;
}

/// openat2 below the root: RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS, O_CLOEXEC. `path` "" is the
/// root. Retries where renames raced. -1 with errno on failure. With Naming::Exact no component is
/// followed as a link: ELOOP.
[[nodiscard]] int open_beneath(const Share& share, const char* path, std::uint64_t flags,
                               std::uint64_t mode = 0,
                               Naming naming = Naming::WithoutCase) noexcept;

[[nodiscard]] std::uint64_t device_of(const struct statx& st) noexcept;

/// The key of the file behind `fd`, or of `name` in the directory `fd` where `name` is not "".
/// Links are not followed.
[[nodiscard]] FileKey key_of(Share& share, int fd, const char* name, const struct statx& st);

/// A located file or directory.
struct Found {
  Fd fd;                       ///< O_PATH, or
  std::string path;            ///< as stored
  bool open_for_data = false;  ///< just made: `fd` is open for reading and writing
};

/// Finds `path` (already checked), as the calling thread's identity.
/// Errors  see ports::Backend::locate
[[nodiscard]] Result<Found> resolve(Share& share, std::string_view path,
                                    Naming naming = Naming::WithoutCase);

/// A directory and the name in it that stands for a wanted name.
struct Place {
  Fd parent;  ///< O_PATH, a directory
  FileKey parent_key;
  std::string parent_path;  ///< as stored
  std::string wanted;
  std::string stored;  ///< as stored; "" where there is no such name
};

/// The place of `path` (not the root). A link as the last component is not followed.
[[nodiscard]] Result<Place> find_place(Share& share, std::string_view path,
                                       Naming naming = Naming::WithoutCase);
/// As find_place for a parent that is known: fills `stored` afresh.
[[nodiscard]] Status find_in_place(Share& share, Place& place, Naming naming = Naming::WithoutCase);

/// The largest buffer of a reparse point ([MS-FSCC] 2.1.2.1), and the tag of symbolic links.
inline constexpr std::size_t kReparseBytesMax = 16384;
inline constexpr std::uint32_t kSymlinkTag = 0xA000000C;

/// The buffer of the reparse point behind `fd` (O_PATH will do), whether kept in an xattr or a
/// symbolic link of the file system's. As the calling thread's identity.
[[nodiscard]] Result<std::optional<Bytes>> reparse_point_of(int fd, std::uint32_t mode);

/// statx with what facts need.
/// True while a change time that a client has set (DosAttrib::changed) is the last change.
[[nodiscard]] bool set_change_time_holds(const struct statx& st, NtTime changed_at) noexcept;
[[nodiscard]] Status stat_of(int fd, const char* name, struct statx& st) noexcept;

/// Facts of the file `key` behind `fd`, or of `name` in the directory `fd` where `name` is not ""
/// (not following links). `shown_name` decides about dot files. Runs as the calling thread's
/// identity, which should be the daemon: reading xattrs needs rights that users may lack.
[[nodiscard]] ports::FileFacts facts_of(Share& share, const FileKey& key, int fd, const char* name,
                                        std::string_view shown_name, const struct statx& st);
/// The same where the key is not known yet.
[[nodiscard]] ports::FileFacts facts_of(Share& share, int fd, const char* name,
                                        std::string_view shown_name, const struct statx& st);

/// [MS-FSCC] 2.6 attributes of `st` without anything stored.
[[nodiscard]] std::uint32_t default_attributes(const struct statx& st) noexcept;

/// User xattrs that clients do not see: they are metadata of Samba's and ours.
[[nodiscard]] bool private_xattr(std::string_view name) noexcept;

[[nodiscard]] std::unique_ptr<ports::BackendFile> make_posix_file(SharePtr share, Found found,
                                                                  const struct statx& st,
                                                                  const FileKey& key);
/// The O_PATH or data descriptor of a file made by make_posix_file.
[[nodiscard]] int descriptor_of(ports::BackendFile& file) noexcept;

/// A stream's key: its file's inode with another generation.
[[nodiscard]] FileKey stream_key(const FileKey& base, std::string_view name);
/// The named streams of the file behind `fd` (O_PATH will do), as the daemon.
[[nodiscard]] Result<std::vector<ports::StreamFacts>> list_streams(int fd);
/// Errors  see ports::BackendFile::open_stream
[[nodiscard]] Result<std::unique_ptr<ports::BackendFile>> open_posix_stream(
    const SharePtr& share, const ports::Credentials& who, int fd, const std::string& base_path,
    const FileKey& base_key, std::string_view name, bool create);
[[nodiscard]] Status remove_posix_stream(const Share& share, const ports::Credentials& who, int fd,
                                         std::string_view name);

// On descriptors that are open for data; `size_bytes` is the file's.
[[nodiscard]] Status zero_data(int fd, std::uint64_t size_bytes, ports::DataRange range,
                               bool punch);
[[nodiscard]] Result<std::vector<ports::DataRange>> data_ranges(int fd, std::uint64_t size_bytes,
                                                                ports::DataRange range);
/// The file system's own compression, of any descriptor. NotSupported where it has none.
[[nodiscard]] Status compress(int fd, bool compressed);
[[nodiscard]] Status share_extents(int from, std::uint64_t from_offset, int to,
                                   ports::DataRange range);

[[nodiscard]] Result<std::unique_ptr<ports::DirectoryCursor>> make_posix_cursor(
    SharePtr share, const ports::Credentials& who, int directory_fd, std::string_view path);
[[nodiscard]] Result<bool> is_empty_directory(const Share& share, int directory_fd);

/// What Samba hashes beside a stored descriptor. As the calling thread's identity.
[[nodiscard]] Result<SystemAcl> system_acl_of(int fd);
// As the daemon; see ports::BackendFile.
[[nodiscard]] Result<ports::SystemRights> system_rights_of(const Share& share, int fd);
[[nodiscard]] Status change_system_acl(const Share& share, int fd, const ports::PosixAcl& acl);
[[nodiscard]] Status change_default_acl(const Share& share, int fd,
                                        const std::optional<ports::PosixAcl>& acl);
[[nodiscard]] Status change_owner(const Share& share, int fd, std::optional<std::uint32_t> uid,
                                  std::optional<std::uint32_t> gid);

/// The rights that mode bits and a POSIX ACL give `who` on `fd`: bits 4 read, 2 write, 1 execute.
[[nodiscard]] unsigned kernel_rights(const Share& share, const ports::Credentials& who, int fd,
                                     const struct statx& st);
[[nodiscard]] std::uint32_t access_mask_of(const Share& share, const ports::Credentials& who,
                                           int fd, std::string_view path);
/// See ports::Backend::access_facts. `path` is that of the file `key` behind `fd`.
[[nodiscard]] Result<ports::AccessFacts> access_facts_of(Share& share,
                                                         const ports::Credentials& who,
                                                         const FileKey& key, int fd,
                                                         std::string_view path);
/// What BackendFile::stored_security answers, as the daemon; `st` is fresh.
[[nodiscard]] Result<std::optional<Bytes>> stored_security_of(Share& share, const FileKey& key,
                                                              int fd, const struct statx& st);

}  // namespace flotilla::vfs

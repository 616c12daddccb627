// PosixFile: one located file. Holds one descriptor, which pins the inode: O_PATH, until data is
// wanted.
#include <fcntl.h>
#include <sys/uio.h>
#include <sys/xattr.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

#include "vfs/errno_table.hpp"
#include "vfs/names.hpp"
#include "vfs/posix/share.hpp"
#include "vfs/samba_xattr.hpp"
#include "wire/fsctl.hpp"
#include "wire/utf16.hpp"

namespace flotilla::vfs {
namespace {

constexpr std::uint64_t kSizeMax = static_cast<std::uint64_t>(std::numeric_limits<off_t>::max());

timespec unix_time_of(NtTime t) noexcept {
  const auto since = static_cast<std::int64_t>(t.ticks - kUnixEpochTicks);
  std::int64_t seconds = since / 10'000'000;
  std::int64_t rest = since % 10'000'000;
  if (rest < 0) {
    rest += 10'000'000;
    --seconds;
  }
  return {seconds, rest * 100};
}

/// Needs CAP_SYS_ADMIN, so no user sees or changes it past this server; 64 bytes.
constexpr const char* kObjectIdXattr = "trusted.flotilla.object_id";

class PosixFile final : public ports::BackendFile {
 public:
  PosixFile(SharePtr share, Found found, const struct statx& st, const FileKey& key)
      : share_(std::move(share)),
        at_(std::move(found.fd)),
        path_(std::move(found.path)),
        key_(key),
        mode_(st.stx_mode) {}

  [[nodiscard]] int descriptor() const noexcept { return at_.get(); }
  /// The descriptor made by creation: opened for reading and writing already.
  void adopt_data() noexcept { made_here_ = has_data_ = true; }

  const FileKey& key() const noexcept override { return key_; }
  const std::string& located_path() const noexcept override { return path_; }

  Result<ports::FileFacts> facts() override {
    const ActAsDaemon daemon(*share_);
    struct statx st{};
    if (const Status ok = stat_of(at_.get(), "", st); !ok) return std::unexpected(ok.error());
    return facts_of(*share_, key_, at_.get(), "", split(path_).name, st);
  }

  Status activate(const ports::Credentials& who, ports::DataAccess access) override;
  Result<std::size_t> read(std::uint64_t offset, MutableBytes into) override;
  Result<std::optional<std::size_t>> try_read(std::uint64_t offset, MutableBytes into) override;
  Status write(std::uint64_t offset, ByteView data, bool through) override;

  Status flush() override {
    if (data() < 0) return {};
    if (::fsync(data()) != 0) return fail_errno(During::Data);
    return {};
  }

  Status set_size(std::uint64_t size_bytes) override {
    if (size_bytes > kSizeMax) return fail(NtStatus::InvalidParameter);
    if (data() < 0) return fail(NtStatus::AccessDenied);
    while (::ftruncate(data(), static_cast<off_t>(size_bytes)) != 0) {
      if (errno != EINTR) return fail_errno(During::Data);
    }
    return {};
  }

  Status set_allocation(std::uint64_t allocation_bytes) override;
  Status set_basic(const ports::Credentials& who, const ports::BasicChange& change) override;
  Result<std::vector<ports::ExtendedAttribute>> eas() override;
  Status set_eas(const ports::Credentials& who,
                 const std::vector<ports::ExtendedAttribute>& wanted) override;
  Result<std::optional<Bytes>> stored_security() override;
  Status store_security(ByteView descriptor) override;
  Result<ports::SystemRights> system_rights() override {
    return system_rights_of(*share_, at_.get());
  }
  Status set_default_acl(const std::optional<ports::PosixAcl>& acl) override {
    return change_default_acl(*share_, at_.get(), acl);
  }
  Status set_system_acl(const ports::PosixAcl& acl) override {
    return change_system_acl(*share_, at_.get(), acl);
  }
  Status set_owner(std::optional<std::uint32_t> uid, std::optional<std::uint32_t> gid) override {
    return change_owner(*share_, at_.get(), uid, gid);
  }

  Result<std::optional<Bytes>> reparse_point() override {
    const ActAsDaemon daemon(*share_);
    return reparse_point_of(at_.get(), mode_);
  }
  Status set_reparse_point(const ports::Credentials& who, ByteView buffer) override;

  Result<std::vector<ports::StreamFacts>> streams() override {
    const ActAsDaemon daemon(*share_);
    if (!S_ISREG(mode_) && !S_ISDIR(mode_)) return std::vector<ports::StreamFacts>();
    return list_streams(at_.get());
  }
  Result<std::unique_ptr<ports::BackendFile>> open_stream(const ports::Credentials& who,
                                                          std::string_view name,
                                                          bool create) override {
    if (!S_ISREG(mode_) && !S_ISDIR(mode_)) return fail(NtStatus::AccessDenied);
    return open_posix_stream(share_, who, at_.get(), path_, key_, name, create);
  }
  Status remove_stream(const ports::Credentials& who, std::string_view name) override {
    return remove_posix_stream(*share_, who, at_.get(), name);
  }

  Result<std::optional<Bytes>> object_id() override {
    const ActAsDaemon daemon(*share_);
    Bytes id(64);
    const ssize_t size =
        ::getxattr(ProcPath(at_.get()).c_str(), kObjectIdXattr, id.data(), id.size());
    if (size != static_cast<ssize_t>(id.size())) return std::optional<Bytes>();
    return std::optional(std::move(id));
  }
  Status set_object_id(const std::optional<Bytes>& id) override {
    const ActAsDaemon daemon(*share_);
    const ProcPath path(at_.get());
    const int done = id ? ::setxattr(path.c_str(), kObjectIdXattr, id->data(), id->size(), 0)
                        : ::removexattr(path.c_str(), kObjectIdXattr);
    if (done == 0 || (!id && errno == ENODATA)) return {};
    if (errno == EOPNOTSUPP || errno == EPERM) return fail(NtStatus::NotSupported);
    return fail_errno(During::Ea);
  }

  Status set_mode(const ports::Credentials& who, std::uint32_t mode) override {
    const ActAsUser user(*share_, who);
    if (!user.ok()) return fail(NtStatus::AccessDenied);
    if (::chmod(ProcPath(at_.get()).c_str(), mode & 07777) != 0) return fail_errno(During::Change);
    return {};
  }
  Status set_sparse(const ports::Credentials& who, bool sparse) override {
    if (!S_ISREG(mode_)) return fail(NtStatus::InvalidParameter);
    const auto now = facts();
    if (!now) return std::unexpected(now.error());
    std::uint32_t attributes = now->attributes;
    if (now->hidden_by_name) attributes &= ~kAttributeHidden;
    attributes = sparse ? attributes | kAttributeSparse : attributes & ~kAttributeSparse;
    return store_attributes(who, attributes, now->created);
  }
  Status set_compressed(bool compressed) override { return compress(at_.get(), compressed); }
  Status zero(ports::DataRange range, bool punch) override {
    if (data() < 0) return fail(NtStatus::AccessDenied);
    struct statx st{};
    if (const Status ok = stat_of(at_.get(), "", st); !ok) return ok;
    return zero_data(data(), st.stx_size, range, punch);
  }
  Result<std::vector<ports::DataRange>> allocated_ranges(ports::DataRange range) override {
    struct statx st{};
    if (const Status ok = stat_of(at_.get(), "", st); !ok) return std::unexpected(ok.error());
    if (data() < 0) return fail(NtStatus::AccessDenied);
    return data_ranges(data(), st.stx_size, range);
  }
  Status clone_range(ports::BackendFile& from, std::uint64_t from_offset,
                     ports::DataRange to) override {
    const auto* const source = dynamic_cast<const PosixFile*>(&from);
    if (source == nullptr || source->data() < 0 || data() < 0) {
      return fail(NtStatus::NotSupported);
    }
    return share_extents(source->data(), from_offset, data(), to);
  }

  Result<std::unique_ptr<ports::DirectoryCursor>> list(const ports::Credentials& who) override {
    if (!S_ISDIR(mode_)) return fail(NtStatus::NotADirectory);
    return make_posix_cursor(share_, who, at_.get(), path_);
  }

  Result<bool> empty_directory() override {
    if (!S_ISDIR(mode_)) return fail(NtStatus::NotADirectory);
    return is_empty_directory(*share_, at_.get());
  }

 private:
  [[nodiscard]] int data() const noexcept { return has_data_ ? at_.get() : -1; }
  [[nodiscard]] bool may_write(const ports::Credentials& who) const {
    struct statx st{};
    return stat_of(at_.get(), "", st) && (kernel_rights(*share_, who, at_.get(), st) & 2) != 0;
  }
  /// Runs `call` (0 or -1 with errno) as the user, and again as the daemon where only ownership
  /// stood in the way: SMB lets who may write a file change its times and attributes, the kernel
  /// only its owner (Samba's `dos filetimes`).
  template <class Call>
  Status as_writer(const ports::Credentials& who, During during, Call&& call) {
    {
      const ActAsUser user(*share_, who);
      if (!user.ok()) return fail(NtStatus::AccessDenied);
      if (call() == 0) return {};
      if ((errno != EPERM && errno != EACCES) || !share_->can_switch) return fail_errno(during);
    }
    const ActAsDaemon daemon(*share_);
    struct statx st{};
    if (!stat_of(at_.get(), "", st)) return fail(NtStatus::AccessDenied);
    const std::uint32_t uid = who.use_share_owner ? share_->owner_uid : who.uid;
    if (uid != st.stx_uid && !may_write(who)) return fail(NtStatus::AccessDenied);
    if (call() == 0) return {};
    return fail_errno(during);
  }

  Status store_attributes(const ports::Credentials& who, std::uint32_t attributes, NtTime created) {
    const ProcPath path(at_.get());
    const Bytes blob = encode_dos_attrib(attributes, created);
    return as_writer(who, During::Other, [&] {
      return ::setxattr(path.c_str(), kDosAttribXattr, blob.data(), blob.size(), 0);
    });
  }

  /// The kernel lets nobody set it: kept beside the attributes, until the file changes again.
  /// Spec [MS-FSA] 2.1.5.15.2 FileBasicInformation
  Status store_change_time(const ports::Credentials& who, NtTime changed);

  SharePtr share_;
  Fd at_;
  std::string path_;
  FileKey key_;
  std::uint16_t mode_;
  bool made_here_ = false;
  bool has_data_ = false;  ///< `at_` is open for data
};

Status PosixFile::activate(const ports::Credentials& who, ports::DataAccess access) {
  if (access == ports::DataAccess::None || (made_here_ && S_ISREG(mode_))) return {};
  if (S_ISLNK(mode_)) return {};  // it has no data
  if (!S_ISREG(mode_) && !S_ISDIR(mode_)) return fail(NtStatus::AccessDenied);
  int flags = O_CLOEXEC;
  if (S_ISDIR(mode_)) {  // directories have no data; only the right to read is proved
    if (access != ports::DataAccess::Read) return fail(NtStatus::FileIsADirectory);
    flags |= O_RDONLY | O_DIRECTORY;
  } else {
    flags |= access == ports::DataAccess::Read    ? O_RDONLY
             : access == ports::DataAccess::Write ? O_WRONLY
                                                  : O_RDWR;
  }
  const ActAsUser user(*share_, who);
  if (!user.ok()) return fail(NtStatus::AccessDenied);
  Fd fd(::open(ProcPath(at_.get()).c_str(), flags));
  if (!fd) return fail_errno(During::Other);
  if (S_ISREG(mode_)) {
    at_ = std::move(fd);
    has_data_ = true;
  }
  return {};
}

Result<std::size_t> PosixFile::read(std::uint64_t offset, MutableBytes into) {
  if (data() < 0) return fail(NtStatus::InvalidDeviceRequest);
  if (offset > kSizeMax) return std::size_t{0};
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t got =
        ::pread(data(), into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
    if (got == 0) break;
    if (got > 0) {
      done += static_cast<std::size_t>(got);
    } else if (errno != EINTR) {
      if (done != 0) break;  // what was read is true; the next read meets the error
      return fail_errno(During::Data);
    }
  }
  return done;
}

Result<std::optional<std::size_t>> PosixFile::try_read(std::uint64_t offset, MutableBytes into) {
  if (data() < 0) return fail(NtStatus::InvalidDeviceRequest);
  if (offset > kSizeMax) return std::optional<std::size_t>(0);
  std::size_t done = 0;
  while (done < into.size()) {
    const iovec part{into.data() + done, into.size() - done};
    const ssize_t got = ::preadv2(data(), &part, 1, static_cast<off_t>(offset + done), RWF_NOWAIT);
    if (got == 0) break;
    if (got > 0) {
      done += static_cast<std::size_t>(got);
    } else if (errno == EAGAIN || errno == EOPNOTSUPP || errno == EINVAL) {
      return std::optional<std::size_t>();
    } else if (errno != EINTR) {
      return fail_errno(During::Data);
    }
  }
  return std::optional(done);
}

Status PosixFile::write(std::uint64_t offset, ByteView from, bool through) {
  if (data() < 0) return fail(NtStatus::InvalidDeviceRequest);
  if (offset > kSizeMax || from.size() > kSizeMax - offset) return fail(NtStatus::DiskFull);
  std::size_t done = 0;
  while (done < from.size()) {
    const iovec part{const_cast<std::uint8_t*>(from.data() + done), from.size() - done};
    const ssize_t put =
        ::pwritev2(data(), &part, 1, static_cast<off_t>(offset + done), through ? RWF_DSYNC : 0);
    if (put > 0) {
      done += static_cast<std::size_t>(put);
    } else if (put == 0) {
      return fail(NtStatus::DiskFull);
    } else if (errno != EINTR) {
      return fail_errno(During::Data);
    }
  }
  return {};
}

Status PosixFile::set_allocation(std::uint64_t allocation_bytes) {
  if (allocation_bytes > kSizeMax) return fail(NtStatus::DiskFull);
  if (data() < 0) return fail(NtStatus::AccessDenied);
  struct statx st{};
  if (const Status ok = stat_of(at_.get(), "", st); !ok) return ok;
  if (allocation_bytes < st.stx_size) return set_size(allocation_bytes);
  if (allocation_bytes == st.stx_size) return {};
  // Only what lies past the end is reserved: holes inside stay holes.
  while (::fallocate(data(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(st.stx_size),
                     static_cast<off_t>(allocation_bytes - st.stx_size)) != 0) {
    if (errno == EOPNOTSUPP || errno == ENOSYS) return {};  // a promise less, no error
    if (errno != EINTR) return fail_errno(During::Data);
  }
  return {};
}

Status PosixFile::set_basic(const ports::Credentials& who, const ports::BasicChange& change) {
  const ProcPath path(at_.get());
  if (!S_ISREG(mode_) && !S_ISDIR(mode_)) return fail(NtStatus::AccessDenied);
  NtTime changed = change.changed;
  if (change.attributes || change.created.ticks != 0) {
    const auto now = facts();
    if (!now) return std::unexpected(now.error());
    if (changed.ticks == 0 && now->change_time_set) changed = now->changed;
    std::uint32_t attributes = now->attributes;
    if (change.attributes) {
      attributes = *change.attributes;
      // Sparse is not settable here ([MS-FSA] 2.1.5.15.2); what was stored stays.
      attributes = (attributes & ~kAttributeSparse) | (now->attributes & kAttributeSparse);
    } else if (now->hidden_by_name) {
      attributes &= ~kAttributeHidden;  // shown only, not stored
    }
    attributes &= ~kAttributeDirectory;
    if (S_ISDIR(mode_)) attributes |= kAttributeDirectory;
    attributes = (attributes & ~kAttributeReparse) | (now->attributes & kAttributeReparse);
    const Status ok = store_attributes(who, attributes,
                                       change.created.ticks != 0 ? change.created : now->created);
    if (!ok) return ok;
  }
  if (change.accessed.ticks != 0 || change.written.ticks != 0) {
    timespec times[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
    if (change.accessed.ticks != 0) times[0] = unix_time_of(change.accessed);
    if (change.written.ticks != 0) times[1] = unix_time_of(change.written);
    const Status ok = as_writer(who, During::Other,
                                [&] { return ::utimensat(AT_FDCWD, path.c_str(), times, 0); });
    if (!ok) return ok;
  }
  if (changed.ticks != 0) return store_change_time(who, changed);
  return {};
}

Status PosixFile::store_change_time(const ports::Credentials& who, NtTime changed) {
  const auto now = facts();
  if (!now) return std::unexpected(now.error());
  std::uint32_t attributes = now->attributes;
  if (now->hidden_by_name) attributes &= ~kAttributeHidden;
  NtTime changed_at = now->changed;
  for (int attempt = 0; attempt < 3; ++attempt) {
    const ProcPath path(at_.get());
    const Bytes blob = encode_dos_attrib(attributes, now->created, changed, changed_at);
    const Status ok = as_writer(who, During::Other, [&] {
      return ::setxattr(path.c_str(), kDosAttribXattr, blob.data(), blob.size(), 0);
    });
    struct statx st{};
    if (!ok) return ok;
    if (const Status done = stat_of(at_.get(), "", st); !done) return done;
    if (set_change_time_holds(st, changed_at)) break;
    changed_at = nt_time_of(st.stx_ctime.tv_sec, st.stx_ctime.tv_nsec);
  }
  return {};
}

Result<std::vector<ports::ExtendedAttribute>> PosixFile::eas() {
  const ActAsDaemon daemon(*share_);
  const ProcPath path(at_.get());
  std::vector<ports::ExtendedAttribute> out;
  if (!S_ISREG(mode_) && !S_ISDIR(mode_)) return out;
  std::vector<char> names(65536);
  const ssize_t size = ::listxattr(path.c_str(), names.data(), names.size());
  if (size < 0) {
    if (errno == EOPNOTSUPP) return out;
    return fail_errno(During::Ea);
  }
  std::string_view rest(names.data(), static_cast<std::size_t>(size));
  while (!rest.empty()) {
    const std::string name(rest.substr(0, rest.find('\0')));
    rest.remove_prefix(name.size() + 1);
    if (!name.starts_with("user.") || private_xattr(name)) continue;
    ports::ExtendedAttribute ea;
    ea.name = name.substr(5);
    ea.value.resize(65536);
    const ssize_t got = ::getxattr(path.c_str(), name.c_str(), ea.value.data(), ea.value.size());
    if (got <= 0) continue;  // gone meanwhile, or empty: Windows has no empty EA
    ea.value.resize(static_cast<std::size_t>(got));
    out.push_back(std::move(ea));
  }
  return out;
}

Status PosixFile::set_eas(const ports::Credentials& who,
                          const std::vector<ports::ExtendedAttribute>& wanted) {
  if (!S_ISREG(mode_) && !S_ISDIR(mode_)) return fail(NtStatus::AccessDenied);
  const auto present = eas();
  if (!present) return std::unexpected(present.error());
  const ProcPath path(at_.get());
  const ActAsUser user(*share_, who);
  if (!user.ok()) return fail(NtStatus::AccessDenied);
  for (const ports::ExtendedAttribute& ea : wanted) {
    if (ea.name.empty() || ea.name.size() > 250 || private_xattr(ea.name) ||
        ea.name.find('\0') != std::string::npos) {
      return fail(NtStatus::InvalidParameter);
    }
    const auto same = std::find_if(present->begin(), present->end(), [&](const auto& other) {
      return equal_without_case(other.name, ea.name);
    });
    const std::string name = "user." + (same != present->end() ? same->name : ea.name);
    if (ea.value.empty()) {
      if (::removexattr(path.c_str(), name.c_str()) != 0 && errno != ENODATA) {
        return fail_errno(During::Ea);
      }
    } else if (::setxattr(path.c_str(), name.c_str(), ea.value.data(), ea.value.size(), 0) != 0) {
      // ext4 says ENOSPC where an inode's xattrs do not fit, which no disk cleaning would mend.
      if (errno == ENOSPC && ea.value.size() > 2048) return fail(NtStatus::EaTooLarge);
      return fail_errno(During::Ea);
    }
  }
  return {};
}

Status PosixFile::set_reparse_point(const ports::Credentials& who, ByteView buffer) {
  if (!S_ISREG(mode_) && !S_ISDIR(mode_)) return fail(NtStatus::AccessDenied);
  const auto now = facts();
  if (!now) return std::unexpected(now.error());
  const ProcPath path(at_.get());
  const Status done = as_writer(who, During::Ea, [&] {
    if (!buffer.empty()) {
      return ::setxattr(path.c_str(), kReparseXattr, buffer.data(), buffer.size(), 0);
    }
    const int gone = ::removexattr(path.c_str(), kReparseXattr);
    return gone != 0 && errno == ENODATA ? 0 : gone;
  });
  if (!done) return done;
  // For Samba's sake, which looks there first.
  std::uint32_t attributes = now->attributes & ~(kAttributeReparse | kAttributeNormal);
  if (is_dot_file(split(path_).name)) attributes &= ~kAttributeHidden;
  if (!buffer.empty()) attributes |= kAttributeReparse;
  return store_attributes(who, attributes, now->created);
}

Result<std::optional<Bytes>> PosixFile::stored_security() {
  const ActAsDaemon daemon(*share_);
  struct statx st{};
  if (const Status ok = stat_of(at_.get(), "", st); !ok) return std::unexpected(ok.error());
  return stored_security_of(*share_, key_, at_.get(), st);
}

Status PosixFile::store_security(ByteView descriptor) {
  const ActAsDaemon daemon(*share_);
  const ProcPath path(at_.get());
  const auto system = system_acl_of(at_.get());
  if (!system) return fail(system.error());
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const Bytes blob = encode_nt_acl(descriptor, *system,
                                   nt_time_of(now.tv_sec, static_cast<std::uint32_t>(now.tv_nsec)));
  if (::setxattr(path.c_str(), kNtAclXattr, blob.data(), blob.size(), 0) == 0) return {};
  if (errno == EOPNOTSUPP || errno == EPERM) return fail(NtStatus::NotSupported);
  if (errno == ENOSPC || errno == E2BIG) return fail(NtStatus::DiskFull);
  return fail_errno(During::Ea);
}

}  // namespace

Result<std::optional<Bytes>> reparse_point_of(int fd, std::uint32_t mode) {
  Bytes buffer(kReparseBytesMax);
  if (!S_ISLNK(mode)) {
    const ssize_t size =
        ::getxattr(ProcPath(fd).c_str(), kReparseXattr, buffer.data(), buffer.size());
    if (size < 8) return std::optional<Bytes>();
    buffer.resize(static_cast<std::size_t>(size));
    return std::optional(std::move(buffer));
  }
  std::array<char, 4096> text;
  const ssize_t size = ::readlinkat(fd, "", text.data(), text.size());
  if (size < 0) return fail_errno(During::Name);
  wire::SymbolicLinkReparseDataBuffer link;
  const auto target = wire::utf16_of({text.data(), static_cast<std::size_t>(size)});
  if (!target) return fail(NtStatus::IoReparseDataInvalid);
  link.substitute_name = link.print_name = *target;
  if (!target->starts_with(u'/')) link.flags = wire::SymbolicLinkReparseDataBuffer::kFlagRelative;
  return std::optional(wire::encoded(link));
}

std::unique_ptr<ports::BackendFile> make_posix_file(SharePtr share, Found found,
                                                    const struct statx& st, const FileKey& key) {
  const bool data = found.open_for_data;
  auto file = std::make_unique<PosixFile>(std::move(share), std::move(found), st, key);
  if (data) file->adopt_data();
  return file;
}

Result<std::optional<Bytes>> stored_security_of(Share& share, const FileKey& key, int fd,
                                                const struct statx& st) {
  const bool keep = share.keeps_change_times && XattrCache::settled(st);
  if (keep) {
    if (const XattrCache::Blob known = share.xattrs.security(key, st)) {
      return known->empty() ? std::optional<Bytes>() : decode_nt_acl(*known);
    }
  }
  const ProcPath path(fd);
  Bytes blob(4096);
  for (;;) {
    const ssize_t size = ::getxattr(path.c_str(), kNtAclXattr, blob.data(), blob.size());
    if (size >= 0) {
      blob.resize(static_cast<std::size_t>(size));
      // Who changed the mode or the ACL on the machine itself meant it.
      const auto system = system_acl_of(fd);
      if (system && !nt_acl_is_current(blob, *system)) blob.clear();
      if (keep) share.xattrs.keep_security(key, st, blob);
      if (blob.empty()) return std::optional<Bytes>();
      return decode_nt_acl(blob);
    }
    if (keep && errno == ENODATA) share.xattrs.keep_security(key, st, {});
    if (errno == ERANGE && blob.size() < 65536) {
      blob.resize(65536);
      continue;
    }
    if (errno == ENODATA || errno == EOPNOTSUPP || errno == EPERM) return std::optional<Bytes>();
    return fail_errno(During::Ea);
  }
}

int descriptor_of(ports::BackendFile& file) noexcept {
  auto* posix = dynamic_cast<PosixFile*>(&file);
  return posix != nullptr ? posix->descriptor() : -1;
}

}  // namespace flotilla::vfs

// Named streams as Samba's vfs_streams_xattr keeps them: one user xattr each, its value ended by a
// NUL byte. A stream is read and written whole, so it is as small as the file system's xattrs are.
#include <fcntl.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "vfs/errno_table.hpp"
#include "vfs/names.hpp"
#include "vfs/posix/netatalk.hpp"
#include "vfs/posix/share.hpp"
#include "vfs/samba_xattr.hpp"

namespace flotilla::vfs {
namespace {

/// XATTR_SIZE_MAX of the kernel, less the NUL byte.
constexpr std::uint64_t kStreamBytesMax = 65535;

std::string xattr_of(std::string_view name) {
  return kStreamXattrPrefix + std::string(name) + kStreamXattrSuffix;
}

/// The stream's name in an xattr's, or nothing.
std::optional<std::string_view> stream_of(std::string_view xattr) noexcept {
  if (!xattr.starts_with(kStreamXattrPrefix)) return std::nullopt;
  xattr.remove_prefix(std::string_view(kStreamXattrPrefix).size());
  if (xattr.ends_with(kStreamXattrSuffix)) {
    xattr.remove_suffix(std::string_view(kStreamXattrSuffix).size());
  }
  if (xattr.empty() || !valid_utf8(xattr)) return std::nullopt;
  return xattr;
}

std::uint64_t allocation_of(std::uint64_t size_bytes) noexcept {
  return (size_bytes + 4095) / 4096 * 4096;
}

/// The name of `fd`'s stream that equals `name` without case; "" where there is none.
Result<std::string> stored_stream(int fd, std::string_view name) {
  const auto all = list_streams(fd);
  if (!all) return std::unexpected(all.error());
  for (const ports::StreamFacts& each : *all) {
    if (equal_without_case(each.name, name)) return each.name;
  }
  return std::string();
}

Status put_value(int fd, const std::string& xattr, ByteView data, int flags) {
  Bytes value(data.begin(), data.end());
  value.push_back(0);
  if (::setxattr(ProcPath(fd).c_str(), xattr.c_str(), value.data(), value.size(), flags) == 0) {
    return {};
  }
  if (errno == ENOSPC || errno == E2BIG || errno == ERANGE || errno == EDQUOT) {
    return fail(NtStatus::DiskFull);
  }
  if (errno == EOPNOTSUPP) return fail(NtStatus::NotSupported);
  return fail_errno(During::Data);
}

Result<Bytes> get_value(int fd, const std::string& xattr) {
  Bytes value(kStreamBytesMax + 1);
  const ssize_t size = ::getxattr(ProcPath(fd).c_str(), xattr.c_str(), value.data(), value.size());
  if (size < 0) {
    if (errno == ENODATA) return fail(NtStatus::FileDeleted);
    return fail_errno(During::Data);
  }
  value.resize(size > 0 ? static_cast<std::size_t>(size) - 1 : 0);
  return value;
}

/// The stream that takes the place of what Samba keeps for Macs by default; nothing where there is
/// none, or it cannot be made. The xattr stays for Samba until the stream is removed.
std::optional<ports::StreamFacts> adopt_netatalk(int fd) {
  Bytes metadata(4096);
  const ssize_t size =
      ::getxattr(ProcPath(fd).c_str(), kNetatalkXattr, metadata.data(), metadata.size());
  if (size <= 0) return std::nullopt;
  const auto info = afp_info_of(ByteView(metadata).first(static_cast<std::size_t>(size)));
  if (!info || !put_value(fd, xattr_of(kAfpInfoStream), *info, XATTR_CREATE)) return std::nullopt;
  return ports::StreamFacts{kAfpInfoStream, info->size(), allocation_of(info->size())};
}

class PosixStream final : public ports::BackendFile {
 public:
  PosixStream(SharePtr share, Fd fd, std::string base_path, const FileKey& base_key,
              std::string name, const struct statx& st)
      : share_(std::move(share)),
        at_(std::move(fd)),
        base_path_(std::move(base_path)),
        base_key_(base_key),
        key_(stream_key(base_key, name)),
        mode_(st.stx_mode) {
    adopt(std::move(name));
  }

  const FileKey& key() const noexcept override { return key_; }
  const FileKey& base_key() const noexcept override { return base_key_; }
  const std::string& located_path() const noexcept override { return path_; }
  std::string_view stream() const noexcept override { return name_; }

  Result<ports::FileFacts> facts() override {
    const ActAsDaemon daemon(*share_);
    struct statx st{};
    if (const Status ok = stat_of(at_.get(), "", st); !ok) return std::unexpected(ok.error());
    auto out = facts_of(*share_, base_key_, at_.get(), "", split(base_path_).name, st);
    const auto value = get_value(at_.get(), xattr_);
    if (!value && value.error() != NtStatus::FileDeleted) return std::unexpected(value.error());
    if (!value) out.links = 0;
    out.key = key_;
    out.type = ports::FileType::File;
    out.size_bytes = value ? value->size() : 0;
    out.allocation_bytes = allocation_of(out.size_bytes);
    out.attributes &= ~kAttributeDirectory;
    if (out.attributes == 0) out.attributes = kAttributeNormal;
    return out;
  }

  Status activate(const ports::Credentials& who, ports::DataAccess access) override {
    struct statx st{};
    if (const Status ok = stat_of(at_.get(), "", st); !ok) return ok;
    const unsigned rights = kernel_rights(*share_, who, at_.get(), st);
    const bool reads = access == ports::DataAccess::Read || access == ports::DataAccess::ReadWrite;
    const bool writes =
        access == ports::DataAccess::Write || access == ports::DataAccess::ReadWrite;
    if ((reads && (rights & 4) == 0) || (writes && (rights & 2) == 0)) {
      return fail(NtStatus::AccessDenied);
    }
    who_ = who;
    return {};
  }

  Result<std::size_t> read(std::uint64_t offset, MutableBytes into) override {
    const ActAsUser user(*share_, who_);
    if (!user.ok()) return fail(NtStatus::AccessDenied);
    const auto value = get_value(at_.get(), xattr_);
    if (!value) return std::unexpected(value.error());
    if (offset >= value->size()) return std::size_t{0};
    const std::size_t count = std::min<std::size_t>(into.size(), value->size() - offset);
    std::copy_n(value->begin() + static_cast<std::ptrdiff_t>(offset), count, into.begin());
    return count;
  }
  Result<std::optional<std::size_t>> try_read(std::uint64_t offset, MutableBytes into) override {
    auto got = read(offset, into);
    if (!got) return std::unexpected(got.error());
    return std::optional(*got);
  }

  Status write(std::uint64_t offset, ByteView data, bool through) override {
    (void)through;
    if (offset > kStreamBytesMax || data.size() > kStreamBytesMax - offset) {
      return fail(NtStatus::DiskFull);
    }
    return change([&](Bytes& value) {
      value.resize(std::max<std::size_t>(value.size(), offset + data.size()));
      std::copy(data.begin(), data.end(), value.begin() + static_cast<std::ptrdiff_t>(offset));
    });
  }
  Status flush() override { return {}; }
  Status set_size(std::uint64_t size_bytes) override {
    if (size_bytes > kStreamBytesMax) return fail(NtStatus::DiskFull);
    return change([&](Bytes& value) { value.resize(size_bytes); });
  }
  Status set_allocation(std::uint64_t allocation_bytes) override {
    if (allocation_bytes > kStreamBytesMax + 1) return fail(NtStatus::DiskFull);
    return change(
        [&](Bytes& value) { value.resize(std::min<std::size_t>(value.size(), allocation_bytes)); });
  }
  Status zero(ports::DataRange range, bool punch) override {
    (void)punch;
    return change([&](Bytes& value) {
      if (range.offset >= value.size()) return;
      const std::size_t count = std::min<std::size_t>(range.length, value.size() - range.offset);
      std::fill_n(value.begin() + static_cast<std::ptrdiff_t>(range.offset), count, 0);
    });
  }
  Result<std::vector<ports::DataRange>> allocated_ranges(ports::DataRange range) override {
    const auto now = facts();
    if (!now) return std::unexpected(now.error());
    std::vector<ports::DataRange> out;
    if (range.offset < now->size_bytes) {
      out.push_back({range.offset, std::min(range.length, now->size_bytes - range.offset)});
    }
    return out;
  }

  // What is the file's, not the stream's.
  Status set_basic(const ports::Credentials& who, const ports::BasicChange& what) override {
    return with_base([&](ports::BackendFile& base) { return base.set_basic(who, what); });
  }
  Status set_sparse(const ports::Credentials& who, bool sparse) override {
    return with_base([&](ports::BackendFile& base) { return base.set_sparse(who, sparse); });
  }
  Result<std::vector<ports::ExtendedAttribute>> eas() override {
    return with_base([](ports::BackendFile& base) { return base.eas(); });
  }
  Status set_eas(const ports::Credentials& who,
                 const std::vector<ports::ExtendedAttribute>& wanted) override {
    return with_base([&](ports::BackendFile& base) { return base.set_eas(who, wanted); });
  }
  Result<std::optional<Bytes>> stored_security() override {
    return with_base([](ports::BackendFile& base) { return base.stored_security(); });
  }
  Status store_security(ByteView descriptor) override {
    return with_base([&](ports::BackendFile& base) { return base.store_security(descriptor); });
  }
  Result<ports::SystemRights> system_rights() override {
    return with_base([](ports::BackendFile& base) { return base.system_rights(); });
  }
  Status set_default_acl(const std::optional<ports::PosixAcl>& acl) override {
    return with_base([&](ports::BackendFile& base) { return base.set_default_acl(acl); });
  }
  Status set_system_acl(const ports::PosixAcl& acl) override {
    return with_base([&](ports::BackendFile& base) { return base.set_system_acl(acl); });
  }
  Status set_owner(std::optional<std::uint32_t> uid, std::optional<std::uint32_t> gid) override {
    return with_base([&](ports::BackendFile& base) { return base.set_owner(uid, gid); });
  }
  Result<std::vector<ports::StreamFacts>> streams() override {
    return with_base([](ports::BackendFile& base) { return base.streams(); });
  }
  Status rename_stream(const ports::Credentials& who, std::string_view to, bool replace) override {
    const ActAsUser user(*share_, who);
    if (!user.ok()) return fail(NtStatus::AccessDenied);
    const std::lock_guard lock(share_->name_lock(base_key_));
    const auto present = stored_stream(at_.get(), to);
    if (!present) return std::unexpected(present.error());
    if (*present == to && name_ == to) return {};
    const bool same = equal_without_case(name_, to);
    if (!present->empty() && !same && !replace) return fail(NtStatus::ObjectNameCollision);
    const auto value = get_value(at_.get(), xattr_);
    if (!value) return std::unexpected(value.error());
    if (!present->empty()) {
      (void)::removexattr(ProcPath(at_.get()).c_str(), xattr_of(*present).c_str());
    }
    if (const Status ok = put_value(at_.get(), xattr_of(to), *value, 0); !ok) return ok;
    if (!same) (void)::removexattr(ProcPath(at_.get()).c_str(), xattr_.c_str());
    adopt(std::string(to));
    return {};
  }
  Result<std::unique_ptr<ports::DirectoryCursor>> list(const ports::Credentials&) override {
    return fail(NtStatus::NotADirectory);
  }
  Result<bool> empty_directory() override { return fail(NtStatus::NotADirectory); }

 private:
  void adopt(std::string name) {
    name_ = std::move(name);
    xattr_ = xattr_of(name_);
    path_ = base_path_ + ":" + name_;
  }

  template <class Call>
  auto with_base(Call&& call) -> decltype(call(std::declval<ports::BackendFile&>())) {
    struct statx st{};
    st.stx_mode = mode_;
    Fd fd(::fcntl(at_.get(), F_DUPFD_CLOEXEC, 0));
    auto base = make_posix_file(share_, Found{std::move(fd), base_path_}, st, base_key_);
    return call(*base);
  }

  /// Reads, changes and writes the whole value; this node's other writers wait. Writers on other
  /// nodes are kept away by the stream's share modes and locks, as for any file.
  template <class Change>
  Status change(Change&& work) {
    const ActAsUser user(*share_, who_);
    if (!user.ok()) return fail(NtStatus::AccessDenied);
    const std::lock_guard lock(share_->name_lock(base_key_));
    auto value = get_value(at_.get(), xattr_);
    if (!value) return std::unexpected(value.error());
    work(*value);
    return put_value(at_.get(), xattr_, *value, XATTR_REPLACE);
  }

  SharePtr share_;
  Fd at_;
  std::string base_path_;
  FileKey base_key_;
  FileKey key_;
  std::string name_;
  std::string xattr_;
  std::string path_;
  ports::Credentials who_;
  std::uint16_t mode_;
};

}  // namespace

FileKey stream_key(const FileKey& base, std::string_view name) {
  FileKey key = base;
  key.generation = mix64(base.generation ^ hash_of_text(fold(name)));
  return key;
}

Result<std::vector<ports::StreamFacts>> list_streams(int fd) {
  std::vector<ports::StreamFacts> out;
  const ProcPath path(fd);
  std::vector<char> names(65536);
  const ssize_t size = ::listxattr(path.c_str(), names.data(), names.size());
  if (size < 0) {
    if (errno == EOPNOTSUPP) return out;
    return fail_errno(During::Ea);
  }
  std::string_view rest(names.data(), static_cast<std::size_t>(size));
  bool netatalk = false;
  while (!rest.empty()) {
    const std::string xattr(rest.substr(0, rest.find('\0')));
    rest.remove_prefix(xattr.size() + 1);
    netatalk = netatalk || xattr == kNetatalkXattr;
    const auto name = stream_of(xattr);
    if (!name) continue;
    const ssize_t value = ::getxattr(path.c_str(), xattr.c_str(), nullptr, 0);
    if (value < 0) continue;
    const auto bytes = static_cast<std::uint64_t>(value > 0 ? value - 1 : 0);
    out.push_back({std::string(*name), bytes, allocation_of(bytes)});
  }
  const auto is_afp_info = [](const ports::StreamFacts& each) {
    return equal_without_case(each.name, kAfpInfoStream);
  };
  if (netatalk && std::ranges::none_of(out, is_afp_info)) {
    if (auto adopted = adopt_netatalk(fd)) out.push_back(std::move(*adopted));
  }
  return out;
}

Result<std::unique_ptr<ports::BackendFile>> open_posix_stream(const SharePtr& share,
                                                              const ports::Credentials& who, int fd,
                                                              const std::string& base_path,
                                                              const FileKey& base_key,
                                                              std::string_view name, bool create) {
  if (name.empty() || name.find_first_of(std::string_view(":/\\\0", 4)) != std::string_view::npos) {
    return fail(NtStatus::ObjectNameInvalid);
  }
  // The kernel takes names of 255 bytes, prefix and suffix included.
  if (xattr_of(name).size() > 255) return fail(NtStatus::ObjectNameInvalid);
  Result<std::string> stored;
  {
    const ActAsDaemon daemon(*share);
    stored = stored_stream(fd, name);
  }
  if (!stored) return std::unexpected(stored.error());
  if (stored->empty()) {
    if (!create) return fail(NtStatus::ObjectNameNotFound);
    const ActAsUser user(*share, who);
    if (!user.ok()) return fail(NtStatus::AccessDenied);
    if (const Status made = put_value(fd, xattr_of(name), {}, XATTR_CREATE); !made) {
      return std::unexpected(made.error());
    }
    stored = std::string(name);
  } else if (create) {
    return fail(NtStatus::ObjectNameCollision);
  }
  struct statx st{};
  if (const Status ok = stat_of(fd, "", st); !ok) return std::unexpected(ok.error());
  Fd own(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!own) return fail_errno(During::Other);
  return std::make_unique<PosixStream>(share, std::move(own), base_path, base_key,
                                       std::move(*stored), st);
}

Status remove_posix_stream(const Share& share, const ports::Credentials& who, int fd,
                           std::string_view name) {
  const auto stored = stored_stream(fd, name);
  if (!stored) return std::unexpected(stored.error());
  if (stored->empty()) return fail(NtStatus::ObjectNameNotFound);
  const ActAsUser user(share, who);
  if (!user.ok()) return fail(NtStatus::AccessDenied);
  if (equal_without_case(*stored, kAfpInfoStream)) {
    (void)::removexattr(ProcPath(fd).c_str(), kNetatalkXattr);
  }
  if (::removexattr(ProcPath(fd).c_str(), xattr_of(*stored).c_str()) != 0) {
    return fail_errno(During::Change);
  }
  return {};
}

}  // namespace flotilla::vfs

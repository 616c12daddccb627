// PosixCursor: one directory's entries with their facts, through one fixed buffer.
#include <dirent.h>
#include <fcntl.h>

#include <cerrno>

#include "vfs/errno_table.hpp"
#include "vfs/names.hpp"
#include "vfs/posix/getdents.hpp"
#include "vfs/posix/share.hpp"

namespace flotilla::vfs {
namespace {

class PosixCursor final : public ports::DirectoryCursor {
 public:
  PosixCursor(SharePtr share, const ports::Credentials& who, Fd fd, std::string_view path)
      : share_(std::move(share)), who_(who), fd_(std::move(fd)), path_(path), entries_(fd_.get()) {}

  Result<std::optional<ports::DirectoryEntry>> next() override {
    if (again_) {
      again_ = false;
      return last_;
    }
    const ActAsDaemon daemon(*share_);
    if (dots_given_ < 2) {
      auto entry = dot(dots_given_ == 0 ? "." : "..");
      if (!entry) return std::unexpected(entry.error());
      ++dots_given_;
      last_ = std::move(*entry);
      return last_;
    }
    for (;;) {
      const auto raw = entries_.next();
      if (!raw) return std::unexpected(raw.error());
      if (!*raw) {
        last_.reset();
        return last_;
      }
      if ((*raw)->name == "." || (*raw)->name == ".." || !valid_utf8((*raw)->name)) continue;
      if (matches_any(share_->options.veto_files, (*raw)->name)) continue;
      last_ = describe(**raw);
      if (last_) return last_;
    }
  }

  void unread() override { again_ = true; }

  Status rewind() override {
    again_ = false;
    dots_given_ = 0;
    last_.reset();
    return entries_.rewind();
  }

 private:
  /// ".." of the share's root shows the root itself: nothing above the share is anybody's business.
  Result<ports::DirectoryEntry> dot(std::string_view name) {
    Fd above;
    int fd = fd_.get();
    if (name == ".." && !path_.empty()) {
      above =
          Fd(open_beneath(*share_, std::string(split(path_).parent).c_str(), O_PATH | O_DIRECTORY));
      if (above) fd = above.get();
    }
    struct statx st{};
    if (const Status ok = stat_of(fd, "", st); !ok) return std::unexpected(ok.error());
    return ports::DirectoryEntry{std::string(name), facts_of(*share_, fd, "", name, st)};
  }

  /// Nothing for what cannot be shown: gone meanwhile, or a link that leads nowhere the user may
  /// go.
  std::optional<ports::DirectoryEntry> describe(const RawEntry& raw) {
    struct statx st{};
    if (raw.type != DT_LNK || who_.posix_names) {
      if (!stat_of(fd_.get(), raw.c_name, st)) return std::nullopt;
      if (!S_ISLNK(st.stx_mode) || who_.posix_names) {
        return ports::DirectoryEntry{std::string(raw.name),
                                     facts_of(*share_, fd_.get(), raw.c_name, raw.name, st)};
      }
    }
    Fd target;
    {
      const ActAsUser user(*share_, who_);
      if (!user.ok()) return std::nullopt;
      auto found = resolve(*share_, join(path_, raw.name));
      if (!found) return std::nullopt;
      target = std::move(found->fd);
    }
    if (!stat_of(target.get(), "", st)) return std::nullopt;
    return ports::DirectoryEntry{std::string(raw.name),
                                 facts_of(*share_, target.get(), "", raw.name, st)};
  }

  SharePtr share_;
  ports::Credentials who_;
  Fd fd_;
  std::string path_;
  Getdents entries_;
  std::optional<ports::DirectoryEntry> last_;
  int dots_given_ = 0;
  bool again_ = false;
};

}  // namespace

Result<std::unique_ptr<ports::DirectoryCursor>> make_posix_cursor(SharePtr share,
                                                                  const ports::Credentials& who,
                                                                  int directory_fd,
                                                                  std::string_view path) {
  Fd fd;
  {
    const ActAsUser user(*share, who);
    if (!user.ok()) return fail(NtStatus::AccessDenied);
    fd = Fd(::open(ProcPath(directory_fd).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) return fail_errno(During::Other);
  }
  return std::make_unique<PosixCursor>(std::move(share), who, std::move(fd), path);
}

Result<bool> is_empty_directory(const Share& share, int directory_fd) {
  const ActAsDaemon daemon(share);
  const Fd fd(::open(ProcPath(directory_fd).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_errno(During::Other);
  // Every name counts, also those that listings hide: rmdir would fail on them.
  const auto entries = std::make_unique<Getdents>(fd.get());
  for (;;) {
    const auto raw = entries->next();
    if (!raw) return std::unexpected(raw.error());
    if (!*raw) return true;
    if ((*raw)->name != "." && (*raw)->name != "..") return false;
  }
}

}  // namespace flotilla::vfs

// What a file is: statx, Samba's attribute xattr, and sizes as SMB counts them.
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "vfs/errno_table.hpp"
#include "vfs/names.hpp"
#include "vfs/posix/share.hpp"
#include "vfs/samba_xattr.hpp"
#include "wire/reparse.hpp"

namespace flotilla::vfs {
namespace {

NtTime time_of(const statx_timestamp& t) noexcept { return nt_time_of(t.tv_sec, t.tv_nsec); }

/// An empty file has no data: a block of its own for xattrs is not the client's business. Where
/// they fit into the inode, the block is one that a client has reserved.
std::uint64_t allocation_of(const struct statx& st, bool xattrs_in_inode) noexcept {
  const std::uint64_t bytes = st.stx_blocks * 512;
  if (st.stx_size == 0 && bytes <= st.stx_blksize && !xattrs_in_inode) return 0;
  return bytes;
}

/// What Samba counts: a 4-byte length, and per attribute a 4-byte head, name, NUL and value.
struct Xattrs {
  std::uint32_t ea_size_bytes = 0;
  bool dos_attrib = false;
  bool only_dos_attrib = false;
  bool reparse = false;
};

Xattrs xattrs_of(const char* path, bool follow) {
  Xattrs out;
  std::array<char, 1024> small;
  std::vector<char> large;
  std::string_view names;
  ssize_t size = follow ? ::listxattr(path, small.data(), small.size())
                        : ::llistxattr(path, small.data(), small.size());
  if (size >= 0) {
    names = {small.data(), static_cast<std::size_t>(size)};
  } else if (errno == ERANGE) {
    large.resize(65536);
    size = follow ? ::listxattr(path, large.data(), large.size())
                  : ::llistxattr(path, large.data(), large.size());
    if (size < 0) return out;
    names = {large.data(), static_cast<std::size_t>(size)};
  } else {
    return out;
  }
  out.only_dos_attrib = true;
  while (!names.empty()) {
    const std::string name(names.substr(0, names.find('\0')));
    names.remove_prefix(name.size() + 1);
    if (name == kDosAttribXattr) {
      out.dos_attrib = true;
    } else {
      out.only_dos_attrib = false;
    }
    if (name == kReparseXattr) out.reparse = true;
    if (!name.starts_with("user.") || private_xattr(name)) continue;
    const ssize_t value = follow ? ::getxattr(path, name.c_str(), nullptr, 0)
                                 : ::lgetxattr(path, name.c_str(), nullptr, 0);
    if (value <= 0) continue;
    if (out.ea_size_bytes == 0) out.ea_size_bytes = 4;
    out.ea_size_bytes +=
        static_cast<std::uint32_t>(4 + name.size() - 5 + 1) + static_cast<std::uint32_t>(value);
  }
  return out;
}

/// What a client meant by a reparse point, as st_mode says it; 0 where it is nothing of Unix'.
std::uint32_t file_type_of(ByteView reparse_point) {
  const auto meaning = wire::decode_reparse(reparse_point);
  if (!meaning) return 0;
  switch (meaning->kind) {
    case wire::ReparseKind::Link:
      return S_IFLNK;
    case wire::ReparseKind::Fifo:
      return S_IFIFO;
    case wire::ReparseKind::Socket:
      return S_IFSOCK;
    default:
      return 0;
  }
}

/// What the xattrs of a file or directory say, asked or remembered.
StoredFacts stored_facts(Share& share, const FileKey& key, int fd, const char* name,
                         const struct statx& st) {
  const bool follow = *name == '\0';
  // A listing asks once about each of many, which would only drive out what is asked often.
  const bool keep = follow && share.keeps_change_times && XattrCache::settled(st);
  if (keep) {
    if (const auto known = share.xattrs.facts(key, st)) return *known;
  }
  const ProcPath path(fd, follow ? nullptr : name);
  const Xattrs xattrs = xattrs_of(path.c_str(), follow);
  StoredFacts out;
  out.ea_size_bytes = xattrs.ea_size_bytes;
  out.in_inode = xattrs.only_dos_attrib;
  if (xattrs.dos_attrib) {
    std::array<std::uint8_t, 256> blob;
    const ssize_t size = follow
                             ? ::getxattr(path.c_str(), kDosAttribXattr, blob.data(), blob.size())
                             : ::lgetxattr(path.c_str(), kDosAttribXattr, blob.data(), blob.size());
    if (size > 0) {
      const auto stored = decode_dos_attrib(ByteView(blob).first(static_cast<std::size_t>(size)));
      if (stored) {
        out.attributes = stored->attributes;
        out.created = stored->created;
        if (stored->changed && set_change_time_holds(st, stored->changed_at)) {
          out.changed = stored->changed;
        }
      }
    }
  }
  if (xattrs.reparse) {
    Bytes buffer(kReparseBytesMax);
    const ssize_t size =
        follow ? ::getxattr(path.c_str(), kReparseXattr, buffer.data(), buffer.size())
               : ::lgetxattr(path.c_str(), kReparseXattr, buffer.data(), buffer.size());
    if (size >= 8) {
      out.reparse_tag = load_le<std::uint32_t>(buffer.data());
      out.file_type = file_type_of(ByteView(buffer).first(static_cast<std::size_t>(size)));
    }
  }
  if (keep) share.xattrs.keep_facts(key, st, out);
  return out;
}

}  // namespace

bool private_xattr(std::string_view name) noexcept {
  if (name.starts_with("user.")) name.remove_prefix(5);
  return name == "DOSATTRIB" || name == "SAMBA_PAI" || name.starts_with("DosStream.") ||
         name.starts_with("org.netatalk") || name.starts_with("com.apple.FinderInfo") ||
         name == "DosStreams" || name == "SmbReparse" || name.starts_with("flotilla.");
}

bool set_change_time_holds(const struct statx& st, NtTime changed_at) noexcept {
  // To store it changes the file system's own time to one that is known only afterwards.
  constexpr std::uint64_t kSlackTicks = 10 * 10000;
  const std::uint64_t now = time_of(st.stx_ctime).ticks;
  return now + kSlackTicks >= changed_at.ticks && now <= changed_at.ticks + kSlackTicks;
}

Status stat_of(int fd, const char* name, struct statx& st) noexcept {
  const int flags = *name == '\0' ? AT_EMPTY_PATH : AT_SYMLINK_NOFOLLOW;
  if (::statx(fd, name, flags | AT_NO_AUTOMOUNT, STATX_BASIC_STATS | STATX_BTIME, &st) != 0) {
    return fail_errno(*name == '\0' ? During::Other : During::Name);
  }
  return {};
}

std::uint32_t default_attributes(const struct statx& st) noexcept {
  return S_ISDIR(st.stx_mode) ? kAttributeDirectory : 0;
}

ports::FileFacts facts_of(Share& share, const FileKey& key, int fd, const char* name,
                          std::string_view shown_name, const struct statx& st) {
  ports::FileFacts out;
  out.key = key;
  const bool directory = S_ISDIR(st.stx_mode);
  const bool regular = S_ISREG(st.stx_mode);
  out.type = directory              ? ports::FileType::Directory
             : regular              ? ports::FileType::File
             : S_ISLNK(st.stx_mode) ? ports::FileType::Symlink
                                    : ports::FileType::Other;
  if (regular) {
    out.size_bytes = st.stx_size;
    out.allocation_bytes = allocation_of(st, false);
  }
  out.links = st.stx_nlink;
  out.mode = st.stx_mode;
  out.uid = st.stx_uid;
  out.gid = st.stx_gid;
  out.accessed = time_of(st.stx_atime);
  out.written = time_of(st.stx_mtime);
  out.changed = time_of(st.stx_ctime);
  // Without a birth time: the oldest that is known, as Samba does.
  out.created = (st.stx_mask & STATX_BTIME) != 0
                    ? time_of(st.stx_btime)
                    : std::min({out.written, out.accessed, out.changed});

  std::uint32_t attributes = default_attributes(st);
  if (directory || regular) {
    const StoredFacts stored = stored_facts(share, key, fd, name, st);
    out.ea_size_bytes = stored.ea_size_bytes;
    if (regular && stored.in_inode) out.allocation_bytes = allocation_of(st, true);
    if (stored.attributes) attributes = *stored.attributes;
    if (stored.created) out.created = *stored.created;
    if (stored.changed) {
      out.changed = *stored.changed;
      out.change_time_set = true;
    }
    out.reparse_tag = stored.reparse_tag;
    if (stored.file_type != 0) out.mode = (out.mode & ~std::uint32_t{S_IFMT}) | stored.file_type;
  } else if (out.type == ports::FileType::Symlink) {
    out.reparse_tag = kSymlinkTag;
  }
  if ((share.options.hide_dot_files && is_dot_file(shown_name)) ||
      matches_any(share.options.hide_files, shown_name)) {
    out.hidden_by_name = (attributes & kAttributeHidden) == 0;
    attributes |= kAttributeHidden;
  }
  // What the file is does not depend on what somebody stored about it.
  if (directory) {
    attributes |= kAttributeDirectory;
  } else {
    attributes &= ~kAttributeDirectory;
  }
  attributes &= ~(kAttributeCompressed | kAttributeReparse);
  if (out.reparse_tag != 0) attributes |= kAttributeReparse;
  if ((st.stx_attributes & STATX_ATTR_COMPRESSED) != 0) attributes |= kAttributeCompressed;
  if (attributes == 0) attributes = kAttributeNormal;
  out.attributes = attributes;
  return out;
}

ports::FileFacts facts_of(Share& share, int fd, const char* name, std::string_view shown_name,
                          const struct statx& st) {
  return facts_of(share, key_of(share, fd, name, st), fd, name, shown_name, st);
}

}  // namespace flotilla::vfs

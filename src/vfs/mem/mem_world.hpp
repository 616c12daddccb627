// The tree of the in-memory backend: nodes, their names, and what backend, files and cursors share.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "vfs/mem/mem_backend.hpp"
#include "vfs/names.hpp"
#include "vfs/samba_xattr.hpp"

namespace flotilla::vfs::mem {

inline constexpr std::uint32_t kModeFile = 0100644;
inline constexpr std::uint32_t kModeDirectory = 0040755;

struct Node;
using NodePtr = std::shared_ptr<Node>;

struct Node {
  FileKey key;
  bool directory = false;
  std::uint32_t links = 1;
  std::uint32_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t attributes = 0;
  std::uint64_t reserved_bytes = 0;
  NtTime created, accessed, written, changed;
  Bytes data;
  std::vector<ports::ExtendedAttribute> eas;
  std::optional<Bytes> security;
  std::optional<Bytes> object_id;
  Bytes reparse;  ///< a reparse point's buffer; empty: it is none
  struct Child {
    std::string name;
    NodePtr node;
  };
  std::map<std::string, Child> children;  ///< by folded name, NUL, name

  static std::string key_of_name(std::string_view name) {
    std::string key = fold(name);
    key.push_back('\0');
    return key.append(name);
  }
  /// `exact`: letter for letter; else one in this very case before others.
  [[nodiscard]] Child* find(std::string_view name, bool exact) {
    if (const auto same = children.find(key_of_name(name)); same != children.end()) {
      return &same->second;
    }
    if (exact) return nullptr;
    std::string first = fold(name);
    first.push_back('\0');
    const auto found = children.lower_bound(first);
    return found != children.end() && found->first.starts_with(first) ? &found->second : nullptr;
  }
  void put(const std::string& name, NodePtr node) {
    children[key_of_name(name)] = {name, std::move(node)};
  }
  void take_out(const Child& child) { children.erase(key_of_name(std::string(child.name))); }
};

/// What backend, files and cursors share.
struct World {
  explicit World(MemOptions opts) : options(std::move(opts)) {
    root = make_node(true, 0, 0);
    root->mode = 0040777;
  }

  NtTime now() {
    if (options.now) return options.now();
    return nt_time_of(1577836800 + ++ticks, 0);
  }

  NodePtr make_node(bool directory, std::uint32_t uid, std::uint32_t gid) {
    auto node = std::make_shared<Node>();
    node->key = FileKey{options.volume_id, ++last_inode, mix64(last_inode)};
    node->directory = directory;
    node->mode = directory ? kModeDirectory : kModeFile;
    node->uid = uid;
    node->gid = gid;
    node->created = node->accessed = node->written = node->changed = now();
    return node;
  }

  [[nodiscard]] static unsigned rights(const ports::Credentials& who, const Node& node) {
    if (who.use_share_owner || who.uid == 0) return 7;
    if (who.uid == node.uid) return (node.mode >> 6) & 7;
    const bool member = who.gid == node.gid || std::find(who.groups.begin(), who.groups.end(),
                                                         node.gid) != who.groups.end();
    return member ? (node.mode >> 3) & 7 : node.mode & 7;
  }

  struct Spot {
    NodePtr parent;
    std::string parent_path;
    std::string name;  ///< as wanted
    Node::Child* child = nullptr;
  };

  Result<Spot> spot(const ports::Credentials& who, std::string_view path) {
    if (const Status ok = check_path(path); !ok) return std::unexpected(ok.error());
    Spot out;
    out.parent = root;
    const SplitPath parts = split(path);
    std::string_view rest = parts.parent;
    while (!rest.empty()) {
      const std::size_t slash = rest.find('/');
      if ((rights(who, *out.parent) & 1) == 0) return fail(NtStatus::AccessDenied);
      const Node::Child* const found = out.parent->find(rest.substr(0, slash), who.posix_names);
      if (found != nullptr && !found->node->reparse.empty()) {
        return fail(NtStatus::StoppedOnSymlink);
      }
      if (found == nullptr || !found->node->directory) return fail(NtStatus::ObjectPathNotFound);
      out.parent_path = join(out.parent_path, found->name);
      out.parent = found->node;
      rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
    }
    if ((rights(who, *out.parent) & 1) == 0) return fail(NtStatus::AccessDenied);
    out.name = parts.name;
    out.child = out.parent->find(parts.name, who.posix_names);
    return out;
  }

  void touch(Node& directory) { directory.written = directory.changed = now(); }

  ports::FileFacts facts_of(const Node& node, std::string_view name) const {
    ports::FileFacts out;
    out.key = node.key;
    out.type = node.directory ? ports::FileType::Directory : ports::FileType::File;
    out.size_bytes = node.data.size();
    const std::uint64_t used = std::max<std::uint64_t>(node.data.size(), node.reserved_bytes);
    out.allocation_bytes = (used + 4095) / 4096 * 4096;
    out.attributes = node.attributes & ~kAttributeDirectory;
    if (node.directory) out.attributes |= kAttributeDirectory;
    if (is_dot_file(name)) {
      out.hidden_by_name = (out.attributes & kAttributeHidden) == 0;
      out.attributes |= kAttributeHidden;
    }
    if (node.reparse.size() >= 4) {
      out.attributes |= kAttributeReparse;
      out.reparse_tag = load_le<std::uint32_t>(node.reparse.data());
    }
    if (out.attributes == 0) out.attributes = kAttributeNormal;
    out.links = node.links;
    out.mode = node.mode;
    out.uid = node.uid;
    out.gid = node.gid;
    out.created = node.created;
    out.accessed = node.accessed;
    out.written = node.written;
    out.changed = node.changed;
    for (const auto& ea : node.eas) {
      if (out.ea_size_bytes == 0) out.ea_size_bytes = 4;
      out.ea_size_bytes += static_cast<std::uint32_t>(5 + ea.name.size() + ea.value.size());
    }
    return out;
  }

  /// DiskFull where `node` may not grow to `size_bytes`.
  Status grow(Node& node, std::uint64_t size_bytes) {
    const std::uint64_t now_bytes = node.data.size();
    if (size_bytes > now_bytes && size_bytes - now_bytes > options.capacity_bytes - used_bytes) {
      return fail(NtStatus::DiskFull);
    }
    if (const auto limit = limits.find(node.uid);
        size_bytes > now_bytes && limit != limits.end() && limit->second.hard_bytes != 0 &&
        owned_bytes[node.uid] + (size_bytes - now_bytes) > limit->second.hard_bytes) {
      return fail(NtStatus::DiskFull);
    }
    try {
      node.data.resize(size_bytes);
    } catch (const std::exception&) {  // a test's machine is smaller than its disk
      return fail(NtStatus::DiskFull);
    }
    used_bytes = used_bytes - now_bytes + size_bytes;
    owned_bytes[node.uid] += size_bytes - now_bytes;
    return {};
  }

  void unlinked(const NodePtr& node) {
    if (--node->links == 0) {
      used_bytes -= std::min<std::uint64_t>(used_bytes, node->data.size());
      owned_bytes[node->uid] -= node->data.size();
    }
    node->changed = now();
  }

  MemOptions options;
  std::mutex mutex;
  NodePtr root;
  std::uint64_t last_inode = 1;
  std::int64_t ticks = 0;
  std::uint64_t used_bytes = 0;
  std::map<std::uint32_t, std::uint64_t> owned_bytes;  ///< by uid; one for each that wrote
  std::map<std::uint32_t, ports::UserQuota> limits;    ///< by uid; `used_bytes` means nothing
};

}  // namespace flotilla::vfs::mem

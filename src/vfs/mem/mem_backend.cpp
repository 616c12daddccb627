#include "vfs/mem/mem_backend.hpp"

#include <algorithm>
#include <exception>
#include <mutex>

#include "vfs/mem/mem_world.hpp"
#include "vfs/names.hpp"
#include "vfs/samba_xattr.hpp"

namespace flotilla::vfs {
namespace {

using mem::Node;
using mem::NodePtr;
using mem::World;
using WorldPtr = std::shared_ptr<World>;

class MemCursor final : public ports::DirectoryCursor {
 public:
  MemCursor(WorldPtr world, NodePtr node) : world_(std::move(world)), node_(std::move(node)) {}

  Result<std::optional<ports::DirectoryEntry>> next() override {
    if (again_) {
      again_ = false;
      return last_;
    }
    const std::lock_guard lock(world_->mutex);
    last_.reset();
    if (dots_ < 2) {
      const std::string name = dots_++ == 0 ? "." : "..";
      last_ = ports::DirectoryEntry{name, world_->facts_of(*node_, name)};
      return last_;
    }
    const auto found = dots_ == 2 ? node_->children.begin() : node_->children.upper_bound(after_);
    if (found == node_->children.end()) return last_;
    dots_ = 3;
    after_ = found->first;
    last_ = ports::DirectoryEntry{found->second.name,
                                  world_->facts_of(*found->second.node, found->second.name)};
    return last_;
  }
  void unread() override { again_ = true; }
  Status rewind() override {
    again_ = false;
    dots_ = 0;
    return {};
  }

 private:
  WorldPtr world_;
  NodePtr node_;
  std::string after_;
  std::optional<ports::DirectoryEntry> last_;
  int dots_ = 0;
  bool again_ = false;
};

class MemFile final : public ports::BackendFile {
 public:
  MemFile(WorldPtr world, NodePtr node, std::string path, bool made_here)
      : world_(std::move(world)),
        node_(std::move(node)),
        path_(std::move(path)),
        made_here_(made_here) {}

  [[nodiscard]] const NodePtr& node() const noexcept { return node_; }
  const FileKey& key() const noexcept override { return node_->key; }
  const std::string& located_path() const noexcept override { return path_; }

  Result<ports::FileFacts> facts() override {
    const std::lock_guard lock(world_->mutex);
    return world_->facts_of(*node_, split(path_).name);
  }

  Status activate(const ports::Credentials& who, ports::DataAccess access) override {
    if (access == ports::DataAccess::None) return {};
    const std::lock_guard lock(world_->mutex);
    unsigned needed = 0;
    if (access != ports::DataAccess::Write) needed |= 4;
    if (access != ports::DataAccess::Read) needed |= 2;
    if (node_->directory && access != ports::DataAccess::Read) {
      return fail(NtStatus::FileIsADirectory);
    }
    if (!made_here_ && (World::rights(who, *node_) & needed) != needed) {
      return fail(NtStatus::AccessDenied);
    }
    if (!node_->directory) {
      readable_ = made_here_ || (needed & 4) != 0;
      writable_ = made_here_ || (needed & 2) != 0;
    }
    return {};
  }

  Result<std::size_t> read(std::uint64_t offset, MutableBytes into) override {
    if (!readable_ && !made_here_) return fail(NtStatus::InvalidDeviceRequest);
    const std::lock_guard lock(world_->mutex);
    if (node_->directory) return fail(NtStatus::InvalidDeviceRequest);
    if (offset >= node_->data.size()) return std::size_t{0};
    const std::size_t size = std::min<std::size_t>(into.size(), node_->data.size() - offset);
    std::copy_n(node_->data.begin() + static_cast<std::ptrdiff_t>(offset), size, into.begin());
    return size;
  }
  Result<std::optional<std::size_t>> try_read(std::uint64_t offset, MutableBytes into) override {
    auto got = read(offset, into);
    if (!got) return std::unexpected(got.error());
    return std::optional(*got);
  }
  Status write(std::uint64_t offset, ByteView data, bool) override {
    if (!may_write()) return fail(NtStatus::InvalidDeviceRequest);
    const std::lock_guard lock(world_->mutex);
    if (data.empty()) return {};
    if (offset > (std::uint64_t{1} << 62)) return fail(NtStatus::DiskFull);
    if (offset + data.size() > node_->data.size()) {
      if (const Status ok = world_->grow(*node_, offset + data.size()); !ok) return ok;
    }
    std::copy(data.begin(), data.end(), node_->data.begin() + static_cast<std::ptrdiff_t>(offset));
    world_->touch(*node_);
    return {};
  }
  Status flush() override { return {}; }
  Status set_size(std::uint64_t size_bytes) override {
    if (size_bytes >> 63 != 0) return fail(NtStatus::InvalidParameter);
    if (!may_write()) return fail(NtStatus::AccessDenied);
    const std::lock_guard lock(world_->mutex);
    if (const Status ok = world_->grow(*node_, size_bytes); !ok) return ok;
    node_->reserved_bytes = 0;
    world_->touch(*node_);
    return {};
  }
  Status set_allocation(std::uint64_t allocation_bytes) override {
    if (!may_write()) return fail(NtStatus::AccessDenied);
    {
      const std::lock_guard lock(world_->mutex);
      if (allocation_bytes > world_->options.capacity_bytes) return fail(NtStatus::DiskFull);
      if (allocation_bytes >= node_->data.size()) {
        node_->reserved_bytes = allocation_bytes;
        return {};
      }
    }
    return set_size(allocation_bytes);
  }
  Status set_basic(const ports::Credentials& who, const ports::BasicChange& change) override {
    const std::lock_guard lock(world_->mutex);
    if ((World::rights(who, *node_) & 2) == 0 && !made_here_) {
      return fail(NtStatus::AccessDenied);
    }
    if (change.created.ticks != 0) node_->created = change.created;
    if (change.accessed.ticks != 0) node_->accessed = change.accessed;
    if (change.written.ticks != 0) node_->written = change.written;
    node_->changed = change.changed.ticks != 0 ? change.changed : world_->now();
    if (change.attributes)
      node_->attributes = *change.attributes & kAttributesStored & ~kAttributeReparse;
    return {};
  }
  Result<std::vector<ports::ExtendedAttribute>> eas() override {
    const std::lock_guard lock(world_->mutex);
    return node_->eas;
  }
  Status set_eas(const ports::Credentials& who,
                 const std::vector<ports::ExtendedAttribute>& wanted) override {
    const std::lock_guard lock(world_->mutex);
    if ((World::rights(who, *node_) & 2) == 0 && !made_here_) {
      return fail(NtStatus::AccessDenied);
    }
    for (const auto& ea : wanted) {
      if (ea.name.empty() || ea.name.size() > 250) return fail(NtStatus::InvalidParameter);
      if (ea.value.size() > 65535) return fail(NtStatus::EaTooLarge);
      const auto same = std::find_if(node_->eas.begin(), node_->eas.end(), [&](const auto& old) {
        return equal_without_case(old.name, ea.name);
      });
      if (ea.value.empty()) {
        if (same != node_->eas.end()) node_->eas.erase(same);
      } else if (same != node_->eas.end()) {
        same->value = ea.value;
      } else {
        node_->eas.push_back(ea);
      }
    }
    node_->changed = world_->now();
    return {};
  }
  Result<std::optional<Bytes>> stored_security() override {
    const std::lock_guard lock(world_->mutex);
    return node_->security;
  }
  Status store_security(ByteView descriptor) override {
    const std::lock_guard lock(world_->mutex);
    node_->security.emplace(descriptor.begin(), descriptor.end());
    return {};
  }
  Result<std::optional<Bytes>> object_id() override {
    const std::lock_guard lock(world_->mutex);
    return node_->object_id;
  }
  Status set_object_id(const std::optional<Bytes>& id) override {
    const std::lock_guard lock(world_->mutex);
    node_->object_id = id;
    return {};
  }
  Result<std::optional<Bytes>> reparse_point() override {
    const std::lock_guard lock(world_->mutex);
    return node_->reparse.empty() ? std::optional<Bytes>() : std::optional(node_->reparse);
  }
  Status set_reparse_point(const ports::Credentials& who, ByteView buffer) override {
    const std::lock_guard lock(world_->mutex);
    if ((World::rights(who, *node_) & 2) == 0 && !made_here_) {
      return fail(NtStatus::AccessDenied);
    }
    node_->reparse.assign(buffer.begin(), buffer.end());
    node_->changed = world_->now();
    return {};
  }
  Status set_mode(const ports::Credentials& who, std::uint32_t mode) override {
    const std::lock_guard lock(world_->mutex);
    if (who.uid != 0 && who.uid != node_->uid) return fail(NtStatus::AccessDenied);
    node_->mode = (node_->mode & ~07777U) | (mode & 07777U);
    return {};
  }
  Result<std::vector<ports::DataRange>> allocated_ranges(ports::DataRange range) override {
    const std::lock_guard lock(world_->mutex);
    std::vector<ports::DataRange> out;
    const std::uint64_t size = node_->data.size();
    if (range.offset < size && range.length > 0) {
      out.push_back({range.offset, std::min(range.length, size - range.offset)});
    }
    return out;
  }
  Status zero(ports::DataRange range, bool punch) override {
    (void)punch;
    const std::lock_guard lock(world_->mutex);
    const std::uint64_t size = node_->data.size();
    for (std::uint64_t at = range.offset; at < size && at - range.offset < range.length; ++at) {
      node_->data[at] = 0;
    }
    return {};
  }
  Result<std::unique_ptr<ports::DirectoryCursor>> list(const ports::Credentials& who) override {
    const std::lock_guard lock(world_->mutex);
    if (!node_->directory) return fail(NtStatus::NotADirectory);
    if ((World::rights(who, *node_) & 4) == 0) return fail(NtStatus::AccessDenied);
    return std::make_unique<MemCursor>(world_, node_);
  }
  Result<bool> empty_directory() override {
    const std::lock_guard lock(world_->mutex);
    if (!node_->directory) return fail(NtStatus::NotADirectory);
    return node_->children.empty();
  }

 private:
  [[nodiscard]] bool may_write() const noexcept {
    return !node_->directory && (writable_ || made_here_);
  }

  WorldPtr world_;
  NodePtr node_;
  std::string path_;
  bool made_here_;
  bool readable_ = false;
  bool writable_ = false;
};

class MemBackend final : public ports::Backend {
 public:
  explicit MemBackend(MemOptions options) : world_(std::make_shared<World>(std::move(options))) {}

  Result<std::unique_ptr<ports::BackendFile>> locate(const ports::Credentials& who,
                                                     std::string_view path) override {
    const std::lock_guard lock(world_->mutex);
    if (path.empty()) {
      return std::make_unique<MemFile>(world_, world_->root, std::string(), false);
    }
    auto spot = world_->spot(who, path);
    if (!spot) return std::unexpected(spot.error());
    if (spot->child == nullptr) return fail(NtStatus::ObjectNameNotFound);
    return std::make_unique<MemFile>(world_, spot->child->node,
                                     join(spot->parent_path, spot->child->name), false);
  }

  Result<std::unique_ptr<ports::BackendFile>> create(const ports::Credentials& who,
                                                     std::string_view path, bool directory,
                                                     std::uint32_t attributes) override {
    const std::lock_guard lock(world_->mutex);
    if (path.empty()) return fail(NtStatus::ObjectNameCollision);
    auto spot = world_->spot(who, path);
    if (!spot) return std::unexpected(spot.error());
    if (spot->child != nullptr) return fail(NtStatus::ObjectNameCollision);
    if ((World::rights(who, *spot->parent) & 3) != 3) return fail(NtStatus::AccessDenied);
    auto node = world_->make_node(directory, who.use_share_owner ? 0 : who.uid,
                                  who.use_share_owner ? 0 : who.gid);
    node->attributes = attributes & kAttributesStored &
                       ~(kAttributeDirectory | kAttributeSparse | kAttributeReparse);
    if (!directory) node->attributes |= kAttributeArchive;
    spot->parent->put(spot->name, node);
    world_->touch(*spot->parent);
    return std::make_unique<MemFile>(world_, node, join(spot->parent_path, spot->name), !directory);
  }

  Status remove(const ports::Credentials& who, std::string_view path, const FileKey& key,
                bool directory) override {
    const std::lock_guard lock(world_->mutex);
    if (path.empty()) return fail(NtStatus::AccessDenied);
    auto spot = world_->spot(who, path);
    if (!spot) return std::unexpected(spot.error());
    if (spot->child == nullptr || spot->child->node->key != key) {
      return fail(NtStatus::ObjectNameNotFound);
    }
    if ((World::rights(who, *spot->parent) & 3) != 3) return fail(NtStatus::AccessDenied);
    const NodePtr node = spot->child->node;
    if (node->directory != directory) {
      return fail(directory ? NtStatus::NotADirectory : NtStatus::FileIsADirectory);
    }
    if (!node->children.empty()) return fail(NtStatus::DirectoryNotEmpty);
    spot->parent->take_out(*spot->child);
    world_->unlinked(node);
    world_->touch(*spot->parent);
    return {};
  }

  Status rename(const ports::Credentials& who, std::string_view from, std::string_view to,
                bool replace) override {
    const std::lock_guard lock(world_->mutex);
    if (from.empty() || to.empty()) return fail(NtStatus::AccessDenied);
    if (const Status ok = check_path(to); !ok) return ok;
    auto source = world_->spot(who, from);
    if (!source) return std::unexpected(source.error());
    if (source->child == nullptr) return fail(NtStatus::ObjectNameNotFound);
    auto target = world_->spot(who, to);
    if (!target) return std::unexpected(target.error());
    if ((World::rights(who, *source->parent) & 3) != 3 ||
        (World::rights(who, *target->parent) & 3) != 3) {
      return fail(NtStatus::AccessDenied);
    }
    const NodePtr node = source->child->node;
    if (target->child != nullptr && target->child->node != node) {
      if (!replace) return fail(NtStatus::ObjectNameCollision);
      if (target->child->node->directory || node->directory) return fail(NtStatus::AccessDenied);
    }
    if (node->directory && below(node, target->parent)) return fail(NtStatus::AccessDenied);
    const bool same_entry = target->child == source->child;
    if (!same_entry && target->child != nullptr) {
      world_->unlinked(target->child->node);
      target->parent->take_out(*target->child);
    }
    source->parent->take_out(*source->child);
    target->parent->put(target->name, node);
    node->changed = world_->now();
    world_->touch(*source->parent);
    world_->touch(*target->parent);
    return {};
  }

  Status link(const ports::Credentials& who, std::string_view from, std::string_view to,
              bool replace) override {
    const std::lock_guard lock(world_->mutex);
    if (to.empty()) return fail(NtStatus::AccessDenied);
    if (const Status ok = check_path(to); !ok) return ok;
    if (from.empty()) return fail(NtStatus::FileIsADirectory);
    auto source = world_->spot(who, from);
    if (!source) return std::unexpected(source.error());
    if (source->child == nullptr) return fail(NtStatus::ObjectNameNotFound);
    const NodePtr node = source->child->node;
    if (node->directory) return fail(NtStatus::FileIsADirectory);
    auto target = world_->spot(who, to);
    if (!target) return std::unexpected(target.error());
    if ((World::rights(who, *target->parent) & 3) != 3) return fail(NtStatus::AccessDenied);
    if (target->child != nullptr) {
      if (!replace) return fail(NtStatus::ObjectNameCollision);
      if (target->child->node == node) return {};
      if (target->child->node->directory) return fail(NtStatus::AccessDenied);
      world_->unlinked(target->child->node);
      target->parent->take_out(*target->child);
    }
    target->parent->put(target->name, node);
    ++node->links;
    node->changed = world_->now();
    world_->touch(*target->parent);
    return {};
  }

  Result<std::uint32_t> granted_access(const ports::Credentials& who,
                                       ports::BackendFile& file) override {
    const std::lock_guard lock(world_->mutex);
    auto* mem = dynamic_cast<MemFile*>(&file);
    if (mem == nullptr) return fail(NtStatus::InvalidHandle);
    const unsigned rights = World::rights(who, *mem->node());
    if (rights == 7 && (who.uid == 0 || who.use_share_owner)) return 0x001F01FFU;
    std::uint32_t mask = 0x00120080;  // READ_CONTROL, SYNCHRONIZE, FILE_READ_ATTRIBUTES
    if ((rights & 4) != 0) mask |= 0x9;
    if ((rights & 2) != 0) mask |= 0x116;
    if ((rights & 1) != 0) mask |= 0x20;
    if (who.uid == mem->node()->uid) mask |= 0x00050100;  // DELETE, WRITE_DAC, WRITE_ATTRIBUTES
    return mask;
  }

  Result<ports::VolumeFacts> volume() override {
    const std::lock_guard lock(world_->mutex);
    ports::VolumeFacts out;
    out.total_bytes = world_->options.capacity_bytes;
    out.free_bytes = out.available_bytes = out.total_bytes - world_->used_bytes;
    out.serial = world_->options.volume_id & 0xFFFFFFFF;
    out.created = world_->root->created;
    return out;
  }
  Result<ports::QuotaState> quota_state() override {
    if (!world_->options.quotas) return fail(NtStatus::NotSupported);
    return ports::QuotaState{true, true};
  }
  Result<ports::UserQuota> quota_of(std::uint32_t uid) override {
    if (!world_->options.quotas) return fail(NtStatus::NotSupported);
    const std::lock_guard lock(world_->mutex);
    ports::UserQuota out;
    if (const auto limits = world_->limits.find(uid); limits != world_->limits.end()) {
      out = limits->second;
    }
    out.uid = uid;
    if (const auto owned = world_->owned_bytes.find(uid); owned != world_->owned_bytes.end()) {
      out.used_bytes = owned->second;
    }
    return out;
  }
  Result<std::optional<ports::UserQuota>> next_quota(std::uint32_t uid) override {
    if (!world_->options.quotas) return fail(NtStatus::NotSupported);
    std::optional<std::uint32_t> next;
    {
      const std::lock_guard lock(world_->mutex);
      const auto owned = world_->owned_bytes.lower_bound(uid);
      const auto limits = world_->limits.lower_bound(uid);
      if (owned != world_->owned_bytes.end()) next = owned->first;
      if (limits != world_->limits.end()) {
        next = next ? std::min(*next, limits->first) : limits->first;
      }
    }
    if (!next) return std::nullopt;
    const auto found = quota_of(*next);
    if (!found) return fail(found.error());
    return std::optional(*found);
  }
  Status set_quota(const ports::UserQuota& quota) override {
    if (!world_->options.quotas) return fail(NtStatus::NotSupported);
    const std::lock_guard lock(world_->mutex);
    world_->limits[quota.uid] = quota;
    return {};
  }
  std::uint64_t volume_id() const noexcept override { return world_->options.volume_id; }
  bool local() const noexcept override { return world_->options.local; }

 private:
  /// Whether `inner` is `outer` or below it.
  [[nodiscard]] static bool below(const NodePtr& outer, const NodePtr& inner) {
    if (outer == inner) return true;
    for (const auto& [folded, child] : outer->children) {
      if (child.node->directory && below(child.node, inner)) return true;
    }
    return false;
  }

  WorldPtr world_;
};

}  // namespace

std::unique_ptr<ports::Backend> make_mem_backend(MemOptions options) {
  return std::make_unique<MemBackend>(std::move(options));
}

}  // namespace flotilla::vfs

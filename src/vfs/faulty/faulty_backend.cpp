#include "vfs/faulty/faulty_backend.hpp"

#include <atomic>

#include "vfs/names.hpp"

namespace flotilla::vfs {
namespace {

using PlanPtr = std::shared_ptr<FaultPlan>;
/// Bytes that may still be written; nothing: no bound.
using BudgetPtr = std::shared_ptr<std::atomic<std::int64_t>>;

class FaultyCursor final : public ports::DirectoryCursor {
 public:
  FaultyCursor(std::unique_ptr<ports::DirectoryCursor> inner, PlanPtr plan, std::string path)
      : inner_(std::move(inner)), plan_(std::move(plan)), path_(std::move(path)) {}
  Result<std::optional<ports::DirectoryEntry>> next() override {
    if (const Status ok = plan_->pass(BackendCall::Next, path_); !ok) {
      return std::unexpected(ok.error());
    }
    return inner_->next();
  }
  void unread() override { inner_->unread(); }
  Status rewind() override { return inner_->rewind(); }

 private:
  std::unique_ptr<ports::DirectoryCursor> inner_;
  PlanPtr plan_;
  std::string path_;
};

class FaultyFile final : public ports::BackendFile {
 public:
  FaultyFile(std::unique_ptr<ports::BackendFile> inner, PlanPtr plan, BudgetPtr budget)
      : inner_(std::move(inner)), plan_(std::move(plan)), budget_(std::move(budget)) {}

  [[nodiscard]] ports::BackendFile& inner() noexcept { return *inner_; }
  const FileKey& key() const noexcept override { return inner_->key(); }
  const std::string& located_path() const noexcept override { return inner_->located_path(); }

  Result<ports::FileFacts> facts() override {
    return then(BackendCall::Facts, [&] { return inner_->facts(); });
  }
  Status activate(const ports::Credentials& who, ports::DataAccess access) override {
    return then(BackendCall::Activate, [&] { return inner_->activate(who, access); });
  }
  Result<std::size_t> read(std::uint64_t offset, MutableBytes into) override {
    return then(BackendCall::Read, [&] { return inner_->read(offset, into); });
  }
  Result<std::optional<std::size_t>> try_read(std::uint64_t offset, MutableBytes into) override {
    return then(BackendCall::TryRead, [&] { return inner_->try_read(offset, into); });
  }
  Status write(std::uint64_t offset, ByteView data, bool through) override {
    return then(BackendCall::Write, [&]() -> Status {
      if (budget_) {
        const auto size = static_cast<std::int64_t>(data.size());
        if (budget_->fetch_sub(size) < size) {
          budget_->fetch_add(size);
          return fail(NtStatus::DiskFull);
        }
      }
      return inner_->write(offset, data, through);
    });
  }
  Status flush() override {
    return then(BackendCall::Flush, [&] { return inner_->flush(); });
  }
  Status set_size(std::uint64_t size_bytes) override {
    return then(BackendCall::SetSize, [&] { return inner_->set_size(size_bytes); });
  }
  Status set_allocation(std::uint64_t allocation_bytes) override {
    return then(BackendCall::SetAllocation,
                [&] { return inner_->set_allocation(allocation_bytes); });
  }
  Status set_basic(const ports::Credentials& who, const ports::BasicChange& change) override {
    return then(BackendCall::SetBasic, [&] { return inner_->set_basic(who, change); });
  }
  Result<std::vector<ports::ExtendedAttribute>> eas() override {
    return then(BackendCall::Eas, [&] { return inner_->eas(); });
  }
  Status set_eas(const ports::Credentials& who,
                 const std::vector<ports::ExtendedAttribute>& wanted) override {
    return then(BackendCall::SetEas, [&] { return inner_->set_eas(who, wanted); });
  }
  Result<std::optional<Bytes>> stored_security() override {
    return then(BackendCall::StoredSecurity, [&] { return inner_->stored_security(); });
  }
  Status store_security(ByteView descriptor) override {
    return then(BackendCall::SetEas, [&] { return inner_->store_security(descriptor); });
  }
  Result<ports::SystemRights> system_rights() override {
    return then(BackendCall::StoredSecurity, [&] { return inner_->system_rights(); });
  }
  Status set_default_acl(const std::optional<ports::PosixAcl>& acl) override {
    return then(BackendCall::SetEas, [&] { return inner_->set_default_acl(acl); });
  }
  Status set_system_acl(const ports::PosixAcl& acl) override {
    return then(BackendCall::SetEas, [&] { return inner_->set_system_acl(acl); });
  }
  Status set_owner(std::optional<std::uint32_t> uid, std::optional<std::uint32_t> gid) override {
    return then(BackendCall::SetBasic, [&] { return inner_->set_owner(uid, gid); });
  }
  Result<std::optional<Bytes>> reparse_point() override {
    return then(BackendCall::Eas, [&] { return inner_->reparse_point(); });
  }
  Status set_reparse_point(const ports::Credentials& who, ByteView buffer) override {
    return then(BackendCall::SetEas, [&] { return inner_->set_reparse_point(who, buffer); });
  }
  const FileKey& base_key() const noexcept override { return inner_->base_key(); }
  std::string_view stream() const noexcept override { return inner_->stream(); }
  Result<std::vector<ports::StreamFacts>> streams() override {
    return then(BackendCall::Eas, [&] { return inner_->streams(); });
  }
  Result<std::unique_ptr<ports::BackendFile>> open_stream(const ports::Credentials& who,
                                                          std::string_view name,
                                                          bool create) override {
    return then(BackendCall::SetEas, [&]() -> Result<std::unique_ptr<ports::BackendFile>> {
      auto stream = inner_->open_stream(who, name, create);
      if (!stream) return stream;
      return std::make_unique<FaultyFile>(std::move(*stream), plan_, budget_);
    });
  }
  Status remove_stream(const ports::Credentials& who, std::string_view name) override {
    return then(BackendCall::SetEas, [&] { return inner_->remove_stream(who, name); });
  }
  Status rename_stream(const ports::Credentials& who, std::string_view to, bool replace) override {
    return then(BackendCall::SetEas, [&] { return inner_->rename_stream(who, to, replace); });
  }
  Status set_mode(const ports::Credentials& who, std::uint32_t mode) override {
    return then(BackendCall::SetBasic, [&] { return inner_->set_mode(who, mode); });
  }
  Status set_compressed(bool compressed) override {
    return then(BackendCall::SetBasic, [&] { return inner_->set_compressed(compressed); });
  }
  Status set_sparse(const ports::Credentials& who, bool sparse) override {
    return then(BackendCall::SetBasic, [&] { return inner_->set_sparse(who, sparse); });
  }
  Status zero(ports::DataRange range, bool punch) override {
    return then(BackendCall::Write, [&] { return inner_->zero(range, punch); });
  }
  Result<std::vector<ports::DataRange>> allocated_ranges(ports::DataRange range) override {
    return then(BackendCall::Read, [&] { return inner_->allocated_ranges(range); });
  }
  Status clone_range(ports::BackendFile& from, std::uint64_t from_offset,
                     ports::DataRange to) override {
    auto* const other = dynamic_cast<FaultyFile*>(&from);
    return then(BackendCall::Write, [&] {
      return inner_->clone_range(other != nullptr ? other->inner() : from, from_offset, to);
    });
  }
  Result<std::unique_ptr<ports::DirectoryCursor>> list(const ports::Credentials& who) override {
    return then(BackendCall::List, [&]() -> Result<std::unique_ptr<ports::DirectoryCursor>> {
      auto cursor = inner_->list(who);
      if (!cursor) return cursor;
      return std::make_unique<FaultyCursor>(std::move(*cursor), plan_, inner_->located_path());
    });
  }
  Result<bool> empty_directory() override {
    return then(BackendCall::EmptyDirectory, [&] { return inner_->empty_directory(); });
  }

 private:
  template <class Call>
  auto then(BackendCall call, Call&& work) -> decltype(work()) {
    if (const Status ok = plan_->pass(call, inner_->located_path()); !ok) {
      return std::unexpected(ok.error());
    }
    return work();
  }

  std::unique_ptr<ports::BackendFile> inner_;
  PlanPtr plan_;
  BudgetPtr budget_;
};

class FaultyBackend final : public ports::Backend {
 public:
  FaultyBackend(std::unique_ptr<ports::Backend> inner, PlanPtr plan, BudgetPtr budget)
      : inner_(std::move(inner)), plan_(std::move(plan)), budget_(std::move(budget)) {}

  Result<std::unique_ptr<ports::BackendFile>> locate(const ports::Credentials& who,
                                                     std::string_view path) override {
    if (const Status ok = plan_->pass(BackendCall::Locate, path); !ok) {
      return std::unexpected(ok.error());
    }
    return wrap(inner_->locate(who, path));
  }
  Result<std::unique_ptr<ports::BackendFile>> create(const ports::Credentials& who,
                                                     std::string_view path, bool directory,
                                                     std::uint32_t attributes) override {
    if (const Status ok = plan_->pass(BackendCall::Create, path); !ok) {
      return std::unexpected(ok.error());
    }
    return wrap(inner_->create(who, path, directory, attributes));
  }
  Status remove(const ports::Credentials& who, std::string_view path, const FileKey& key,
                bool directory) override {
    if (const Status ok = plan_->pass(BackendCall::Remove, path); !ok) return ok;
    return inner_->remove(who, path, key, directory);
  }
  Status may_remove(const ports::Credentials& who, std::string_view path,
                    ports::BackendFile& file) override {
    auto* ours = dynamic_cast<FaultyFile*>(&file);
    return inner_->may_remove(who, path, ours != nullptr ? ours->inner() : file);
  }
  Status rename(const ports::Credentials& who, std::string_view from, std::string_view to,
                bool replace) override {
    if (const Status ok = plan_->pass(BackendCall::Rename, from); !ok) return ok;
    return inner_->rename(who, from, to, replace);
  }
  Status link(const ports::Credentials& who, std::string_view from, std::string_view to,
              bool replace) override {
    if (const Status ok = plan_->pass(BackendCall::Link, from); !ok) return ok;
    return inner_->link(who, from, to, replace);
  }
  Result<std::uint32_t> granted_access(const ports::Credentials& who,
                                       ports::BackendFile& file) override {
    auto* ours = dynamic_cast<FaultyFile*>(&file);
    if (ours == nullptr) return fail(NtStatus::InvalidHandle);
    if (const Status ok = plan_->pass(BackendCall::GrantedAccess, file.located_path()); !ok) {
      return std::unexpected(ok.error());
    }
    return inner_->granted_access(who, ours->inner());
  }
  Result<ports::VolumeFacts> volume() override {
    if (const Status ok = plan_->pass(BackendCall::Volume, ""); !ok) {
      return std::unexpected(ok.error());
    }
    return inner_->volume();
  }
  Result<ports::QuotaState> quota_state() override { return inner_->quota_state(); }
  Result<ports::UserQuota> quota_of(std::uint32_t uid) override { return inner_->quota_of(uid); }
  Result<std::optional<ports::UserQuota>> next_quota(std::uint32_t uid) override {
    return inner_->next_quota(uid);
  }
  Status set_quota(const ports::UserQuota& quota) override { return inner_->set_quota(quota); }
  std::uint64_t volume_id() const noexcept override { return inner_->volume_id(); }
  std::uint32_t owner_uid() const noexcept override { return inner_->owner_uid(); }
  std::uint32_t owner_gid() const noexcept override { return inner_->owner_gid(); }
  bool local() const noexcept override { return inner_->local(); }

 private:
  Result<std::unique_ptr<ports::BackendFile>> wrap(
      Result<std::unique_ptr<ports::BackendFile>> file) {
    if (!file) return file;
    return std::make_unique<FaultyFile>(std::move(*file), plan_, budget_);
  }

  std::unique_ptr<ports::Backend> inner_;
  PlanPtr plan_;
  BudgetPtr budget_;
};

}  // namespace

void FaultPlan::add(Fault fault) {
  const std::lock_guard lock(mutex_);
  armed_.push_back(Armed{std::move(fault), 0});
}

void FaultPlan::clear() {
  const std::lock_guard lock(mutex_);
  armed_.clear();
}

std::uint64_t FaultPlan::count(BackendCall call) const {
  const std::lock_guard lock(mutex_);
  return counts_[static_cast<std::size_t>(call)];
}

Status FaultPlan::pass(BackendCall call, std::string_view path) {
  std::optional<NtStatus> status;
  std::function<void()> stall;
  {
    const std::lock_guard lock(mutex_);
    ++counts_[static_cast<std::size_t>(call)];
    for (Armed& armed : armed_) {
      const Fault& fault = armed.fault;
      if (fault.call != call) continue;
      if (!fault.path.empty() && !equal_without_case(fault.path, path)) continue;
      const std::uint64_t number = armed.seen++;
      if (number < fault.skip || number - fault.skip >= fault.times) continue;
      status = fault.status;
      stall = fault.stall;
      break;
    }
  }
  if (stall) stall();
  if (status) return fail(*status);
  return {};
}

std::unique_ptr<ports::Backend> make_faulty_backend(std::unique_ptr<ports::Backend> inner,
                                                    std::shared_ptr<FaultPlan> plan,
                                                    std::optional<std::uint64_t> disk_bytes) {
  BudgetPtr budget;
  if (disk_bytes) {
    budget = std::make_shared<std::atomic<std::int64_t>>(static_cast<std::int64_t>(*disk_bytes));
  }
  return std::make_unique<FaultyBackend>(std::move(inner), std::move(plan), std::move(budget));
}

}  // namespace flotilla::vfs

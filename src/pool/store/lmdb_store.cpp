#include "pool/store/lmdb_store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <lmdb.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <cerrno>
#include <cstring>

#include "base/log.hpp"
#include "coherence/codec.hpp"

namespace flotilla::pool {
namespace {

constexpr std::size_t kMapBytes = std::size_t{4} << 30;  ///< address space, not memory nor disk
constexpr std::string_view kFormatName = "flotilla-kept-opens";
constexpr std::uint16_t kFormat = 1;
/// After a failed write: the next try, and how often it is said.
constexpr std::chrono::seconds kRetryAfter{1};

std::string remedy(const std::filesystem::path& file) {
  return fmt::format(
      "; restore it, or move {} away to start without the durable handles that it holds",
      file.string());
}

/// Big-endian, so that the store's order is FileKey's.
std::array<std::uint8_t, 24> bytes_of(const FileKey& key) {
  std::array<std::uint8_t, 24> bytes{};
  const auto put = [&](std::size_t at, std::uint64_t value) {
    for (std::size_t i = 0; i < 8; ++i) {
      bytes[at + i] = static_cast<std::uint8_t>(value >> (56 - 8 * i));
    }
  };
  put(0, key.volume);
  put(8, key.inode);
  put(16, key.generation);
  return bytes;
}

Bytes format_record() {
  Bytes bytes;
  ByteWriter out(bytes);
  out.bytes(as_bytes(kFormatName));
  out.u16(kFormat);
  out.u16(coherence::kCommandVersion);
  return bytes;
}

MDB_val val_of(ByteView bytes) {
  return {bytes.size(), const_cast<std::uint8_t*>(bytes.data())};  // LMDB only reads it
}
ByteView view_of(const MDB_val& value) {
  return {static_cast<const std::uint8_t*>(value.mv_data), value.mv_size};
}

class Transaction {
 public:
  Transaction(MDB_env* env, unsigned flags) : error_(mdb_txn_begin(env, nullptr, flags, &txn_)) {}
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction() {
    if (txn_ != nullptr) mdb_txn_abort(txn_);
  }
  [[nodiscard]] int error() const noexcept { return error_; }
  [[nodiscard]] MDB_txn* get() const noexcept { return txn_; }
  int commit() { return mdb_txn_commit(std::exchange(txn_, nullptr)); }

 private:
  MDB_txn* txn_ = nullptr;
  int error_;
};

}  // namespace

struct LmdbStore::Environment {
  std::filesystem::path file;
  int lock = -1;
  MDB_env* env = nullptr;
  MDB_dbi files = 0;

  Environment() = default;
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() {
    if (env != nullptr) mdb_env_close(env);
    if (lock >= 0) ::close(lock);
  }

  /// The directory, and the only daemon in it.
  std::expected<void, std::string> enter(const std::filesystem::path& state_dir) {
    std::error_code error;
    if (std::filesystem::create_directories(state_dir, error)) {
      std::filesystem::permissions(state_dir, std::filesystem::perms::owner_all, error);
    }
    if (error) {
      return std::unexpected(
          fmt::format("state_dir {}: a directory was expected: {}; make one "
                      "that this daemon may write, or change state_dir",
                      state_dir.string(), error.message()));
    }
    const std::string path = (state_dir / "lock").string();
    lock = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0) {
      return std::unexpected(
          fmt::format("state_dir: {} cannot be opened: {}; let this daemon write "
                      "in {}",
                      path, std::strerror(errno), state_dir.string()));
    }
    if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
      return std::unexpected(
          fmt::format("state_dir {}: another flotilla is using it; stop that one, "
                      "or give this one a state_dir of its own",
                      state_dir.string()));
    }
    file = state_dir / "kept.mdb";
    return {};
  }

  std::unexpected<std::string> wrong(const std::string& what) const {
    return std::unexpected(fmt::format("state_dir: {}: {}{}", file.string(), what, remedy(file)));
  }
  std::unexpected<std::string> failed(std::string_view step, int error) const {
    return wrong(fmt::format("a store of kept opens was expected, but {} says: {}", step,
                             mdb_strerror(error)));
  }

  std::expected<void, std::string> open() {
    if (int error = mdb_env_create(&env); error != 0) return failed("creating", error);
    mdb_env_set_mapsize(env, kMapBytes);
    const std::string path = file.string();
    // The lock file above keeps other processes out; threads take turns by themselves.
    if (int error = mdb_env_open(env, path.c_str(), MDB_NOSUBDIR | MDB_NOLOCK, 0600); error != 0) {
      return failed("opening", error);
    }
    // A file that was cut short would be read beyond its end.
    MDB_envinfo info{};
    MDB_stat stat{};
    struct stat on_disk{};
    mdb_env_info(env, &info);
    mdb_env_stat(env, &stat);
    if (::stat(path.c_str(), &on_disk) == 0 &&
        static_cast<std::uint64_t>(on_disk.st_size) < (info.me_last_pgno + 1) * stat.ms_psize) {
      return wrong(fmt::format("{} bytes were expected, it has {}",
                               (info.me_last_pgno + 1) * stat.ms_psize, on_disk.st_size));
    }
    return adopt();
  }

  /// Makes an empty file ours, or finds that it is.
  std::expected<void, std::string> adopt() {
    Transaction txn(env, 0);
    if (txn.error() != 0) return failed("beginning", txn.error());
    if (int error = mdb_dbi_open(txn.get(), nullptr, 0, &files); error != 0) {
      return failed("reading", error);
    }
    const Bytes ours = format_record();
    MDB_val name = val_of(as_bytes(kFormatName));
    MDB_val found{};
    const int error = mdb_get(txn.get(), files, &name, &found);
    if (error != 0 && error != MDB_NOTFOUND) return failed("reading", error);
    MDB_stat stat{};
    mdb_stat(txn.get(), files, &stat);
    if (error == MDB_NOTFOUND && stat.ms_entries != 0) {
      return wrong("a store of kept opens was expected, but something else is in it");
    }
    const ByteView there = view_of(found);
    if (error == 0 && std::equal(there.begin(), there.end(), ours.begin(), ours.end())) return {};
    if (stat.ms_entries > 1) {
      return wrong("it was written by another version of flotilla, which is needed to read it");
    }
    MDB_val value = val_of(ours);
    if (int put = mdb_put(txn.get(), files, &name, &value, 0); put != 0) {
      return failed("writing", put);
    }
    if (int put = txn.commit(); put != 0) return failed("writing", put);
    return {};
  }
};

LmdbStore::LmdbStore(std::unique_ptr<Environment> environment)
    : environment_(std::move(environment)),
      writer_([this](const std::stop_token& stop) { run(stop); }) {}

LmdbStore::~LmdbStore() = default;

std::expected<std::unique_ptr<LmdbStore>, std::string> LmdbStore::open(
    const std::filesystem::path& state_dir) {
  auto environment = std::make_unique<Environment>();
  if (auto entered = environment->enter(state_dir); !entered) {
    return std::unexpected(std::move(entered.error()));
  }
  if (auto opened = environment->open(); !opened) {
    return std::unexpected(std::move(opened.error()));
  }
  return std::unique_ptr<LmdbStore>(new LmdbStore(std::move(environment)));
}

std::expected<std::vector<coherence::KeptFile>, std::string> LmdbStore::load() const {
  Transaction txn(environment_->env, MDB_RDONLY);
  if (txn.error() != 0) return environment_->failed("reading", txn.error());
  MDB_cursor* cursor = nullptr;
  if (int error = mdb_cursor_open(txn.get(), environment_->files, &cursor); error != 0) {
    return environment_->failed("reading", error);
  }
  const std::unique_ptr<MDB_cursor, decltype(&mdb_cursor_close)> closes(cursor, &mdb_cursor_close);
  std::vector<coherence::KeptFile> all;
  MDB_val name{};
  MDB_val value{};
  int error = 0;
  while ((error = mdb_cursor_get(cursor, &name, &value, MDB_NEXT)) == 0) {
    if (name.mv_size == kFormatName.size()) continue;
    ByteReader in{view_of(value)};
    const std::uint64_t digest = in.u64();
    const ByteView record = view_of(value).subspan(in.position());
    std::optional<coherence::KeptFile> file;
    if (in.ok() && XXH3_64bits(record.data(), record.size()) == digest) {
      file = coherence::decode_kept_file(in);
    }
    const auto key = file ? bytes_of(file->key) : std::array<std::uint8_t, 24>{};
    const ByteView stored = view_of(name);
    if (!file || !std::equal(stored.begin(), stored.end(), key.begin(), key.end())) {
      return environment_->wrong(
          fmt::format("record {} of {} bytes is damaged", all.size() + 1, value.mv_size));
    }
    all.push_back(std::move(*file));
  }
  if (error != MDB_NOTFOUND) return environment_->failed("reading", error);
  return all;
}

void LmdbStore::keep(const coherence::KeptFile& file, std::function<void()> safe) {
  Bytes record;
  if (!file.opens.empty()) {
    coherence::encode(file, record);
    const std::uint64_t digest = XXH3_64bits(record.data(), record.size());
    record.insert(record.begin(), 8, 0);
    store_le(record.data(), digest);
  }
  {
    const std::lock_guard lock(mutex_);
    Change& change = waiting_[file.key];
    change.record = std::move(record);
    change.safe.push_back(std::move(safe));
  }
  wake_.notify_one();
}

void LmdbStore::run(const std::stop_token& stop) {
  for (;;) {
    Changes batch;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, stop, [&] { return !waiting_.empty(); });
      if (waiting_.empty()) return;
      batch.swap(waiting_);
    }
    write(batch);
    for (auto& [key, change] : batch) {
      for (const auto& safe : change.safe) safe();
    }
  }
}

void LmdbStore::write(Changes& batch) {
  const auto attempt = [&]() -> int {
    Transaction txn(environment_->env, 0);
    if (txn.error() != 0) return txn.error();
    for (const auto& [key, change] : batch) {
      const auto bytes = bytes_of(key);
      MDB_val name = val_of(bytes);
      MDB_val value = val_of(change.record);
      const int error = change.record.empty()
                            ? mdb_del(txn.get(), environment_->files, &name, nullptr)
                            : mdb_put(txn.get(), environment_->files, &name, &value, 0);
      if (error != 0 && error != MDB_NOTFOUND) return error;
    }
    return txn.commit();
  };
  for (int failures = 0;; ++failures) {
    const int error = attempt();
    if (error == 0) return;
    // Nothing that rests on it may be answered: clients wait, as on a full or stalled file system.
    if (failures % 60 == 0) {
      log::error("state_dir: {} cannot be written: {}; durable opens wait until it can: make room",
                 environment_->file.string(), mdb_strerror(error));
    }
    if (writer_.get_stop_token().stop_requested()) return;
    std::this_thread::sleep_for(kRetryAfter);
  }
}

}  // namespace flotilla::pool

// KeptStore in an LMDB file: <state_dir>/kept.mdb. What is waiting is written in one transaction
// and one sync, by a thread of its own.
#pragma once

#include <condition_variable>
#include <expected>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "pool/store/kept_store.hpp"

struct MDB_env;

namespace flotilla::pool {

class LmdbStore final : public KeptStore {
 public:
  /// Opens the store in the directory, which is made where it is missing (mode 0700).
  /// Errors  a sentence that names the path, what was expected and what to do: somebody else's or a
  ///         damaged file, another format, another daemon at work on it, no room
  [[nodiscard]] static std::expected<std::unique_ptr<LmdbStore>, std::string> open(
      const std::filesystem::path& state_dir);
  ~LmdbStore() override;  ///< all that was given to keep() is safe by then

  /// Every record, in order of FileKey. Call before the first keep().
  /// Errors  as open()
  [[nodiscard]] std::expected<std::vector<coherence::KeptFile>, std::string> load() const;

  void keep(const coherence::KeptFile& file, std::function<void()> safe) override;

 private:
  struct Environment;
  struct Change {
    Bytes record;  ///< empty: none any more
    std::vector<std::function<void()>> safe;
  };
  using Changes = std::map<FileKey, Change>;

  explicit LmdbStore(std::unique_ptr<Environment> environment);
  void run(const std::stop_token& stop);
  void write(Changes& batch);

  std::unique_ptr<Environment> environment_;
  std::mutex mutex_;  ///< guards waiting_
  std::condition_variable_any wake_;
  Changes waiting_;
  std::jthread writer_;  ///< last: joined before the rest goes
};

}  // namespace flotilla::pool

// The file state machine: commands in, outcomes and effects out. Pure and deterministic: no clock,
// thread, random number or I/O; two tables given the same commands hold the same bytes.
// Must not know who carries effects out, nor what SMB looks like on the wire.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "coherence/command.hpp"

namespace flotilla::coherence {

/// `break_timeout`  how long a holder may take to acknowledge ([MS-SMB2] 3.3.2.1: 35 s), then its
///                  opens are revoked before the waiter is granted
struct Limits {
  std::chrono::milliseconds break_timeout{35000};
  std::uint32_t opens_per_file_max = 100000;
  std::uint32_t locks_per_file_max = 100000;
};

struct FileState;
struct HandedFile;

/// The lower bits of a version count in one epoch.
inline constexpr unsigned kVersionsOfEpochBits = 35;

/// All files whose state one node decides (in the pool: a partition of the files it owns).
class FileTable {
 public:
  explicit FileTable(Limits limits = {});
  FileTable(FileTable&&) noexcept;
  FileTable& operator=(FileTable&&) noexcept;
  ~FileTable();

  /// Carries out one command on the file `command.key`; a file comes to be with its first open and
  /// goes with the last thing known about it. Total: no command, however wrong, breaks an
  /// invariant.
  void apply(const Command& command, Outbox& out);

  /// Takes from an Opened that could not leave with its turn what its cache has lost since. What it
  /// has gained is left to the answer of the open that gained it.
  void refresh(const FileKey& key, OpenId open, Opened& answer) const;

  /// Versions that are given from now on are larger than any that a table has given in an earlier
  /// epoch (each may give 2^kVersionsOfEpochBits): whoever remembers those of a former owner takes
  /// them for old.
  void begin_epoch(Epoch epoch);

  /// The earliest deadline of all files, of a break or of a detached open; nothing where none is
  /// outstanding.
  [[nodiscard]] std::optional<MonoTime> next_deadline() const;
  /// Files with a deadline at or before `now`: the caller applies Tick to each.
  [[nodiscard]] std::vector<FileKey> due(MonoTime now) const;

  [[nodiscard]] std::vector<FileKey> files() const;  ///< in order of key
  /// At most `count_max` of them, those after `after`: to walk a large table in parts.
  [[nodiscard]] std::vector<FileKey> files_after(const std::optional<FileKey>& after,
                                                 std::size_t count_max) const;
  [[nodiscard]] std::size_t file_count() const noexcept;
  [[nodiscard]] std::size_t open_count() const noexcept;
  /// Drops all state of a file without effects (its owner is now another node).
  void forget(const FileKey& key);
  /// What must survive of the file, as the last Outbox::keep said it; nothing where none ever did.
  [[nodiscard]] std::optional<KeptFile> kept(const FileKey& key) const;
  /// The opens that answer to `query`, in order of OpenId.
  [[nodiscard]] std::vector<KeptFound> find(const KeptQuery& query) const;
  /// Moves a file out, for another node's table to go on with it. Deadlines become the time that is
  /// left, since that node has another clock. Nothing known: an empty state.
  [[nodiscard]] HandedFile take(const FileKey& key, MonoTime now);
  /// Goes on with what another table gave by take(): versions that nodes have heard are not given
  /// again. What this table knew of the file is dropped.
  void put(const FileKey& key, HandedFile file, MonoTime now);
  /// The file's state as canonical bytes; empty where nothing is known. Equal bytes, equal state.
  [[nodiscard]] Bytes encode_file(const FileKey& key) const;
  /// xor-free digest over all files in key order.
  [[nodiscard]] std::uint64_t digest() const;
  /// For tests and the invariant checker: borrowed until the next call that is not const; null
  /// where nothing is known.
  [[nodiscard]] const FileState* inspect(const FileKey& key) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace flotilla::coherence

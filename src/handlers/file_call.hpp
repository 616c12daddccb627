// What READ, WRITE, IOCTL, QUERY_INFO and SET_INFO share: finding the open's file, staying legal
// across a co_await, and leave to change data.
#pragma once

#include <memory>

#include "handlers/engine_call.hpp"
#include "handlers/open_state.hpp"
#include "handlers/request.hpp"

namespace flotilla::handlers {

/// An open with its file; holds both alive across a co_await.
struct FileOpen {
  std::shared_ptr<session::Open> open;
  std::shared_ptr<ports::BackendFile> file;
  std::shared_ptr<ports::IoGate> gate;
  const Share* share = nullptr;
  bool local = true;  ///< calls into the backend do not stall

  [[nodiscard]] OpenState& state() const { return state_of(*open); }
  [[nodiscard]] bool allows(std::uint32_t any_of) const noexcept {
    return (open->granted_access & any_of) != 0;
  }
};

/// The file behind an open of this request's tree. Errors  InvalidDeviceRequest: it is a pipe
[[nodiscard]] Result<FileOpen> file_of(Request& request, std::shared_ptr<session::Open> open);

/// After a co_await: FileClosed where the open was closed or fenced meanwhile.
[[nodiscard]] Status still_open(const session::Open& open) noexcept;

/// The open's current name: another open, maybe of another session, may have renamed the file.
[[nodiscard]] const std::string& refresh_path(session::Open& open);

/// Connection.MaxTransactSize, MaxReadSize and MaxWriteSize are one number here.
[[nodiscard]] std::uint32_t max_transaction_bytes(const Request& request) noexcept;

/// Whether a READ or WRITE names buffers that only RDMA reaches, which no transport here is. Other
/// values of Channel mean nothing and are not looked at, as in Samba.
/// Spec    [MS-SMB2] 3.3.5.12 Receiving an SMB2 READ Request, 3.3.5.13
[[nodiscard]] bool wants_rdma(const Request& request, std::uint32_t channel) noexcept;

/// Leave to change [offset, offset + length_bytes): read caching of others is broken first, locks
/// are asked. Keep the ticket until the system call has returned. Admission comes before the
/// question who caches: a cache granted after it waits for the ticket.
/// Errors  as IoGate::admit; the engine's answer to Modify; FileClosed
runtime::Task<Result<ports::IoGate::Ticket>> admit_change(Request& request, FileOpen target,
                                                          std::uint64_t offset,
                                                          std::uint64_t length_bytes);

/// MAXFILESIZE: what [MS-FSA] 2.1.5.4 lets a file grow to.
inline constexpr std::uint64_t kFileBytesMax = 0xFFFFFFF0000;

/// After data was changed: puts the write time back where the client has set it through this open.
/// Blocks; `set_time` is OpenState::user_set_write_time.
[[nodiscard]] Status keep_write_time(ports::BackendFile& file, const ports::Credentials& who,
                                     std::optional<NtTime> set_time);

/// Ahead of a write through `target`: what clients see of the write time stays as it is for now.
/// The first write of an open shows after two seconds, the others when it closes (Samba before
/// 4.22, Windows before 2022). Blocks: one statx for the first write of an open.
void delay_write_time(const FileOpen& target, NtTime now);
/// The file's own write time shows at once: sizes and times that are set, FLUSH.
void show_write_time(const FileOpen& target);

/// Tells the watches of this node that `open` changed.
void report_change(Request& request, session::Open& open, std::uint32_t filter);

}  // namespace flotilla::handlers

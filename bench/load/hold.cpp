#include "load/hold.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "wire/utf16.hpp"

namespace flotilla::load {
namespace {

using Clock = std::chrono::steady_clock;

/// Requests under way at once.
constexpr std::size_t kDepth = 32;

double since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// `ask(i, done)` for every i below `count`, some at once, all on `client`; what failed first.
using Ask = std::function<void(std::size_t, const Client::Done&)>;
NtStatus all_of(Client& client, std::size_t count, const Ask& ask) {
  std::size_t asked = 0;
  std::size_t answered = 0;
  NtStatus failed = NtStatus::Success;
  const Client::Done done = [&](const Answer& answer) {
    ++answered;
    if (answer.status() != NtStatus::Success && failed == NtStatus::Success) {
      failed = answer.status();
    }
  };
  while (answered < count) {
    for (; asked < count && asked - answered < kDepth; ++asked) ask(asked, done);
    if (!client.read_some()) return NtStatus::PipeDisconnected;
  }
  return failed;
}

std::u16string held_name(std::size_t file) {
  return *wire::utf16_of(fmt::format("bench-hold-{}", file));
}

}  // namespace

std::string make_held_files(Client& client, std::size_t files) {
  for (std::size_t n = 0; n < files; ++n) {
    const auto id = client.open(held_name(n));
    if (!id) return fmt::format("making a file: {}", name_of(id.error()));
    wire::CloseRequest request;
    request.file_id = *id;
    (void)client.call(wire::Command::Close, request);
  }
  return {};
}

std::expected<std::vector<FileId>, std::string> open_held(Client& client, std::size_t files,
                                                          std::size_t first, std::size_t count) {
  std::vector<FileId> ids(count);
  wire::CreateRequest create = open_request({});
  create.create_disposition = wire::CreateDisposition::OpenIf;
  const NtStatus status = all_of(client, count, [&](std::size_t i, const Client::Done& done) {
    create.name = held_name((first + i) % files);
    client.send(wire::Command::Create, create, [&ids, i, done](const Answer& answer) {
      const auto response = wire::decode<wire::CreateResponse>(answer.message);
      if (response) ids[i] = response->file_id;
      done(answer);
    });
  });
  if (status != NtStatus::Success) {
    const auto got = std::ranges::count_if(ids, [](const FileId& id) { return id != FileId{}; });
    return std::unexpected(fmt::format("CREATE after {}: {}", got, name_of(status)));
  }
  return ids;
}

std::expected<Held, std::string> hold(Clients& clients, const Plan& plan, std::size_t count,
                                      std::size_t locks,
                                      const std::function<double()>& resident_bytes) {
  const std::size_t each = count / clients.size();
  std::vector<std::vector<FileId>> ids(clients.size());
  Held held;
  const std::size_t locks_each = locks / clients.size();
  held.opens = each * clients.size();
  held.locks = locks_each * clients.size();
  if (const std::string error = make_held_files(*clients.front(), plan.files); !error.empty()) {
    return std::unexpected(error);
  }
  const double before = resident_bytes();
  Clock::time_point begin = Clock::now();
  for (std::size_t c = 0; c < clients.size(); ++c) {
    auto opened = open_held(*clients[c], plan.files, 0, each);
    if (!opened) return std::unexpected(opened.error());
    ids[c] = *std::move(opened);
  }
  held.opens_seconds = since(begin);
  const double with_opens = resident_bytes();
  held.bytes_per_open = (with_opens - before) / static_cast<double>(held.opens);
  begin = Clock::now();
  for (std::size_t c = 0; c < clients.size(); ++c) {
    const NtStatus status =
        all_of(*clients[c], locks_each, [&](std::size_t i, const Client::Done& done) {
          wire::LockRequest request;
          request.file_id = ids[c][i % each];
          request.locks = {{2 * (c * locks_each + i), 1,
                            wire::lock_flags::kExclusiveLock | wire::lock_flags::kFailImmediately}};
          clients[c]->send(wire::Command::Lock, request, done);
        });
    if (status != NtStatus::Success)
      return std::unexpected(fmt::format("LOCK: {}", name_of(status)));
  }
  held.locks_seconds = since(begin);
  held.bytes_per_lock = (resident_bytes() - with_opens) / static_cast<double>(held.locks);
  begin = Clock::now();
  for (std::size_t c = 0; c < clients.size(); ++c) {
    const NtStatus status = all_of(*clients[c], each, [&](std::size_t i, const Client::Done& done) {
      wire::CloseRequest request;
      request.file_id = ids[c][i];
      clients[c]->send(wire::Command::Close, request, done);
    });
    if (status != NtStatus::Success)
      return std::unexpected(fmt::format("CLOSE: {}", name_of(status)));
  }
  held.close_seconds = since(begin);
  return held;
}

}  // namespace flotilla::load

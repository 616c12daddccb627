// Spec    [MS-SRVS] 3.1.4.1 NetrConnectionEnum, 3.1.4.2 NetrFileEnum, 3.1.4.3 NetrFileGetInfo,
//         3.1.4.5 NetrSessionEnum
#include "rpc/srvsvc_activity.hpp"

#include <array>

#include "base/ascii.hpp"
#include "rpc/access.hpp"
#include "rpc/share_list.hpp"
#include "rpc/srvsvc_types.hpp"

namespace flotilla::rpc::srvsvc {

namespace {

constexpr std::uint32_t kUnlimited = 0xFFFFFFFF;

/// [MS-SRVS] 2.2.4.1, .2 CONNECTION_INFO_0, _1; 2.2.4.6, .7 FILE_INFO_2, _3; 2.2.4.11 to .15
/// SESSION_INFO_0, _1, _2, _10, _502: each level is a choice of one record's fields.
struct Connection {
  std::uint32_t level = 0;
  std::uint32_t id = 0;
  std::uint32_t opens = 0;
  std::uint32_t seconds = 0;
  Text user;
  Text share;
  static void ndr(auto& v, auto& s) {
    v(s.id);
    if (s.level == 0) return;
    v(std::uint32_t{0});  // coni1_type: disk
    v(s.opens);
    v(std::uint32_t{1});  // users
    v(s.seconds);
    v(s.user);
    v(s.share);
  }
};
struct File {
  std::uint32_t level = 0;
  std::uint32_t id = 0;
  std::uint32_t permissions = 0;
  Text path;
  Text user;
  static void ndr(auto& v, auto& s) {
    v(s.id);
    if (s.level == 2) return;
    v(s.permissions);
    v(std::uint32_t{0});  // locks
    v(s.path);
    v(s.user);
  }
};
struct Session {
  std::uint32_t level = 0;
  Text client;
  Text user;
  std::uint32_t opens = 0;
  std::uint32_t seconds = 0;
  std::uint32_t flags = 0;
  Text client_type;
  Text transport;
  static void ndr(auto& v, auto& s) {
    v(s.client);
    if (s.level == 0) return;
    v(s.user);
    if (s.level != 10) v(s.opens);
    v(s.seconds);
    v(std::uint32_t{0});  // idle
    if (s.level == 10) return;
    v(s.flags);
    if (s.level == 1) return;
    v(s.client_type);
    if (s.level == 502) v(s.transport);
  }
};

/// The level twice (it is the union's discriminant too) and the container of the level.
template <class Info>
struct Listed {
  std::uint32_t level = 0;
  wire::NdrUnique<Container<Info>> container;
  static void ndr(auto& v, auto& s) {
    v(s.level);
    v(s.level);
    v(s.container);
  }
};

/// What the three enumerations have in common: `names` strings, level and union, how much, whence.
template <int Names>
struct EnumIn {
  std::array<Text, static_cast<std::size_t>(Names)> names;
  std::uint32_t level = 0;
  std::uint32_t union_level = 0;
  std::uint32_t container = 0;
  std::uint32_t entries_read = 0;
  std::uint32_t buffer = 0;
  std::uint32_t prefered_maximum_length = 0;
  std::optional<std::uint32_t> resume_handle;
  static void parameters(auto& v, auto& s) {
    for (Text& name : s.names) v(name);
    v(s.level);
    v(s.union_level);
    v(s.container);
    // A client that asks sends an empty container.
    if (s.container != 0) {
      v(s.entries_read);
      v(s.buffer);
    }
    if (s.buffer != 0) return v.fail(wire::WireFault::BadValue, "a list that is not empty");
    v(s.prefered_maximum_length);
    v(s.resume_handle);
  }
};

template <class Info>
CallResult answer(const Listed<Info>& list, std::uint32_t total, bool resumes, WinError result) {
  std::optional<std::uint32_t> resume_handle;
  if (resumes) resume_handle = 0;
  return reply(list, total, resume_handle, result);
}

/// As many entries from `resume_handle` on as fit.
template <class Info, int Names>
CallResult page(const EnumIn<Names>& in, std::vector<Info> all) {
  constexpr std::size_t kEntryBytes = 160;
  const std::size_t first = std::min<std::size_t>(in.resume_handle.value_or(0), all.size());
  std::size_t room = all.size() - first;
  if (in.prefered_maximum_length != kUnlimited) {
    room = std::min<std::size_t>(
        room, std::max<std::size_t>(1, in.prefered_maximum_length / kEntryBytes));
  }
  const auto total = static_cast<std::uint32_t>(all.size() - first);
  const bool more = first + room < all.size();
  all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(first));
  all.resize(room);
  Listed<Info> out;
  out.level = in.level;
  out.container.emplace();
  out.container->entries_read = static_cast<std::uint32_t>(all.size());
  out.container->buffer = std::move(all);
  std::optional<std::uint32_t> resume_handle = in.resume_handle;
  if (resume_handle) resume_handle = more ? static_cast<std::uint32_t>(first + room) : 0;
  return reply(out, total, resume_handle, more ? WinError::MoreData : WinError::Success);
}

template <class Info, int Names>
CallResult refuse(const EnumIn<Names>& in, WinError why) {
  Listed<Info> out;
  out.level = in.level;
  return answer(out, 0, in.resume_handle.has_value(), why);
}

bool matches(const Text& wanted, std::string_view has) {
  return !wanted || wanted->empty() || ascii::equal_without_case(*wanted, wide(has));
}

CallResult connection_enum(const PipeContext& context, EnumIn<2>& in) {
  if (!context.listing) return refuse<Connection>(in, WinError::AccessDenied);
  if (in.level > 1) return refuse<Connection>(in, WinError::InvalidLevel);
  std::vector<Connection> all;
  std::uint32_t id = 0;
  for (const SessionFacts& session : context.listing->sessions) {
    for (const auto& [share, opens] : session.shares) {
      ++id;
      if (!matches(in.names[1], share)) continue;
      all.push_back({.level = in.level,
                     .id = id,
                     .opens = opens,
                     .seconds = session.seconds,
                     .user = wide(session.user),
                     .share = wide(share)});
    }
  }
  return page(in, std::move(all));
}

File file_of(const FileFacts& facts, std::uint32_t level) {
  // [MS-SRVS] 2.2.4.7 FILE_INFO_3, permissions: read, write, create
  constexpr std::uint32_t kRead = 1;
  constexpr std::uint32_t kWrite = 2;
  return {.level = level,
          .id = facts.id,
          .permissions = (facts.may_read ? kRead : 0) | (facts.may_write ? kWrite : 0),
          .path = wide(facts.path),
          .user = wide(facts.user)};
}

CallResult file_enum(const PipeContext& context, EnumIn<3>& in) {
  if (!context.listing) return refuse<File>(in, WinError::AccessDenied);
  if (in.level != 2 && in.level != 3) return refuse<File>(in, WinError::InvalidLevel);
  std::vector<File> all;
  for (const FileFacts& file : context.listing->files) {
    if (!matches(in.names[2], file.user)) continue;
    all.push_back(file_of(file, in.level));
  }
  return page(in, std::move(all));
}

CallResult session_enum(const PipeContext& context, EnumIn<3>& in) {
  if (!context.listing) return refuse<Session>(in, WinError::AccessDenied);
  if (in.level > 2 && in.level != 10 && in.level != 502) {
    return refuse<Session>(in, WinError::InvalidLevel);
  }
  std::vector<Session> all;
  for (const SessionFacts& session : context.listing->sessions) {
    if (!matches(in.names[2], session.user)) continue;
    std::uint32_t opens = 0;
    for (const auto& [share, count] : session.shares) opens += count;
    all.push_back({.level = in.level,
                   .client = wide("\\\\" + session.client),
                   .user = wide(session.user),
                   .opens = opens,
                   .seconds = session.seconds,
                   .flags = session.guest ? 1U : 0U,
                   .client_type = u"",
                   .transport = u""});
  }
  return page(in, std::move(all));
}

struct FileIn {
  Text server_name;
  std::uint32_t id = 0;
  std::uint32_t level = 0;
  static void parameters(auto& v, auto& s) {
    v(s.server_name);
    v(s.id);
    v(s.level);
  }
};
struct OneFile {
  std::uint32_t level = 0;
  wire::NdrUnique<File> file;
  static void ndr(auto& v, auto& s) {
    v(s.level);
    v(s.file);
  }
};

CallResult file_get_info(const PipeContext& context, FileIn& in) {
  OneFile out{in.level, {}};
  if (!context.listing) return reply(out, WinError::AccessDenied);
  if (in.level != 2 && in.level != 3) return reply(out, WinError::InvalidLevel);
  const auto found = std::ranges::find(context.listing->files, in.id, &FileFacts::id);
  if (found == context.listing->files.end()) return reply(out, WinError::FileIdNotFound);
  out.file = file_of(*found, in.level);
  return reply(out, WinError::Success);
}

constexpr std::array kOperations{row<&connection_enum>(8), row<&file_enum>(9),
                                 row<&file_get_info>(10), row<&session_enum>(12)};

}  // namespace

std::span<const Operation> activity_operations() { return kOperations; }

}  // namespace flotilla::rpc::srvsvc

// The greeting on a socket of samba-dcerpcd: who the caller is, and how he was authenticated.
#include "rpc/forward.hpp"
#include "wire/ndr_types.hpp"

namespace flotilla::rpc {

namespace {

using wire::NdrUnique;

constexpr std::uint32_t kLevel = 7;
constexpr std::uint32_t kNcacnNp = 1;
constexpr std::uint64_t kNever = 0x7FFFFFFFFFFFFFFFULL;
constexpr std::uint16_t kSmbPort = 445;

/// [unique,charset(UTF8),string]: with its NUL
struct Text {
  wire::NdrVarying<std::uint8_t> bytes;
  Text() = default;
  explicit Text(std::string_view text) {
    bytes.items.assign(text.begin(), text.end());
    bytes.items.push_back(0);
  }
  static void ndr(auto& v, auto& s) { v(s.bytes); }
};
using TextPointer = NdrUnique<Text>;

struct Blob {
  Bytes bytes;
  static void ndr(auto& v, auto& s) {
    v(static_cast<std::uint32_t>(s.bytes.size()));
    for (const std::uint8_t byte : s.bytes) v(byte);
  }
};
struct SecurityToken {
  std::vector<wire::Sid> sids;
  static void ndr(auto& v, auto& s) {
    v.align(8);
    const auto count = static_cast<std::uint32_t>(s.sids.size());
    v(count);
    v(count);
    for (const wire::Sid& sid : s.sids) {
      Bytes flat;
      sid.encode(flat);
      v.align(4);
      for (const std::uint8_t byte : flat) v(byte);
    }
    v(std::uint64_t{0});  // privileges: none
    v(std::uint32_t{0});  // rights
  }
};
struct UnixToken {
  std::uint64_t uid = 0;
  std::uint64_t gid = 0;
  std::vector<std::uint64_t> groups;
  static void ndr(auto& v, auto& s) {
    const auto count = static_cast<std::uint32_t>(s.groups.size());
    v(count);  // conformance of the array at the end
    v.align(8);
    v(s.uid);
    v(s.gid);
    v(count);
    for (const std::uint64_t group : s.groups) v(group);
  }
};
struct UserInfo {
  TextPointer account_name;
  TextPointer domain_name;
  TextPointer full_name;
  TextPointer logon_server;
  bool authenticated = true;
  static void ndr(auto& v, auto& s) {
    const TextPointer null;
    v(s.account_name);
    v(null);  // user_principal_name
    v(std::uint8_t{0});
    v(s.domain_name);
    v(null);  // dns_domain_name
    v(s.full_name);
    for (int i = 0; i < 4; ++i) v(null);  // logon_script, profile_path, home_directory, home_drive
    v(s.logon_server);
    const std::uint64_t times[] = {0, kNever, kNever, 0, 0, kNever};
    for (const std::uint64_t time : times) v(wire::NdrOldLarge{time});
    v(std::uint16_t{0});     // logon_count
    v(std::uint16_t{0});     // bad_password_count
    v(std::uint32_t{0x10});  // acct_flags: a normal user
    v(static_cast<std::uint8_t>(s.authenticated ? 1 : 0));
  }
};
struct UnixInfo {
  TextPointer unix_name;
  TextPointer sanitized_name;
  static void ndr(auto& v, auto& s) {
    v(s.unix_name);
    v(s.sanitized_name);
  }
};
struct SessionInfo {
  NdrUnique<SecurityToken> security_token;
  NdrUnique<UnixToken> unix_token;
  NdrUnique<UserInfo> info;
  NdrUnique<UnixInfo> unix_info;
  Blob session_key;
  std::array<std::uint8_t, 16> unique_session_token{};
  static void ndr(auto& v, auto& s) {
    v(s.security_token);
    v(s.unix_token);
    v(s.info);
    v(s.unix_info);
    v(std::uint32_t{0});  // torture
    v(s.session_key);
    v.align(4);
    v(std::uint32_t{0});  // credentials
    v(s.unique_session_token);
  }
};
struct Transport {
  NdrUnique<SessionInfo> session_info;
  Blob gssapi_credentials;
  static void ndr(auto& v, auto& s) {
    v(s.session_info);
    v(s.gssapi_credentials);
  }
};
struct Request {
  TextPointer client_name;
  TextPointer client_address;
  TextPointer server_name;
  TextPointer server_address;
  NdrUnique<Transport> session;
  static void ndr(auto& v, auto& s) {
    v(std::uint32_t{0});  // length, in front of all and big-endian: put in at the end
    v(std::array<std::uint8_t, 4>{'N', 'P', 'A', 'M'});
    v(kLevel);
    v(kLevel);  // the union's discriminant
    v(kNcacnNp);
    v(s.client_name);
    v(s.client_address);
    v(std::uint16_t{0});
    v(s.server_name);
    v(s.server_address);
    v(kSmbPort);
    v(s.session);
  }
};

}  // namespace

Bytes encode_named_pipe_auth(const PipeContext& context) {
  const ports::Token& caller = *context.caller;
  SessionInfo session;
  session.security_token.emplace();
  session.security_token->sids.push_back(caller.user_sid);
  auto& sids = session.security_token->sids;
  sids.insert(sids.end(), caller.group_sids.begin(), caller.group_sids.end());
  session.unix_token.emplace();
  session.unix_token->uid = caller.uid;
  session.unix_token->gid = caller.gid;
  session.unix_token->groups.assign(caller.groups.begin(), caller.groups.end());
  session.info.emplace();
  session.info->account_name = Text(caller.user_name);
  session.info->domain_name = Text(caller.domain);
  session.info->full_name = Text(caller.user_name);
  session.info->logon_server = Text(context.config->server_name);
  session.info->authenticated = !caller.guest && !caller.anonymous;
  session.unix_info.emplace(TextPointer(Text(caller.user_name)),
                            TextPointer(Text(caller.user_name)));
  session.session_key.bytes = context.session_key;
  Request request;
  request.client_name = Text(context.peer_address);
  request.client_address = Text(context.peer_address);
  request.server_name = Text(context.config->server_name);
  request.server_address = Text("127.0.0.1");
  request.session.emplace();
  request.session->session_info = std::move(session);
  Bytes out;
  wire::NdrWriter writer(out);
  writer(request);
  const auto length = static_cast<std::uint32_t>(out.size() - 4);
  for (int i = 0; i < 4; ++i) out[static_cast<std::size_t>(i)] = (length >> (24 - 8 * i)) & 0xFF;
  return out;
}

Status check_named_pipe_auth_reply(ByteView reply) {
  if (reply.size() != kNamedPipeAuthReplyBytes || as_text(reply.subspan(4, 4)) != "NPAM" ||
      load_le<std::uint32_t>(reply.data() + 8) != kLevel) {
    return fail(NtStatus::InvalidNetworkResponse);
  }
  const NtStatus status{load_le<std::uint32_t>(reply.data() + 32)};
  if (is_error(status)) return fail(status);
  return {};
}

}  // namespace flotilla::rpc

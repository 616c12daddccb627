#include "handlers/audit_trail.hpp"

#include <fmt/core.h>

#include "base/log.hpp"
#include "handlers/channel.hpp"
#include "handlers/open_state.hpp"
#include "handlers/request.hpp"
#include "ports/audit.hpp"
#include "wire/smb2.hpp"
#include "wire/utf16.hpp"

namespace flotilla::handlers {

namespace {

ports::AuditEvent event_of(const Request& request, std::string what, NtStatus result) {
  return {.time = request.server.clock().wall(),
          .event = std::move(what),
          .result = result,
          .address = request.channel->facts().peer_address,
          .session = fmt::format("{:x}", request.header.session_id.raw())};
}

void put_user(ports::AuditEvent& event, const ports::Token& token) {
  event.user = token.user_name;
  event.domain = token.domain;
  event.sid = token.user_sid.to_string();
  if (token.guest) event.kind = "guest";
  if (token.anonymous) event.kind = "anonymous";
}

/// The name that CREATE and TREE_CONNECT ask for; the open's, for the others.
std::string path_of(Request& request) {
  if (request.header.command == wire::Command::Create) {
    const auto body = wire::decode<wire::CreateRequest>(request.message);
    return body ? wire::printable(body->name) : std::string{};
  }
  if (request.header.command == wire::Command::TreeConnect) {
    const auto body = wire::decode<wire::TreeConnectRequest>(request.message);
    return body ? wire::printable(body->path) : std::string{};
  }
  if (!request.session) return {};
  const auto open = request.session->opens.find(request.chain.file.volatile_id);
  return open == request.session->opens.end() ? std::string{} : open->second->path;
}

void audit_access(Request& request, NtStatus result, std::string reason) {
  ports::Audit* const audit = request.server.audit();
  if (audit == nullptr) return;
  ports::AuditEvent event = event_of(request, "access", result);
  event.command = wire::name_of(request.header.command);
  if (request.session && request.session->credentials) {
    put_user(event, *static_cast<const SessionCredentials&>(*request.session->credentials).token);
  }
  if (request.tree) event.share = request.tree->share_name;
  event.path = path_of(request);
  event.reason = std::move(reason);
  audit->record(std::move(event));
}

}  // namespace

std::string address_of(std::string_view peer) {
  if (peer.starts_with('[')) return std::string(peer.substr(1, peer.rfind(']') - 1));
  const std::size_t colon = peer.find(':');
  // More than one colon: a bare IPv6 address.
  if (colon == peer.npos || peer.find(':', colon + 1) != peer.npos) return std::string(peer);
  return std::string(peer.substr(0, colon));
}

void audit_logon(Request& request, const ports::AuthAttempt& attempt,
                 const Result<ports::AuthStep>& step) {
  ports::Audit* const audit = request.server.audit();
  if (audit == nullptr) return;
  ports::AuditEvent event =
      event_of(request, "authentication", step ? NtStatus::Success : step.error());
  event.user = attempt.user;
  event.domain = attempt.domain;
  event.mechanism = attempt.mechanism;
  event.reason = attempt.reason;
  if (step && step->token) put_user(event, *step->token);
  audit->record(std::move(event));
}

void audit_refusal(Request& request) {
  // A refused logon has its own line.
  if (request.header.command == wire::Command::SessionSetup) return;
  audit_access(request, NtStatus::AccessDenied, {});
}

void audit_privilege(Request& request, std::string_view privilege) {
  audit_access(request, NtStatus::Success, std::string(privilege));
}

void log_disk_trouble(Request& request, NtStatus status) {
  if (status != NtStatus::DiskFull && status != NtStatus::MediaWriteProtected &&
      status != NtStatus::UnexpectedIoError) {
    return;
  }
  constexpr std::int64_t kPauseNs = 10'000'000'000;
  std::int64_t told = request.server.disk_trouble_told_ns.load(std::memory_order_relaxed);
  const std::int64_t now = request.server.clock().mono().ns;
  if (told != 0 && now - told < kPauseNs) return;
  if (!request.server.disk_trouble_told_ns.compare_exchange_strong(told, now)) return;
  log::error("share {}: {} of \"{}\" for {}: {}; the client was told that it did not happen",
             request.tree ? request.tree->share_name : std::string(),
             wire::name_of(request.header.command), path_of(request),
             request.session ? request.session->user_name : std::string(), name_of(status));
}

}  // namespace flotilla::handlers

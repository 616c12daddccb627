#include "handlers/dispatch.hpp"

#include <array>

#include "session/credits.hpp"
#include "wire/smb2.hpp"

namespace flotilla::handlers {

const CommandRule& rule_of(wire::Command command) noexcept {
  static constexpr std::array<CommandRule, wire::kCommandCount> kRules{{
      {nullptr, false, false, false},                // NEGOTIATE
      {&handle_session_setup, false, false, true},   // SESSION_SETUP
      {&handle_logoff, true, false, true},           // LOGOFF
      {&handle_tree_connect, true, false, false},    // TREE_CONNECT
      {&handle_tree_disconnect, true, true, false},  // TREE_DISCONNECT
      {&handle_create, true, true, false},           // CREATE
      {&handle_close, true, true, true},             // CLOSE
      {&handle_flush, true, true, false},            // FLUSH
      {&handle_read, true, true, false},             // READ
      {&handle_write, true, true, false},            // WRITE
      {&handle_lock, true, true, true},              // LOCK
      {&handle_ioctl, true, true, false},            // IOCTL
      {nullptr, false, false, true},                 // CANCEL
      {&handle_echo, false, false, true},            // ECHO
      {&handle_query_directory, true, true, false},  // QUERY_DIRECTORY
      {&handle_change_notify, true, true, false},    // CHANGE_NOTIFY
      {&handle_query_info, true, true, false},       // QUERY_INFO
      {&handle_set_info, true, true, false},         // SET_INFO
      {&handle_oplock_break, true, true, false},     // OPLOCK_BREAK
  }};
  return kRules[static_cast<std::size_t>(command)];
}

bool charge_covers_payload(const wire::Smb2Header& header, ByteView message) {
  std::uint64_t send = 0;
  std::uint64_t receive = 0;
  switch (header.command) {
    case wire::Command::Read:
      if (const auto body = wire::decode<wire::ReadRequest>(message)) receive = body->length;
      break;
    case wire::Command::Write:
      if (const auto body = wire::decode<wire::WriteRequest>(message)) send = body->data.size();
      break;
    case wire::Command::Ioctl:
      if (const auto body = wire::decode<wire::IoctlRequest>(message)) {
        send = body->input.size();
        receive = body->max_output_response;
      }
      break;
    case wire::Command::QueryDirectory:
      if (const auto body = wire::decode<wire::QueryDirectoryRequest>(message)) {
        receive = body->output_buffer_length;
      }
      break;
    case wire::Command::ChangeNotify:
      if (const auto body = wire::decode<wire::ChangeNotifyRequest>(message)) {
        receive = body->output_buffer_length;
      }
      break;
    case wire::Command::QueryInfo:
      if (const auto body = wire::decode<wire::QueryInfoRequest>(message)) {
        send = body->input_buffer.size();
        receive = body->output_buffer_length;
      }
      break;
    case wire::Command::SetInfo:
      if (const auto body = wire::decode<wire::SetInfoRequest>(message)) send = body->buffer.size();
      break;
    default:
      return true;
  }
  return session::charge_suffices(header.credit_charge, send, receive);
}

}  // namespace flotilla::handlers

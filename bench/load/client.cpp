#include "load/client.hpp"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "auth/spnego/tokens.hpp"
#include "auth/test_client.hpp"
#include "crypto/kdf.hpp"
#include "wire/utf16.hpp"

namespace flotilla::load {

namespace {

constexpr std::size_t kReadBytes = 256U << 10;
constexpr std::uint16_t kCreditsWanted = 64;

std::string failed(std::string_view what, NtStatus status) {
  return fmt::format("{}: {}", what, name_of(status));
}

bool send_all(int fd, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  return true;
}

}  // namespace

std::expected<std::unique_ptr<Client>, std::string> Client::connect(const Target& target) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(target.port);
  if (inet_pton(AF_INET, target.host.c_str(), &address.sin_addr) != 1) {
    return std::unexpected(fmt::format("{}: expected a numeric IPv4 address", target.host));
  }
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    const std::string why = std::strerror(errno);
    if (fd >= 0) close(fd);
    return std::unexpected(fmt::format("connect {}:{}: {}", target.host, target.port, why));
  }
  const int on = 1;
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  auto client = std::unique_ptr<Client>(new Client(fd));
  const std::string error = client->log_in(target);
  if (!error.empty()) {
    return std::unexpected(fmt::format("{}:{}: {}", target.host, target.port, error));
  }
  return client;
}

Client::~Client() { close(fd_); }

void Client::begin(wire::Command command) {
  header_ = {};
  header_.command = command;
  header_.credit_charge = 1;
  header_.credits = kCreditsWanted;
  header_.message_id = MessageId{next_message_++};
  header_.session_id = session_;
  header_.tree_id = tree_;
  if (signer_) header_.flags |= wire::header_flags::kSigned;
  // The codec counts offsets from the header, so the frame's length is put in front afterwards.
  out_.clear();
  header_.encode(out_);
}

void Client::finish(Waiting waiting) {
  if (signer_) signer_->sign(out_);
  if (hashing_) preauth_.add(out_);
  std::array<std::uint8_t, 4> length{};
  wire::encode_frame_length(static_cast<std::uint32_t>(out_.size()), length);
  out_.insert(out_.begin(), length.begin(), length.end());
  waiting_.emplace(header_.message_id.raw(), std::move(waiting));
  (void)send_all(fd_, out_);  // a connection that broke is seen by whoever reads
}

bool Client::read_some() {
  if (in_.size() - in_have_ < kReadBytes) in_.resize(in_have_ + 2 * kReadBytes);
  ssize_t got = 0;
  do {
    got = recv(fd_, in_.data() + in_have_, in_.size() - in_have_, 0);
  } while (got < 0 && errno == EINTR);
  if (got <= 0) return false;
  in_have_ += static_cast<std::size_t>(got);
  std::size_t done = 0;
  while (in_have_ - done >= wire::kFrameHeaderSize) {
    const ByteView rest(in_.data() + done, in_have_ - done);
    const auto length = wire::decode_frame_length(rest);
    if (!length) return false;
    if (rest.size() - wire::kFrameHeaderSize < *length) break;
    done += wire::kFrameHeaderSize + *length;
    take_frame(rest.subspan(wire::kFrameHeaderSize, *length));
  }
  in_have_ -= done;
  std::memmove(in_.data(), in_.data() + done, in_have_);
  return true;
}

void Client::take_frame(ByteView message) {
  const auto header = wire::Smb2Header::decode(message);
  if (!header) return;
  const auto found = waiting_.find(header->message_id.raw());
  if (found == waiting_.end()) return;  // a break: its open is closed by now
  if (header->nt_status() == NtStatus::Pending) {
    if (found->second.pending) found->second.pending();
    return;
  }
  const bool last = header->command == wire::Command::SessionSetup &&
                    header->nt_status() != NtStatus::MoreProcessingRequired;
  if (hashing_ && !last) preauth_.add(message);
  if (header->command == wire::Command::SessionSetup) session_ = header->session_id;
  if (header->command == wire::Command::TreeConnect) tree_ = header->tree_id;
  const Done done = std::move(found->second.done);
  waiting_.erase(found);
  done(Answer{*header, message});
}

NtStatus Client::negotiate() {
  wire::NegotiateRequest request;
  request.security_mode = wire::security_mode::kSigningEnabled;
  request.capabilities = wire::capability::kLargeMtu | wire::capability::kLeasing;
  request.client_guid.bytes[0] = static_cast<std::uint8_t>(fd_);
  store_le(request.client_guid.bytes.data() + 4, static_cast<std::uint32_t>(getpid()));
  request.dialects = {wire::Dialect::Smb311};
  const std::array<std::uint8_t, 32> salt{1};
  const Bytes hashes =
      wire::encoded(wire::PreauthIntegrityCapabilities{{wire::HashAlgorithm::Sha512}, salt});
  const Bytes signing = wire::encoded(wire::SigningCapabilities{
      {wire::SigningAlgorithm::AesGmac, wire::SigningAlgorithm::AesCmac}});
  request.negotiate_contexts = {{wire::NegotiateContextType::PreauthIntegrityCapabilities, hashes},
                                {wire::NegotiateContextType::SigningCapabilities, signing}};
  return call(wire::Command::Negotiate, request, [this](const Answer& answer) {
    const auto response = wire::decode<wire::NegotiateResponse>(answer.message);
    if (!response) return;
    const auto* chosen = wire::find_context(response->negotiate_contexts,
                                            wire::NegotiateContextType::SigningCapabilities);
    if (chosen == nullptr) return;
    const auto algorithms = wire::decode<wire::SigningCapabilities>(chosen->data);
    if (!algorithms || algorithms->signing_algorithms.empty()) return;
    algorithm_ = static_cast<crypto::SigningAlgorithm>(algorithms->signing_algorithms.front());
  });
}

std::string Client::log_in(const Target& target) {
  namespace spnego = auth::spnego;
  if (const NtStatus status = negotiate(); status != NtStatus::Success) {
    return failed("NEGOTIATE", status);
  }
  auth::testing_client::NtlmClient ntlm;
  ntlm.user = *wire::utf16_of(target.user);
  ntlm.password = target.password;
  ntlm.with_mic = false;  // with one, Samba wants a mechListMIC too
  const std::vector<ByteView> mechanisms{ByteView(spnego::oid::kNtlm)};
  const Bytes hello = ntlm.negotiate();
  Bytes token = spnego::encode_init(mechanisms, ByteView(hello));
  Bytes challenge;
  wire::SessionSetupRequest setup;
  setup.security_mode = wire::security_mode::kSigningEnabled;
  setup.security_buffer = token;
  NtStatus status = call(wire::Command::SessionSetup, setup, [&](const Answer& answer) {
    const auto response = wire::decode<wire::SessionSetupResponse>(answer.message);
    if (!response) return;
    const auto part = spnego::decode_response(response->security_buffer);
    if (part && part->response_token) {
      challenge.assign(part->response_token->begin(), part->response_token->end());
    }
  });
  if (status != NtStatus::MoreProcessingRequired) return failed("SESSION_SETUP", status);
  const Bytes proof = ntlm.authenticate(challenge);
  spnego::NegTokenResp last;
  last.response_token = ByteView(proof);
  token = spnego::encode(last);
  setup.security_buffer = token;
  status = call(wire::Command::SessionSetup, setup);
  if (status != NtStatus::Success) return failed("SESSION_SETUP", status);
  hashing_ = false;
  const crypto::SessionKeys keys = crypto::derive_session_keys(
      crypto::KeySchedule::Smb311, ntlm.exported_key, preauth_.value(), crypto::Cipher::None);
  signer_ = std::make_unique<crypto::Signer>(algorithm_, keys.signing_key);
  wire::TreeConnectRequest tree;
  tree.path = *wire::utf16_of("\\\\" + target.host + "\\" + target.share);
  status = call(wire::Command::TreeConnect, tree);
  return status == NtStatus::Success ? std::string() : failed("TREE_CONNECT", status);
}

std::expected<FileId, NtStatus> Client::open(const std::u16string& name) {
  wire::CreateRequest request = open_request(name);
  request.create_disposition = wire::CreateDisposition::OpenIf;
  FileId id;
  const NtStatus status = call(wire::Command::Create, request, [&id](const Answer& answer) {
    const auto response = wire::decode<wire::CreateResponse>(answer.message);
    if (response) id = response->file_id;
  });
  if (status != NtStatus::Success) return std::unexpected(status);
  return id;
}

wire::CreateRequest open_request(const std::u16string& name) {
  wire::CreateRequest request;
  request.desired_access = wire::access::kFileGenericRead | wire::access::kFileGenericWrite;
  request.share_access =
      wire::share_access::kRead | wire::share_access::kWrite | wire::share_access::kDelete;
  request.create_options = wire::create_options::kNonDirectoryFile;
  request.name = name;
  return request;
}

}  // namespace flotilla::load

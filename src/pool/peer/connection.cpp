#include "pool/peer/connection.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <charconv>
#include <utility>

#include "base/log.hpp"
#include "pool/peer/endpoint.hpp"

namespace flotilla::pool {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {
constexpr std::chrono::seconds kHandshakeTimeout{5};
/// Unacknowledged for so long, a connection is given up and made anew.
constexpr unsigned kUserTimeoutMs = 2000;
}  // namespace

std::optional<tcp::endpoint> parse_endpoint(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  std::string host = text.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data() + colon + 1, end, port);
  if (error != std::errc{} || at != end) return std::nullopt;
  boost::system::error_code bad;
  const auto address = asio::ip::make_address(host, bad);
  if (bad) return std::nullopt;
  return tcp::endpoint(address, port);
}

PeerConnection::PeerConnection(asio::io_context& io, const PoolKey& key, Events events)
    : socket_(io), timer_(io), key_(key), events_(std::move(events)) {}

void PeerConnection::prepare_socket() {
  ErrorCode ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  (void)::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &kUserTimeoutMs,
                     sizeof kUserTimeoutMs);
}

void PeerConnection::call(const std::string& endpoint, const PeerHello& hello) {
  mine_ = hello;
  const auto at = parse_endpoint(endpoint);
  timer_.expires_after(kHandshakeTimeout);
  timer_.async_wait([self = shared_from_this()](const ErrorCode& error) {
    if (!error && !self->established_) self->fail("no handshake in time");
  });
  if (!at) {
    asio::post(socket_.get_executor(), [self = shared_from_this(), endpoint] {
      self->fail("the peer's address is not address:port");
    });
    return;
  }
  socket_.async_connect(*at, [self = shared_from_this()](const ErrorCode& error) {
    if (self->closed_) return;
    if (error) return self->fail({});
    self->on_connected();
  });
}

void PeerConnection::on_connected() {
  prepare_socket();
  hello_ = encode_peer_hello(mine_);
  write_raw(hello_, false);
  read_exactly(kPeerHelloBytes + kPeerProofBytes, &PeerConnection::on_callee_hello);
}

void PeerConnection::on_callee_hello() {
  const ByteView all(in_);
  const auto hello = decode_peer_hello(all.first(kPeerHelloBytes));
  if (!hello || hello->from != mine_.to || hello->to != mine_.from) {
    return fail("answers as somebody else, or speaks another version");
  }
  peer_ = *hello;
  channel_ = std::make_unique<SecureChannel>(key_, hello_, all.first(kPeerHelloBytes), true);
  if (!channel_->proves(all.subspan(kPeerHelloBytes))) return fail("has another pool key");
  write_raw(channel_->proof(), false);
  establish();
}

void PeerConnection::answer(tcp::socket socket, PeerNonce nonce) {
  socket_ = std::move(socket);
  nonce_ = nonce;
  prepare_socket();
  timer_.expires_after(kHandshakeTimeout);
  timer_.async_wait([self = shared_from_this()](const ErrorCode& error) {
    if (!error && !self->established_) self->fail("no handshake in time");
  });
  read_exactly(kPeerHelloBytes, &PeerConnection::on_caller_hello);
}

void PeerConnection::on_caller_hello() {
  const auto hello = decode_peer_hello(in_);
  if (!hello) return fail("does not speak this protocol or version");
  peer_ = *hello;
  if (!events_.known(peer_)) return fail({});  // its view, or ours, is not there yet
  mine_ = PeerHello{peer_.to, peer_.from, nonce_};
  hello_ = encode_peer_hello(mine_);
  channel_ = std::make_unique<SecureChannel>(key_, in_, hello_, false);
  Bytes answer = hello_;
  const Bytes proof = channel_->proof();
  answer.insert(answer.end(), proof.begin(), proof.end());
  write_raw(std::move(answer), false);
  read_exactly(kPeerProofBytes, &PeerConnection::on_caller_proof);
}

void PeerConnection::on_caller_proof() {
  if (!channel_->proves(in_)) return fail("has another pool key");
  establish();
}

void PeerConnection::establish() {
  established_ = true;
  timer_.cancel();
  read_exactly(4, &PeerConnection::on_length);
  events_.established(shared_from_this(), peer_);
}

void PeerConnection::on_length() {
  const auto size_bytes = load_le<std::uint32_t>(in_.data());
  if (size_bytes > kPeerFrameBytesMax) return fail("sends a frame that is too long");
  read_exactly(size_bytes, &PeerConnection::on_frame);
}

void PeerConnection::on_frame() {
  auto plain = channel_->open(in_);
  if (!plain) return fail("sends a frame that was not sealed with the connection's key");
  const auto self = shared_from_this();
  events_.frame(self, std::move(*plain));
  if (!closed_) read_exactly(4, &PeerConnection::on_length);
}

void PeerConnection::read_exactly(std::size_t size_bytes, void (PeerConnection::*then)()) {
  in_.resize(size_bytes);
  asio::async_read(socket_, asio::buffer(in_),
                   [self = shared_from_this(), then](const ErrorCode& error, std::size_t) {
                     if (self->closed_) return;
                     if (error) return self->fail({});
                     ((*self).*then)();
                   });
}

void PeerConnection::write(ByteView plain) {
  Bytes frame = channel_->seal(plain);
  if (frame.empty()) return fail("could not be sealed for");
  write_raw(std::move(frame), true);
}

void PeerConnection::write_raw(Bytes bytes, bool reports) {
  // The handshake's pieces and the first frame may follow each other before the first is out.
  out_.push_back(std::move(bytes));
  if (out_.size() > 1) return;
  const auto go = [](const auto& again, const std::shared_ptr<PeerConnection>& self,
                     bool report) -> void {
    asio::async_write(self->socket_, asio::buffer(self->out_.front()),
                      [again, self, report](const ErrorCode& error, std::size_t) {
                        if (self->closed_) return;
                        if (error) return self->fail({});
                        self->out_.pop_front();
                        if (!self->out_.empty()) {
                          again(again, self, self->established_);
                        } else if (report || self->established_) {
                          self->events_.written(self);
                        }
                      });
  };
  go(go, shared_from_this(), reports);
}

void PeerConnection::fail(std::string_view why) {
  if (closed_) return;
  if (!why.empty()) {
    ErrorCode ignored;
    const auto at = socket_.remote_endpoint(ignored);
    log::warn("pool: peer {} (node {}): {}; connection closed", at.address().to_string(),
              peer_.from.node.raw(), why);
  }
  const auto self = shared_from_this();
  close();
  events_.closed(self);
}

void PeerConnection::close() {
  if (closed_) return;
  closed_ = true;
  ErrorCode ignored;
  timer_.cancel();
  socket_.close(ignored);
}

}  // namespace flotilla::pool

#include "pool/peer/connection.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <charconv>
#include <cstring>
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
/// What one read takes; a frame of commands is a few hundred bytes.
constexpr std::size_t kReadBytes = 64U << 10;
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
  write_raw(hello_);
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
  write_raw(channel_->proof());
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
  write_raw(std::move(answer));
  read_exactly(kPeerProofBytes, &PeerConnection::on_caller_proof);
}

void PeerConnection::on_caller_proof() {
  if (!channel_->proves(in_)) return fail("has another pool key");
  establish();
}

void PeerConnection::establish() {
  established_ = true;
  timer_.cancel();
  in_.resize(kReadBytes);
  read_frames();
  events_.established(shared_from_this(), peer_);
}

void PeerConnection::read_frames() {
  socket_.async_read_some(
      asio::buffer(in_.data() + in_have_, in_.size() - in_have_),
      [self = shared_from_this()](const ErrorCode& error, std::size_t size_bytes) {
        if (self->closed_) return;
        if (error) return self->fail({});
        self->in_have_ += size_bytes;
        self->take_frames();
        if (!self->closed_) self->read_frames();
      });
}

void PeerConnection::take_frames() {
  std::size_t at = 0;
  std::size_t wanted = 4;
  while (in_have_ - at >= 4) {
    const auto size_bytes = load_le<std::uint32_t>(in_.data() + at);
    if (size_bytes > kPeerFrameBytesMax) return fail("sends a frame that is too long");
    wanted = 4 + std::size_t{size_bytes};
    if (in_have_ - at < wanted) break;
    auto plain = channel_->open(ByteView(in_).subspan(at + 4, size_bytes));
    if (!plain) return fail("sends a frame that was not sealed with the connection's key");
    at += wanted;
    wanted = 4;
    events_.frame(shared_from_this(), std::move(*plain));
    if (closed_) return;
  }
  in_have_ -= at;
  std::memmove(in_.data(), in_.data() + at, in_have_);
  // Room for the frame that has begun, and no more than usual when a large one is through.
  const std::size_t room = std::max(wanted, kReadBytes);
  if (in_.size() != room && in_have_ <= room) in_.resize(room);
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

bool PeerConnection::write(ByteView plain) {
  const std::lock_guard lock(write_mutex_);
  if (closed_) return false;
  Bytes frame = channel_->seal(plain);
  if (frame.empty()) {
    asio::post(socket_.get_executor(),
               [self = shared_from_this()] { self->fail("could not be sealed for"); });
    return false;
  }
  std::size_t done = 0;
  if (out_.empty()) {
    const ssize_t sent =
        ::send(socket_.native_handle(), frame.data(), frame.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) done = static_cast<std::size_t>(sent);  // an error comes again below
    if (done == frame.size()) return true;
  }
  frame.erase(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(done));
  out_.push_back(std::move(frame));
  if (out_.size() == 1) {
    asio::post(socket_.get_executor(), [self = shared_from_this()] { self->write_on(); });
  }
  return false;
}

void PeerConnection::write_raw(Bytes bytes) {
  // The handshake's pieces and the first frame may follow each other before the first is out.
  {
    const std::lock_guard lock(write_mutex_);
    out_.push_back(std::move(bytes));
    if (out_.size() > 1) return;
  }
  write_on();
}

void PeerConnection::write_on() {
  if (closed_) return;
  const std::lock_guard lock(write_mutex_);
  // A deque's elements stay where they are while others are added behind them.
  asio::async_write(socket_, asio::buffer(out_.front()),
                    [self = shared_from_this()](const ErrorCode& error, std::size_t) {
                      if (self->closed_) return;
                      if (error) return self->fail({});
                      bool more = false;
                      {
                        const std::lock_guard locked(self->write_mutex_);
                        self->out_.pop_front();
                        more = !self->out_.empty();
                      }
                      if (more) return self->write_on();
                      if (self->established_) self->events_.written(self);
                    });
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
  ErrorCode ignored;
  timer_.cancel();
  const std::lock_guard lock(write_mutex_);
  closed_ = true;
  socket_.close(ignored);
}

}  // namespace flotilla::pool

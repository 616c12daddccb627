// One TCP connection between two nodes: handshake, then sealed frames in both directions. Used by
// peer/mesh.cpp only; all but write() on the mesh's thread. Asio stays in this folder.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "pool/peer/secure_channel.hpp"

namespace flotilla::pool {

class PeerConnection : public std::enable_shared_from_this<PeerConnection> {
 public:
  /// All called on the mesh's thread.
  struct Events {
    /// The callee asks whether it may link these two lives.
    std::function<bool(const PeerHello&)> known;
    std::function<void(const std::shared_ptr<PeerConnection>&, const PeerHello& peer)> established;
    std::function<void(const std::shared_ptr<PeerConnection>&, Bytes plain)> frame;
    /// What write() could not write at once is out: the next may be written.
    std::function<void(const std::shared_ptr<PeerConnection>&)> written;
    /// Once, unless close() was called.
    std::function<void(const std::shared_ptr<PeerConnection>&)> closed;
  };

  PeerConnection(boost::asio::io_context& io, const PoolKey& key, Events events);

  void call(const std::string& endpoint, const PeerHello& hello);
  void answer(boost::asio::ip::tcp::socket socket, PeerNonce nonce);
  /// Seals a frame and writes it at once, as far as the socket takes it. True when all of it is
  /// out; else (or where the connection is closed) `written` tells when the next may come. One
  /// caller at a time; any thread.
  [[nodiscard]] bool write(ByteView plain);
  void close();
  [[nodiscard]] const PeerHello& peer() const noexcept { return peer_; }

 private:
  using ErrorCode = boost::system::error_code;
  void prepare_socket();
  void read_exactly(std::size_t size_bytes, void (PeerConnection::*then)());
  void read_frames();
  void take_frames();
  void write_raw(Bytes bytes);
  void write_on();
  void fail(std::string_view why);
  void on_connected();
  void on_callee_hello();
  void on_caller_hello();
  void on_caller_proof();
  void establish();

  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer timer_;
  const PoolKey& key_;
  Events events_;
  PeerHello mine_;
  PeerHello peer_;
  Bytes hello_;  ///< ours, as sent
  PeerNonce nonce_{};
  Bytes in_;
  std::size_t in_have_ = 0;  ///< bytes of `in_` that were read, once frames come
  /// Guards `out_`, the sealing half of `channel_`, and `socket_` against being closed by the
  /// mesh's thread while another one writes.
  std::mutex write_mutex_;
  std::deque<Bytes> out_;  ///< what the socket did not take; the first is being written
  std::unique_ptr<SecureChannel> channel_;
  bool closed_ = false;
  bool established_ = false;
};

}  // namespace flotilla::pool

// PipeRelay: pipes of this node's clients that the pool's one rpc_node serves, and, on that node,
// the pipes of the others' clients. The session stays where it is; only the pipe's messages travel.
// Must not know how nodes reach each other: `send` does.
#pragma once

#include <atomic>
#include <compare>
#include <map>
#include <mutex>

#include "base/ids.hpp"
#include "rpc/forward.hpp"
#include "rpc/pipe_messages.hpp"

namespace flotilla::rpc {

/// Thread-safe. Pipes hold it; what it was made with outlives stop().
class PipeRelay final : public PipeForwarder, public std::enable_shared_from_this<PipeRelay> {
 public:
  /// Pipes that this node serves for all others.
  static constexpr std::size_t kServedMax = 4096;

  /// One life of a node: another one knows nothing of the pipes of this one.
  struct Life {
    NodeId node;
    std::uint64_t incarnation = 0;
    friend auto operator<=>(const Life&, const Life&) = default;
  };
  struct Parts {
    NodeId self;
    NodeId server;           ///< the rpc_node
    bool all_pipes = false;  ///< also those that every node could serve itself
    /// samba-dcerpcd of this machine; null: there is none.
    std::shared_ptr<PipeForwarder> local;
    /// In order and lossless while both are in the pool. `lost` runs once, on any thread, where it
    /// does not arrive.
    std::function<void(NodeId to, Bytes message, std::move_only_function<void()> lost)> send;
    /// Where a pipe runs that this node serves: one for good, and what a PipeContext has of the
    /// serving node.
    std::function<runtime::Executor&()> executor;
    std::function<PipeContext(runtime::Executor&)> context;
  };
  explicit PipeRelay(Parts parts) : parts_(std::move(parts)) {}

  // PipeForwarder. Errors as there; PipeNotAvailable  the rpc_node is not in the pool
  void open(const std::string& name, PipeContext context, runtime::Executor& executor,
            ReplySink sink, Opened done) override;
  [[nodiscard]] bool takes(std::string_view name) const noexcept override;

  /// What `send` on another node sent.
  void receive(NodeId from, ByteView message);
  /// Pipes of and to lives that are not there end; empty where there is no quorum.
  void on_members(const std::vector<Life>& members);
  /// All pipes end; nothing is sent any more. The executors still run what this posts.
  void stop();

  /// Of this node's clients, served elsewhere; and of others', served here.
  [[nodiscard]] std::size_t sent_away() const;
  [[nodiscard]] std::size_t served() const;

 private:
  class Pipe;
  struct End;
  struct Served;
  using ServedKey = std::pair<NodeId, std::uint64_t>;

  void tell(NodeId to, const PipeMessage& message);
  void give_up(std::uint64_t pipe, NtStatus status);
  void close(std::uint64_t pipe);
  void serve(NodeId from, PipeOpen open);
  void send_reply(const ServedKey& key, Bytes message);
  void end_served(const std::shared_ptr<Served>& served);
  void on_opened(const PipeOpened& opened);
  void on_data(NodeId from, PipeData data);

  const Parts parts_;
  mutable std::mutex mutex_;
  std::vector<Life> members_;
  bool refusal_told_ = false;  ///< one line in the log per change of members
  bool stopped_ = false;
  std::uint64_t next_ = 1;
  std::map<std::uint64_t, std::shared_ptr<End>> ends_;
  std::map<ServedKey, std::shared_ptr<Served>> served_;
};

}  // namespace flotilla::rpc

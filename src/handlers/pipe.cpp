#include "handlers/pipe.hpp"

#include <algorithm>

#include "base/ascii.hpp"

namespace flotilla::handlers {

namespace {

std::string pipe_name_of(std::string_view name) {
  std::string plain;
  for (const char c : name) plain.push_back(c == '\\' ? '/' : ascii::lower(c));
  while (plain.starts_with('/')) plain.erase(0, 1);
  if (plain.starts_with("pipe/")) plain.erase(0, 5);
  return plain;
}

}  // namespace

Result<std::unique_ptr<Pipe>> Pipe::open(std::string_view name, rpc::PipeContext context) {
  std::unique_ptr<Pipe> pipe(new Pipe(pipe_name_of(name)));
  auto server = rpc::open_pipe_server(
      pipe->name_, std::move(context),
      [owner = pipe.get()](Bytes message) { owner->deliver(std::move(message)); });
  if (!server) return fail(server.error());
  pipe->server_ = std::move(*server);
  return pipe;
}

std::shared_ptr<Pipe::Opened> Pipe::forward(std::string_view name, rpc::PipeContext context,
                                            rpc::PipeForwarder& forwarder,
                                            runtime::Executor& executor) {
  auto shot = Opened::make();
  std::unique_ptr<Pipe> pipe(new Pipe(pipe_name_of(name)));
  const std::string plain = pipe->name_;
  auto sink = [owner = pipe.get()](Bytes message) { owner->deliver(std::move(message)); };
  forwarder.open(plain, std::move(context), executor, std::move(sink),
                 [shot, pipe = std::move(pipe)](auto server) mutable {
                   if (!server) {
                     shot->set(fail(server.error()));
                     return;
                   }
                   pipe->server_ = std::move(*server);
                   shot->set(std::move(pipe));
                 });
  return shot;
}

Pipe::~Pipe() {
  server_.reset();
  for (const Readable& waiter : waiters_) waiter->set(false);
}

void Pipe::deliver(Bytes message) {
  if (message.empty()) {
    broken_ = true;
    for (const Readable& waiter : std::exchange(waiters_, {})) waiter->set(true);
    return;
  }
  messages_.push_back(std::move(message));
  for (const Readable& waiter : std::exchange(waiters_, {})) waiter->set(true);
}

Status Pipe::write(ByteView data) {
  if (broken_) return fail(NtStatus::PipeDisconnected);
  const Status done = server_->receive(data);
  if (!done) broken_ = true;
  return done;
}

Result<Pipe::Piece> Pipe::read(std::size_t max) {
  if (messages_.empty()) return fail(broken_ ? NtStatus::PipeDisconnected : NtStatus::Pending);
  Bytes& message = messages_.front();
  const std::size_t left = message.size() - taken_bytes_;
  Piece piece;
  piece.more = left > max;
  if (!piece.more && taken_bytes_ == 0) {
    piece.data = std::move(message);
  } else {
    const auto from = message.begin() + static_cast<std::ptrdiff_t>(taken_bytes_);
    piece.data.assign(from, from + static_cast<std::ptrdiff_t>(std::min(left, max)));
  }
  if (piece.more) {
    taken_bytes_ += max;
  } else {
    messages_.pop_front();
    taken_bytes_ = 0;
  }
  return piece;
}

Result<Pipe::Piece> Pipe::transceive(ByteView data, std::size_t max) {
  if (has_data()) return fail(NtStatus::PipeBusy);
  if (const Status done = write(data); !done) return fail(done.error());
  return read(max);
}

std::size_t Pipe::data_bytes() const noexcept {
  std::size_t sum = 0;
  for (const Bytes& message : messages_) sum += message.size();
  return sum - taken_bytes_;
}

std::size_t Pipe::first_message_bytes() const noexcept {
  return messages_.empty() ? 0 : messages_.front().size() - taken_bytes_;
}

Bytes Pipe::peek(std::size_t max) const {
  if (messages_.empty()) return {};
  const ByteView rest = ByteView(messages_.front()).subspan(taken_bytes_);
  const ByteView part = rest.first(std::min(max, rest.size()));
  return {part.begin(), part.end()};
}

Pipe::Readable Pipe::readable() {
  Readable waiter = runtime::OneShot<bool>::make();
  if (has_data() || broken_) {
    waiter->set(true);
  } else {
    waiters_.push_back(waiter);
  }
  return waiter;
}

}  // namespace flotilla::handlers

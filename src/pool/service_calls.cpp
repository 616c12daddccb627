#include "pool/service_calls.hpp"

#include <algorithm>
#include <utility>

#include "base/log.hpp"

namespace flotilla::pool {

void ServiceCalls::serve(std::uint16_t id, Service service) {
  const std::lock_guard lock(mutex_);
  services_[id] = std::move(service);
}

std::optional<Bytes> ServiceCalls::answer(NodeId from, std::uint16_t id, ByteView request) {
  Service service;
  {
    const std::lock_guard lock(mutex_);
    const auto at = services_.find(id);
    if (at != services_.end()) service = at->second;
  }
  if (!service) return std::nullopt;
  return service(from, request);
}

void ServiceCalls::call(NodeId to, std::uint16_t id, Bytes request, Done done) {
  if (to == self_) return done(answer(self_, id, request));
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    if (std::any_of(members_.begin(), members_.end(),
                    [&](const MemberId& member) { return member.node == to; })) {
      number = next_call_++;
      waiting_.emplace(number, Waiting{to, std::move(done)});
    }
  }
  if (number == 0) return done(std::nullopt);
  Bytes body;
  ByteWriter out(body);
  out.u64(number);
  out.u16(id);
  out.bytes(request);
  send_(to, PeerTraffic::ServiceRequest, std::move(body));
}

void ServiceCalls::receive(NodeId from, PeerTraffic traffic, ByteView body) {
  ByteReader in(body);
  const std::uint64_t number = in.u64();
  if (traffic == PeerTraffic::ServiceRequest) {
    const std::uint16_t id = in.u16();
    const ByteView request = in.view(in.remaining());
    std::optional<Bytes> answered = in.ok() ? answer(from, id, request) : std::nullopt;
    Bytes reply;
    ByteWriter out(reply);
    out.u64(number);
    out.u8(answered ? 1 : 0);
    if (answered) out.bytes(*answered);
    send_(from, PeerTraffic::ServiceReply, std::move(reply));
    return;
  }
  const bool answered = in.u8() == 1;
  const ByteView reply = in.view(in.remaining());
  if (!in.ok()) {
    log::error("pool: node {} answered a service call with {} bytes", from.raw(), body.size());
    return;
  }
  Done done;
  {
    const std::lock_guard lock(mutex_);
    const auto at = waiting_.find(number);
    if (at == waiting_.end() || at->second.to != from) return;
    done = std::move(at->second.done);
    waiting_.erase(at);
  }
  done(answered ? std::optional<Bytes>(Bytes(reply.begin(), reply.end())) : std::nullopt);
}

void ServiceCalls::on_view(const View& view) {
  std::vector<Done> ended;
  {
    const std::lock_guard lock(mutex_);
    const std::vector<MemberId> before = std::exchange(members_, {});
    if (view.quorate) {
      for (const Member& member : view.members) members_.push_back(member.id);
    }
    const auto stays = [&](NodeId node) {
      return std::any_of(members_.begin(), members_.end(), [&](const MemberId& member) {
        return member.node == node &&
               std::find(before.begin(), before.end(), member) != before.end();
      });
    };
    for (auto at = waiting_.begin(); at != waiting_.end();) {
      if (stays(at->second.to)) {
        ++at;
        continue;
      }
      ended.push_back(std::move(at->second.done));
      at = waiting_.erase(at);
    }
  }
  for (Done& done : ended) done(std::nullopt);
}

}  // namespace flotilla::pool

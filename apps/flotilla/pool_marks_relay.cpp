#include "flotilla/pool_marks_relay.hpp"

#include <utility>

#include "base/log.hpp"

namespace flotilla::app {
namespace {

constexpr std::uint16_t kMarksService = 0x4E03;
enum class Kind : std::uint8_t { Note = 1, Pull };
constexpr std::size_t kMarkBytes = 25;

void put(ByteWriter& writer, const handlers::Mark& mark) {
  writer.u8(static_cast<std::uint8_t>(mark.kind));
  writer.u64(mark.name.volume);
  writer.u64(mark.name.inode);
  writer.u64(mark.name.generation);
}

handlers::Mark take(ByteReader& reader) {
  handlers::Mark mark;
  const std::uint8_t kind = reader.u8();
  if (kind == 0 || kind > handlers::kMarkKinds) reader.fail();
  mark.kind = static_cast<handlers::Mark::Kind>(kind);
  mark.name.volume = reader.u64();
  mark.name.inode = reader.u64();
  mark.name.generation = reader.u64();
  return mark;
}

Bytes encoded(const handlers::MarkList& list) {
  Bytes out;
  ByteWriter writer(out);
  writer.u64(list.life);
  writer.u64(list.seq);
  for (const handlers::Mark& mark : list.marks) put(writer, mark);
  return out;
}

std::optional<handlers::MarkList> decoded(ByteView bytes) {
  ByteReader reader(bytes);
  handlers::MarkList list;
  list.life = reader.u64();
  list.seq = reader.u64();
  while (reader.ok() && reader.remaining() >= kMarkBytes) {
    const handlers::Mark mark = take(reader);
    if (reader.ok()) list.marks.push_back(mark);
  }
  if (!reader.ok() || reader.remaining() != 0) return std::nullopt;
  return list;
}

/// Zero is nobody's.
std::uint64_t life_of(const pool::MemberId& member) { return member.incarnation + 1; }

}  // namespace

PoolMarksRelay::PoolMarksRelay(handlers::Server& server, pool::PoolEngine& engine, NodeId self)
    : server_(server), engine_(engine), self_(self) {
  server_.marks().set_relay(this);
  engine_.serve(kMarksService,
                [this](NodeId from, ByteView request) { return receive(from, request); });
}

bool PoolMarksRelay::settled() { return engine_.recovered(); }

void PoolMarksRelay::on_view(const pool::View& view) {
  std::vector<handlers::MarkPeer> others;
  std::uint64_t self_life = 0;
  if (view.quorate) {
    for (const pool::Member& member : view.members) {
      if (member.id.node == self_) {
        self_life = life_of(member.id);
      } else {
        others.push_back({member.id.node, life_of(member.id)});
      }
    }
  }
  if (self_life == 0) others.clear();
  if (!server_.marks().on_members(self_life, others)) return;
  // What a lost node did last it may have told nobody; nobody lists a directory under a lease again
  // before the pool is settled.
  for (const handlers::Mark& mark : server_.marks().own(handlers::Mark::Kind::Listing)) {
    engine_.submit(mark.name, coherence::ChildChanged{}, {});
  }
}

void PoolMarksRelay::tell(NodeId to, const handlers::MarkNote& note,
                          std::move_only_function<void()> done) {
  Bytes out;
  ByteWriter writer(out);
  writer.u8(static_cast<std::uint8_t>(Kind::Note));
  writer.u64(note.life);
  writer.u64(note.seq);
  writer.u8(note.on ? 1 : 0);
  put(writer, note.mark);
  engine_.call(to, kMarksService, std::move(out),
               [done = std::move(done)](std::optional<Bytes>) mutable { done(); });
}

void PoolMarksRelay::pull(NodeId from,
                          std::move_only_function<void(std::optional<handlers::MarkList>)> done) {
  Bytes out{static_cast<std::uint8_t>(Kind::Pull)};
  engine_.call(from, kMarksService, std::move(out),
               [done = std::move(done)](std::optional<Bytes> answer) mutable {
                 done(answer ? decoded(*answer) : std::nullopt);
               });
}

Bytes PoolMarksRelay::receive(NodeId from, ByteView request) {
  ByteReader reader(request);
  const auto kind = static_cast<Kind>(reader.u8());
  if (kind == Kind::Pull) return encoded(server_.marks().list_for(from));
  handlers::MarkNote note;
  note.life = reader.u64();
  note.seq = reader.u64();
  note.on = reader.u8() != 0;
  note.mark = take(reader);
  if (kind != Kind::Note || !reader.ok()) {
    log::error("pool: node {} sent a mark of {} bytes that this node does not understand",
               from.raw(), request.size());
    return {};
  }
  server_.marks().receive(from, note);
  return {};
}

}  // namespace flotilla::app

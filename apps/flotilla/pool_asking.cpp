#include "flotilla/pool_asking.hpp"

#include <mutex>
#include <utility>

#include "handlers/lease_index.hpp"

namespace flotilla::app {
namespace {

constexpr std::uint16_t kAskingService = 0x4E04;
enum class Question : std::uint8_t { OpensBelow = 1, Renamed, FindLease, DeletePending };

void put_text(ByteWriter& writer, std::string_view text) {
  writer.u32(static_cast<std::uint32_t>(text.size()));
  writer.bytes(as_bytes(text));
}

std::string take_text(ByteReader& reader) {
  const std::uint32_t size = reader.u32();
  return std::string(as_text(reader.view(size)));
}

void put(ByteWriter& writer, const FileKey& key) {
  writer.u64(key.volume);
  writer.u64(key.inode);
  writer.u64(key.generation);
}

FileKey take_key(ByteReader& reader) {
  FileKey key;
  key.volume = reader.u64();
  key.inode = reader.u64();
  key.generation = reader.u64();
  return key;
}

constexpr std::size_t kKeyBytes = 24;

}  // namespace

/// One question to several nodes.
struct PoolAsking::Round {
  std::mutex mutex;
  std::size_t missing = 0;
  std::vector<Bytes> answers;
  std::move_only_function<void(std::vector<Bytes>)> done;

  void answered(std::optional<Bytes> bytes) {
    {
      const std::scoped_lock lock(mutex);
      if (bytes) answers.push_back(*std::move(bytes));
      if (--missing > 0) return;
    }
    done(std::move(answers));
  }
};

PoolAsking::PoolAsking(handlers::Server& server, pool::PoolEngine& engine, NodeId self)
    : server_(server), engine_(engine), self_(self) {
  server_.set_queries(this);
  engine_.serve(kAskingService, [this](NodeId, ByteView request) { return answer(request); });
}

std::vector<NodeId> PoolAsking::others() const {
  std::vector<NodeId> nodes;
  const pool::View view = engine_.view();
  for (const pool::Member& member : view.members) {
    if (member.id.node != self_) nodes.push_back(member.id.node);
  }
  return nodes;
}

void PoolAsking::ask(const std::vector<NodeId>& nodes, const Bytes& question,
                     std::move_only_function<void(std::vector<Bytes>)> done) {
  if (nodes.empty()) return done({});
  const auto round = std::make_shared<Round>();
  round->missing = nodes.size();
  round->done = std::move(done);
  for (const NodeId node : nodes) {
    engine_.call(node, kAskingService, question,
                 [round](std::optional<Bytes> bytes) { round->answered(std::move(bytes)); });
  }
}

void PoolAsking::opens_below(const handlers::Share& share, const std::string& path,
                             std::move_only_function<void(std::vector<FileKey>)> done) {
  Bytes question;
  ByteWriter writer(question);
  writer.u8(static_cast<std::uint8_t>(Question::OpensBelow));
  put_text(writer, share.config.name);
  put_text(writer, path);
  ask(others(), question, [done = std::move(done)](std::vector<Bytes> answers) mutable {
    std::vector<FileKey> keys;
    for (const Bytes& bytes : answers) {
      ByteReader reader(bytes);
      while (reader.remaining() >= kKeyBytes) keys.push_back(take_key(reader));
    }
    done(std::move(keys));
  });
}

void PoolAsking::renamed(const FileKey& file, const std::string& path,
                         std::move_only_function<void()> done) {
  Bytes question;
  ByteWriter writer(question);
  writer.u8(static_cast<std::uint8_t>(Question::Renamed));
  put(writer, file);
  put_text(writer, path);
  ask(others(), question, [done = std::move(done)](std::vector<Bytes>) mutable { done(); });
}

void PoolAsking::delete_pending(const FileKey& file, bool pending,
                                std::move_only_function<void()> done) {
  Bytes question;
  ByteWriter writer(question);
  writer.u8(static_cast<std::uint8_t>(Question::DeletePending));
  put(writer, file);
  writer.u8(pending ? 1 : 0);
  ask(others(), question, [done = std::move(done)](std::vector<Bytes>) mutable { done(); });
}

void PoolAsking::find_lease(const std::vector<NodeId>& nodes, const ClientGuid& client,
                            const LeaseKey& key,
                            std::move_only_function<void(std::vector<handlers::LeasePlace>)> done) {
  Bytes question;
  ByteWriter writer(question);
  writer.u8(static_cast<std::uint8_t>(Question::FindLease));
  writer.bytes(client.bytes);
  writer.bytes(key.bytes);
  ask(nodes, question, [done = std::move(done)](std::vector<Bytes> answers) mutable {
    std::vector<handlers::LeasePlace> places;
    for (const Bytes& bytes : answers) {
      ByteReader reader(bytes);
      if (reader.remaining() < kKeyBytes + 8) continue;
      const FileKey file = take_key(reader);
      places.push_back({file, OpenId{reader.u64()}});
    }
    done(std::move(places));
  });
}

Bytes PoolAsking::answer(ByteView request) {
  Bytes out;
  ByteWriter writer(out);
  ByteReader reader(request);
  switch (static_cast<Question>(reader.u8())) {
    case Question::OpensBelow: {
      const handlers::Share* const share = server_.find_share(take_text(reader));
      const std::string path = take_text(reader);
      if (!reader.ok() || share == nullptr) break;
      for (const FileKey& key : server_.open_files().below(share, path, handlers::kOpensBelowMax)) {
        put(writer, key);
      }
      break;
    }
    case Question::Renamed: {
      const FileKey file = take_key(reader);
      const std::string path = take_text(reader);
      if (reader.ok()) server_.open_files().renamed_elsewhere(file, path);
      break;
    }
    case Question::DeletePending: {
      const FileKey file = take_key(reader);
      const bool pending = reader.u8() != 0;
      if (reader.ok()) server_.open_files().delete_pending_elsewhere(file, pending);
      break;
    }
    case Question::FindLease: {
      ClientGuid client;
      client.bytes = reader.array<16>();
      LeaseKey key;
      key.bytes = reader.array<16>();
      if (!reader.ok()) break;
      if (const auto place = server_.leases().find(client, key)) {
        put(writer, place->file);
        writer.u64(place->open.raw());
      }
      break;
    }
  }
  return out;
}

}  // namespace flotilla::app

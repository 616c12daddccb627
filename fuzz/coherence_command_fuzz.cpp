// Bytes -> commands -> the file table: nothing may crash, the invariants hold after every command,
// what decodes encodes to the same bytes, and two tables given the same commands agree.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "base/check.hpp"
#include "coherence/codec.hpp"
#include "coherence/file_table.hpp"
#include "coherence/invariants.hpp"

using namespace flotilla;
using namespace flotilla::coherence;

namespace {

template <class T>
void same_bytes(const T& value, ByteView was) {
  Bytes bytes;
  encode(value, bytes);
  FLOTILLA_CHECK(bytes.size() == was.size() && std::equal(was.begin(), was.end(), bytes.begin()));
}

/// Small numbers, so that commands meet on the same files, opens, nodes and leases.
class Source {
 public:
  explicit Source(ByteView bytes) : in_(bytes) {}
  bool more() const { return in_.remaining() > 0; }
  std::uint64_t below(std::uint64_t count) { return in_.u8() % count; }
  bool flag() { return (in_.u8() & 1) != 0; }
  OpenId open() { return OpenId{below(7)}; }
  LeaseKey key() {
    LeaseKey key;
    key.bytes[0] = static_cast<std::uint8_t>(below(4));
    return key;
  }
  ClientGuid client() {
    ClientGuid client;
    client.bytes[0] = static_cast<std::uint8_t>(below(3));
    return client;
  }
  LockRange range() {
    const std::uint64_t offset = flag() ? below(12) : ~std::uint64_t{0} - below(12);
    return {offset, flag() ? below(6) : ~std::uint64_t{0} - below(6), flag()};
  }
  Open open_command() {
    Open open;
    open.open = this->open();
    open.client = client();
    const std::uint64_t access = in_.u8();
    open.access = static_cast<AccessMask>((access & 0x27) | ((access & 0x40) << 10) | 0x80);
    open.share = static_cast<ShareAccess>(below(8));
    open.cache.kind = static_cast<CacheKind>(below(3));
    open.cache.rights = static_cast<CacheRights>(in_.u8());
    open.cache.key = key();
    open.cache.version = static_cast<std::uint8_t>(below(3));
    const std::uint8_t flags = in_.u8();
    open.overwrites = (flags & 1) != 0;
    open.delete_on_close = (flags & 2) != 0;
    open.directory = (flags & 12) == 12;
    open.path = "f";
    if (flag()) open.durability = durability();
    return open;
  }
  Durability durability() {
    Durability durability;
    durability.kind = static_cast<DurableKind>(below(4));
    durability.timeout = std::chrono::milliseconds{below(100)};
    durability.create_guid.bytes[0] = static_cast<std::uint8_t>(below(3));
    durability.app_instance.bytes[0] = static_cast<std::uint8_t>(below(2));
    return durability;
  }
  std::vector<LockSequence> sequences() {
    std::vector<LockSequence> all;
    for (std::uint64_t i = below(3); i > 0; --i) {
      all.push_back({static_cast<std::uint8_t>(below(67)), static_cast<std::uint8_t>(below(16))});
    }
    return all;
  }
  KeptFile kept_file() {
    KeptFile file{FileKey{1, below(2), 1}, below(9), "h", flag(), {}};
    for (std::uint64_t i = below(3); i > 0; --i) {
      KeptOpen kept{open_command(), NodeId{static_cast<std::uint32_t>(below(4))}, 7, {}, {}};
      if (flag()) kept.locks.push_back(range());
      kept.sequences = sequences();
      file.opens.push_back(kept);
    }
    return file;
  }
  Body body() {
    switch (below(22)) {
      case 0:
        return Close{open()};
      case 1:
        return Unlinked{open(), flag(), flag()};
      case 2: {
        Lock lock{open(), {}, flag(), flag(), {static_cast<std::uint8_t>(below(67)), 3}};
        for (std::uint64_t i = below(4); i > 0; --i) lock.ranges.push_back(range());
        return lock;
      }
      case 3:
        return Cancel{RequestId{below(64)}};
      case 4:
        return AcknowledgeBreak{open(), client(), key(), static_cast<CacheRights>(below(8))};
      case 5:
        return SetDeletePending{open(), flag()};
      case 6:
        return BeginRename{open(), client(), key()};
      case 7:
        return Renamed{open(), "g"};
      case 8:
        return Modify{open()};
      case 9:
        return RestrictionsKnown{below(64)};
      case 10: {
        AssertOpen assertion{open_command(),
                             static_cast<CacheRights>(below(8)),
                             flag(),
                             static_cast<CacheRights>(below(8)),
                             1,
                             flag(),
                             {},
                             sequences()};
        if (flag()) assertion.locks.push_back(range());
        return assertion;
      }
      case 11:
        return Tick{};
      case 12:
        return NodeGone{NodeId{static_cast<std::uint32_t>(below(4))}};
      case 13:
        return Detach{open()};
      case 14:
        return Reclaim{open(), client(), SessionId{below(3)}, SessionId{below(2)}};
      case 15:
        return UpdateKept{open(), durability()};
      case 16:
        return Restore{kept_file()};
      case 17:
        return ChildChanged{client(), key()};
      case 18:
        return ProbeNames{};
      default:
        return open_command();
    }
  }

 private:
  ByteReader in_;
};

/// With FLOTILLA_FUZZ_SHOW set: what is applied, for whoever replays a crash.
void show(const Command& command) {
  std::fprintf(stderr, "file %d n%d #%d kind %d at %lld", static_cast<int>(command.key.inode),
               static_cast<int>(command.from.raw()), static_cast<int>(command.request.raw()),
               static_cast<int>(command.body.index()),
               static_cast<long long>(command.now.ns / 1000000));
  const Open* open = std::get_if<Open>(&command.body);
  if (const auto* const assertion = std::get_if<AssertOpen>(&command.body)) {
    open = &assertion->open;
    std::fprintf(stderr, " held %d", assertion->held);
  }
  if (open != nullptr) {
    std::fprintf(stderr, " open %d client %d access %x share %x cache %d rights %x key %d%s%s",
                 static_cast<int>(open->open.raw()), open->client.bytes[0], open->access,
                 open->share, static_cast<int>(open->cache.kind), open->cache.rights,
                 open->cache.key.bytes[0], open->overwrites ? " overwrites" : "",
                 open->directory ? " directory" : "");
  } else if (const auto* const close = std::get_if<Close>(&command.body)) {
    std::fprintf(stderr, " open %d", static_cast<int>(close->open.raw()));
  }
  std::fprintf(stderr, "\n");
}

void apply(FileTable& table, const Command& command, Outbox& out) {
  static const bool shown = std::getenv("FLOTILLA_FUZZ_SHOW") != nullptr;
  if (shown) show(command);
  table.apply(command, out);
  const FileState* const file = table.inspect(command.key);
  if (file == nullptr) return;
  const auto wrong = broken_invariants(*file);
  for (const std::string& what : wrong) std::fprintf(stderr, "broken: %s\n", what.c_str());
  if (!wrong.empty()) std::abort();
}

/// What is kept of a file makes a new table keep the same, as far as it has no conflict in itself.
void check_kept(const FileTable& table, const FileKey& key) {
  const auto kept = table.kept(key);
  if (!kept) return;
  // This source opens one file as a directory and as a file, which caches otherwise.
  const auto is_directory = [](const KeptOpen& open) { return open.open.directory; };
  if (std::ranges::any_of(kept->opens, is_directory)) return;
  FileTable fresh;
  Outbox out;
  apply(fresh, {key, NodeId{1}, RequestId{1}, MonoTime{}, Restore{*kept}}, out);
  for (const KeptOpen& open : kept->opens) {
    FLOTILLA_CHECK(table.find({open.open.open, {}, {}, {}}).size() >= 1);
    // A break of H that was under way has happened to a copy: it is durable no more.
    const bool lapsed = open.open.durability.kind == DurableKind::Durable &&
                        (open.open.cache.rights & kCacheHandle) == 0;
    FLOTILLA_CHECK(lapsed || fresh.find({open.open.open, {}, {}, {}}).size() >= 1);
  }
}

void commands(ByteView input) {
  FileTable one{Limits{std::chrono::milliseconds{35}, 20, 30}};
  FileTable two{Limits{std::chrono::milliseconds{35}, 20, 30}};
  Source source{input};
  MonoTime now;
  std::uint64_t request = 0;
  for (int count = 0; source.more() && count < 200; ++count) {
    now = now + std::chrono::milliseconds(source.below(20));
    Command command{FileKey{1, source.below(2), 1},
                    NodeId{static_cast<std::uint32_t>(1 + source.below(3))},
                    RequestId{source.flag() ? ++request : 0}, now, source.body()};
    Outbox out;
    Outbox again;
    apply(one, command, out);
    two.apply(command, again);
    // Most nodes confirm at once; one takes its time.
    for (const auto& told : out.restrictions) {
      if (told.to == NodeId{3}) continue;
      const Command known{command.key, told.to, RequestId{}, now,
                          RestrictionsKnown{told.what.version}};
      Outbox more;
      apply(one, known, more);
      two.apply(known, more);
    }
    FLOTILLA_CHECK(one.encode_file(command.key) == two.encode_file(command.key));
    check_kept(one, command.key);
  }
  FLOTILLA_CHECK(one.digest() == two.digest());
}

void raw(ByteView input) {
  FileTable table;
  ByteReader in{input};
  while (in.remaining() > 0) {
    const std::size_t from = in.position();
    const auto command = decode_command(in);
    if (!command) break;
    same_bytes(*command, input.subspan(from, in.position() - from));
    if (command->from.raw() == 0) continue;  // no node has that number: it means nobody
    Outbox out;
    apply(table, *command, out);
  }
}

template <class F>
void value(ByteView input, F decode) {
  ByteReader in{input};
  if (const auto decoded = decode(in)) same_bytes(*decoded, input.first(in.position()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView input{data + 1, size - 1};
  switch (data[0] % 8) {
    case 0:
      raw(input);
      break;
    case 1:
      value(input, decode_outcome);
      break;
    case 2:
      value(input, decode_break);
      break;
    case 3:
      value(input, decode_restrictions);
      break;
    case 4:
      value(input, decode_kept_file);
      break;
    case 5:
      value(input, decode_kept_found);
      break;
    default:
      commands(input);
      break;
  }
  return 0;
}

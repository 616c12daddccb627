#include "sim/scenario.hpp"

#include <algorithm>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <vector>

#include "sim/show.hpp"
#include "sim/world.hpp"

namespace flotilla::sim {

using namespace std::chrono_literals;
using coherence::CacheKind;
using coherence::CacheRights;
using coherence::LockRange;

namespace {

using Words = std::vector<std::string>;

Words words_of(const std::string& line) {
  std::istringstream in(line);
  Words words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

CacheRights rights_of(const std::string& text) {
  CacheRights rights = 0;
  if (text.find('R') != std::string::npos) rights |= coherence::kCacheRead;
  if (text.find('W') != std::string::npos) rights |= coherence::kCacheWrite;
  if (text.find('H') != std::string::npos) rights |= coherence::kCacheHandle;
  return rights;
}

LockRange range_of(const std::string& text) {
  std::size_t used = 0;
  LockRange range;
  range.offset = std::stoull(text, &used);
  range.length_bytes = std::stoull(text.substr(used + 1));
  range.exclusive = !text.ends_with('s');
  return range;
}

class Script {
 public:
  /// One step; what happened is in lines() afterwards. False where it cannot be read.
  bool run(const Words& words);
  [[nodiscard]] std::vector<std::string> take_lines() { return std::exchange(lines_, {}); }
  [[nodiscard]] bool failed() const { return world_ && world_->failed(); }

 private:
  bool make_pool(const Words& words);
  bool name_file(const Words& words);
  bool open(const Words& words);
  bool on_open(const Words& words);
  bool on_node(const Words& words);
  bool on_client(const Words& words);
  Client& client(const std::string& name) {
    return world_->clients().at(std::stoul(name.substr(1)) - 1);
  }
  static NodeId node(const std::string& name) {
    return NodeId{static_cast<std::uint32_t>(std::stoul(name.substr(1)))};
  }

  std::unique_ptr<World> world_;
  std::map<std::string, std::size_t> files_;
  std::map<std::string, OpenPtr> opens_;
  std::vector<std::string> lines_;
};

bool Script::make_pool(const Words& words) {
  WorldOptions options;
  options.nodes = static_cast<std::uint32_t>(std::stoul(words.at(1)));
  options.clients = std::stoul(words.at(2));
  options.names = 64;
  options.delays = {11us, 11us, 1};
  options.habits.acknowledge = false;
  options.clocks_differ = false;
  options.claims.claims_max = 0;
  for (const std::string& word : words) {
    if (word == "claims") options.claims.claims_max = 100;
    if (word.starts_with("tolerate=")) options.tolerate = std::stoul(word.substr(9)) & 0xFFU;
  }
  options.trace = [this](const std::string& line) {
    // Without the time and the numbers of requests.
    std::string text = line.substr(12);
    for (auto at = text.find('#'); at != std::string::npos; at = text.find('#')) {
      const auto end = std::find_if_not(text.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                                        text.end(), [](char c) { return c >= '0' && c <= '9'; });
      text.erase(text.begin() + static_cast<std::ptrdiff_t>(at), end);
      if (at > 0 && text[at - 1] == ' ') text.erase(at - 1, 1);
    }
    lines_.push_back(text);
  };
  world_ = std::make_unique<World>(std::move(options));
  world_->run_for(1500ms);
  lines_.clear();
  return true;
}

bool Script::name_file(const Words& words) {
  for (std::size_t i = 0; i < world_->disk().size(); ++i) {
    const bool taken =
        std::any_of(files_.begin(), files_.end(), [i](const auto& it) { return it.second == i; });
    const NodeId owner = world_->nodes()[0]->engine->owner_of(world_->disk().key_of(i));
    if (taken || owner != node(words.at(3))) continue;
    files_[words.at(1)] = i;
    lines_.push_back(fmt::format("file {}", i));
    return true;
  }
  return false;
}

bool Script::open(const Words& words) {
  coherence::Open how;
  how.share = 7;
  for (std::size_t i = 4; i < words.size(); ++i) {
    const std::string& word = words[i];
    const auto has = [&](char c) { return word.find(c) != std::string::npos; };
    if (word.starts_with("share=")) {
      how.share = 0;
      if (has('r')) how.share |= coherence::kShareRead;
      if (word.find('w', 6) != std::string::npos) how.share |= coherence::kShareWrite;
      if (word.find('d', 6) != std::string::npos) how.share |= coherence::kShareDelete;
    } else if (word.starts_with("lease=")) {
      how.cache.kind = CacheKind::Lease;
      how.cache.key.bytes.fill(static_cast<std::uint8_t>(word.at(6) - '0'));
      how.cache.version = 2;
      how.cache.rights = rights_of(word.substr(8));
    } else if (word.starts_with("oplock=")) {
      how.cache.kind = CacheKind::Oplock;
      how.cache.rights = rights_of(word.substr(7));
    } else if (word == "durable" || word == "persistent") {
      how.durability.kind =
          word == "durable" ? coherence::DurableKind::Durable : coherence::DurableKind::Persistent;
      how.durability.timeout = 60s;
    } else if (word == "overwrite") {
      how.overwrites = true;
    } else if (word == "dir") {
      how.directory = true;
    } else if (word == "doc") {
      how.delete_on_close = true;
    } else {
      if (has('r')) how.access |= coherence::kReadData;
      if (has('w')) how.access |= coherence::kWriteData;
      if (has('d')) how.access |= coherence::kDelete;
    }
  }
  opens_[words.at(1)] = world_->open(client(words.at(2)), files_.at(words.at(3)), how);
  return true;
}

bool Script::on_open(const Words& words) {
  const auto at = opens_.find(words.size() > 1 ? words[1] : "");
  if (at == opens_.end()) return false;
  const OpenPtr& open = at->second;
  const std::string& what = words[0];
  if (what == "close") {
    world_->close(open);
  } else if (what == "lock") {
    world_->lock(open, range_of(words.at(2)), words.back() == "wait");
  } else if (what == "unlock") {
    world_->unlock(open, range_of(words.at(2)));
  } else if (what == "read" || what == "write") {
    world_->start_io(open, std::stoull(words.at(2)), what == "write");
  } else if (what == "ack") {
    world_->acknowledge(open, rights_of(words.at(2)));
  } else if (what == "delete") {
    world_->set_delete(open, true);
  } else if (what == "rename") {
    world_->rename(open);
  } else if (what == "reclaim") {
    const OpenId id = open->id();
    world_->reclaim(client(words.at(2)), open);
    world_->run_for(5ms);
    const auto again = world_->opens().find(id);
    if (again != world_->opens().end()) opens_[words[1]] = again->second;
  } else {
    return false;
  }
  return true;
}

bool Script::on_node(const Words& words) {
  const std::string& what = words[0];
  if (what == "heal") {
    world_->heal();
  } else if (what == "split") {
    std::vector<int> sides;
    for (std::size_t i = 1; i < words.size(); ++i) sides.push_back(std::stoi(words[i]));
    world_->split(sides);
  } else if (what == "end") {
    world_->crash(node(words.at(1)), true);
  } else if (what == "lose") {
    world_->crash(node(words.at(1)), false);
  } else if (what == "start") {
    world_->boot(node(words.at(1)));
  } else if (what == "hang") {
    world_->hang(node(words.at(1)));
  } else if (what == "wake") {
    world_->wake(node(words.at(1)));
  } else {
    return false;
  }
  return true;
}

bool Script::on_client(const Words& words) {
  if (words[0] == "connect") {
    world_->connect(client(words.at(1)), node(words.at(2)));
  } else if (words[0] == "twin") {
    client(words.at(1)).guid = client(words.at(2)).guid;  // one client, connected twice
  } else if (words[0] == "changed") {
    world_->change_entry(client(words.at(1)), files_.at(words.at(2)));
  } else if (words[0] == "disconnect") {
    world_->disconnect(client(words.at(1)));
  } else {
    return false;
  }
  return true;
}

bool Script::run(const Words& words) {
  if (words[0] == "pool") return make_pool(words);
  if (!world_) return false;
  if (words[0] == "wait") {
    world_->run_for(std::chrono::milliseconds{std::stoll(words.at(1))});
    return true;
  }
  if (words[0] == "file") return name_file(words);
  const bool known =
      words[0] == "open" ? open(words) : on_open(words) || on_node(words) || on_client(words);
  world_->run_for(5ms);
  return known;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

}  // namespace

bool run_scenario(const std::string& path, bool write) {
  std::ifstream in(path);
  std::vector<std::string> expected;
  std::vector<std::string> happened;
  Script script;
  for (std::string line; std::getline(in, line);) {
    expected.push_back(line);
    if (line.starts_with("  ")) continue;
    happened.push_back(line);
    const Words words = words_of(line);
    if (words.empty() || words[0].starts_with('#')) continue;
    bool known = false;
    try {
      known = script.run(words);
    } catch (const std::exception& wrong) {  // std::stoul and at() on a script's words
      fmt::print("{}: {}\n", path, wrong.what());
    }
    for (const std::string& what : script.take_lines()) happened.push_back("  " + what);
    if (known && !script.failed()) continue;
    fmt::print("{}: \"{}\" {}\n{}", path, line, known ? "goes wrong" : "cannot be read",
               joined(happened));
    return false;
  }
  if (expected.empty()) fmt::print("{}: no script\n", path);
  if (write) {
    std::ofstream(path) << joined(happened);
    return true;
  }
  const auto [want, got] =
      std::mismatch(expected.begin(), expected.end(), happened.begin(), happened.end());
  if (want == expected.end() && got == happened.end()) return !expected.empty();
  fmt::print("{}, line {}:\n  expected: {}\n  happened: {}\n", path, want - expected.begin() + 1,
             want == expected.end() ? "the end" : *want, got == happened.end() ? "the end" : *got);
  return false;
}

}  // namespace flotilla::sim

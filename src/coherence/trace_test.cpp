// Runs testdata/*.trace: commands at the left margin, the outbox that each must produce below it.
// The traces are the readable specification; docs/coherence.md explains their words.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "coherence/file_table.hpp"
#include "coherence/invariants.hpp"

namespace flotilla::coherence {
namespace {

using Words = std::vector<std::string>;

Words split(const std::string& text, char by) {
  Words parts;
  std::string part;
  std::istringstream in{text};
  while (std::getline(in, part, by)) {
    if (!part.empty()) parts.push_back(part);
  }
  return parts;
}

std::string rights_text(CacheRights rights) {
  std::string text;
  if ((rights & kCacheRead) != 0) text += 'R';
  if ((rights & kCacheWrite) != 0) text += 'W';
  if ((rights & kCacheHandle) != 0) text += 'H';
  return text.empty() ? "none" : text;
}

CacheRights rights_of(const std::string& text) {
  if (text == "none") return 0;
  if (text == "ii") return kCacheRead;
  if (text == "exclusive") return kCacheRead | kCacheWrite;
  if (text == "batch") return kCacheRead | kCacheWrite | kCacheHandle;
  CacheRights rights = 0;
  for (const char c : text) {
    rights |= c == 'R' ? kCacheRead : c == 'W' ? kCacheWrite : c == 'H' ? kCacheHandle : 0;
  }
  return rights;
}

class Trace {
 public:
  /// Carries out one line; returns the lines of the outbox.
  Words run(const std::string& line) {
    shown_.clear();
    Words words = split(line, ' ');
    if (words[0] == "file") {
      key_.inode = std::stoull(words.at(1));
    } else if (words[0] == "manual") {
      manual_.insert(words.at(1));
    } else if (words[0] == "tick") {
      now_ = now_ + std::chrono::milliseconds(std::stoll(words.at(1)));
      for (const FileKey& key : table_.due(now_)) apply(key, "n9", "tick", Tick{});
    } else if (words[0] == "gone") {
      apply(key_, "n9", "gone " + words.at(1), NodeGone{node(words[1])});
    } else {
      const std::string from = words[0];
      words.erase(words.begin());
      verb(from, words);
    }
    return shown_;
  }

 private:
  FileTable table_;
  FileKey key_{1, 1, 1};
  MonoTime now_;
  std::uint64_t next_request_ = 1;
  std::map<std::string, OpenId> opens_;
  std::map<std::uint64_t, std::string> labels_;
  std::map<std::string, RequestId> requests_;
  std::map<std::string, std::uint64_t> told_;
  std::set<std::string> manual_;
  KeptFile kept_;  ///< as the last `keep` said it
  Words shown_;

  static NodeId node(const std::string& name) {
    return NodeId{static_cast<std::uint32_t>(std::stoul(name.substr(1)))};
  }
  static LeaseKey lease(const std::string& name) {
    LeaseKey key;
    key.bytes[0] = static_cast<std::uint8_t>(std::stoul(name.substr(1)));
    return key;
  }
  static ClientGuid client(const std::string& name) {
    ClientGuid guid;
    guid.bytes[0] = static_cast<std::uint8_t>(std::stoul(name.substr(1)));
    return guid;
  }
  OpenId open(const std::string& name) {
    if (name == "-") return OpenId{};
    return opens_.try_emplace(name, OpenId{opens_.size() + 1}).first->second;
  }
  std::string name(OpenId id) const {
    for (const auto& [text, open] : opens_) {
      if (open == id) return text;
    }
    return "?";
  }
  static std::string n(NodeId id) { return "n" + std::to_string(id.raw()); }

  static LockRange range(const std::string& kind, const std::string& text) {
    const Words ends = split(text, '+');
    return {std::stoull(ends.at(0)), std::stoull(ends.at(1)), kind == "ex"};
  }

  static std::string option(const Words& words, const std::string& key,
                            const std::string& otherwise = "") {
    for (const std::string& word : words) {
      if (word.starts_with(key + "=")) return word.substr(key.size() + 1);
    }
    return otherwise;
  }
  static RenameStage stage(const Words& words) {
    if (flag(words, "begins")) return RenameStage::Begins;
    if (flag(words, "seen")) return RenameStage::Seen;
    return flag(words, "failed") ? RenameStage::Failed : RenameStage::Done;
  }
  static bool flag(const Words& words, const std::string& key) {
    return std::find(words.begin(), words.end(), key) != words.end();
  }

  Open open_command(const std::string& from, const Words& words) {
    Open command;
    command.open = open(words.at(1));
    command.client = client(option(words, "client", "c" + from.substr(1)));
    command.path = option(words, "path", "f");
    for (const char c : words.at(2)) {
      command.access |= c == 'r'   ? kReadData
                        : c == 'w' ? kWriteData
                        : c == 'd' ? kDelete
                        : c == 's' ? 0x80U
                        : c == 'c' ? 0x20000U
                                   : 0U;
    }
    for (const char c : option(words, "share", "rwd")) {
      command.share |= c == 'r' ? kShareRead : c == 'w' ? kShareWrite : c == 'd' ? kShareDelete : 0;
    }
    if (const std::string text = option(words, "lease"); !text.empty()) {
      const Words parts = split(text, ':');
      command.cache.kind = CacheKind::Lease;
      command.cache.key = lease(parts.at(0));
      command.cache.rights = rights_of(parts.at(1));
      const std::string epoch = option(words, "epoch");
      command.cache.version = epoch.empty() ? 1 : 2;
      if (!epoch.empty()) command.cache.epoch = static_cast<std::uint16_t>(std::stoul(epoch));
    } else if (const std::string oplock = option(words, "oplock"); !oplock.empty()) {
      command.cache.kind = CacheKind::Oplock;
      command.cache.rights = rights_of(oplock);
    }
    if (const std::string kept = option(words, "keeps"); !kept.empty()) {
      const Words parts = split(kept, ':');
      command.durability.kind = parts[0] == "durable"     ? DurableKind::Durable
                                : parts[0] == "resilient" ? DurableKind::Resilient
                                                          : DurableKind::Persistent;
      command.durability.timeout = std::chrono::milliseconds(std::stoll(parts.at(1)));
      command.durability.passport = {7};
    }
    command.session = SessionId{std::stoull(option(words, "session", "0"))};
    command.overwrites = flag(words, "overwrite");
    command.delete_on_close = flag(words, "doc");
    command.directory = flag(words, "dir");
    command.denies_delete = flag(words, "nodelete");
    return command;
  }

  void verb(const std::string& from, const Words& words) {
    const std::string& what = words.at(0);
    const std::string label = what + (words.size() > 1 ? " " + words[1] : "");
    if (what == "open") {
      apply(key_, from, label, open_command(from, words));
    } else if (what == "close") {
      apply(key_, from, label, Close{open(words.at(1)), flag(words, "keepname")});
    } else if (what == "lock" || what == "unlock") {
      Lock lock{open(words.at(1)), {}, what == "unlock", !flag(words, "wait"), {}};
      if (const std::string text = option(words, "seq"); !text.empty()) {
        const Words parts = split(text, ':');
        lock.sequence = {static_cast<std::uint8_t>(std::stoi(parts.at(0))),
                         static_cast<std::uint8_t>(std::stoi(parts.at(1)))};
      }
      for (std::size_t i = 2; i + 1 < words.size(); i += 2) {
        if (words[i].starts_with("seq=")) break;
        lock.ranges.push_back(range(words[i], words[i + 1]));
      }
      apply(key_, from, label, lock);
    } else if (what == "ack") {
      AcknowledgeBreak ack{
          {}, client(option(words, "client", "c" + from.substr(1))), {}, rights_of(words.at(2))};
      if (words[1][0] == 'k') {
        ack.key = lease(words[1]);
      } else {
        ack.open = open(words[1]);
      }
      apply(key_, from, label, ack);
    } else if (what == "cancel") {
      apply(key_, from, label, Cancel{requests_[words.at(1) + " " + words.at(2)]});
    } else if (what == "delete") {
      apply(key_, from, label, SetDeletePending{open(words.at(1)), !flag(words, "off")});
    } else if (what == "unlinked") {
      apply(key_, from, label,
            Unlinked{open(words.at(1)), !flag(words, "later"), flag(words, "later")});
    } else if (what == "rename") {
      apply(key_, from, label, BeginRename{open(words.at(1)), {}, {}});
    } else if (what == "renamed") {
      apply(key_, from, label, Renamed{open(words.at(1)), words.at(2), stage(words)});
    } else if (what == "write") {
      apply(key_, from, label, Modify{open(words.at(1))});
    } else if (what == "child") {
      ChildChanged changed;
      if (const std::string key = option(words, "lease"); !key.empty()) {
        changed = {client(option(words, "client")), lease(key)};
      }
      apply(key_, from, label, changed);
    } else if (what == "probe") {
      apply(key_, from, label, ProbeNames{});
    } else if (what == "known") {
      apply(key_, from, "", RestrictionsKnown{told_[from]});
    } else if (what == "assert") {
      AssertOpen assertion;
      assertion.open = open_command(from, words);
      assertion.held = rights_of(option(words, "held", "none"));
      assertion.delete_pending = flag(words, "deleting");
      if (const std::string text = option(words, "lock"); !text.empty()) {
        assertion.locks.push_back(range("ex", text));
      }
      apply(key_, from, label, assertion);
    } else if (what == "lose") {
      apply(key_, from, label, Detach{open(words.at(1))});
    } else if (what == "reclaim") {
      apply(key_, from, label,
            Reclaim{open(words.at(1)), client(option(words, "client", "c" + from.substr(1))),
                    SessionId{99}, SessionId{std::stoull(option(words, "former", "0"))}});
    } else if (what == "keeps") {
      Durability durability;
      durability.kind = DurableKind::Resilient;
      durability.timeout = std::chrono::milliseconds(std::stoll(words.at(2)));
      apply(key_, from, label, UpdateKept{open(words.at(1)), durability});
    } else if (what == "restart") {
      // Another daemon, that finds only what was kept.
      table_ = FileTable{};
      apply(key_, from, label, Restore{kept_});
    } else {
      ADD_FAILURE() << "unknown verb " << what;
    }
  }

  static std::string reason(RevokeReason reason) {
    return reason == RevokeReason::Moved       ? " moved"
           : reason == RevokeReason::Expired   ? " expired"
           : reason == RevokeReason::Displaced ? " displaced"
                                               : "";
  }

  static std::string outcome_text(const Outcome& outcome) {
    std::string text{name_of(outcome.status)};
    if (const auto* const opened = std::get_if<Opened>(&outcome.answer)) {
      text = opened->kind == CacheKind::None    ? "opened"
             : opened->kind == CacheKind::Lease ? "opened lease " + rights_text(opened->rights)
                                                : "opened oplock " + rights_text(opened->rights);
      if (opened->lease_epoch != 0) text += " epoch=" + std::to_string(opened->lease_epoch);
      if (opened->break_in_progress) text += " breaking";
      if (!opened->path.empty()) text += " at " + opened->path;
      if (!opened->restrictions.locks.empty()) {
        text += " locks=" + std::to_string(opened->restrictions.locks.size());
      }
    } else if (const auto* const closed = std::get_if<Closed>(&outcome.answer)) {
      std::string path = closed->path;
      std::ranges::replace(path, '\0', '|');
      text = closed->unlink ? "closed, unlink " + path : "closed";
    } else if (const auto* const held = std::get_if<BreakAcknowledged>(&outcome.answer)) {
      text = "holds " + rights_text(held->rights);
    } else if (const auto* const back = std::get_if<Reclaimed>(&outcome.answer)) {
      text = "reclaimed " + back->what.open.path + " " + rights_text(back->what.open.cache.rights) +
             " locks=" + std::to_string(back->what.locks.size());
      for (const LockSequence sequence : back->what.sequences) {
        text += " seq=" + std::to_string(sequence.index) + "/" + std::to_string(sequence.number);
      }
      if (back->owes_break) {
        text += " owed " + rights_text(back->owed.from) + "->" + rights_text(back->owed.to);
      }
    }
    return text;
  }

  void apply(const FileKey& key, const std::string& from, const std::string& label, Body body) {
    const RequestId request{label.empty() ? 0 : next_request_++};
    labels_[request.raw()] = label;
    requests_[label] = request;
    Outbox out;
    table_.apply({key, node(from), request, now_, std::move(body)}, out);
    show(out);
    if (const FileState* const file = table_.inspect(key)) {
      EXPECT_EQ(broken_invariants(*file), Words{});
    }
    for (const auto& told : out.restrictions) {
      told_[n(told.to)] = told.what.version;
      if (!manual_.contains(n(told.to))) {
        apply(key, n(told.to), "", RestrictionsKnown{told.what.version});
      }
    }
  }

  void show(const Outbox& out) {
    if (out.keep) {
      EXPECT_TRUE(out.keep->version > kept_.version);
      kept_ = *out.keep;
      std::string text = "keep" + std::string(kept_.delete_pending ? " deleting" : "");
      for (const KeptOpen& kept : kept_.opens) {
        text += " " + name(kept.open.open) + "@" +
                (kept.holder == NodeId{} ? "-" : n(kept.holder)) + ":" +
                rights_text(kept.open.cache.rights);
        if (!kept.locks.empty()) text += ":locks=" + std::to_string(kept.locks.size());
        for (const LockSequence sequence : kept.sequences) {
          text += ":seq=" + std::to_string(sequence.index) + "/" + std::to_string(sequence.number);
        }
      }
      shown_.push_back(kept_.opens.empty() ? "keep nothing" : text);
    }
    for (const auto& item : out.revocations) {
      shown_.push_back("revoke " + n(item.to) + " " + name(item.open) + reason(item.reason));
    }
    for (const auto& item : out.breaks) show(item);
    for (const auto& item : out.restrictions) {
      if (!manual_.contains(n(item.to))) continue;
      shown_.push_back("restrict " + n(item.to) +
                       " locks=" + std::to_string(item.what.locks.size()) +
                       " cachers=" + std::to_string(item.what.cachers.size()));
    }
    for (const auto& item : out.pendings) {
      shown_.push_back("pending " + n(item.to) + " " + labels_[item.request.raw()]);
    }
    for (const auto& item : out.replies) {
      shown_.push_back("reply " + n(item.to) + " " + labels_[item.request.raw()] + ": " +
                       outcome_text(item.outcome));
    }
    for (const auto& item : out.owed) show(item);
  }

  void show(const Outbox::BreakTo& item) {
    const Break& what = item.what;
    std::string text = "break " + n(item.to) + " ";
    if (!what.key.is_zero()) text += "k" + std::to_string(what.key.bytes[0]) + " via ";
    text += name(what.open) + " " + rights_text(what.from) + "->" + rights_text(what.to);
    if (what.new_epoch != 0) text += " epoch=" + std::to_string(what.new_epoch);
    if (what.ack_required) text += " ack";
    if (what.elsewhere) text += " elsewhere";
    shown_.push_back(text);
  }
};

void run_file(const std::filesystem::path& path) {
  SCOPED_TRACE(path.filename().string());
  std::ifstream in{path};
  ASSERT_TRUE(in.is_open());
  Trace trace;
  std::string line;
  std::string command;
  Words expected;
  Words actual;
  int at = 0;
  int number = 0;
  const auto compare = [&] {
    if (command.empty()) return;
    EXPECT_EQ(actual, expected) << path.filename().string() << ":" << at << ": " << command;
  };
  while (std::getline(in, line)) {
    ++number;
    if (const std::size_t comment = line.find('#'); comment != std::string::npos) {
      line.resize(comment);
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    if (line.empty()) continue;
    if (line[0] == ' ') {
      expected.push_back(line.substr(line.find_first_not_of(' ')));
      continue;
    }
    compare();
    if (line == "new") trace = Trace{};
    command = line == "new" ? "" : line;
    at = number;
    expected.clear();
    if (!command.empty()) actual = trace.run(command);
  }
  compare();
}

class Traces : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(Traces, Produce_the_outbox_that_is_written_below_each_command) { run_file(GetParam()); }

std::vector<std::filesystem::path> trace_files() {
  std::vector<std::filesystem::path> files;
  const auto folder = std::filesystem::path{__FILE__}.parent_path() / "testdata";
  for (const auto& entry : std::filesystem::directory_iterator{folder}) {
    if (entry.path().extension() == ".trace") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

INSTANTIATE_TEST_SUITE_P(Coherence, Traces, testing::ValuesIn(trace_files()),
                         [](const auto& which) { return which.param.stem().string(); });

}  // namespace
}  // namespace flotilla::coherence

#include "pool/store/lmdb_store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <future>

namespace flotilla::pool {
namespace {

using testing::HasSubstr;

class Store : public testing::Test {
 protected:
  Store() {
    std::string name = (std::filesystem::temp_directory_path() / "flotilla-store-XXXXXX").string();
    dir_ = mkdtemp(name.data());
  }
  ~Store() override { std::filesystem::remove_all(dir_); }

  static coherence::KeptFile file(std::uint64_t inode, std::uint64_t version,
                                  std::size_t opens = 1) {
    coherence::KeptFile kept{FileKey{1, inode, 2}, version, "d/f", false, {}};
    for (std::size_t i = 0; i < opens; ++i) {
      coherence::KeptOpen open;
      open.open.open = OpenId{inode * 100 + i};
      open.open.durability.kind = coherence::DurableKind::Durable;
      open.open.durability.passport = {1, 2, 3};
      kept.opens.push_back(open);
    }
    return kept;
  }
  std::unique_ptr<LmdbStore> open() {
    auto store = LmdbStore::open(dir_);
    EXPECT_TRUE(store) << store.error();
    return store ? std::move(*store) : nullptr;
  }
  std::vector<coherence::KeptFile> load() {
    const auto loaded = open()->load();
    EXPECT_TRUE(loaded) << loaded.error();
    return loaded.value_or(std::vector<coherence::KeptFile>{});
  }
  static void keep(LmdbStore& store, const coherence::KeptFile& what) {
    std::promise<void> safe;
    store.keep(what, [&] { safe.set_value(); });
    safe.get_future().wait();
  }
  std::string error_of_loading() {
    auto store = LmdbStore::open(dir_);
    if (!store) return store.error();
    const auto loaded = (*store)->load();
    return loaded ? "" : loaded.error();
  }
  [[nodiscard]] std::filesystem::path data() const { return dir_ / "kept.mdb"; }

  std::filesystem::path dir_;
};

TEST_F(Store, Holds_the_last_record_of_each_file_until_it_has_no_opens) {
  {
    const auto store = open();
    keep(*store, file(7, 1));
    keep(*store, file(5, 2));
    keep(*store, file(7, 3, 2));
    keep(*store, file(6, 4));
    keep(*store, file(6, 5, 0));
  }
  const std::vector<coherence::KeptFile> expected{file(5, 2), file(7, 3, 2)};
  EXPECT_EQ(load(), expected);
}

TEST_F(Store, Many_waiting_records_become_safe_in_their_order_and_none_is_lost_at_the_end) {
  std::vector<std::uint64_t> order;
  {
    const auto store = open();
    for (std::uint64_t i = 1; i <= 300; ++i) {
      store->keep(file(i % 3, i), [&order, i] {
        if (i % 3 == 0) order.push_back(i);
      });
    }
  }
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_EQ(order.size(), 100U);
  EXPECT_EQ(load().size(), 3U);
  EXPECT_EQ(load()[0].version, 300U);
}

TEST_F(Store, Another_daemon_in_the_same_directory_is_told_so) {
  const auto store = open();
  EXPECT_THAT(error_of_loading(), HasSubstr("another flotilla is using it"));
}

TEST_F(Store, A_damaged_record_a_short_file_and_a_foreign_one_are_named_with_a_remedy) {
  keep(*open(), file(7, 1));
  std::string bytes;
  {
    std::ifstream in(data(), std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  const auto write = [&](const std::string& content) {
    std::ofstream(data(), std::ios::binary | std::ios::trunc) << content;
  };
  std::string damaged = bytes;
  for (std::size_t at = 0; (at = damaged.find("d/f", at)) != std::string::npos; ++at) {
    damaged[at] = 'x';
  }
  write(damaged);
  EXPECT_THAT(error_of_loading(), HasSubstr("is damaged; restore it, or move " + data().string()));
  write(bytes.substr(0, bytes.size() / 2));
  EXPECT_THAT(error_of_loading(), HasSubstr(data().string() + ": "));
  write(std::string(8192, 'z'));
  EXPECT_THAT(error_of_loading(), HasSubstr("a store of kept opens was expected"));
  write(bytes);
  EXPECT_EQ(error_of_loading(), "");
}

}  // namespace
}  // namespace flotilla::pool

// By what names opens can be asked for again: the index behind FileTable::find. Private to
// coherence/.
#pragma once

#include <set>
#include <tuple>
#include <vector>

#include "coherence/state.hpp"

namespace flotilla::coherence {

struct KeptName {
  OpenId open;
  ClientGuid client;
  CreateGuid create_guid;
  AppInstanceId app_instance;
  friend auto operator<=>(const KeptName&, const KeptName&) = default;
};

/// Ascending by OpenId.
[[nodiscard]] inline std::vector<KeptName> kept_names(const FileState& file) {
  std::vector<KeptName> names;
  names.reserve(file.kept.size());
  for (const auto& [open, kept] : file.kept) {
    names.push_back({open, file.opens.at(open).client, kept.durability.create_guid,
                     kept.durability.app_instance});
  }
  return names;
}

class KeptIndex {
 public:
  /// The names of the file's opens have changed.
  void update(const FileKey& key, const std::vector<KeptName>& before,
              const std::vector<KeptName>& now) {
    if (before == now) return;
    for (const KeptName& name : before) change(key, name, false);
    for (const KeptName& name : now) change(key, name, true);
  }

  [[nodiscard]] std::vector<std::pair<OpenId, FileKey>> find(const KeptQuery& query) const {
    std::vector<std::pair<OpenId, FileKey>> found;
    if (query.open.raw() != 0) {
      for (auto it = opens_.lower_bound({query.open, FileKey{}});
           it != opens_.end() && it->first == query.open; ++it) {
        found.push_back(*it);
      }
    } else if (!query.create_guid.is_zero()) {
      const auto from = std::tuple{query.client, query.create_guid, OpenId{}, FileKey{}};
      for (auto it = guids_.lower_bound(from);
           it != guids_.end() && std::get<0>(*it) == query.client &&
           std::get<1>(*it) == query.create_guid;
           ++it) {
        found.emplace_back(std::get<2>(*it), std::get<3>(*it));
      }
    } else if (!query.app_instance.is_zero()) {
      const auto from = std::tuple{query.app_instance, OpenId{}, FileKey{}};
      for (auto it = instances_.lower_bound(from);
           it != instances_.end() && std::get<0>(*it) == query.app_instance; ++it) {
        found.emplace_back(std::get<1>(*it), std::get<2>(*it));
      }
    }
    return found;
  }

 private:
  void change(const FileKey& key, const KeptName& name, bool add) {
    const auto put = [&](auto& set, auto value) {
      if (add) {
        set.insert(std::move(value));
      } else {
        set.erase(value);
      }
    };
    put(opens_, std::pair{name.open, key});
    if (!name.create_guid.is_zero()) {
      put(guids_, std::tuple{name.client, name.create_guid, name.open, key});
    }
    if (!name.app_instance.is_zero()) {
      put(instances_, std::tuple{name.app_instance, name.open, key});
    }
  }

  std::set<std::pair<OpenId, FileKey>> opens_;
  std::set<std::tuple<ClientGuid, CreateGuid, OpenId, FileKey>> guids_;
  std::set<std::tuple<AppInstanceId, OpenId, FileKey>> instances_;
};

}  // namespace flotilla::coherence

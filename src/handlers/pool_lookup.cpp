#include "handlers/pool_lookup.hpp"

#include "handlers/server.hpp"

namespace flotilla::handlers {

runtime::Task<std::vector<FileKey>> opens_below(Server& server, runtime::Executor& executor,
                                                const Share* share, std::string path) {
  std::vector<FileKey> keys = server.open_files().below(share, path, kOpensBelowMax);
  if (server.queries() == nullptr) co_return keys;
  auto shot = runtime::OneShot<std::vector<FileKey>>::make();
  server.queries()->opens_below(
      *share, path, [shot](std::vector<FileKey> found) { shot->set(std::move(found)); });
  const std::vector<FileKey> more =
      co_await runtime::OneShot<std::vector<FileKey>>::wait(shot, executor);
  keys.insert(keys.end(), more.begin(), more.end());
  co_return keys;
}

runtime::Task<void> tell_renamed(Server& server, runtime::Executor& executor, FileKey file,
                                 std::string path) {
  if (server.queries() == nullptr) co_return;
  auto shot = runtime::OneShot<bool>::make();
  server.queries()->renamed(file, path, [shot] { shot->set(true); });
  co_await runtime::OneShot<bool>::wait(shot, executor);
}

runtime::Task<void> tell_delete_pending(Server& server, runtime::Executor& executor, FileKey file,
                                        bool pending) {
  if (server.queries() == nullptr) co_return;
  auto shot = runtime::OneShot<bool>::make();
  server.queries()->delete_pending(file, pending, [shot] { shot->set(true); });
  co_await runtime::OneShot<bool>::wait(shot, executor);
}

runtime::Task<void> claim_client(Server& server, runtime::Executor& executor, ClientGuid client,
                                 SessionId session) {
  if (server.queries() == nullptr || client.is_zero()) co_return;
  auto shot = runtime::OneShot<bool>::make();
  server.marks().claim(client_mark(client), session.raw(), [shot](bool) { shot->set(true); });
  co_await runtime::OneShot<bool>::wait(shot, executor);
}

bool client_elsewhere(Server& server, const ClientGuid& client) {
  return server.queries() != nullptr && !client.is_zero() &&
         !server.marks().elsewhere(client_mark(client)).empty();
}

runtime::Task<std::vector<LeasePlace>> lease_elsewhere(Server& server, runtime::Executor& executor,
                                                       ClientGuid client, LeaseKey key) {
  auto shot = runtime::OneShot<std::vector<LeasePlace>>::make();
  server.queries()->find_lease(
      server.marks().elsewhere(client_mark(client)), client, key,
      [shot](std::vector<LeasePlace> places) { shot->set(std::move(places)); });
  co_return co_await runtime::OneShot<std::vector<LeasePlace>>::wait(shot, executor);
}

}  // namespace flotilla::handlers

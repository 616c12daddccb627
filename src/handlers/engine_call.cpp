#include "handlers/engine_call.hpp"

#include "handlers/channel.hpp"
#include "handlers/server.hpp"

namespace flotilla::handlers {

namespace {

/// Shared between a waiting coroutine and the engine's callbacks. Thread of all but `request_id`'s
/// first writing: the executor.
struct Wait {
  Request* request = nullptr;  ///< null once the coroutine has gone on
  FileKey key;
  RequestId request_id;
};

/// `pending` for the engine: any thread, maybe before the engine has returned the RequestId.
std::move_only_function<void()> pending_call(const std::shared_ptr<Wait>& wait) {
  runtime::Executor* const executor = &wait->request->executor();
  return [wait, executor] {
    executor->post([wait] {
      if (wait->request == nullptr) return;
      wait->request->go_async([wait] {
        if (wait->request == nullptr) return;
        wait->request->server.engine().cancel(wait->key, wait->request_id);
      });
    });
  };
}

}  // namespace

runtime::Task<ports::OpenOutcome> engine_open(Request& request, FileKey key,
                                              coherence::Open command,
                                              std::shared_ptr<OpenLink> events) {
  auto shot = runtime::OneShot<ports::OpenOutcome>::make();
  auto wait = std::make_shared<Wait>(Wait{&request, key, {}});
  wait->request_id = request.server.engine().open(
      key, std::move(command), events,
      [shot, events](ports::OpenOutcome outcome) {
        events->granted();
        shot->set(std::move(outcome));
      },
      pending_call(wait));
  ports::OpenOutcome outcome =
      co_await runtime::OneShot<ports::OpenOutcome>::wait(shot, request.executor());
  wait->request = nullptr;
  co_return outcome;
}

runtime::Task<ports::OpenOutcome> engine_reclaim(Request& request, FileKey key,
                                                 coherence::Reclaim command,
                                                 std::shared_ptr<ports::OpenEvents> events) {
  auto shot = runtime::OneShot<ports::OpenOutcome>::make();
  request.server.engine().reclaim(
      key, command, std::move(events),
      [shot](ports::OpenOutcome outcome) { shot->set(std::move(outcome)); });
  co_return co_await runtime::OneShot<ports::OpenOutcome>::wait(shot, request.executor());
}

runtime::Task<std::vector<coherence::KeptFound>> engine_find(Request& request,
                                                             coherence::KeptQuery query) {
  using Found = std::vector<coherence::KeptFound>;
  auto shot = runtime::OneShot<Found>::make();
  request.server.engine().find_kept(query, [shot](Found found) { shot->set(std::move(found)); });
  co_return co_await runtime::OneShot<Found>::wait(shot, request.executor());
}

runtime::Task<coherence::Outcome> engine_submit(Request& request, FileKey key,
                                                coherence::Body body) {
  auto shot = runtime::OneShot<coherence::Outcome>::make();
  auto wait = std::make_shared<Wait>(Wait{&request, key, {}});
  wait->request_id = request.server.engine().submit(
      key, std::move(body),
      ports::Completion{[shot](coherence::Outcome outcome) { shot->set(std::move(outcome)); },
                        pending_call(wait)});
  coherence::Outcome outcome =
      co_await runtime::OneShot<coherence::Outcome>::wait(shot, request.executor());
  wait->request = nullptr;
  co_return outcome;
}

runtime::Task<coherence::Outcome> engine_submit(Server& server, runtime::Executor& executor,
                                                FileKey key, coherence::Body body) {
  auto shot = runtime::OneShot<coherence::Outcome>::make();
  server.engine().submit(
      key, std::move(body),
      ports::Completion{[shot](coherence::Outcome outcome) { shot->set(std::move(outcome)); }, {}});
  co_return co_await runtime::OneShot<coherence::Outcome>::wait(shot, executor);
}

}  // namespace flotilla::handlers

#include "handlers/macos.hpp"

#include <algorithm>

#include "handlers/open_state.hpp"
#include "handlers/request.hpp"
#include "wire/macos.hpp"

namespace flotilla::handlers {

namespace {

constexpr std::size_t kAfpInfoBytes = 60;
constexpr std::size_t kFinderInfoAt = 16;  // 32 bytes of it
constexpr std::int64_t kYears1601To2000Seconds = 12591158400;

/// A year 2000 time as the Finder counts, big-endian.
void put_date_added(NtTime time, std::uint8_t* at) noexcept {
  const auto seconds = static_cast<std::uint32_t>(static_cast<std::int64_t>(time.ticks / 10000000) -
                                                  kYears1601To2000Seconds);
  for (int i = 0; i < 4; ++i) at[i] = static_cast<std::uint8_t>(seconds >> (24 - 8 * i));
}

/// Type and creator of a file, flags, extended flags and the date: 16 of 32 bytes and a date.
void put_finder_info(ByteView info, const ports::FileFacts& facts, wire::MacListing& listing) {
  const ByteView finder = info.subspan(kFinderInfoAt, 32);
  auto& out = listing.finder_info;
  if (facts.type == ports::FileType::File) std::ranges::copy(finder.first(8), out.begin());
  std::ranges::copy(finder.subspan(8, 2), out.begin() + 8);    // flags
  std::ranges::copy(finder.subspan(24, 2), out.begin() + 10);  // extended flags
}

}  // namespace

void answer_macos(const Request& request, const wire::CreateRequest& body,
                  wire::CreateContextList& answers) {
  if (!request.server.config().macos || request.tree->ipc) return;
  const auto* const context = wire::find_context(body.create_contexts, wire::create_tag::kAapl);
  if (context == nullptr) return;
  const auto query = wire::decode<wire::MacServerQuery>(context->data);
  if (!query || query->command != wire::macos::kServerQuery) return;
  wire::MacServerAnswer answer;
  answer.asks = query->asks & (wire::macos::kAsksServerCapabilities |
                               wire::macos::kAsksVolumeCapabilities | wire::macos::kAsksModel);
  answer.server_capabilities = wire::macos::kUnixBased | wire::macos::kListings;
  answer.volume_capabilities = wire::macos::kFullSync;
  answer.model = u"Xserve";
  answers.add(wire::create_tag::kAapl, wire::encoded(answer));
  if ((query->asks & wire::macos::kAsksServerCapabilities) != 0) {
    static_cast<TreeState&>(*request.tree->state).macos_listings =
        (query->client_capabilities & wire::macos::kListings) != 0;
  }
}

wire::MacListing mac_listing(ports::Backend& backend, const Requester& who, std::string_view path) {
  wire::MacListing listing;
  const auto file = backend.locate(who.kernel, path);
  if (!file) return listing;
  const auto known = backend.access_facts(who.kernel, **file);
  if (!known) return listing;
  const ports::FileFacts* const facts = &known->file;
  listing.maximal_access = rights_by_facts(who, *known, path).maximal;
  put_date_added(facts->created, listing.finder_info.data() + 12);
  if (const auto info = (*file)->open_stream(who.kernel, "AFP_AfpInfo", false)) {
    std::array<std::uint8_t, kAfpInfoBytes> bytes{};
    const auto got = (*info)->read(0, bytes);
    if (got && *got == bytes.size()) put_finder_info(bytes, *facts, listing);
  }
  if (facts->type != ports::FileType::File) return listing;
  if (const auto fork = (*file)->open_stream(who.kernel, "AFP_Resource", false)) {
    if (const auto size = (*fork)->facts()) listing.resource_fork_bytes = size->size_bytes;
  }
  return listing;
}

}  // namespace flotilla::handlers

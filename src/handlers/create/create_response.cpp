// The CREATE response with its contexts: [MS-SMB2] 2.2.14.
#include "handlers/create/making.hpp"
#include "handlers/macos.hpp"
#include "handlers/open_link.hpp"
#include "handlers/posix.hpp"
#include "wire/posix.hpp"

namespace flotilla::handlers {

namespace {

/// As the lease's first open chose: [MS-SMB2] 3.3.5.9.8, 3.3.5.9.11.
void add_lease(const Making& making, wire::CreateContextList& contexts) {
  const std::uint32_t flags =
      making.opened.break_in_progress ? wire::lease_flags::kBreakInProgress : 0U;
  if (making.opened.lease_version == 2) {
    wire::LeaseContextV2 lease;
    lease.lease_key = making.asks.cache.key;
    lease.lease_state = making.opened.rights;
    lease.lease_flags = flags;
    if (making.asks.cache.has_parent) {
      lease.lease_flags |= wire::lease_flags::kParentLeaseKeySet;
      lease.parent_lease_key = making.asks.cache.parent_key;
    }
    lease.epoch = making.opened.lease_epoch;
    contexts.add(lease);
  } else {
    wire::LeaseContext lease;
    lease.lease_key = making.asks.cache.key;
    lease.lease_state = making.opened.rights;
    lease.lease_flags = flags;
    contexts.add(lease);
  }
}

}  // namespace

void append_response(Request& request, const Making& making, const session::Open& open) {
  wire::CreateResponse response;
  wire::CreateContextList contexts;
  switch (making.opened.kind) {
    case coherence::CacheKind::Lease:
      response.oplock_level = wire::OplockLevel::Lease;
      add_lease(making, contexts);
      break;
    case coherence::CacheKind::Oplock:
      response.oplock_level = static_cast<wire::OplockLevel>(oplock_level_of(making.opened.rights));
      break;
    case coherence::CacheKind::None:
      if (making.lease_refused) {
        response.oplock_level = wire::OplockLevel::Lease;
        add_lease(making, contexts);
      }
      break;
  }
  response.create_action = state_of(const_cast<session::Open&>(open)).create_action;
  response.creation_time = making.facts.created;
  response.last_access_time = making.facts.accessed;
  response.last_write_time = making.facts.written;
  response.change_time = making.facts.changed;
  if (!open.directory) {
    response.allocation_size = making.facts.allocation_bytes;
    response.end_of_file = making.facts.size_bytes;
  }
  response.file_attributes = making.facts.attributes;
  response.file_id = open.id;
  if (making.asks.maximal_access) {
    wire::QueryMaximalAccessResponse maximal;
    if (making.asks.maximal_access->ticks != 0 &&
        *making.asks.maximal_access == making.facts.written) {
      maximal.query_status = NtStatus::NoneMapped;
    } else {
      maximal.maximal_access = making.rights.maximal;
    }
    contexts.add(maximal);
  }
  if (making.asks.disk_id) {
    wire::QueryOnDiskIdResponse id;
    id.disk_file_id = making.facts.key.inode;
    id.volume_id = making.facts.key.volume;
    contexts.add(id);
  }
  const DurableTraits& durable = state_of(const_cast<session::Open&>(open)).durable;
  const bool handle = (making.opened.rights & coherence::kCacheHandle) != 0;
  if (((durable.durable && handle) || durable.persistent) && making.tells_durable) {
    if (making.asks.durable_v2) {
      wire::DurableHandleResponseV2 granted;
      granted.flags = durable.persistent ? wire::durable_handle_flags::kPersistent : 0U;
      granted.timeout_ms = static_cast<std::uint32_t>(durable.timeout.count());
      contexts.add(granted);
    } else if (making.asks.durable_v1) {
      contexts.add(wire::DurableHandleResponse{});
    }
  }
  if (making.asks.posix_mode) {
    Bytes posix;
    wire::encode_posix_created(posix_facts_of(making.facts), posix);
    contexts.add(wire::create_tag::kPosix, std::move(posix));
  }
  answer_macos(request, making.body, contexts);
  response.create_contexts = contexts.list();
  wire::encode(response, request.out);
}

}  // namespace flotilla::handlers

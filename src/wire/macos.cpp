#include "wire/macos.hpp"

#include "wire/fields.hpp"

namespace flotilla::wire {

template <>
struct Fields<MacServerQuery> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("command", s.command);
    v.reserved(4);
    v.field("asks", s.asks);
    v.field("client_capabilities", s.client_capabilities);
  }
};

template <>
struct Fields<MacServerAnswer> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.reserved(4, macos::kServerQuery);
    v.reserved(4);
    v.field("asks", s.asks);
    if ((s.asks & macos::kAsksServerCapabilities) != 0) {
      v.field("server_capabilities", s.server_capabilities);
    }
    if ((s.asks & macos::kAsksVolumeCapabilities) != 0) {
      v.field("volume_capabilities", s.volume_capabilities);
    }
    if ((s.asks & macos::kAsksModel) != 0) {
      Slot model;
      v.reserved(4);
      v.length32(model);
      v.tail("model", model, s.model);
    }
  }
};

FLOTILLA_WIRE_INSTANTIATE(MacServerQuery);
FLOTILLA_WIRE_INSTANTIATE(MacServerAnswer);

}  // namespace flotilla::wire

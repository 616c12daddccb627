#include "wire/fscc_fs.hpp"

#include "wire/fields.hpp"

namespace flotilla::wire {

template <>
struct Fields<FileFsVolumeInformation> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    Slot label;
    v.field("volume_creation_time", s.volume_creation_time);
    v.field("volume_serial_number", s.volume_serial_number);
    v.length32(label);
    v.field("supports_objects", s.supports_objects);
    v.reserved(1);
    v.tail("volume_label", label, s.volume_label);
  }
};
template <>
struct Fields<FileFsLabelInformation> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    Slot label;
    v.length32(label);
    v.tail("volume_label", label, s.volume_label);
  }
};
template <>
struct Fields<FileFsSizeInformation> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("total_allocation_units", s.total_allocation_units);
    v.field("available_allocation_units", s.available_allocation_units);
    v.field("sectors_per_allocation_unit", s.sectors_per_allocation_unit);
    v.field("bytes_per_sector", s.bytes_per_sector);
  }
};
template <>
struct Fields<FileFsDeviceInformation> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("device_type", s.device_type);
    v.field("characteristics", s.characteristics);
  }
};
template <>
struct Fields<FileFsAttributeInformation> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    Slot name;
    v.field("file_system_attributes", s.file_system_attributes);
    v.field("maximum_component_name_length", s.maximum_component_name_length);
    v.length32(name);
    v.tail("file_system_name", name, s.file_system_name);
  }
};
template <>
struct Fields<FileFsControlInformation> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("free_space_start_filtering", s.free_space_start_filtering);
    v.field("free_space_threshold", s.free_space_threshold);
    v.field("free_space_stop_filtering", s.free_space_stop_filtering);
    v.field("default_quota_threshold", s.default_quota_threshold);
    v.field("default_quota_limit", s.default_quota_limit);
    v.field("file_system_control_flags", s.file_system_control_flags);
    v.reserved(4);
  }
};
template <>
struct Fields<FileFsFullSizeInformation> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("total_allocation_units", s.total_allocation_units);
    v.field("caller_available_allocation_units", s.caller_available_allocation_units);
    v.field("actual_available_allocation_units", s.actual_available_allocation_units);
    v.field("sectors_per_allocation_unit", s.sectors_per_allocation_unit);
    v.field("bytes_per_sector", s.bytes_per_sector);
  }
};
template <>
struct Fields<FileFsObjectIdInformation> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("object_id", s.object_id);
    v.field("extended_info", s.extended_info);
  }
};
template <>
struct Fields<FileFsSectorSizeInformation> : PayloadLayout {
  static void visit(auto& v, auto& s) {
    v.field("logical_bytes_per_sector", s.logical_bytes_per_sector);
    v.field("physical_bytes_per_sector_for_atomicity", s.physical_bytes_per_sector_for_atomicity);
    v.field("physical_bytes_per_sector_for_performance",
            s.physical_bytes_per_sector_for_performance);
    v.field("effective_physical_bytes_per_sector_for_atomicity",
            s.effective_physical_bytes_per_sector_for_atomicity);
    v.field("flags", s.flags);
    v.field("byte_offset_for_sector_alignment", s.byte_offset_for_sector_alignment);
    v.field("byte_offset_for_partition_alignment", s.byte_offset_for_partition_alignment);
  }
};

FLOTILLA_WIRE_INSTANTIATE(FileFsVolumeInformation);
FLOTILLA_WIRE_INSTANTIATE(FileFsLabelInformation);
FLOTILLA_WIRE_INSTANTIATE(FileFsSizeInformation);
FLOTILLA_WIRE_INSTANTIATE(FileFsDeviceInformation);
FLOTILLA_WIRE_INSTANTIATE(FileFsAttributeInformation);
FLOTILLA_WIRE_INSTANTIATE(FileFsControlInformation);
FLOTILLA_WIRE_INSTANTIATE(FileFsFullSizeInformation);
FLOTILLA_WIRE_INSTANTIATE(FileFsObjectIdInformation);
FLOTILLA_WIRE_INSTANTIATE(FileFsSectorSizeInformation);

}  // namespace flotilla::wire

// [MS-SRVS] structures as NDR declarations (wire/ndr.hpp says what a member's type means).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "rpc/win_error.hpp"
#include "wire/ndr_types.hpp"

namespace flotilla::rpc::srvsvc {

using Text = std::optional<std::u16string>;  ///< [unique, string] wchar_t*

/// [MS-SRVS] 2.2.4.22 SHARE_INFO_0
struct ShareInfo0 {
  Text netname;
  static void ndr(auto& v, auto& s) { v(s.netname); }
};
/// [MS-SRVS] 2.2.4.23 SHARE_INFO_1
struct ShareInfo1 {
  Text netname;
  std::uint32_t type = 0;
  Text remark;
  static void ndr(auto& v, auto& s) {
    v(s.netname);
    v(s.type);
    v(s.remark);
  }
};
/// [MS-SRVS] 2.2.4.24 SHARE_INFO_2
struct ShareInfo2 {
  Text netname;
  std::uint32_t type = 0;
  Text remark;
  std::uint32_t permissions = 0;
  std::uint32_t max_uses = 0;
  std::uint32_t current_uses = 0;
  Text path;
  Text passwd;
  static void ndr(auto& v, auto& s) {
    v(s.netname);
    v(s.type);
    v(s.remark);
    v(s.permissions);
    v(s.max_uses);
    v(s.current_uses);
    v(s.path);
    v(s.passwd);
  }
};
/// [MS-SRVS] 2.2.4.25 SHARE_INFO_501
struct ShareInfo501 {
  Text netname;
  std::uint32_t type = 0;
  Text remark;
  std::uint32_t flags = 0;
  static void ndr(auto& v, auto& s) {
    v(s.netname);
    v(s.type);
    v(s.remark);
    v(s.flags);
  }
};
/// [MS-SRVS] 2.2.4.26 SHARE_INFO_502_I; the security descriptor is null: the share's default.
struct ShareInfo502 {
  ShareInfo2 two;
  std::uint32_t reserved = 0;  ///< bytes of the security descriptor
  wire::NdrUnique<std::vector<std::uint8_t>> security_descriptor;
  static void ndr(auto& v, auto& s) {
    v(s.two);
    v(s.reserved);
    v(s.security_descriptor);
  }
};
/// [MS-SRVS] 2.2.4.29 SHARE_INFO_1005
struct ShareInfo1005 {
  std::uint32_t flags = 0;
  static void ndr(auto& v, auto& s) { v(s.flags); }
};

/// [MS-SRVS] 2.2.4.27, .28 SHARE_INFO_1004, SHARE_INFO_1006
struct ShareInfo1004 {
  Text remark;
  static void ndr(auto& v, auto& s) { v(s.remark); }
};
struct ShareInfo1006 {
  std::uint32_t max_uses = 0xFFFFFFFF;
  static void ndr(auto& v, auto& s) { v(s.max_uses); }
};

/// [MS-SRVS] 2.2.4.32 SHARE_INFO_0_CONTAINER and its siblings
template <class Info>
struct Container {
  std::uint32_t entries_read = 0;
  wire::NdrUnique<std::vector<Info>> buffer;
  static void ndr(auto& v, auto& s) {
    v(s.entries_read);
    v(s.buffer);
  }
};

/// [MS-SRVS] 2.2.4.38 SHARE_ENUM_STRUCT: the union's arm is that of `level`.
struct ShareEnum {
  std::uint32_t level = 0;
  std::uint32_t union_level = 0;
  wire::NdrUnique<Container<ShareInfo0>> level0;
  wire::NdrUnique<Container<ShareInfo1>> level1;
  wire::NdrUnique<Container<ShareInfo2>> level2;
  wire::NdrUnique<Container<ShareInfo501>> level501;
  wire::NdrUnique<Container<ShareInfo502>> level502;
  static void ndr(auto& v, auto& s) {
    v(s.level);
    v(s.union_level);
    switch (s.union_level) {
      case 0:
        v(s.level0);
        break;
      case 1:
        v(s.level1);
        break;
      case 2:
        v(s.level2);
        break;
      case 501:
        v(s.level501);
        break;
      case 502:
        v(s.level502);
        break;
      default:
        break;
    }
  }
};

/// [MS-SRVS] 2.2.3.6 SHARE_INFO: a union behind its level.
struct ShareInfo {
  std::uint32_t level = 0;
  wire::NdrUnique<ShareInfo0> level0;
  wire::NdrUnique<ShareInfo1> level1;
  wire::NdrUnique<ShareInfo2> level2;
  wire::NdrUnique<ShareInfo501> level501;
  wire::NdrUnique<ShareInfo502> level502;
  wire::NdrUnique<ShareInfo1004> level1004;
  wire::NdrUnique<ShareInfo1005> level1005;
  wire::NdrUnique<ShareInfo1006> level1006;
  static void ndr(auto& v, auto& s) {
    v(s.level);
    switch (s.level) {
      case 0:
        v(s.level0);
        break;
      case 1:
        v(s.level1);
        break;
      case 2:
        v(s.level2);
        break;
      case 501:
        v(s.level501);
        break;
      case 502:
        v(s.level502);
        break;
      case 1004:
        v(s.level1004);
        break;
      case 1005:
        v(s.level1005);
        break;
      case 1006:
        v(s.level1006);
        break;
      case 1007:
      case 1501: {
        std::uint32_t untold = 0;  // a null pointer
        v(untold);
        break;
      }
      default:
        break;
    }
  }
};

/// [MS-SRVS] 2.2.4.40, .41, .42 SERVER_INFO_100, _101, _102
struct ServerInfo100 {
  std::uint32_t platform_id = 0;
  Text name;
  static void ndr(auto& v, auto& s) {
    v(s.platform_id);
    v(s.name);
  }
};
struct ServerInfo101 {
  ServerInfo100 base;
  std::uint32_t version_major = 0;
  std::uint32_t version_minor = 0;
  std::uint32_t type = 0;
  Text comment;
  static void ndr(auto& v, auto& s) {
    v(s.base);
    v(s.version_major);
    v(s.version_minor);
    v(s.type);
    v(s.comment);
  }
};
struct ServerInfo102 {
  ServerInfo101 base;
  std::uint32_t users = 0;
  std::uint32_t disc = 0;
  std::uint32_t hidden = 0;
  std::uint32_t announce = 0;
  std::uint32_t anndelta = 0;
  std::uint32_t licenses = 0;
  Text userpath;
  static void ndr(auto& v, auto& s) {
    v(s.base);
    v(s.users);
    v(s.disc);
    v(s.hidden);
    v(s.announce);
    v(s.anndelta);
    v(s.licenses);
    v(s.userpath);
  }
};
/// Levels that [MS-SRVS] 2.2.3.7 SERVER_INFO has and that are not told: their arm is a null
/// pointer.
[[nodiscard]] constexpr bool is_untold_server_level(std::uint32_t level) {
  return level == 402 || level == 403 || level == 502 || level == 503 || level == 599 ||
         level == 1005 || level == 1010 || (level >= 1016 && level <= 1018) || level == 1107 ||
         (level >= 1501 && level <= 1556);
}
struct ServerInfo {
  std::uint32_t level = 0;
  wire::NdrUnique<ServerInfo100> level100;
  wire::NdrUnique<ServerInfo101> level101;
  wire::NdrUnique<ServerInfo102> level102;
  static void ndr(auto& v, auto& s) {
    v(s.level);
    switch (s.level) {
      case 100:
        v(s.level100);
        break;
      case 101:
        v(s.level101);
        break;
      case 102:
        v(s.level102);
        break;
      default:
        if (std::uint32_t untold = 0; is_untold_server_level(s.level)) v(untold);
        break;
    }
  }
};

/// [MS-SRVS] 2.2.4.92 DISK_INFO: a drive's letter, colon and NUL, as a varying string
struct DiskInfo {
  static void ndr(auto& v, auto&) {
    v(std::uint32_t{0});
    v(std::uint32_t{3});
    v(char16_t{u'C'});
    v(char16_t{u':'});
    v(char16_t{0});
  }
};
/// [MS-SRVS] 2.2.4.93 DISK_ENUM_CONTAINER
struct DiskEnum {
  std::uint32_t entries_read = 0;
  wire::NdrUnique<wire::NdrVarying<DiskInfo>> buffer;
  static void ndr(auto& v, auto& s) {
    v(s.entries_read);
    v(s.buffer);
  }
};

/// [MS-SRVS] 2.2.4.105 TIME_OF_DAY_INFO
struct TimeOfDay {
  std::uint32_t elapsedt = 0;  ///< seconds since 1970
  std::uint32_t msecs = 0;
  std::uint32_t hours = 0;
  std::uint32_t mins = 0;
  std::uint32_t secs = 0;
  std::uint32_t hunds = 0;
  std::uint32_t timezone = 0;   ///< minutes west of Greenwich
  std::uint32_t tinterval = 0;  ///< 1/10000 s per tick
  std::uint32_t day = 0;
  std::uint32_t month = 0;
  std::uint32_t year = 0;
  std::uint32_t weekday = 0;  ///< Sunday is 0
  static void ndr(auto& v, auto& s) {
    v(s.elapsedt);
    v(s.msecs);
    v(s.hours);
    v(s.mins);
    v(s.secs);
    v(s.hunds);
    v(s.timezone);
    v(s.tinterval);
    v(s.day);
    v(s.month);
    v(s.year);
    v(s.weekday);
  }
};

}  // namespace flotilla::rpc::srvsvc

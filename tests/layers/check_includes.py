#!/usr/bin/env python3
"""Every #include against the rule of shared/DESIGN.md section 2: a folder of src/ includes only folders
before it in the list (and itself); what is pure includes no thread, clock, socket or file header; corosync
is included by pool/corosync alone. Prints each offence as FILE:LINE and counts."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ORDER = ["base", "wire", "crypto", "coherence", "session", "runtime", "ports", "auth", "rpc", "handlers", "pool",
         "vfs", "front", "interop", "admin"]
PURE = {"base", "wire", "crypto", "coherence", "session"}
IMPURE_HEADERS = re.compile(
    r"^(thread|mutex|shared_mutex|condition_variable|future|semaphore|stop_token|random|fstream|filesystem|coroutine|"
    r"sys/.*|unistd\.h|fcntl\.h|poll\.h|netinet/.*|arpa/.*|pthread\.h|time\.h|ctime|boost/asio.*)$")
CLOCKS = re.compile(r"\b(steady_clock|system_clock|high_resolution_clock|clock_gettime|gettimeofday|std::rand|random_device)\b")
COROSYNC = re.compile(r"^(corosync/|qb/)")


def includes(path):
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            m = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            if m:
                yield number, m.group(1), m.group(2)


def main():
    offences, seen = [], 0
    for folder, _, names in os.walk(os.path.join(ROOT, "src")):
        for name in sorted(names):
            if not name.endswith((".hpp", ".cpp")):
                continue
            path = os.path.join(folder, name)
            short = os.path.relpath(path, ROOT)
            room = short.split(os.sep)[1]
            if room not in ORDER:
                offences.append("%s: the room %s is not in the list" % (short, room))
                continue
            is_test = name.endswith("_test.cpp") or "/testing/" in short
            for number, kind, what in includes(path):
                seen += 1
                where = "%s:%d: %s" % (short, number, what)
                if kind == '"':
                    target = what.split("/")[0]
                    if target not in ORDER:
                        offences.append(where + ": names no room; include from the top, as in \"base/ids.hpp\"")
                    elif ORDER.index(target) > ORDER.index(room) and not is_test:
                        offences.append(where + ": %s must not know %s" % (room, target))
                    elif room == "coherence" and target in ("wire", "crypto"):
                        offences.append(where + ": what is replicated outlives a dialect")
                if room in PURE and not is_test and IMPURE_HEADERS.match(what):
                    offences.append(where + ": %s is pure" % room)
                if COROSYNC.match(what) and not short.startswith("src/pool/corosync/"):
                    offences.append(where + ": only src/pool/corosync includes it")
            if room in PURE and not is_test:
                with open(path, encoding="utf-8") as f:
                    for number, line in enumerate(f, 1):
                        if CLOCKS.search(line.split("//")[0]):
                            offences.append("%s:%d: a clock or random number in a pure room" % (short, number))
    for offence in offences:
        print(offence)
    print("%d includes checked, %d offences" % (seen, len(offences)))
    return 1 if offences or seen < 100 else 0


if __name__ == "__main__":
    sys.exit(main())

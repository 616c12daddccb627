#!/usr/bin/env python3
"""Flotilla beside Samba's smbd on one machine, the same directory's file system, the same clients, signing required.

  bench/compare.py [--bytes N] [--files N] [--entries N] [--rounds N] [--only CASE,...]

Prints for each case the throughput and the server's CPU time per operation of both, and Flotilla's ratio to smbd's
(above 1 is better for throughput; below 1 is better for CPU). FLOTILLA names another binary. Root, and smbd, are
needed; both servers listen on loopback only, are started here, and end with this program.
"""
import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "lib"))
import flotilla  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")

WORKER = r"""
import sys
sys.path.insert(0, sys.argv[1])
import smb2
verb, port, name, count = sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5])
c = smb2.Client("127.0.0.1", port)
print("ready", flush=True)
sys.stdin.readline()
if verb == "small":
    data = b"x" * 4096
    for i in range(count):
        status, handle, _, _ = c.open("%s-%d" % (name, i), access=smb2.READ | smb2.WRITE, disposition=smb2.CREATE)
        assert status == 0, hex(status)
        assert c.write(handle, 0, data) == 0 and c.close(handle) == 0
elif verb == "open":
    for i in range(count):
        status, handle, _, _ = c.open("one-file", disposition=smb2.OPEN)
        assert status == 0, hex(status)
        c.close(handle)
"""


class Smbd:
    """smbd on loopback, one share with what Flotilla also does: streams, ACLs, DOS attributes."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="flotilla-smbd-", dir="/var/tmp")
        self.share = os.path.join(self.dir, "share")
        self.port = flotilla.free_port()

    def __enter__(self):
        for name in ("private", "lock", "state", "cache", "pid", "ncalrpc", "wbsock", "log", "share"):
            os.mkdir(os.path.join(self.dir, name))
        with open(self.dir + "/map", "w", encoding="ascii") as f:
            f.write("root = tester\n")
        with open(self.dir + "/smb.conf", "w", encoding="ascii") as f:
            f.write("""[global]
  workgroup = WORKGROUP
  netbios name = REFSMBD
  server role = standalone server
  username map = DIR/map
  interfaces = 127.0.0.1/8
  bind interfaces only = yes
  smb ports = PORT
  disable netbios = yes
  server min protocol = SMB2_02
  server signing = required
  private dir = DIR/private
  lock directory = DIR/lock
  state directory = DIR/state
  cache directory = DIR/cache
  pid directory = DIR/pid
  ncalrpc dir = DIR/ncalrpc
  winbindd socket directory = DIR/wbsock
  log file = DIR/log/log
  log level = 0
  passdb backend = tdbsam:DIR/private/passdb.tdb
  load printers = no
  disable spoolss = yes
  store dos attributes = yes
  ea support = yes
[data]
  path = DIR/share
  read only = no
  vfs objects = acl_xattr streams_xattr
""".replace("DIR", self.dir).replace("PORT", str(self.port)))
        subprocess.run(["pdbedit", "-s", self.dir + "/smb.conf", "-a", "-t", "-u", "root"], check=True, text=True,
                       input="Secret123\nSecret123\n", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.process = subprocess.Popen(["smbd", "-F", "--no-process-group", "-s", self.dir + "/smb.conf"], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        end = time.monotonic() + 30
        while subprocess.run(["smbclient", "//127.0.0.1/data", "-p", str(self.port), "-U", "tester%Secret123", "-c", "ls"],
                             capture_output=True, check=False).returncode:
            if time.monotonic() > end:
                raise RuntimeError("smbd did not start")
            time.sleep(0.2)
        return self

    def __exit__(self, *_):
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def cpu_seconds(pid):
    """User and system time of a process and of all it made, the ended ones too."""
    parents = {}
    times = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open("/proc/%s/stat" % entry, encoding="ascii", errors="replace") as f:
                    fields = f.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            parents[int(entry)] = int(fields[1])
            times[int(entry)] = sum(int(v) for v in fields[11:15]) / TICK
    total = 0.0
    for candidate, spent in times.items():
        walk = candidate
        while walk not in (pid, 0, 1) and walk in parents:
            walk = parents[walk]
        total += spent if walk == pid else 0.0
    return total


def smbclient_runs(server, clients, commands, work):
    jobs = [subprocess.Popen(["smbclient", "//127.0.0.1/data", "-p", str(server.port), "-U", "tester%Secret123", "-c",
                              commands.replace("@", str(n))], cwd=work, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL) for n in range(clients)]
    codes = [job.wait() for job in jobs]
    assert not any(codes), (commands, codes)


def worker_runs(server, clients, verb, name, count):
    """The seconds between "go" and the last worker's end."""
    lib = os.path.join(flotilla.ROOT, "tests", "lib")
    jobs = [subprocess.Popen(["/usr/bin/python3", "-c", WORKER, lib, verb, str(server.port), "%s-%d" % (name, n),
                              str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for n in range(clients)]
    for job in jobs:
        assert job.stdout.readline() == "ready\n"
    return jobs


def measure(server, clients, case, args, work, tag):
    """(operations, seconds, CPU seconds of the server)"""
    pid = server.process.pid
    before = cpu_seconds(pid)
    begin = time.monotonic()
    if case == "put":
        smbclient_runs(server, clients, "put big big-@", work)
        amount = clients * args.bytes / (1 << 20)
    elif case == "get":
        smbclient_runs(server, clients, "get big-0 /dev/null", work)
        amount = clients * args.bytes / (1 << 20)
    elif case == "list":
        smbclient_runs(server, clients, "cd many; ls", work)
        amount = clients * args.entries
    else:
        count = args.files // clients
        jobs = worker_runs(server, clients, case, tag, count)
        before = cpu_seconds(pid)
        begin = time.monotonic()
        for job in jobs:
            job.stdin.write("go\n")
            job.stdin.flush()
        codes = [job.wait() for job in jobs]
        assert not any(codes), codes
        amount = clients * count
    seconds = time.monotonic() - begin
    time.sleep(0.3)  # a process that serves a client that left is still ending
    return amount, seconds, cpu_seconds(pid) - before


CASES = (("put", "MiB"), ("get", "MiB"), ("small", "files"), ("open", "opens"), ("list", "entries"))
WHAT = {"put": "put, smbclient", "get": "get, smbclient", "small": "create, write 4 KiB, close",
        "open": "open and close one file", "list": "list a large directory"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bytes", type=int, default=1 << 30)
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--entries", type=int, default=10000)
    parser.add_argument("--rounds", type=int, default=1, help="the best of so many")
    parser.add_argument("--verbose", action="store_true", help="every round, on stderr")
    parser.add_argument("--only", default="", help="cases, comma separated: put,get,small,open,list")
    args = parser.parse_args()
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    with tempfile.TemporaryDirectory(prefix="flotilla-bench-", dir="/var/tmp") as work, \
            flotilla.Server() as ours, Smbd() as theirs:
        flotilla.random_file(os.path.join(work, "big"), args.bytes)
        for server in (ours, theirs):
            os.mkdir(os.path.join(server.share, "many"))
            for number in range(args.entries):
                with open(os.path.join(server.share, "many", "file-%06d" % number), "w", encoding="ascii"):
                    pass
            with open(os.path.join(server.share, "one-file"), "w", encoding="ascii") as f:
                f.write("one")
        print("| case | clients | Flotilla | smbd | ratio | Flotilla CPU | smbd CPU | ratio |")
        print("|---|---|---|---|---|---|---|---|")
        for case, unit in CASES:
            if args.only and case not in args.only.split(","):
                continue
            for clients in (1, 4):
                best = {}
                for turn in range(args.rounds):
                    order = [("ours", ours), ("theirs", theirs)]
                    for name, server in order if turn % 2 == 0 else reversed(order):
                        os.sync()  # what one wrote is not for the other to wait for
                        amount, seconds, cpu = measure(server, clients, case, args, work, "%s-%d-%d" % (case, clients, turn))
                        rate, cost = amount / seconds, cpu / amount * 1e6
                        if args.verbose:
                            print("  %s %.0f %s/s %.0f us" % (name, rate, unit, cost), file=sys.stderr)
                        old = best.get(name, (0, 1e9))
                        best[name] = (max(old[0], rate), min(old[1], cost))
                (a, x), (b, y) = best["ours"], best["theirs"]
                print("| %s | %d | %.0f %s/s | %.0f %s/s | %.2f | %.0f µs | %.0f µs | %.2f |"
                      % (WHAT[case], clients, a, unit, b, unit, a / b, x, y, x / y if y else 0), flush=True)


main()

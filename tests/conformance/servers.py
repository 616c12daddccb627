"""The servers that run.py tests: one `flotilla serve` per configuration and worker, or a pool in tools/lab."""
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import kdc

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("FLOTILLA") or os.path.join(ROOT, "build/release/flotilla")
LAB = os.path.join(ROOT, "tools/lab")
USER, PASSWORD = "tester", "Secret123"
BTRFS = re.compile(r"smb2\.ioctl\.(compress_(?!notsup)|dup_extents_|sparse_compressed)")
SNAPSHOT = "@GMT-2015.10.31-19.40.30"

# Which configuration a test needs beside its share: [server] lines.
SERVERS = {
    "main": "allow_anonymous = true\n",
    "notify_off": "change_notify = false\n",
    "signing": 'signing = "required"\n',
    "krb5": "",
}
SERVER_OF = {
    "smb2.change_notify_disabled.notfiy_disabled": "notify_off",
    "smb2.session-require-signing.bug15397": "signing",
}
# Every share of tests.tsv, and those that tests name by themselves: [[share]] lines.
# Those that are about persistent handles: on a share that has them.
PERSISTENT = re.compile(r"smb2\.(durable-v2-open\.persistent-open|replay\.replay5)")
SHARES = {
    "tmp": "", "durable": "", "adm": "", "compound_find": "", "async_dosmode": "", "ignsys": "", "notify_off": "",
    "vfs_fruit_xattr": "", "acls_non_canonical": "", "kernel_oplocks": "", "posixlock": "", "ea_acl_xattr": "",
    "tmpguest": "", "tmpcase": "", "noperm": "",
    "hideunread": "access_based_enumeration = true\n",
    "nfs4acl_simple_40": "named_streams = false\n",
    "dosmode": 'hide_files = ["hidefile"]\n',
    "ca": "continuous_availability = true\n",
    "shadow": 'snapshots = ".snapshots/@GMT-%Y.%m.%d-%H.%M.%S"\n',
}


class Place:
    """Where a test runs, and as whom."""

    def __init__(self, host, port, share, arguments, environment=None, prefix=()):
        self.host, self.port, self.share, self.prefix = host, port, share, prefix
        self.arguments, self.environment = list(arguments), environment or {}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def password_login():
    return ["-U", "%s%%%s" % (USER, PASSWORD)]


def status_of(command, where):
    """(what is left over, as lines; the state's digest; those of opens decided and held) by the status that
    `command` prints: src/pool/owner/digests.hpp."""
    got = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    if got.returncode != 0:
        return ["%s: no status: %s" % (where, got.stderr.strip())], None, (0, 0)
    document = json.loads(got.stdout)
    lines = ["%s: %d %s" % (where, document[key], key) for key in ("sessions", "trees", "opens", "files_owned")
             if document.get(key)]
    digest = document["state_digest"]
    if not lines and int(digest, 16) != 0:
        lines.append("%s: something is left in the state: digest %s" % (where, digest))
    return lines, digest, tuple(int(document["opens_%s_digest" % of], 16) for of in ("decided", "held"))


def wait_empty(look, seconds):
    """`look()` until it finds nothing: durable opens wait for their clients."""
    end = time.monotonic() + seconds
    while True:
        lines = look()
        if not lines or time.monotonic() > end:
            return lines
        time.sleep(0.5)


class Server:
    """A daemon with its own directory, users and port."""

    def __init__(self, base, kind, shares, extra_listen=(), lines="", environment=None):
        self.kind, self.dir = kind, os.path.join(base, kind)
        self.run_dir = os.path.join(self.dir, "run")
        os.makedirs(self.run_dir)
        self.port = free_port()
        users = os.path.join(self.dir, "users")
        for name in (USER, "tester2"):
            subprocess.run([BINARY, "user", "add", name, "--users-file", users, "--password-file", "-",
                            "--as-share-owner"], input=PASSWORD + "\n", text=True, check=True, capture_output=True)
        listen = ["127.0.0.1:%d" % self.port, *extra_listen]
        self.extra_port = int(listen[-1].rpartition(":")[2])
        path = os.path.join(self.dir, "flotilla.toml")
        with open(path, "w", encoding="utf-8") as f:
            f.write("[server]\nlisten = %s\nusers_file = \"%s\"\nruntime_dir = \"%s\"\ntorture_fsctls = true\n" % (
                json.dumps(listen), users, self.run_dir))
            f.write(lines + SERVERS[kind])
            if "signing" not in SERVERS[kind]:
                f.write('signing = "enabled"\n')
            for name, (directory, options) in shares.items():
                f.write('\n[[share]]\nname = "%s"\npath = "%s"\n%s' % (name, directory, options))
        self.log = os.path.join(self.dir, "log")
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([BINARY, "serve", "--config", path], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=dict(os.environ, **(environment or {})))
        end = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            if self.process.poll() is not None or time.monotonic() > end:
                with open(self.log, encoding="utf-8", errors="replace") as f:
                    raise RuntimeError("the %s server did not start:\n%s" % (kind, f.read()[-2000:]))
            time.sleep(0.05)

    def leftovers(self):
        if self.process.poll() is not None:
            return ["%s: the server ended with %d" % (self.kind, self.process.returncode)]
        command = [BINARY, "status", "--json", "--runtime-dir", self.run_dir]
        return wait_empty(lambda: status_of(command, self.kind)[0], 90)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class BtrfsVolume:
    """A btrfs file system in a file, for tests that need reflinks and compression; nothing without root."""

    def __init__(self, base):
        self.mounted = os.path.join(base, "btrfs")
        image = self.mounted + ".img"
        os.mkdir(self.mounted)
        with open(image, "wb") as f:
            f.truncate(512 << 20)
        made = subprocess.run(["mkfs.btrfs", "-q", image], capture_output=True, check=False) \
            if shutil.which("mkfs.btrfs") else None
        done = made is not None and made.returncode == 0 and \
            subprocess.run(["mount", "-o", "loop", image, self.mounted], capture_output=True, check=False)
        self.there = bool(done) and done.returncode == 0

    def remove(self):
        if self.there:
            subprocess.run(["umount", self.mounted], capture_output=True, check=False)


class LocalFleet:
    """One worker's servers, started when a test first needs them."""

    def __init__(self, mode, number):
        self.mode, self.number = mode, number
        self.base = tempfile.mkdtemp(prefix="flotilla-conformance-", dir="/var/tmp")
        self.servers, self.volume, self.realm = {}, None, None
        self.why_not = "needs root and btrfs-progs"
        # Port 445 on an address of its own: other servers of this machine keep theirs.
        self.address_445 = "127.%d.%d.%d" % (101 + number, os.getpid() >> 8 & 255, os.getpid() & 255)
        os.chmod(self.base, 0o755)
        self.share_root = os.path.join(self.base, "shares")
        os.mkdir(self.share_root)

    def shares(self):
        if self.mode == "plain":
            names = {"share": ""}
        else:
            self.volume = self.volume or BtrfsVolume(self.share_root)
            names = dict(SHARES, **({"btrfs": ""} if self.volume.there else {}))
        shares = {}
        for name, options in names.items():
            directory = os.path.join(self.share_root, name)
            os.makedirs(directory, exist_ok=True)
            shares[name] = (directory, options)
        if "shadow" in shares:
            make_snapshot(shares["shadow"][0])
        if self.mode != "plain":  # the test connects twice, two seconds apart, to see two directories
            os.makedirs(os.path.join(self.share_root, "dynamic"), exist_ok=True)
            shares["dynamic_share"] = (os.path.join(self.share_root, "dynamic", "%t"), "make_directory = true\n")
        if "noperm" in shares:
            os.chmod(shares["noperm"][0], 0)
        return shares

    def server(self, kind):
        if kind not in self.servers:
            listen, lines, environment = (), "", None
            if kind == "main":
                listen = (self.address_445 + ":445",)
            if kind == "krb5":
                self.realm = kdc.Realm(self.base, USER, PASSWORD)
                port = free_port()
                listen = ("%s:%d" % (socket.gethostbyname(kdc.HOST), port),)
                lines, environment = 'keytab = "%s"\n' % self.realm.keytab, self.realm.environment
            self.servers[kind] = Server(self.base, kind, self.shares(), listen, lines, environment)
        return self.servers[kind]

    def place(self, test):
        place = self.find_place(test)
        if place and place.share != "shadow":
            empty_share(os.path.join(self.share_root, place.share))
        return place

    def find_place(self, test):
        if self.mode == "plain":
            return Place("127.0.0.1", self.server("main").port, "share", password_login())
        options = list(test.options)
        if test.name.startswith("smb2.session.expire"):
            server = self.server("krb5")
            return Place(kdc.HOST, server.extra_port, "tmp", self.realm.login + options, self.realm.environment)
        kind = SERVER_OF.get(test.name, "main")
        server = self.server(kind)
        share = test.share
        if BTRFS.match(test.name):
            if not self.volume.there:
                return None
            share = "btrfs"
        if PERSISTENT.match(test.name):
            share = "ca"
        options = [o.replace("localdir=DIR", "localdir=" + os.path.join(self.share_root, share)) for o in options]
        if test.name == "smb2.multichannel.bugs.bug_15346":  # reconnects to port 445
            return Place(self.address_445, 445, share, password_login() + options)
        return Place("127.0.0.1", server.port, share, password_login() + options)

    def leftovers(self):
        return [line for server in self.servers.values() for line in server.leftovers()]

    def stop(self):
        for server in self.servers.values():
            server.stop()
        if self.realm:
            self.realm.stop()
        if self.volume:
            self.volume.remove()
        shutil.rmtree(self.base, ignore_errors=True)


def make_snapshot(share):
    """What the twrp tests look for: a snapshot with a file "foo" that has a stream "bar" of 3 bytes."""
    snapshot = os.path.join(share, ".snapshots", SNAPSHOT)
    if os.path.exists(snapshot):
        return
    for directory in (share, snapshot):
        os.makedirs(os.path.join(directory, "subdir"))
        with open(os.path.join(directory, "subdir", "hardlink"), "wb"):
            pass
        path = os.path.join(directory, "foo")
        with open(path, "wb") as f:
            f.write(b"foo")
        os.setxattr(path, "user.DosStream.bar:$DATA", b"bar\0")


def empty_share(directory):
    """A test begins with an empty share: what another one left (files with denying ACLs) is not its business."""
    for entry in os.scandir(directory):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            os.unlink(entry.path)


class PoolFleet:
    """Three nodes in namespaces; the tests' connections go to node 1, 2, 3 in turn."""

    why_not = ""

    def __init__(self):
        self.lock = open("/tmp/lab.lock", "w", encoding="utf-8")  # one lab on this machine
        import fcntl
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.unclists = {}
        for share in ("data", "ca"):
            with tempfile.NamedTemporaryFile("w", suffix=".unclist", delete=False) as f:
                f.write("".join("//10.77.0.%d/%s\n" % (k, share) for k in (1, 2, 3)))
                self.unclists[share] = f.name
        environment = dict(os.environ, FLOTILLA=BINARY, FLOTILLA_LAB_SHARE="continuous_availability = true",
                           FLOTILLA_LAB_SERVER='signing = "enabled"\ntorture_fsctls = true\nallow_anonymous = true\n')
        got = subprocess.run([LAB, "up", "3"], capture_output=True, text=True, env=environment, check=False)
        if got.returncode != 0:
            self.stop()
            raise RuntimeError("tools/lab up 3: " + got.stdout + got.stderr)

    def place(self, test):
        share = "ca" if PERSISTENT.match(test.name) else "data"
        return Place("10.77.0.1", 445, share, password_login() + ["--unclist=" + self.unclists[share]] + test.options,
                     prefix=(LAB, "client"))

    def look(self):
        lines, digests, decided, held = [], set(), 0, 0
        for k in (1, 2, 3):
            found, digest, sums = status_of([LAB, "node", str(k), BINARY, "status", "--json", "--runtime-dir",
                                       "/run/flotilla"], "node %d" % k)
            lines += found
            digests.add(digest)
            decided, held = decided + sums[0], held + sums[1]
        if (decided - held) % 2**64 != 0:
            lines.append("what owners and holders know of opens differs")
        if len(digests) > 1:
            lines.append("the nodes' digests differ: %s" % ", ".join(map(str, digests)))
        return lines

    def leftovers(self):
        return wait_empty(self.look, 90)

    def stop(self):
        subprocess.run([LAB, "down"], capture_output=True, check=False)
        for path in self.unclists.values():
            os.unlink(path)
        self.lock.close()


@contextlib.contextmanager
def fleets(mode, jobs):
    if not os.access(BINARY, os.X_OK):
        raise RuntimeError("no program at %s; build it with: make build" % BINARY)
    made = []
    try:
        if mode == "pool":
            made.append(PoolFleet())
        else:
            made += [LocalFleet(mode, number) for number in range(jobs)]
        yield made
    finally:
        for fleet in made:
            fleet.stop()

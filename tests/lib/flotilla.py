"""What the end-to-end tests share: a server of their own on loopback, smbclient, files and sums."""
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("FLOTILLA") or os.path.join(ROOT, "build/release/flotilla")
USER, PASSWORD = "tester", "Secret123"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        for part in iter(lambda: f.read(1 << 20), b""):
            digest.update(part)
    return digest.hexdigest()


def random_file(path, size):
    """`size` bytes that do not compress and differ from block to block."""
    with open(path, "wb") as f:
        while size > 0:
            part = os.urandom(min(size, 1 << 20))
            f.write(part)
            size -= len(part)


class Server:
    """A `flotilla serve` on 127.0.0.1; use it with `with`."""

    def __init__(self, config="", extra=(), share=""):
        """`config`: lines for [server], `share`: lines for the share."""
        self.dir = tempfile.mkdtemp(prefix="flotilla-e2e-", dir="/var/tmp")
        self.share = os.path.join(self.dir, "share")
        os.mkdir(self.share)
        self.port = free_port()
        self.host = "127.0.0.1"
        self.log = os.path.join(self.dir, "log")
        self.config = config
        self.share_config = share
        self.extra = list(extra)
        self.process = None

    def __enter__(self):
        users = os.path.join(self.dir, "users")
        for name in (USER, "tester2"):
            subprocess.run([BINARY, "user", "add", name, "--users-file", users, "--password-file", "-",
                            "--as-share-owner"], input=PASSWORD + "\n", text=True, check=True)
        path = os.path.join(self.dir, "flotilla.toml")
        with open(path, "w", encoding="utf-8") as f:
            f.write('[server]\nusers_file = "%s"\nruntime_dir = "%s"\n%s\n[[share]]\nname = "data"\npath = "%s"\n'
                    'comment = "the test share"\n%s\n' % (users, self.dir, self.config, self.share,
                                                            self.share_config))
        return self.spawn()

    def spawn(self):
        """Starts the process on what __enter__ has made; returns when it listens."""
        path = os.path.join(self.dir, "flotilla.toml")
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [BINARY, "serve", "--config", path, "--listen", "%s:%d" % (self.host, self.port)] + self.extra,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + 60
        while True:
            try:
                socket.create_connection((self.host, self.port), 1).close()
                return self
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError("the server did not start:\n" + self.text_of_log()) from None
                time.sleep(0.05)

    def kill(self):
        """As a crash does it: SIGKILL."""
        self.process.kill()
        self.process.wait()

    def __exit__(self, *_):
        code = None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                code = self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                code = "killed: it did not stop within 60 s"
        else:
            code = self.process.returncode
        text = self.text_of_log()
        shutil.rmtree(self.dir, ignore_errors=True)
        if code != 0:
            raise AssertionError("the server ended with %s:\n%s" % (code, text[-8000:]))

    def text_of_log(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def smbclient(self, commands, share="data", user=USER, password=PASSWORD, options=(), cwd=None, timeout=120):
        return smbclient("127.0.0.1", self.port, commands, share, user, password, options, cwd or self.dir, timeout)


def smbclient(host, port, commands, share="data", user=USER, password=PASSWORD, options=(), cwd="/", timeout=120,
              prefix=()):
    """(exit status, output of both streams)."""
    got = subprocess.run(list(prefix) + ["smbclient", "//%s/%s" % (host, share), "-p", str(port), "-U",
                                         "%s%%%s" % (user, password), *options, "-c", commands],
                         capture_output=True, text=True, timeout=timeout, cwd=cwd, check=False)
    return got.returncode, got.stdout + got.stderr

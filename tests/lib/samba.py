"""A private smbd on loopback, for tests that compare it with Flotilla or move files between the two. Needs root."""
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import flotilla

SMBD = shutil.which("smbd") or "/usr/sbin/smbd"


def missing():
    """Why there is no smbd to start, or nothing."""
    if os.geteuid() != 0:
        return "needs root"
    return None if os.access(SMBD, os.X_OK) else "no smbd"


class Smbd:
    """Serves `path` as "data"; `options` are lines of the share, `user` is a Unix account that becomes a Samba one."""

    def __init__(self, path, user, options="", name="FLOTILLA", sid=None, others=()):
        """`sid`: the user's; the machine's is the same without its last number. `others`: more users."""
        self.sid = sid
        self.others = list(others)
        self.dir = tempfile.mkdtemp(prefix="flotilla-smbd-", dir="/var/tmp")
        self.port = 445  # smbcacls knows no other
        self.address = "127.0.78.%d" % (os.getpid() % 250 + 1)
        self.user = user
        self.conf = os.path.join(self.dir, "smb.conf")
        self.process = None
        for part in ("private", "lock", "state", "cache", "pid", "ncalrpc"):
            os.mkdir(os.path.join(self.dir, part), 0o755)
        with open(self.conf, "w", encoding="ascii") as f:
            f.write("""[global]
  netbios name = {name}
  server role = standalone server
  smb ports = {port}
  interfaces = {address}/8
  bind interfaces only = yes
  private dir = {dir}/private
  lock directory = {dir}/lock
  state directory = {dir}/state
  cache directory = {dir}/cache
  pid directory = {dir}/pid
  ncalrpc dir = {dir}/ncalrpc
  passdb backend = tdbsam:{dir}/private/passdb.tdb
  log file = {dir}/log
  load printers = no
  disable spoolss = yes
[data]
  path = {path}
  read only = no
{options}
""".format(name=name, port=self.port, address=self.address, dir=self.dir, path=path, options=options))

    def run(self, *command, text=""):
        return subprocess.run(list(command), input=text, text=True, capture_output=True, check=True).stdout

    def __enter__(self):
        self.prepare()
        return self.start()

    def prepare(self):
        """Makes the domain and its users."""
        if self.sid:
            self.run("net", "-s", self.conf, "setlocalsid", self.sid.rpartition("-")[0])
        self.run("pdbedit", "-s", self.conf, "-a", "-t", "-u", self.user, *(["-U", self.sid] if self.sid else []),
                 text=flotilla.PASSWORD + "\n" + flotilla.PASSWORD + "\n")
        for other in self.others:
            self.run("pdbedit", "-s", self.conf, "-a", "-t", "-u", other, text=flotilla.PASSWORD + "\n" + flotilla.PASSWORD + "\n")

    def start(self):
        # A session of its own: smbd ends by a SIGTERM to its whole process group.
        self.process = subprocess.Popen([SMBD, "-F", "--no-process-group", "-s", self.conf], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, start_new_session=True)
        end = time.monotonic() + 60
        while True:
            try:
                socket.create_connection((self.address, self.port), 1).close()
                return self
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError("smbd did not start; " + self.text_of_log()) from None
                time.sleep(0.05)

    def text_of_log(self):
        try:
            with open(os.path.join(self.dir, "log"), encoding="utf-8", errors="replace") as f:
                return f.read()[-4000:]
        except OSError:
            return "no log"

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.end_helpers()

    def end_helpers(self):
        """samba-dcerpcd and its children, which smbd starts on demand, outlive it: known by this server's smb.conf."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/cmdline" % pid, "rb") as f:
                    if self.dir.encode() in f.read():
                        os.kill(int(pid), signal.SIGKILL)
            except (FileNotFoundError, ProcessLookupError):
                pass


DCERPCD = "/usr/libexec/samba/samba-dcerpcd"


class Dcerpcd:
    """A private samba-dcerpcd; the pipes' sockets are below `place`/ncalrpc. Needs root."""

    def __init__(self, place, prefix=(), seen_as=None):
        """`prefix`: a command that runs it elsewhere, where `place` is called `seen_as`."""
        self.place, self.prefix, self.seen_as = place, list(prefix), seen_as or place
        self.process = None

    def __enter__(self):
        os.makedirs(self.place, exist_ok=True)
        with open(os.path.join(self.place, "smb.conf"), "w", encoding="utf-8") as f:
            f.write("[global]\nserver role = standalone server\nload printers = no\nprinting = bsd\n"
                    "printcap name = /dev/null\nrpc start on demand helpers = no\nlog file = %s/log\n" % self.seen_as)
            for key in ("private dir", "lock directory", "state directory", "cache directory", "pid directory",
                        "ncalrpc dir"):
                os.makedirs(os.path.join(self.place, key.split()[0]), exist_ok=True)
                f.write("%s = %s/%s\n" % (key, self.seen_as, key.split()[0]))
        reading, ready = os.pipe()
        with open(os.path.join(self.place, "out"), "wb") as out:
            self.process = subprocess.Popen(
                self.prefix + [DCERPCD, "-F", "-s", self.seen_as + "/smb.conf", "--libexec-rpcds",
                               "--ready-signal-fd=%d" % ready],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, pass_fds=[ready])
        os.close(ready)
        try:
            if not select.select([reading], [], [], 60)[0] or not os.read(reading, 1):
                self.__exit__()
                with open(os.path.join(self.place, "out"), encoding="utf-8", errors="replace") as f:
                    raise RuntimeError("samba-dcerpcd is not ready: " + f.read()[-2000:])
        finally:
            os.close(reading)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)

"""A Samba domain controller of our own and a machine that has joined it, in network, mount and process namespaces that end
with the test: nothing of it is left behind, no port of the machine is used. Needs root."""
import os
import shutil
import subprocess
import sys
import time

REALM, DOMAIN, PASSWORD = "AD.FLOTILLA.TEST", "ADDOM", "Secret.123"
DC, FS = "dc1.ad.flotilla.test", "fs.ad.flotilla.test"
DC_ADDRESS, FS_ADDRESS = "10.88.0.1", "10.88.0.2"
BASE = "/run/ad"  # on a tmpfs of the namespace's own
TOOLS = ("samba", "samba-tool", "winbindd", "net", "wbinfo", "kinit", "kvno", "smbclient", "rpcclient", "ip", "unshare")
SETUP = "/usr/share/samba/setup/provision.ldif"
SECONDS = 240  # an inner process that takes longer is killed with all that it started

# Run by samba's own Python modules, whose name is that of a file beside this one.
MAKE_ACCOUNTS = """
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB
lp = LoadParm()
lp.load("{conf}")
db = SamDB(url="{base}/dc/private/sam.ldb", session_info=system_session(), lp=lp)
for group in ("engineers", "others", "staff"):
    db.newgroup(group)
for user in ("alice", "bob"):
    db.newuser(user, "{password}")
db.add_remove_group_members("engineers", ["alice"], add_members_operation=True)
db.add_remove_group_members("staff", ["engineers"], add_members_operation=True)
"""


def missing():
    """Why there can be no domain here, or nothing."""
    if os.geteuid() != 0:
        return "needs root"
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    without = [tool for tool in TOOLS if not shutil.which(tool, path=path)]
    if without or not os.path.exists(SETUP):
        return "not installed: " + " ".join(without + ([] if os.path.exists(SETUP) else ["samba-ad-provision"]))
    return None


def enter(program):
    """Runs `program` (this test) again inside namespaces; does not return there, and returns inside them."""
    if os.environ.get("FLOTILLA_AD_INSIDE"):
        return
    os.environ["FLOTILLA_AD_INSIDE"] = "1"
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    os.execvp("timeout", ["timeout", "-k", "5", str(SECONDS), "unshare", "--net", "--mount", "--uts", "--pid", "--fork",
                          "--kill-child", "--mount-proc", sys.executable, os.path.abspath(program)] + sys.argv[1:])


def run(*command, text="", check=True, timeout=60, env=None):
    got = subprocess.run(command, input=text, capture_output=True, text=True, timeout=timeout, check=False,
                         env=dict(os.environ, **(env or {})))
    if check and got.returncode != 0:
        raise RuntimeError("%s: %s%s" % (" ".join(command), got.stdout[-2000:], got.stderr[-2000:]))
    return got.stdout + got.stderr


def write(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


def until(what, seconds, attempt):
    end = time.monotonic() + seconds
    while True:
        try:
            return attempt()
        except RuntimeError as error:
            if time.monotonic() > end:
                raise RuntimeError("%s: not within %d s: %s" % (what, seconds, error)) from None
            time.sleep(0.2)


def directories(place):
    """smb.conf lines for everything that Samba keeps, below `place`."""
    lines = ""
    for key in ("private dir", "lock directory", "state directory", "cache directory", "pid directory", "ncalrpc dir"):
        folder = os.path.join(place, key.split()[0])
        os.makedirs(folder, exist_ok=True)
        lines += "  %s = %s\n" % (key, folder)
    return lines


class Domain:
    """Alice is in engineers, engineers is in staff; bob is in nothing."""

    def __init__(self):
        self.processes = []
        self.dc_conf, self.fs_conf = BASE + "/dc.conf", BASE + "/fs.conf"
        self.keytab = BASE + "/fs/keytab"  # as `net ads keytab` wrote it

    def __enter__(self):
        self.make_machine()
        self.make_controller()
        self.join()
        return self

    def make_machine(self):
        run("mount", "-t", "tmpfs", "tmpfs", "/run")
        os.makedirs(BASE + "/fs")
        os.makedirs("/run/samba")
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
        for address in (DC_ADDRESS, FS_ADDRESS):
            run("ip", "addr", "add", address + "/24", "dev", "eth0")
        for link in ("eth0", "eth1"):
            run("ip", "link", "set", link, "up")
        for name, text in (("hosts", "127.0.0.1 localhost\n%s %s dc1\n%s %s fs\n" % (DC_ADDRESS, DC, FS_ADDRESS, FS)),
                           ("resolv.conf", "nameserver %s\n" % DC_ADDRESS)):
            write(os.path.join(BASE, name), text)
            target = os.path.realpath("/etc/" + name)  # may be a link below /run, which is empty here
            if not os.path.exists(target):
                os.makedirs(os.path.dirname(target), exist_ok=True)
                write(target, "")
            run("mount", "--bind", os.path.join(BASE, name), target)
        os.environ["KRB5_CONFIG"] = BASE + "/krb5.conf"
        write(BASE + "/krb5.conf", "[libdefaults]\n default_realm = {0}\n dns_lookup_kdc = false\n rdns = false\n"
              "[realms]\n {0} = {{\n  kdc = {1}\n }}\n[domain_realm]\n .ad.flotilla.test = {0}\n"
              .format(REALM, DC_ADDRESS))

    def spawn(self, name, command):
        with open("%s/%s.out" % (BASE, name), "wb") as out:
            self.processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out))

    def make_controller(self):
        run("samba-tool", "domain", "provision", "--targetdir=%s/dc" % BASE, "--realm=" + REALM, "--domain=" + DOMAIN,
            "--server-role=dc", "--dns-backend=SAMBA_INTERNAL", "--backend-store=tdb", "--adminpass=" + PASSWORD,
            "--host-name=dc1", "--host-ip=" + DC_ADDRESS, "--option=interfaces=%s/24" % DC_ADDRESS, timeout=180)
        write(self.dc_conf, "[global]\n  netbios name = DC1\n  realm = %s\n  workgroup = %s\n"
              "  server role = active directory domain controller\n"
              "  server services = s3fs, rpc, ldap, cldap, kdc, dns, winbindd\n"
              "  interfaces = %s/24\n  bind interfaces only = yes\n  tls enabled = no\n  load printers = no\n"
              "  disable spoolss = yes\n  log file = %s/dc/log\n%s" %
              (REALM, DOMAIN, DC_ADDRESS, BASE, directories(BASE + "/dc").replace(
                  "%s/dc/lock\n" % BASE, "%s/dc\n" % BASE)))
        run("/usr/bin/python3", "-", text=MAKE_ACCOUNTS.format(conf=self.dc_conf, base=BASE, password=PASSWORD))
        # Its winbindd listens where that of the joined machine does: another /run/samba.
        self.spawn("samba", ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                             "mount -t tmpfs tmpfs /run/samba; exec samba -F --no-process-group -s " + self.dc_conf])
        until("the KDC", 60, lambda: self.ticket("alice"))

    def join(self):
        write(self.fs_conf, "[global]\n  netbios name = FS\n  realm = %s\n  workgroup = %s\n  security = ads\n"
              "  kerberos method = dedicated keytab\n  dedicated keytab file = %s\n  log file = %s/fs/log\n"
              "  idmap config * : backend = tdb\n  idmap config * : range = 3000-7999\n"
              "  idmap config %s : backend = rid\n  idmap config %s : range = 100000-199999\n%s" %
              (REALM, DOMAIN, self.keytab, BASE, DOMAIN, DOMAIN, directories(BASE + "/fs")))
        admin = ("-s", self.fs_conf, "-U", "Administrator%" + PASSWORD)
        until("net ads join", 60, lambda: run("net", "ads", "join", "--no-dns-updates", *admin))
        run("net", "ads", "keytab", "add", "cifs", *admin)
        self.sid = run("net", "getdomainsid", "-s", self.fs_conf).rpartition("is: ")[2].split()[0]

    def export_keytab(self, path, principal="cifs/" + FS):
        """As an administrator of the domain does it, on the controller."""
        run("samba-tool", "domain", "exportkeytab", path, "--principal=" + principal, "-s", self.dc_conf)

    def ticket(self, user, service=None):
        """A credential cache of the user's own; with a ticket for `service` in it where one is named."""
        cache = "%s/%s.ccache" % (BASE, user)
        run("kinit", user, text=PASSWORD + "\n", env={"KRB5CCNAME": cache})
        if service:
            run("kvno", service, env={"KRB5CCNAME": cache})
        return cache

    def start_winbind(self):
        self.spawn("winbindd", ["winbindd", "-F", "--no-process-group", "-s", self.fs_conf])
        until("winbindd", 30, lambda: run("wbinfo", "-n", DOMAIN + "\\alice"))

    def sid_of(self, name):
        """From the controller's database."""
        output = run("samba-tool", "group", "show", name, "--attributes=objectSid", "-s", self.dc_conf)
        return output.partition("objectSid: ")[2].split()[0]

    def logs(self):
        text = ""
        for name in ("samba.out", "winbindd.out", "dc/log", "fs/log"):
            try:
                with open(os.path.join(BASE, name), encoding="utf-8", errors="replace") as f:
                    text += "--- %s\n%s\n" % (name, f.read()[-1500:])
            except OSError:
                pass
        return text

    def __exit__(self, *_):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()

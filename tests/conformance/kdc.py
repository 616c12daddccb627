"""An MIT KDC on loopback, for the tests that want tickets that end soon."""
# Samba's clients take no ticket for an address or for "localhost": the service has this machine's name.
import os
import socket
import subprocess
import time

REALM = "FLOTILLA.TEST"
HOST = socket.gethostname()


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Realm:
    """A realm with one user and the service cifs/HOST. `login` and `environment` are smbtorture's."""

    def __init__(self, base, user, password):
        self.dir = os.path.join(base, "krb5")
        os.mkdir(self.dir)
        port = free_port()
        config = os.path.join(self.dir, "krb5.conf")
        self.environment = {"KRB5_CONFIG": config, "KRB5_KDC_PROFILE": os.path.join(self.dir, "kdc.conf"),
                            "KRB5RCACHETYPE": "none"}
        self.keytab = os.path.join(self.dir, "keytab")
        with open(config, "w", encoding="utf-8") as f:
            f.write("[libdefaults]\n default_realm = %s\n dns_lookup_kdc = false\n dns_lookup_realm = false\n"
                    " rdns = false\n dns_canonicalize_hostname = false\n clockskew = 1\n"  # a grace to tickets too
                    "[realms]\n %s = {\n  kdc = 127.0.0.1:%d\n }\n[domain_realm]\n %s = %s\n" % (
                        REALM, REALM, port, HOST, REALM))
        with open(self.environment["KRB5_KDC_PROFILE"], "w", encoding="utf-8") as f:
            f.write("[kdcdefaults]\n kdc_listen = 127.0.0.1:%d\n kdc_tcp_listen = 127.0.0.1:%d\n"
                    "[realms]\n %s = {\n  database_name = %s/principal\n  key_stash_file = %s/stash\n"
                    "  acl_file = %s/acl\n }\n" % (port, port, REALM, self.dir, self.dir, self.dir))
        self.process = None
        self.run("kdb5_util", "create", "-s", "-P", "master", "-r", REALM)
        self.run("kadmin.local", "-r", REALM, "-q", "addprinc -pw %s %s" % (password, user))
        self.run("kadmin.local", "-r", REALM, "-q", "addprinc -randkey cifs/%s" % HOST)
        self.run("kadmin.local", "-r", REALM, "-q", "ktadd -k %s cifs/%s" % (self.keytab, HOST))
        with open(os.path.join(self.dir, "log"), "wb") as log:
            self.process = subprocess.Popen(["krb5kdc", "-n", "-r", REALM], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=dict(os.environ, **self.environment))
        self.login = ["-U", "%s@%s%%%s" % (user, REALM, password), "--use-kerberos=required"]
        self.wait(port)

    def run(self, *command):
        got = subprocess.run(command, capture_output=True, text=True, check=False,
                             env=dict(os.environ, **self.environment))
        if got.returncode != 0:
            raise RuntimeError("%s: %s%s" % (command[0], got.stdout, got.stderr))

    def wait(self, port):
        end = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    with open(os.path.join(self.dir, "log"), encoding="utf-8", errors="replace") as f:
                        raise RuntimeError("the KDC did not start: " + f.read()) from None
                time.sleep(0.05)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)

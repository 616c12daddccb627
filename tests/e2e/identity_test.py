#!/usr/bin/env python3
"""Who somebody is: pipes that look names up (rpcclient, net, smbcacls), local groups, the audit, slower answers to
guesses, pipes of Samba's own server, and Kerberos tickets with a PAC that impacket makes: rightly signed and not."""
import datetime
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import types
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import flotilla  # noqa: E402
import pac  # noqa: E402
import raw_smb  # noqa: E402
import samba  # noqa: E402

ADDRESS_445 = "127.0.78.%d" % (os.getpid() % 250 + 1)  # net and smbcacls know no other port
LOGIN = "%s%%%s" % (flotilla.USER, flotilla.PASSWORD)
TICKETER = (glob.glob("/usr/share/doc/python3-impacket/examples/ticketer.py") + [None])[0]
REALM = "AD.FLOTILLA.TEST"
DOMAIN_SID = "S-1-5-21-11-22-33"
SERVICE_KEY = bytes(range(32))  # AES-256


def run(*command, env=None, cwd="/", timeout=60):
    got = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, cwd=cwd,
                         env=dict(os.environ, **(env or {})))
    return got.returncode, got.stdout + got.stderr


class Pipes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = flotilla.Server(extra=["--listen", ADDRESS_445 + ":445"] if os.geteuid() == 0 else [])
        cls.server.__enter__()
        cls.group("Administrators", "tester")
        cls.group("staff", "tester", "tester2")

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    @classmethod
    def group(cls, name, *members):
        subprocess.run([flotilla.BINARY, "group", "add", name, "--users-file", os.path.join(cls.server.dir, "users")] +
                       [part for member in members for part in ("--member", member)], check=True)

    def ask(self, command, user=flotilla.USER):
        status, output = run("rpcclient", "-p", str(self.server.port), "-U", "%s%%%s" % (user, flotilla.PASSWORD),
                             "-c", command, "ncacn_np:127.0.0.1")
        return output if status == 0 else "exit %d: %s" % (status, output)

    def test_lsarpc_names_and_sids_both_ways(self):
        output = self.ask("lookupnames tester staff Administrators Everyone")
        sids = dict(line.split()[:2] for line in output.splitlines())
        self.assertEqual(sids["Everyone"], "S-1-1-0")
        self.assertEqual(sids["Administrators"], "S-1-5-32-544")
        self.assertRegex(self.ask("lookupsids " + sids["tester"]), r"FLOTILLA\\tester \(1\)")
        self.assertRegex(self.ask("lookupsids " + sids["staff"]), r"FLOTILLA\\staff \(4\)")
        self.assertIn("*unknown*", self.ask("lookupsids S-1-5-21-1-2-3-4"))
        self.assertIn("NT_STATUS_NONE_MAPPED", self.ask("lookupnames nobody-of-this-name"))

    def test_lsarpc_policy_and_rights(self):
        self.assertIn("Domain Name: WORKGROUP", self.ask("lsaquery"))
        self.assertIn("SeBackupPrivilege", self.ask("enumprivs"))
        self.assertIn("S-1-5-32-544", self.ask("lsaenumsid"))
        self.assertIn("SeSecurityPrivilege", self.ask("lsaenumacctrights S-1-5-32-544"))
        operators = self.ask("lsaenumacctrights S-1-5-32-551")
        self.assertIn("SeBackupPrivilege", operators)
        self.assertNotIn("SeSecurityPrivilege", operators)
        self.assertNotIn("Privilege", self.ask("lsaenumacctrights S-1-5-32-545").replace("found 1 privileges", ""))
        domain = self.ask("lookupnames Guest").split()[1]
        self.assertTrue(domain.endswith("-501"), domain)
        self.assertRegex(self.ask("lookupsids " + domain), r"FLOTILLA\\Guest \(1\)")
        self.assertIn("Account Name: tester", self.ask("getusername"))
        self.assertIn("Machine Role = [2]", self.ask("dsroledominfo"))

    def test_samr_lists_users_and_groups_and_their_members(self):
        self.assertIn("user:[tester]", self.ask("enumdomusers"))
        self.assertIn("group:[staff]", self.ask("enumalsgroups domain"))
        self.assertIn("group:[Administrators]", self.ask("enumalsgroups builtin"))
        self.assertIn("Account: tester", self.ask("querydispinfo"))
        self.assertRegex(self.ask("querydominfo"), r"Total Users:\s+2")
        rid = self.ask("samlookupnames domain tester").split()[2]
        self.assertRegex(self.ask("queryuser " + rid), r"User Name\s*:\s*tester")
        members = self.ask("queryaliasmem builtin 544")
        self.assertRegex(members, r"sid:\[S-1-5-21-[-0-9]+\]")

    def test_samr_refuses_what_would_change_something(self):
        self.assertIn("NT_STATUS_ACCESS_DENIED", self.ask("createdomuser mallory"))
        self.assertNotIn("mallory", self.ask("enumdomusers"))

    def test_srvsvc_tells_administrators_who_is_connected(self):
        self.assertIn("Received 1 entries", self.ask("netsessenum"))
        self.assertIn("srvsvc", self.ask("netfileenum"))
        self.assertIn("WERR_ACCESS_DENIED", self.ask("netsessenum", user="tester2"))

    @unittest.skipIf(os.geteuid() != 0, "port 445 is root's")
    def test_net_rpc_lists_shares_users_and_groups_and_may_not_add_a_share(self):
        def net(*what):
            return run("net", "rpc", *what, "-S", ADDRESS_445, "-U", LOGIN)
        self.assertIn("data", net("share", "list")[1].split())
        self.assertIn("tester", net("user")[1].split())
        self.assertIn("FLOTILLA", net("info")[1])
        status, output = net("share", "add", "mine=C:\\tmp")
        self.assertNotEqual(status, 0, output)

    @unittest.skipIf(os.geteuid() != 0, "port 445 is root's")
    def test_smbcacls_sets_an_entry_by_name_and_shows_the_name(self):
        self.server.smbclient("put %s guarded" % __file__)
        share = "//%s/data" % ADDRESS_445
        status, output = run("smbcacls", share, "guarded", "-U", LOGIN, "-a", "ACL:FLOTILLA\\staff:ALLOWED/0x0/READ")
        self.assertEqual(status, 0, output)
        self.assertRegex(run("smbcacls", share, "guarded", "-U", LOGIN)[1], r"ACL:FLOTILLA\\staff:ALLOWED/0x0/READ")


class Access(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.mkdtemp(prefix="flotilla-e2e-", dir="/var/tmp")
        self.audit = os.path.join(self.place, "audit.json")
        self.staff = os.path.join(self.place, "staff")
        os.mkdir(self.staff)
        config = ('guest_account = ""\n' if "guest" in self.id() else "") + (
            '[audit]\nfile = "%s"\n[[share]]\nname = "staff"\npath = "%s"\nvalid_users = ["@flotillas"]\n' %
            (self.audit, self.staff))
        self.server = flotilla.Server(config=config)
        self.server.__enter__()
        subprocess.run([flotilla.BINARY, "group", "add", "flotillas", "--member", "tester", "--users-file",
                        os.path.join(self.server.dir, "users")], check=True)

    def tearDown(self):
        self.server.__exit__()
        shutil.rmtree(self.place)

    def lines(self):
        with open(self.audit, encoding="utf-8") as f:
            return [json.loads(line) for line in f]

    def test_a_local_group_decides_and_the_audit_has_a_line_for_everything(self):
        self.assertEqual(self.server.smbclient("ls", share="staff")[0], 0)
        self.assertIn("NT_STATUS_ACCESS_DENIED", self.server.smbclient("ls", share="staff", user="tester2")[1])
        self.assertIn("NT_STATUS_LOGON_FAILURE", self.server.smbclient("ls", password="wrong")[1])
        time.sleep(0.3)
        lines = self.lines()
        found = {(line["event"], line["result"], line["user"]) for line in lines}
        self.assertLessEqual({("authentication", "STATUS_SUCCESS", "tester"),
                              ("authentication", "STATUS_SUCCESS", "tester2"),
                              ("authentication", "STATUS_LOGON_FAILURE", "tester"),
                              ("access", "STATUS_ACCESS_DENIED", "tester2")}, found)
        refused = [line for line in lines if line["event"] == "access"][0]
        self.assertEqual(refused["command"], "TreeConnect")
        self.assertIn("staff", refused["path"])
        self.assertEqual(refused["address"].split(":")[0], "127.0.0.1")
        self.assertEqual(os.stat(self.audit).st_mode & 0o777, 0o600)

    def test_guesses_are_answered_ever_later_and_nobody_else_is(self):
        def seconds(user, password):
            begin = time.monotonic()
            self.server.smbclient("ls", user=user, password=password)
            return time.monotonic() - begin
        for _ in range(5):
            seconds("tester", "wrong")
        self.assertGreaterEqual(seconds("tester", "wrong"), 2.0)
        self.assertLess(seconds("tester2", flotilla.PASSWORD), 2.0)
        self.assertEqual(self.server.smbclient("ls")[0], 0)

    def test_a_guest_is_let_in_only_where_that_is_on(self):
        self.assertEqual(self.server.smbclient("ls", user="stranger", password="x",
                                               options=["--client-protection=off"])[0], 0)
        self.assertIn("NT_STATUS_ACCESS_DENIED", self.server.smbclient(
            "ls", share="staff", user="stranger", password="x", options=["--client-protection=off"])[1])

    def test_names_are_utf8_without_case_and_of_any_length(self):
        for name in ("jürgen", "Łukasz", "Дмитрий", "山田", "a" * 64, "with space"):
            subprocess.run([flotilla.BINARY, "user", "add", name, "--users-file", os.path.join(self.server.dir, "users"), "--password-file", "-",
                            "--as-share-owner"], input=flotilla.PASSWORD + "\n", text=True, check=True)
        for name in ("jürgen", "JÜRGEN", "łUKASZ", "ДМИТРИЙ", "山田", "A" * 64, "With Space", "TESTER"):
            self.assertEqual(self.server.smbclient("ls", user=name)[0], 0, name)
        self.assertEqual(self.server.smbclient("ls", options=["-W", "NO-SUCH-DOMAIN"])[0], 0, "the only domain is this server's")
        for name in ("x" * 300, "y" * 5000, "ju\u0308rgen"):
            self.assertIn("NT_STATUS_LOGON_FAILURE", self.server.smbclient("ls", user=name)[1])
        self.assertNotIn("y" * 200, self.server.text_of_log(), "a name of any length in the log")

    def test_no_password_and_old_ntlm_are_refused(self):
        self.assertIn("NT_STATUS_LOGON_FAILURE", self.server.smbclient("ls", password="")[1])
        got = subprocess.run([flotilla.BINARY, "user", "add", "open", "--users-file", os.path.join(self.server.dir, "users"), "--password-file",
                              "-"], input="\n", text=True, check=False, capture_output=True)
        self.assertNotEqual(got.returncode, 0, "nobody has an empty password")
        for options in (["--option=clientNTLMv2auth=no"], ["--option=clientNTLMv2auth=no", "--option=clientlanmanauth=yes"]):
            self.assertIn("NT_STATUS_LOGON_FAILURE", self.server.smbclient("ls", options=options)[1])
        self.assertIn("no NTLMv2 response", self.server.text_of_log())
        self.assertEqual(self.server.smbclient("ls")[0], 0)

    def test_mechanisms_that_are_not_served_are_refused_with_a_line(self):
        with raw_smb.Raw(self.server.port) as connection:
            connection.negotiate()
            # NegTokenInit with NegoEx alone: 1.3.6.1.4.1.311.2.2.30.
            oid = bytes.fromhex("060a2b06010401823702021e")
            listed = b"\x30" + bytes([len(oid)]) + oid
            types = b"\xa0" + bytes([len(listed)]) + listed
            init = b"\x30" + bytes([len(types)]) + types
            inner = b"\xa0" + bytes([len(init)]) + init
            spnego = bytes.fromhex("06062b0601050502") + inner
            token = b"\x60" + bytes([len(spnego)]) + spnego
            self.assertEqual(connection.session_setup(token).status, 0xC00000BB)
        self.assertIn("none of the 1 mechanisms", self.server.text_of_log())

    def test_strangers_and_nobody_are_refused_unless_said(self):
        self.assertIn("NT_STATUS_LOGON_FAILURE", self.server.smbclient("ls", user="stranger", password="x")[1])
        status, output = run("smbclient", "//127.0.0.1/data", "-p", str(self.server.port), "-N", "-U", "%", "-c", "ls")
        self.assertNotEqual(status, 0, output)


@unittest.skipUnless(os.path.exists(samba.DCERPCD) and os.geteuid() == 0, "samba-dcerpcd is not installed, or not root")
class Forwarded(unittest.TestCase):
    def test_spoolss_is_sambas(self):
        place = tempfile.mkdtemp(prefix="flotilla-rpc-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, place, True)
        with samba.Dcerpcd(place), flotilla.Server(config='[rpc]\nforward = "%s/ncalrpc"\n' % place) as server:
            def ask(command):
                return run("rpcclient", "-p", str(server.port), "-U", LOGIN, "-c", command, "ncacn_np:127.0.0.1")
            status, output = ask("enumprinters")
            self.assertEqual(status, 0, output)
            self.assertIn("No printers returned", output)
            # What this server has is its own.
            self.assertIn("FLOTILLA", ask("srvinfo")[1])


@unittest.skipUnless(TICKETER, "impacket's ticketer.py is not installed")
class Pac(unittest.TestCase):
    """Service tickets as a domain controller would write them, made with the service's own key."""

    def setUp(self):
        self.place = tempfile.mkdtemp(prefix="flotilla-pac-", dir="/var/tmp")
        for name in ("engineers", "others"):
            os.mkdir(os.path.join(self.place, name))
            os.chmod(os.path.join(self.place, name), 0o777)
        pac.write_keytab(os.path.join(self.place, "keytab"), SERVICE_KEY, "cifs/fs", REALM)
        with open(os.path.join(self.place, "krb5.conf"), "w", encoding="utf-8") as f:
            f.write("[libdefaults]\ndefault_realm = %s\ndns_lookup_kdc = false\n[realms]\n%s = {\n}\n"
                    "[domain_realm]\nfs = %s\n" % (REALM, REALM, REALM))

    def tearDown(self):
        shutil.rmtree(self.place)

    def serve(self):
        os.environ["KRB5_CONFIG"] = os.path.join(self.place, "krb5.conf")
        self.addCleanup(os.environ.pop, "KRB5_CONFIG")
        return flotilla.Server(config='keytab = "%s/keytab"\n[[domain]]\nsid = "%s"\nfirst_id = 2000000\n'
                               '[[share]]\nname = "engineers"\npath = "%s/engineers"\nvalid_users = ["@%s-1105"]\n'
                               '[[share]]\nname = "others"\npath = "%s/others"\nvalid_users = ["@%s-1200"]\n'
                               % (self.place, DOMAIN_SID, self.place, DOMAIN_SID, self.place, DOMAIN_SID))

    def ticket(self, key=SERVICE_KEY):
        status, output = run("/usr/bin/python3", TICKETER, "-aesKey", key.hex(), "-domain-sid", DOMAIN_SID, "-domain",
                             REALM, "-spn", "cifs/fs", "-groups", "513,1105", "-user-id", "1104", "alice",
                             cwd=self.place)
        self.assertEqual(status, 0, output)
        return os.path.join(self.place, "alice.ccache")

    def connect(self, server, share, cache, ahead=0, realm=REALM):
        """Logs on with the ticket, which smbclient does not do without a KDC, by a clock that is `ahead` seconds. The error's
        text, or what a listing says."""
        from impacket.smbconnection import SMBConnection
        if ahead:
            class Clock(datetime.datetime):
                @classmethod
                def utcnow(cls):
                    return datetime.datetime.utcnow() + datetime.timedelta(seconds=ahead)
            sys.modules["datetime"] = types.SimpleNamespace(**dict(vars(datetime), datetime=Clock))
            self.addCleanup(sys.modules.__setitem__, "datetime", datetime)
        os.environ["KRB5CCNAME"] = cache
        self.addCleanup(os.environ.pop, "KRB5CCNAME", None)
        connection = None
        try:
            connection = SMBConnection("fs", "127.0.0.1", sess_port=server.port)
            connection.kerberosLogin("alice", "", realm, useCache=True)
            connection.createFile(connection.connectTree(share), "from-alice")
            return ""
        except Exception as error:  # impacket's own, and those of its parser
            return str(error) or repr(error)
        finally:
            sys.modules["datetime"] = datetime
            if connection is not None:
                connection.close()

    def test_the_pacs_groups_decide_and_rids_become_ids(self):
        with self.serve() as server:
            cache = self.ticket()
            self.assertEqual(self.connect(server, "engineers", cache), "", server.text_of_log())
            made = os.stat(os.path.join(self.place, "engineers/from-alice"))
            if os.geteuid() == 0:
                self.assertEqual((made.st_uid, made.st_gid), (2001104, 2000513))
            self.assertIn("STATUS_ACCESS_DENIED", self.connect(server, "others", cache))

    def test_a_pac_that_was_changed_is_refused_and_the_log_says_why(self):
        with self.serve() as server:
            cache = self.ticket()
            pac.change_group(cache, "cifs/fs", SERVICE_KEY, 1105, 1200)
            self.assertIn("STATUS_LOGON_FAILURE", self.connect(server, "others", cache))
            self.assertIn("PAC whose signature is not the keytab's key's", server.text_of_log())

    def test_a_clients_clock_that_is_wrong_is_said_to_it_and_in_the_log(self):
        with self.serve() as server:
            cache = self.ticket()
            for ahead in (3600, -3600):
                self.assertRegex(self.connect(server, "engineers", cache, ahead), r"(?i)c0000133|TIME_DIFFERENCE")
            self.assertIn("Clock skew too great", server.text_of_log())
            self.assertEqual(self.connect(server, "engineers", cache, 60), "", "a minute is nothing")

    def test_a_keytab_of_many_names_and_versions_serves_and_a_new_key_counts_at_once(self):
        """As `net ads join` and changed machine passwords leave it."""
        keytab = os.path.join(self.place, "keytab")
        pac.write_keytab(keytab, bytes(32), "host/fs", REALM, 1)
        for name, version in (("cifs/fs", 1), ("cifs/other", 2), ("FS$", 2)):
            pac.write_keytab(keytab, bytes([version]) * 32, name, REALM, version, append=True)
        pac.write_keytab(keytab, SERVICE_KEY, "cifs/fs", REALM, 2, append=True)
        pac.write_keytab(keytab, bytes([7]) * 32, "cifs/fs", REALM, 3, append=True)
        with self.serve() as server:
            self.assertEqual(self.connect(server, "engineers", self.ticket()), "", server.text_of_log())
            fresh = bytes([9]) * 32
            self.assertIn("STATUS_LOGON_FAILURE", self.connect(server, "engineers", self.ticket(key=fresh)))
            pac.write_keytab(keytab + ".new", fresh, "cifs/fs", REALM, 2)
            os.rename(keytab + ".new", keytab)
            os.remove(os.path.join(self.place, "engineers/from-alice"))
            self.assertEqual(self.connect(server, "engineers", self.ticket(key=fresh)), "", server.text_of_log())

    def test_a_ticket_of_another_realm_is_nobodys(self):
        with self.serve() as server:
            foreign = "OTHER.TEST"
            status, output = run("/usr/bin/python3", TICKETER, "-aesKey", SERVICE_KEY.hex(), "-domain-sid", "S-1-5-21-9-9-9", "-domain",
                                 foreign, "-spn", "cifs/fs", "-user-id", "1104", "alice", cwd=self.place)
            self.assertEqual(status, 0, output)
            got = self.connect(server, "engineers", os.path.join(self.place, "alice.ccache"), realm=foreign)
            self.assertIn("STATUS_LOGON_FAILURE", got)
            self.assertRegex(server.text_of_log(), r"logon refused: Kerberos.*(OTHER\.TEST|cifs/fs)")

    def test_a_keytab_without_the_right_key_is_said_in_the_log(self):
        with self.serve() as server:
            self.assertIn("STATUS_LOGON_FAILURE", self.connect(server, "engineers", self.ticket(key=bytes(32))))
            self.assertRegex(server.text_of_log(), r"logon refused: Kerberos: .*cifs/fs@AD\.FLOTILLA\.TEST")


if __name__ == "__main__":
    unittest.main(verbosity=2)

#!/usr/bin/env python3
"""A member of an Active Directory: tickets of a Samba domain controller, groups and SIDs from its PACs, ids by RID or from
winbind on the joined machine; PACs and keys that are wrong. `make ad` runs it alone."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import active_directory as ad  # noqa: E402
import flotilla  # noqa: E402
import pac  # noqa: E402

FIRST_ID = 2000000
KEYTAB = ad.BASE + "/cifs.keytab"


def setUpModule():
    why_not = ad.missing()
    if why_not:
        raise unittest.SkipTest(why_not)


class Member(unittest.TestCase):
    """Flotilla as FS, on port 445 of its own address."""

    @classmethod
    def setUpClass(cls):
        cls.domain = ad.Domain()
        cls.addClassCleanup(cls.domain.__exit__)
        try:
            cls.domain.__enter__()
        except RuntimeError as error:
            raise RuntimeError("%s\n%s" % (error, cls.domain.logs())) from None
        cls.domain.export_keytab(KEYTAB)
        cls.engineers, cls.others, cls.staff = map(cls.domain.sid_of, ("engineers", "others", "staff"))

    def serve(self, keytab=KEYTAB, sections=None, names=None):
        """`names`: of groups and users in valid_users, for the shares of that name."""
        names = names or {"engineers": "@" + self.engineers, "others": "@" + self.others, "staff": "@" + self.staff,
                          "alice": ad.DOMAIN + "\\alice"}
        if sections is None:
            sections = '[[domain]]\nsid = "%s"\nfirst_id = %d\n' % (self.domain.sid, FIRST_ID)
        for name, who in names.items():
            place = os.path.join(ad.BASE, name)
            os.makedirs(place, exist_ok=True)
            os.chmod(place, 0o777)
            sections += '[[share]]\nname = "%s"\npath = "%s"\nvalid_users = [\'%s\']\n' % (name, place, who)
        server = flotilla.Server(config='name = "FS"\nworkgroup = "%s"\nkeytab = "%s"\n%s' %
                                 (ad.DOMAIN, keytab, sections))
        server.host, server.port = ad.FS_ADDRESS, 445
        self.addCleanup(server.__exit__)
        return server.__enter__()

    def smbclient(self, user, share, commands="ls", cache=None, options=()):
        """What smbclient printed; it may use nothing but Kerberos."""
        return ad.run("smbclient", "//%s/%s" % (ad.FS, share), "--use-kerberos=required", *options, "-c", commands,
                      env={"KRB5CCNAME": cache or self.domain.ticket(user)}, check=False)

    def owner(self, share, name):
        found = os.stat(os.path.join(ad.BASE, share, name))
        return found.st_uid, found.st_gid

    def rid(self, sid):
        return int(sid.rpartition("-")[2])

    def test_groups_of_the_pac_decide_and_rids_are_ids(self):
        server = self.serve()
        alice = self.rid(ad.run("samba-tool", "user", "show", "alice", "--attributes=objectSid", "-s",
                                self.domain.dc_conf).partition("objectSid: ")[2].split()[0])
        for share in ("engineers", "staff", "alice"):
            output = self.smbclient("alice", share, "put %s from-alice" % __file__)
            self.assertIn("putting file", output, server.text_of_log()[-3000:])
            self.assertEqual(self.owner(share, "from-alice"), (FIRST_ID + alice, FIRST_ID + 513))
        self.assertIn("NT_STATUS_ACCESS_DENIED", self.smbclient("alice", "others"))
        for share in ("engineers", "staff", "alice"):
            self.assertIn("NT_STATUS_ACCESS_DENIED", self.smbclient("bob", share))
        # Sealed with the ticket's session key.
        self.assertIn("from-alice", self.smbclient("alice", "engineers", options=["--client-protection=encrypt"]))

    def test_the_keytab_of_net_ads_does_as_well(self):
        self.serve(keytab=self.domain.keytab)
        self.assertIn("blocks available", self.smbclient("alice", "engineers"))

    def test_a_pac_that_was_changed_is_refused_and_the_log_says_why(self):
        server = self.serve()
        keys = [key for name, kind, _, key in pac.read_keytab(KEYTAB) if kind == pac.AES256 and name.startswith("cifs/")]
        cache = self.domain.ticket("alice", "cifs/" + ad.FS)
        self.assertIn("blocks available", self.smbclient("alice", "engineers", cache=cache))
        pac.change_group(cache, "cifs/" + ad.FS, keys[0], self.rid(self.engineers), self.rid(self.others))
        for share in ("others", "engineers"):
            self.assertIn("NT_STATUS_LOGON_FAILURE", self.smbclient("alice", share, cache=cache))
        self.assertIn("PAC whose signature is not the keytab's key's", server.text_of_log())

    def test_a_keytab_without_the_right_key_is_said_in_the_log(self):
        wrong = ad.BASE + "/wrong.keytab"
        version = max(version for _, _, version, _ in pac.read_keytab(KEYTAB))
        pac.write_keytab(wrong, bytes(range(32)), "cifs/" + ad.FS, ad.REALM, version)
        server = self.serve(keytab=wrong)
        self.assertIn("NT_STATUS_LOGON_FAILURE", self.smbclient("alice", "engineers"))
        self.assertRegex(server.text_of_log(), r"logon refused: Kerberos: .*cifs/fs\.ad\.flotilla\.test@AD\.FLOTILLA\.TEST")

    def test_winbind_on_the_joined_machine_gives_ids_and_names(self):
        self.domain.start_winbind()
        server = self.serve(sections="", names={"engineers": "@ADDOM\\engineers", "alice": "ADDOM\\alice"})
        uid, gid = [int(part) for part in ad.run("wbinfo", "-i", "ADDOM\\alice").split(":")[2:4]]
        self.assertGreaterEqual(uid, 100000)
        self.assertIn("putting file", self.smbclient("alice", "engineers", "put %s of-alice" % __file__),
                      server.text_of_log()[-3000:])
        self.assertEqual(self.owner("engineers", "of-alice"), (uid, gid))
        self.assertIn("NT_STATUS_ACCESS_DENIED", self.smbclient("bob", "engineers"))
        cache = self.domain.ticket("alice")

        def ask(*command):
            return ad.run(*command, "-N", "--use-kerberos=required", env={"KRB5CCNAME": cache}, check=False)
        names = ask("rpcclient", ad.FS, "-c", r"lookupnames ADDOM\\bob ADDOM\\engineers")
        sids = dict((line.split()[0], line.split()[1]) for line in names.splitlines() if "S-1-5-21" in line)
        self.assertEqual(sids.get("ADDOM\\engineers"), self.engineers, names)
        self.assertIn("ADDOM\\bob (1)", ask("rpcclient", ad.FS, "-c", "lookupsids " + sids["ADDOM\\bob"]))
        acl = ask("smbcacls", "//%s/engineers" % ad.FS, "of-alice")
        self.assertIn("OWNER:ADDOM\\alice", acl)
        self.assertIn("GROUP:ADDOM\\Domain Users", acl)
        self.assertIn("ADDOM\\bob:ALLOWED", ask("smbcacls", "//%s/engineers" % ad.FS, "of-alice", "-a",
                                                "ACL:ADDOM\\bob:ALLOWED/0x0/READ") +
                      ask("smbcacls", "//%s/engineers" % ad.FS, "of-alice"))


if __name__ == "__main__":
    if not ad.missing():
        ad.enter(__file__)
    unittest.main(verbosity=2)

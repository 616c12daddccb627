#!/usr/bin/env python3
"""The files by which file managers find a server: Avahi's service file follows avahi-service.dtd, and systemd takes the
unit that starts wsdd."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree as xml

PLACE = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "packaging/discovery")
# avahi-service.dtd: <!ELEMENT service (type,subtype*,domain-name?,host-name?,port?,txt-record*)>
ORDER = re.compile(r"type (subtype )*(domain-name )?(host-name )?(port )?(txt-record )*$")


class Discovery(unittest.TestCase):
    def test_avahis_file_follows_its_dtd(self):
        group = xml.parse(os.path.join(PLACE, "flotilla.service")).getroot()
        self.assertEqual(group.tag, "service-group")
        self.assertEqual([child.tag for child in group][:1], ["name"])
        services = group.findall("service")
        self.assertEqual(len(services), len(group) - 1)
        for service in services:
            self.assertRegex("".join(child.tag + " " for child in service), ORDER)
        self.assertEqual({s.findtext("type"): s.findtext("port") for s in services}["_smb._tcp"], "445")

    @unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd-analyze")
    def test_systemd_takes_the_unit(self):
        with tempfile.TemporaryDirectory() as place:
            path = os.path.join(place, "flotilla-wsdd.service")
            with open(os.path.join(PLACE, "flotilla-wsdd.service"), encoding="utf-8") as f:
                text = f.read()
            with open(path, "w", encoding="utf-8") as f:
                f.write(re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", text))
            got = subprocess.run(["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True, check=False)
            self.assertNotIn("flotilla-wsdd.service:", got.stdout + got.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)

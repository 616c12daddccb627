#!/usr/bin/env python3
"""The files by which file managers find a server: Avahi's service file follows avahi-service.dtd, systemd takes the unit
that starts wsdd, and what it starts answers as Windows' Explorer asks: a Probe, a Resolve and a Get from another machine
(a network namespace)."""
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest
import uuid
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


# [WS-Discovery] 2005/04, as Windows sends it ([MS-WSDP] is the profile).
MESSAGE = """<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope"
 xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:wsd="http://schemas.xmlsoap.org/ws/2005/04/discovery"
 xmlns:wsdp="http://schemas.xmlsoap.org/ws/2006/02/devprof" xmlns:pub="http://schemas.microsoft.com/windows/pub/2005/07">
<soap:Header><wsa:To>%s</wsa:To><wsa:Action>%s</wsa:Action><wsa:MessageID>urn:uuid:%s</wsa:MessageID>
<wsa:ReplyTo><wsa:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</wsa:Address></wsa:ReplyTo>
</soap:Header><soap:Body>%s</soap:Body></soap:Envelope>"""
EVERYBODY = "urn:schemas-xmlsoap-org:ws:2005:04:discovery"
DISCOVERY = "http://schemas.xmlsoap.org/ws/2005/04/discovery/"
GET = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Get"


def ask_the_network(address):
    """Runs in the other namespace: prints what a computer that answers calls itself."""
    import http.client
    import socket
    import time

    def multicast(action, body, wanted, seconds=20):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind((address, 0))
            s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
            s.settimeout(1)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                text = MESSAGE % (EVERYBODY, DISCOVERY + action, uuid.uuid4(), body)
                s.sendto(text.encode(), ("239.255.255.250", 3702))
                try:
                    got = s.recv(65536).decode()
                except socket.timeout:
                    continue
                if wanted in got:
                    return got
        raise SystemExit("no %s" % wanted)

    found = multicast("Probe", "<wsd:Probe><wsd:Types>wsdp:Device</wsd:Types></wsd:Probe>", "ProbeMatch")
    endpoint = re.search(r"Address>\s*(urn:uuid:[-0-9a-f]+)\s*<", found).group(1)
    resolved = multicast("Resolve", "<wsd:Resolve><wsa:EndpointReference><wsa:Address>%s</wsa:Address></wsa:EndpointReference>"
                         "</wsd:Resolve>" % endpoint, "ResolveMatch")
    host, path = re.search(r"XAddrs>\s*http://([^/\s<]+)(/\S*?)\s*<", resolved).groups()
    connection = http.client.HTTPConnection(host, timeout=10)
    connection.request("POST", path, MESSAGE % (endpoint, GET, uuid.uuid4(), ""), {"Content-Type": "application/soap+xml"})
    answer = connection.getresponse().read().decode()
    print(re.search(r"Computer[^>]*>([^<]+)<", answer).group(1))


@unittest.skipUnless(shutil.which("wsdd") and shutil.which("ip") and os.geteuid() == 0, "no wsdd, no iproute2, or not root")
class Probe(unittest.TestCase):
    def ip(self, *words):
        subprocess.run(["ip", *words], check=True, capture_output=True)

    def setUp(self):
        self.here, self.there = "fl-wsdd-%d" % os.getpid(), "fl-asks-%d" % os.getpid()
        for space in (self.here, self.there):
            self.ip("netns", "add", space)
            self.addCleanup(subprocess.run, ["ip", "netns", "del", space], check=False)
        self.ip("link", "add", "eth0", "netns", self.here, "type", "veth", "peer", "name", "eth0", "netns", self.there)
        for space, address in ((self.here, "192.0.2.1/24"), (self.there, "192.0.2.2/24")):
            self.ip("-n", space, "addr", "add", address, "dev", "eth0")
            self.ip("-n", space, "link", "set", "lo", "up")
            self.ip("-n", space, "link", "set", "eth0", "up")
            self.ip("-n", space, "route", "add", "224.0.0.0/4", "dev", "eth0")

    def test_what_the_unit_starts_is_found_from_another_machine(self):
        with open(os.path.join(PLACE, "flotilla-wsdd.service"), encoding="utf-8") as f:
            unit = f.read()
        command = re.search(r"^ExecStart=(.*)$", unit, re.M).group(1)
        for name, value in (("NAME", "OURNAME"), ("WORKGROUP", "OURGROUP")):
            self.assertRegex(unit, r"(?m)^Environment=.*\b%s=" % name)
            command = command.replace("${%s}" % name, value)
        wsdd = subprocess.Popen(["ip", "netns", "exec", self.here, *shlex.split(command)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)
        try:
            got = subprocess.run(["ip", "netns", "exec", self.there, sys.executable, os.path.abspath(__file__), "ask", "192.0.2.2"],
                                 capture_output=True, text=True, check=False, timeout=60)
        finally:
            wsdd.terminate()
            said = wsdd.communicate(timeout=20)[0]
        self.assertEqual((got.returncode, got.stdout.strip()), (0, "OURNAME/Workgroup:OURGROUP"), got.stderr + said)


if __name__ == "__main__" and sys.argv[1:2] == ["ask"]:
    ask_the_network(sys.argv[2])
elif __name__ == "__main__":
    unittest.main(verbosity=2)

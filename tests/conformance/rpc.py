#!/usr/bin/env python3
"""smbtorture's read-only tests of srvsvc, wkssvc, lsarpc and samr against a server of our own, compared with rpc.tsv: what
smbd 4.17 answers, and what Flotilla must. Exit status: 0 as expected, 1 not. FLOTILLA names another binary.

  rpc.py                 ours
  rpc.py --smbd          the reference (root): the second column of rpc.tsv
"""
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
import flotilla  # noqa: E402
import samba  # noqa: E402
from run import verdict  # noqa: E402


def rows():
    with open(os.path.join(HERE, "rpc.tsv"), encoding="utf-8") as f:
        return [line.rstrip("\n").split("\t") for line in f if line.strip() and not line.startswith("#")]


def torture(host, port, login, test):
    got = subprocess.run(["timeout", "-k", "2", "60", "smbtorture", "ncacn_np:" + host, "-p", str(port), "--format=subunit",
                          "--target=samba3", "-U", login, "-W", "FLOTILLA", test], capture_output=True, text=True,
                         check=False)
    result, detail = verdict(got.stdout, got.returncode)
    return result, re.sub(r"\s+", " ", detail)[:200]


def ours(tests):
    with flotilla.Server(config='signing = "enabled"\nallow_anonymous = true\n') as server:
        subprocess.run([flotilla.BINARY, "group", "add", "Administrators", "--users-file",
                        os.path.join(server.dir, "users"), "--member", flotilla.USER], check=True)
        login = "%s%%%s" % (flotilla.USER, flotilla.PASSWORD)
        return [torture(server.host, server.port, login, test) for test in tests]


def reference(tests):
    with samba.Smbd("/var/tmp", "root") as server:
        return [torture(server.address, server.port, "root%" + flotilla.PASSWORD, test) for test in tests]


def main():
    if not shutil.which("smbtorture"):
        print("no smbtorture here: apt-get install samba-testsuite")
        return 0
    table, column = rows(), 1 if "--smbd" in sys.argv else 2
    tests = [row[0] for row in table]
    bad = 0
    for row, (result, detail) in zip(table, (reference if column == 1 else ours)(tests)):
        as_expected = result == row[column]
        bad += not as_expected
        print("%-4s %s%s%s" % (result, row[0], "" if result == "pass" else "  " + detail,
                               "" if as_expected else "  EXPECTED " + row[column]))
    passed = [sum(row[k] == "pass" for row in table) for k in (1, 2)]
    print("%d tests: smbd 4.17 passes %d, expected here %d; %d not as expected" % (len(table), *passed, bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

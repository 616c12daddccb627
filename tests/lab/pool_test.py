#!/usr/bin/env python3
"""Three nodes, one address, real clients: the cases of the issue about the pool, through tools/lab.

Runs as root. The clients run inside the lab's client namespace: this file calls itself there with the name of a
scenario."""
import hashlib
import json
import os
import subprocess
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
LAB = os.path.join(ROOT, "tools/lab")
SCENARIOS = os.path.join(HERE, "scenarios.py")
POOL = "10.77.0.100"
SIZE = int(os.environ.get("FLOTILLA_LAB_BYTES", 64 << 20))


def lab(*args, check=True, timeout=180):
    got = subprocess.run([LAB, *map(str, args)], capture_output=True, text=True, timeout=timeout, check=False)
    if check and got.returncode != 0:
        raise AssertionError("tools/lab %s: %s%s" % (" ".join(map(str, args)), got.stdout, got.stderr))
    return got.stdout


def scenario(name, *args, timeout=180):
    """Runs one client scenario; its last line of output is its JSON result."""
    got = subprocess.run([LAB, "client", "/usr/bin/python3", SCENARIOS, name, *map(str, args)], capture_output=True,
                         text=True, timeout=timeout, check=False)
    if got.returncode != 0:
        raise AssertionError("%s: %s%s" % (name, got.stdout[-3000:], got.stderr[-3000:]))
    return json.loads(got.stdout.splitlines()[-1])


class Scenario:
    """A client scenario that goes on while the test changes the pool: it prints a line at each stage and waits for
    one on its standard input."""

    def __init__(self, name, *args):
        self.name = name
        self.process = subprocess.Popen([LAB, "client", "/usr/bin/python3", SCENARIOS, name, *map(str, args)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def reach(self, stage):
        line = self.process.stdout.readline().strip()
        if line != stage:
            _, errors = self.process.communicate()
            raise AssertionError("%s: expected stage %s, came %r\n%s" % (self.name, stage, line, errors[-3000:]))

    def go_on(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def result(self):
        output, errors = self.process.communicate(timeout=120)
        if self.process.returncode != 0:
            raise AssertionError("%s: %s%s" % (self.name, output[-3000:], errors[-3000:]))
        return json.loads(output.splitlines()[-1])


def status(k):
    return json.loads(lab("node", k, os.environ["FLOTILLA"], "status", "--json", "--runtime-dir", "/run/flotilla"))


def wait_members(who, members, seconds=30):
    end = time.monotonic() + seconds
    seen = None
    while time.monotonic() < end:
        try:
            seen = [status(k)["members"] for k in who]
            if all(m == members for m in seen):
                return
        except (AssertionError, ValueError):
            pass
        time.sleep(0.05)
    raise AssertionError("nodes %s see %s, expected %s" % (who, seen, members))


class Pool(unittest.TestCase):
    """Each test starts from three joined nodes."""

    @classmethod
    def setUpClass(cls):
        os.environ.setdefault("FLOTILLA", os.path.join(ROOT, "build/release/flotilla"))
        os.environ.setdefault("FLOTILLA_LAB_SHARE", "continuous_availability = true")
        lab("up", 3)
        subprocess.run([os.environ["FLOTILLA"], "user", "add", "tester2", "--users-file", "/var/tmp/flotilla-lab/users",
                        "--password-file", "-", "--as-share-owner"], input="Secret123\n", text=True, check=True)

    @classmethod
    def tearDownClass(cls):
        lab("down")

    def tearDown(self):
        failed = self._outcome.result.failures + self._outcome.result.errors
        if any(test is self for test, _ in failed):
            print(lab("status", check=False), file=sys.stderr)
            for k in (1, 2, 3):
                print("--- node %d\n%s" % (k, subprocess.run(
                    ["tail", "-n", "30", "/var/tmp/flotilla-lab/node%d/flotilla.log" % k], capture_output=True,
                    text=True, check=False).stdout), file=sys.stderr)
        lab("heal", check=False)
        for k in (1, 2, 3):
            lab("cont", k)
        for k in (1, 2, 3):
            lab("start", k)
        wait_members([1, 2, 3], [1, 2, 3])

    def test_directory_leases_break_for_changes_through_other_nodes(self):
        scenario("directory_leases", "10.77.0.1", "10.77.0.2")
        scenario("directory_leases", "10.77.0.2", "10.77.0.2")

    def test_directory_leases_end_with_a_lost_node(self):
        with Scenario("directory_lease_and_a_loss", "10.77.0.1", "10.77.0.2") as clients:
            clients.reach("leased")
            lab("kill", 3)
            clients.go_on()
            clients.result()

    def test_a_directory_is_not_renamed_above_opens_of_another_node(self):
        scenario("rename_above_opens", "10.77.0.1", "10.77.0.2")

    def test_a_lease_key_names_one_file_in_the_pool(self):
        scenario("lease_key_of_another_file", "10.77.0.1", "10.77.0.2")

    def test_state_is_one_node_s_on_two(self):
        scenario("state", "10.77.0.1", "10.77.0.2")

    def test_share_modes_agree(self):
        scenario("share_modes", "10.77.0.1", "10.77.0.2")
        scenario("share_modes", "10.77.0.3", POOL)

    def test_byte_range_locks_agree(self):
        scenario("locks", "10.77.0.1", "10.77.0.2")
        scenario("locks", "10.77.0.2", "10.77.0.3")

    def test_a_lease_is_broken_from_another_node_and_the_open_waits(self):
        scenario("lease_break", "10.77.0.1", "10.77.0.2")
        scenario("lease_break", "10.77.0.3", "10.77.0.1")

    def test_a_change_through_one_node_reaches_a_watch_through_another(self):
        scenario("change_notify", "10.77.0.1", "10.77.0.2")
        scenario("change_notify", "10.77.0.3", POOL)

    def test_a_durable_handle_is_reclaimed_through_another_node(self):
        scenario("durable_moves", "10.77.0.1", "10.77.0.2")
        scenario("durable_moves", "10.77.0.3", "10.77.0.1")

    def test_durable_handles_of_a_killed_node_are_reclaimed_through_a_survivor(self):
        with Scenario("durable_outlives", "10.77.0.2", "10.77.0.3") as clients:
            clients.reach("opened")
            lab("kill", 2)
            wait_members([1, 3], [1, 3])
            clients.go_on()
            clients.result()

    def test_delete_on_close_agrees(self):
        scenario("delete_pending", "10.77.0.1", "10.77.0.3")

    def test_sessions_of_the_one_address_are_spread_evenly(self):
        with Scenario("many_sessions", POOL, 12) as clients:
            clients.reach("connected")
            counts = [status(k)["sessions"] for k in (1, 2, 3)]
            clients.go_on()
            clients.result()
        self.assertEqual(counts, [4, 4, 4])

    def test_a_large_copy_through_the_one_address(self):
        source = "/var/tmp/flotilla-lab/source"
        with open(source, "wb") as f:
            for _ in range(SIZE >> 20):
                f.write(os.urandom(1 << 20))
        with open(source, "rb") as f:
            expected = hashlib.sha256(f.read()).hexdigest()
        for _ in range(3):  # three sessions: each node serves one of them
            got = lab("client", "smbclient", "//%s/data" % POOL, "-U", "tester%Secret123", "-c",
                      "put %s big; get big %s.back" % (source, source))
            with open(source + ".back", "rb") as f:
                self.assertEqual(hashlib.sha256(f.read()).hexdigest(), expected, got)

    def test_a_killed_node_frees_what_it_held_and_nothing_else(self):
        with Scenario("survive_kill", "10.77.0.1", "10.77.0.2", "10.77.0.3") as clients:
            clients.reach("opened")
            lab("kill", 3)
            wait_members([1, 2], [1, 2])
            clients.go_on()
            clients.reach("survived")
            lab("start", 3)
            wait_members([1, 2, 3], [1, 2, 3])
            clients.go_on()
            clients.result()

    def address_moves(self, how):
        """`how` takes the node that holds the address away; its client must notice and be served again."""
        with Scenario("follow_address", POOL) as clients:
            clients.reach("connected")
            holder = [k for k in (1, 2, 3) if status(k)["holds_address"]]
            self.assertEqual(len(holder), 1)
            lab(how, holder[0])
            clients.go_on()
            result = clients.result()
        self.assertLess(result["noticed_s"] + result["reconnected_s"], 3.0, result)

    def test_the_address_moves_when_its_node_is_killed(self):
        self.address_moves("kill")

    def test_the_address_moves_when_its_node_is_cut_off(self):
        self.address_moves("cut")  # no packet tells the client: the tickle ACKs of the new holder do

    def test_the_address_moves_when_its_node_hangs(self):
        self.address_moves("stop")

    def test_a_node_that_is_cut_off_serves_nothing(self):
        scenario("reach", "10.77.0.2")
        lab("cut", 2)
        wait_members([1, 3], [1, 3])
        end = time.monotonic() + 10
        while status(2)["serving"] and time.monotonic() < end:
            time.sleep(0.05)
        self.assertFalse(status(2)["serving"])
        scenario("share_modes", "10.77.0.1", "10.77.0.3")
        lab("heal")
        wait_members([1, 2, 3], [1, 2, 3])
        scenario("share_modes", "10.77.0.2", "10.77.0.3")

    def test_a_node_that_hung_finds_itself_out(self):
        with Scenario("hung_writer", "10.77.0.2", "10.77.0.1") as clients:
            clients.reach("opened")
            lab("stop", 2)
            wait_members([1, 3], [1, 3])
            clients.go_on()
            clients.reach("taken_over")
            lab("cont", 2)
            clients.go_on()
            result = clients.result()
        self.assertEqual(result["content"], "new owner")

    def test_a_node_that_makes_other_sids_ends_and_the_others_go_on(self):
        place = "/var/tmp/flotilla-lab/node3/"
        with open(place + "flotilla.toml", encoding="utf-8") as f:
            before = f.read()
        lab("kill", 3)
        wait_members([1, 2], [1, 2])
        try:
            with open(place + "flotilla.toml", "w", encoding="utf-8") as f:
                f.write(before.replace("[server]\n", '[server]\ndomain_sid = "S-1-5-21-1-2-3"\n', 1))
            with open(place + "flotilla.log", encoding="utf-8", errors="replace") as log:
                log.seek(0, os.SEEK_END)
                # It would wait for the node to join, which it must not.
                starting = subprocess.Popen([LAB, "start", "3"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                end, said = time.monotonic() + 20, ""
                while "ending" not in said and time.monotonic() < end:
                    time.sleep(0.1)
                    said += log.read()
                starting.terminate()
                starting.wait()
            self.assertRegex(said, r"node [12] .* makes SIDs of S-1-5-21-[-0-9]+, this node of S-1-5-21-1-2-3: one user would be two")
            wait_members([1, 2], [1, 2])
        finally:
            with open(place + "flotilla.toml", "w", encoding="utf-8") as f:
                f.write(before)

    def test_without_quorum_nothing_is_served(self):
        lab("kill", 1)
        wait_members([2, 3], [2, 3])
        lab("kill", 2)
        end = time.monotonic() + 10
        while status(3)["serving"] and time.monotonic() < end:
            time.sleep(0.05)
        self.assertFalse(status(3)["serving"])
        scenario("refused", "10.77.0.3")


if __name__ == "__main__":
    if os.geteuid() != 0:
        os.execvp("sudo", ["sudo", "--preserve-env=FLOTILLA", sys.executable] + sys.argv)
    unittest.main(verbosity=2)

#!/usr/bin/env python3
"""smbtorture against servers of our own, compared with what is expected (expected.tsv).

  run.py                       best of: each test on the share and with the options it needs (tests.tsv)
  run.py --mode plain          all tests on one plain share
  run.py --mode pool           the tests of two connections, the two on different nodes of tools/lab (root)
  run.py --match 'smb2\\.lock' only some

A test that expected.tsv does not name for this mode must pass; what it names may fail, for the reason it gives.
Afterwards the servers must be empty again: no session, open, or file in the state machine.
Exit status: 0 as expected and empty, 1 not, 2 could not run. FLOTILLA names another binary.
"""
import argparse
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import servers

HERE = os.path.dirname(os.path.abspath(__file__))
VERDICT = re.compile(r"^(success|failure|error|skip|xfail|uxsuccess): (.*?)( \[)?$")
NOISE = ("time:", "test:", "progress:")
SECOND_TRIES_MAX = 5  # more than this is no race


class Test:
    def __init__(self, columns):
        self.name, self.share, options, self.best, self.plain, self.two = columns
        self.options = options.split()

    def reference(self, mode):
        return {"best": self.best, "plain": self.plain, "pool": self.two}[mode]


def read_tests():
    with open(os.path.join(HERE, "tests.tsv"), encoding="utf-8") as f:
        rows = [line.rstrip("\n").split("\t") for line in f if not line.startswith("#")]
    return [Test(row) for row in rows[1:]]


def read_expected(mode):
    """Tests that need not pass in this mode -> (result, reason)."""
    expected = {}
    with open(os.path.join(HERE, "expected.tsv"), encoding="utf-8") as f:
        for line in f:
            if line.startswith("#") or not line.strip():
                continue
            which, name, result, reason = line.rstrip("\n").split("\t")
            if which == mode:
                expected[name] = (result, reason)
    return expected


def verdict(text, code):
    """(result, what failed first) from what smbtorture printed."""
    kinds, detail = [], ""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        found = VERDICT.match(line)
        if not found:
            continue
        kinds.append(found.group(1))
        if found.group(1) in ("failure", "error", "skip") and found.group(3) and not detail:
            detail = next((after.strip() for after in lines[number + 1:] if after.strip()), "")
    if "failure" in kinds or "error" in kinds:
        return "fail", detail
    if code < 0:
        return "fail", "smbtorture died of signal %d" % -code
    if "success" in kinds:
        return ("pass", "") if code == 0 else ("fail", "exit status %d" % code)
    if "skip" in kinds:
        return "skip", detail
    return "fail", "no verdict: " + last_line(lines)


def last_line(lines):
    return next((line.strip() for line in reversed(lines) if line.strip() and not line.startswith(NOISE)), "")


def run_test(test, place, timeout, logs):
    command = list(place.prefix) + [
        "smbtorture", "//%s/%s" % (place.host, place.share), "-p", str(place.port), "--format=subunit",
        "--target=samba3", *place.arguments, "--option=torture:user2name=tester2",
        "--option=torture:user2password=" + servers.PASSWORD, test.name]
    with tempfile.TemporaryDirectory(prefix="torture-") as cwd, tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command + ["--basedir=" + cwd], cwd=cwd, stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT, start_new_session=True,
                                   env=dict(os.environ, **place.environment))
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            code = None
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    if code is None:
        result, detail = "timeout", "last line: " + last_line(text.splitlines())
    else:
        result, detail = verdict(text, code)
    if logs and result != "pass":
        with open(os.path.join(logs, re.sub(r"[^\w.-]", "_", test.name) + ".log"), "w", encoding="utf-8") as f:
            f.write("$ %s\n%s" % (" ".join(command), text))
    return result, re.sub(r"\s+", " ", detail)[:300]


def run_all(args, tests, fleets, report):
    todo = queue.Queue()
    for test in tests:
        todo.put(test)
    lock, rows, broken = threading.Lock(), {}, []

    def work(fleet):
        while not broken:
            try:
                test = todo.get_nowait()
            except queue.Empty:
                return
            start = time.monotonic()
            try:
                place = fleet.place(test)
                result, detail = run_test(test, place, args.timeout, args.logs) if place else ("skip", fleet.why_not)
            except (OSError, RuntimeError, subprocess.SubprocessError) as error:
                broken.append("%s: %s" % (test.name, error))
                return
            with lock:
                rows[test.name] = (result, time.monotonic() - start, detail)
                report(len(rows), test, rows[test.name])

    workers = [threading.Thread(target=work, args=(fleet,)) for fleet in fleets]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if broken:
        raise RuntimeError(broken[0])
    return {test.name: rows[test.name] for test in tests}


def try_again(args, tests, rows, expected, fleets, report):
    """What had to pass and did not, once more with nothing else running: some tests race with themselves (they send
    a CHANGE_NOTIFY on one connection and the change on another). Every first result is printed."""
    again = [t for t in tests if rows[t.name][0] != "pass" and t.name not in expected]
    if not again or len(again) > SECOND_TRIES_MAX:
        return
    for test in again:
        print("SECOND TRY of %s, after %s: %s" % (test.name, rows[test.name][0], rows[test.name][2]), flush=True)
    rows.update(run_all(args, again, fleets[:1], report))


def judge(mode, tests, rows, expected):
    """Prints what is not as expected; the number of tests that had to pass and did not."""
    lost = [n for n, row in rows.items() if row[0] != "pass" and n not in expected]
    for name in lost:
        print("NOT EXPECTED %s: %s  %s" % (name, rows[name][0], rows[name][2]))
    for name, row in rows.items():
        if row[0] == "pass" and name in expected:
            print("PASSES NOW   %s: take it out of expected.tsv (%s)" % (name, expected[name][1]))
    reference = {test.name: test.reference(mode) for test in tests}
    ours = {n for n, row in rows.items() if row[0] == "pass"}
    theirs = {n for n in rows if reference[n] == "pass"}
    print("smbd 4.17 passes %d of these; %d of them do not pass here, %d others do" % (
        len(theirs), len(theirs - ours), len(ours - theirs)))
    skipped = sum(row[0] == "skip" for row in rows.values())
    print("%d passed, %d failed, %d skipped; %d not as expected" % (
        len(ours), len(rows) - len(ours) - skipped, skipped, len(lost)))
    return len(lost)


def write_expected(mode, rows):
    """Makes expected.tsv say what came out; reasons that are known stay."""
    path = os.path.join(HERE, "expected.tsv")
    known = read_expected(mode)
    with open(path, encoding="utf-8") as f:
        keep = [line for line in f if not line.startswith(mode + "\t")
                or (line.split("\t")[1] not in rows)]
    for name, (result, _, detail) in rows.items():
        if result != "pass":
            keep.append("%s\t%s\t%s\t%s\n" % (mode, name, result, known.get(name, ("", "? " + detail))[1]))
    with open(path, "w", encoding="utf-8") as f:
        f.writelines(keep)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mode", choices=("best", "plain", "pool"), default="best")
    parser.add_argument("--match", metavar="REGEX", help="only tests whose name matches")
    parser.add_argument("--jobs", type=int, choices=(1, 2), default=2, help="tests at a time, each with its own server")
    parser.add_argument("--timeout", type=float, default=120, help="seconds per test")
    parser.add_argument("--out", metavar="TSV", help="write the results here")
    parser.add_argument("--logs", metavar="DIR", help="keep what smbtorture printed for tests that do not pass")
    parser.add_argument("--write-expected", action="store_true", help="expected.tsv becomes what came out")
    args = parser.parse_args()
    if not shutil.which("smbtorture"):
        print("no smbtorture here: apt-get install samba-testsuite", file=sys.stderr)
        return 2
    tests = [t for t in read_tests() if (not args.match or re.search(args.match, t.name))
             and (args.mode != "pool" or t.two != "-")]
    if not tests:
        print("no test matches", file=sys.stderr)
        return 2
    if args.logs:
        os.makedirs(args.logs, exist_ok=True)
    expected = read_expected(args.mode)

    def report(count, test, row):
        if row[0] != "pass" or row[1] > 30:
            print("[%d/%d] %-7s %6.1fs %s  %s" % (count, len(tests), row[0], row[1], test.name, row[2]), flush=True)

    try:
        with servers.fleets(args.mode, args.jobs) as fleets:
            rows = run_all(args, tests, fleets, report)
            try_again(args, tests, rows, expected, fleets, report)
            leftovers = [line for fleet in fleets for line in fleet.leftovers()]
    except (OSError, RuntimeError) as error:
        print("cannot run: %s" % error, file=sys.stderr)
        return 2
    if args.out:
        with open(args.out, "w", encoding="utf-8") as f:
            f.write("test\tresult\tseconds\tdetail\n")
            f.writelines("%s\t%s\t%.2f\t%s\n" % (name, *row) for name, row in rows.items())
    if args.write_expected:
        write_expected(args.mode, rows)
        expected = read_expected(args.mode)
    lost = judge(args.mode, tests, rows, expected)
    for line in leftovers:
        print("NOT EMPTY " + line)
    if not leftovers:
        print("the state is empty again")
    return 1 if lost or leftovers else 0


if __name__ == "__main__":
    sys.exit(main())

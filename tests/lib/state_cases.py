"""What clients may ask of a server's state, one function a case: `case(site)` with two ends, a and b, which are one
node's address twice, or two nodes of a pool. Every status is the one of [MS-SMB2] or [MS-FSA]."""
import itertools
import os
import struct
import time

import raw_smb as smb
from durable import PERSISTENT, context, reconnect_v2, request_v2
from probe import *  # noqa: F403
from probe import Connection, lease_context, notified, reset, status_of

RWH = R | W | H
READ, WRITE, DELETE, ATTRIBUTES = 0x120089, 0x120116, 0x10000, 0x100080
RW, RWD = READ | WRITE, READ | WRITE | DELETE
OPEN, CREATE, OPEN_IF, OVERWRITE_IF = 1, 2, 3, 5
DIRECTORY, NOT_DIRECTORY, DELETE_ON_CLOSE = 1, 0x40, 0x1000
SHARED, EXCLUSIVE, UNLOCK, NOW = 1, 2, 4, 0x10
NAME_COLLISION, FILE_FORCED_CLOSED = 0xC0000035, 0xC00000B6
UNSUCCESSFUL = 0xC0000001
NOT_BREAKING = {0xC0000184, smb.INVALID_OPLOCK_PROTOCOL}  # smbtorture wants the latter, the text has the former


class Site:
    def __init__(self, a, b, ca="ca", users=("tester", "tester2"), break_timeout_s=0):
        """`ca`: a share of the same directory with continuous availability."""
        self.users = users
        self.break_timeout_s = break_timeout_s
        self.ends = {"a": a, "b": b}
        self.ca = ca
        self.made = []
        self.count = itertools.count()

    def name(self, stem="f"):
        return "%s%d-%d" % (stem, time.monotonic_ns(), next(self.count))

    def client(self, end="a", **how):
        host, port = self.ends[end]
        how["user"] = self.users[1 if how.get("user") == "tester2" else 0]
        self.made.append(Connection(host, port, **how))
        return self.made[-1]

    def close(self):
        for connection in self.made:
            connection.close()
        self.made = []


def expect(got, wanted, what=""):
    if isinstance(wanted, set):
        good = got in wanted
    else:
        good = got == wanted
    if not good:
        shown = [hex(x) if isinstance(x, int) else repr(x) for x in (wanted, got)]
        raise AssertionError("%s: expected %s, came %s" % (what, *shown))


def good(opened, what="open"):
    expect(opened.status, 0, what)
    return opened


def key_of(number=None):
    return os.urandom(16)


# --- share modes

def share_modes_matrix(site):
    """All of 8 x 8 share modes with 3 x 3 accesses: the second open, and whether I/O goes on afterwards."""
    a, b = site.client("a"), site.client("b")
    bits = {1: 1, 2: 2, 0x10000: 4}
    for first in (1, 2, 0x10000, 3, 0x10003):
        name = site.name("share")
        for share in range(8):
            held = good(a.open(name, access=first | 0x80, share=share))
            for second, other in itertools.product((1, 2, 0x10000, 0x80), range(8)):
                needs = sum(bit for access, bit in bits.items() if second & access)
                has = sum(bit for access, bit in bits.items() if first & access)
                fits = second == 0x80 or ((needs & ~share) == 0 and (has & ~other) == 0)
                got = b.open(name, access=second | 0x80, share=other)
                expect(got.status, 0 if fits else SHARING_VIOLATION,
                       "first %x share %d, second %x share %d" % (first, share, second, other))
                if got.handle:
                    b.close_file(got.handle)
            expect(a.close_file(held.handle), 0)


# --- oplocks

def oplock_levels(site):
    a, b = site.client("a"), site.client("b")
    for level, to in ((9, 1), (8, 1)):
        name = site.name("oplock")
        held = good(a.open(name, oplock=level, access=RWD))
        expect(held.oplock, level, "granted")
        waiting = b.start_open(name, oplock=9)
        expect(a.next_break(), ("oplock", held.handle, None, to, None, None), "break")
        expect(b.settled(waiting), smb.PENDING, "waits")
        expect(a.write(held.handle, 0, b"cached"), 0, "write back")
        expect(a.acknowledge_oplock(held.handle, 1), (0, 1), "acknowledged")
        second = good(b.opened(waiting))
        expect(second.oplock, 1, "level II beside level II")
        expect(b.read(second.handle, 0, 6), (0, b"cached"))
        # Whoever writes takes level II from others, who need not answer.
        expect(b.write(second.handle, 0, b"new"), 0, "write")
        told = a.next_break()
        expect((told.kind, told.after), ("oplock", 0), "to none")
        expect(a.acknowledge_oplock(held.handle, 0)[0], NOT_BREAKING, "nobody asked")
        for c, h in ((a, held), (b, second)):
            expect(c.close_file(h.handle), 0)


def oplock_acknowledged_wrongly(site):
    a, b = site.client("a"), site.client("b")
    for level in (8, 9, 0xFF, 0x77):
        name = site.name("oplock")
        held = good(a.open(name, oplock=9))
        expect(a.acknowledge_oplock(held.handle, 0)[0], NOT_BREAKING, "not breaking")
        waiting = b.start_open(name)
        a.next_break()
        wanted = {smb.INVALID_PARAMETER, smb.INVALID_OPLOCK_PROTOCOL}
        got = a.acknowledge_oplock(held.handle, level)[0]
        expect(got, wanted, "level %x" % level)
        expect(b.opened(waiting).status, 0, "the break is over")
        expect(a.acknowledge_oplock(held.handle, 0)[0], NOT_BREAKING, "it is over")
        expect(a.acknowledge_oplock(b"\x77" * 16, 0)[0], smb.FILE_CLOSED, "no such open")
    # To none where level II was offered; the second open gets what it asks for then.
    name = site.name("oplock")
    held = good(a.open(name, oplock=9))
    waiting = b.start_open(name, oplock=1)
    a.next_break()
    expect(a.acknowledge_oplock(held.handle, 0), (0, 0), "to none")
    expect(good(b.opened(waiting)).oplock, 1)
    # A close answers a break.
    name = site.name("oplock")
    held = good(a.open(name, oplock=9))
    waiting = b.start_open(name, access=READ, share=0)
    a.next_break()
    expect(a.close_file(held.handle), 0)
    expect(b.opened(waiting).status, 0, "batch handle closed for the one that shares nothing")


def oplock_and_attributes_only(site):
    a, b = site.client("a"), site.client("b")
    name = site.name("oplock")
    held = good(a.open(name, oplock=9))
    other = good(b.open(name, access=ATTRIBUTES, disposition=OPEN))
    expect(a.no_break(), True, "attributes only break nothing")
    expect(b.close_file(other.handle), 0)
    waiting = b.start_open(name, access=ATTRIBUTES, disposition=OVERWRITE_IF)
    expect(a.next_break().after, 0, "an overwrite takes all")
    expect(a.acknowledge_oplock(held.handle, 0), (0, 0))
    expect(b.opened(waiting).status, 0)


# --- leases

def lease_steps(site):
    """RWH -> RH by an open, RH -> R by one that does not share, R -> none by a write; epochs count."""
    a, b = site.client("a"), site.client("b")
    for version in (1, 2):
        name, key = site.name("lease"), key_of()
        held = good(a.open(name, access=RW, asks=[lease_context(key, RWH, version=version, epoch=5)]))
        epoch = 6 if version == 2 else None
        expect(held.lease, (RWH, 0, epoch), "granted")
        waiting = b.start_open(name, access=RW)
        expect(a.next_break(), ("lease", key, RWH, R | H, 7 if version == 2 else 0, 1), "RWH -> RH")
        expect(a.acknowledge(key, R | H), 0)
        second = good(b.opened(waiting))
        waiting = b.start_open(name, access=READ, share=1)
        expect(a.next_break(), ("lease", key, R | H, R, 8 if version == 2 else 0, 1), "RH -> R")
        expect(a.acknowledge(key, R), 0)
        expect(b.opened(waiting).status, SHARING_VIOLATION)
        expect(b.write(second.handle, 0, b"x"), 0)
        expect(a.next_break(), ("lease", key, R, 0, 9 if version == 2 else 0, 0), "R -> none, no acknowledgment")
        expect(a.acknowledge(key, 0), UNSUCCESSFUL, "nobody asked")
        expect(a.close_file(held.handle), 0)
        expect(a.acknowledge(key, 0), smb.OBJECT_NAME_NOT_FOUND, "no such lease")
        expect(b.close_file(second.handle), 0)


def lease_acknowledged_wrongly(site):
    a, b, other = site.client("a"), site.client("b"), site.client("b")
    name, key = site.name("lease"), key_of()
    good(a.open(name, access=RW, asks=[lease_context(key, RWH)]))
    expect(a.acknowledge(key, R), UNSUCCESSFUL, "nobody asked")
    expect(other.acknowledge(key, R), smb.OBJECT_NAME_NOT_FOUND, "another client's key")
    waiting = b.start_open(name, access=RW)
    a.next_break()
    for more in (RWH, R | W, W):
        expect(a.acknowledge(key, more), smb.REQUEST_NOT_ACCEPTED, "more than was offered")
    expect(b.settled(waiting), smb.PENDING, "still waits")
    expect(other.acknowledge(key, R), smb.OBJECT_NAME_NOT_FOUND, "another client's key")
    expect(a.acknowledge(key, R), 0, "less than was offered")
    expect(b.opened(waiting).status, 0)
    expect(a.acknowledge(key, R), UNSUCCESSFUL, "twice")


def lease_upgrades(site):
    a, b = site.client("a"), site.client("b")
    name, key = site.name("lease"), key_of()
    first = good(a.open(name, access=RW, asks=[lease_context(key, R)]))
    expect(first.lease, (R, 0, 1))
    expect(good(a.open(name, access=RW, asks=[lease_context(key, R | H)])).lease, (R | H, 0, 2), "up")
    expect(good(a.open(name, access=RW, asks=[lease_context(key, R | H)])).lease, (R | H, 0, 2), "the same")
    expect(good(a.open(name, access=RW, asks=[lease_context(key, RWH)])).lease, (RWH, 0, 3), "up")
    expect(good(a.open(name, access=RW, asks=[lease_context(key, R)])).lease, (RWH, 0, 3), "no downgrade")
    expect(good(a.open(name, access=RW, asks=[lease_context(key, 0)])).lease, (RWH, 0, 3), "no downgrade")
    waiting = b.start_open(name, access=ATTRIBUTES | 1)
    expect(a.next_break()[2:], (RWH, R | H, 4, 1))
    # While it breaks, the lease's own opens are granted and told so.
    own = good(a.open(name, access=RW, asks=[lease_context(key, RWH)]))
    expect(own.lease, (RWH, 2, 4), "BREAK_IN_PROGRESS")
    expect(a.acknowledge(key, R | H), 0)
    other = good(b.opened(waiting))
    expect(good(a.open(name, access=RW, asks=[lease_context(key, RWH)])).lease, (R | H, 0, 4), "not beside others")
    expect(b.close_file(other.handle), 0)
    expect(good(a.open(name, access=RW, asks=[lease_context(key, RWH)])).lease, (RWH, 0, 5), "again")


def lease_states_that_are_none(site):
    a = site.client("a")
    for state in (W, H, W | H, 0):
        expect(good(a.open(site.name("lease"), asks=[lease_context(key_of(), state)])).lease[0], 0, "state %d" % state)
    for state in (R, R | H, R | W, RWH):
        expect(good(a.open(site.name("lease"), asks=[lease_context(key_of(), state)])).lease[0], state)
    # Unknown bits are left out; a lease context without the level is none.
    name = site.name("lease")
    got = a.open(name, oplock=9, asks=[lease_context(key_of(), RWH)])
    expect((got.status, got.oplock, got.lease), (0, 9, None), "batch beside a lease context")


def lease_key_and_files(site):
    guid = os.urandom(16)
    a, b, stranger = site.client("a", guid=guid), site.client("b", guid=guid), site.client("b")
    one, two, key = site.name("keyed"), site.name("keyed"), key_of()
    held = good(a.open(one, access=RWD, asks=[lease_context(key, R | H)]))
    for c in (a, b):
        expect(c.open(two, asks=[lease_context(key, R)]).status, smb.INVALID_PARAMETER, "another file")
        expect(c.open(two, disposition=OPEN).status, smb.OBJECT_NAME_NOT_FOUND, "and none was made")
    got = good(stranger.open(two, asks=[lease_context(key, R)]))
    expect(got.lease[0], R, "another client's key is its own")
    expect(stranger.close_file(got.handle), 0)
    # By its new name it is the same file.
    expect(a.rename(held.handle, one + "-new"), 0)
    again = good(a.open(one + "-new", disposition=OPEN, asks=[lease_context(key, R | H)]))
    expect(again.lease[0], R | H)
    expect(b.open(one, asks=[lease_context(key, R)]).status, smb.INVALID_PARAMETER, "a new file of the old name")
    for handle in (held.handle, again.handle):
        expect(a.close_file(handle), 0)
    free = good(b.open(two, asks=[lease_context(key, R)]))
    expect(b.close_file(free.handle), 0)


def lease_and_own_opens(site):
    """One lease of one client: its opens do not break each other, an open without the key does."""
    a = site.client("a")
    name, key = site.name("lease"), key_of()
    held = good(a.open(name, access=RW, asks=[lease_context(key, RWH)]))
    expect(good(a.open(name, access=RWD, asks=[lease_context(key, RWH)])).lease[0], RWH)
    expect(a.write(held.handle, 0, b"x"), 0)
    expect(a.no_break(0.2), True)
    waiting = a.start_open(name, access=RW)
    expect(a.next_break()[2:4], (RWH, R | H))
    expect(a.acknowledge(key, R | H), 0)
    other = good(a.opened(waiting))
    expect(a.write(other.handle, 0, b"y"), 0)
    got = a.next_break()
    expect(got[2:4] + got[5:], (R | H, 0, 1), "a write by an open without the key")
    expect(a.acknowledge(key, 0), 0)


def lease_on_rename_and_delete(site):
    a, b = site.client("a"), site.client("b")
    name, key = site.name("lease"), key_of()
    held = good(a.open(name, access=RW, asks=[lease_context(key, R | H)]))
    other = good(b.open(name, access=DELETE | 0x80, disposition=OPEN))
    expect(a.no_break(0.2), True, "RH stays for DELETE")
    renaming = b.start_rename(other.handle, name + "-r")
    got = a.next_break()
    expect(got[2:4] + got[5:], (R | H, R, 1), "a rename takes H")
    expect(a.acknowledge(key, R), 0)
    expect(status_of(b.wait(renaming)), 0)
    again = good(a.open(name + "-r", access=RW, disposition=OPEN, asks=[lease_context(key, R | H)]))
    expect(again.lease[0], R | H)
    disposing = b.send(smb.SET_INFO, smb.set_info_body(other.handle, 1, 13, b"\1"))
    got = a.next_break()
    expect(got[2:4] + got[5:], (R | H, R, 1), "a deletion takes H")
    expect(a.acknowledge(key, R), 0)
    expect(status_of(b.wait(disposing)), 0)
    expect(a.open(name + "-r", disposition=OPEN).status, DELETE_PENDING)
    expect(b.open(name + "-r", disposition=OPEN_IF, access=ATTRIBUTES).status, DELETE_PENDING)
    expect(b.dispose(other.handle, 0), 0, "taken back")
    expect(b.status(smb.CLOSE, smb.close_body(other.handle)), 0)
    expect(good(b.open(name + "-r", disposition=OPEN)).status, 0)


# --- directories

def directory_leases(site):
    a, b = site.client("a"), site.client("b")
    name, key = site.name("dir"), key_of()
    end = time.monotonic() + 5
    while True:
        held = good(a.open(name, access=READ, options=DIRECTORY, asks=[lease_context(key, RWH)]))
        if held.lease[0] == R | H or time.monotonic() > end:
            break
        a.close_file(held.handle)
    expect(held.lease[0], R | H, "a directory's lease has no W")
    epoch = [held.lease[2]]

    def broken(what, after=0):
        epoch[0] += 1
        got = a.next_break()
        expect(got, ("lease", key, R | H, after, epoch[0], 1), what)
        expect(a.acknowledge(key, after), 0, what)
        again = good(a.open(name, access=READ, options=DIRECTORY, asks=[lease_context(key, R | H)]))
        epoch[0] += 1
        expect(again.lease, (R | H, 0, epoch[0]), "after " + what)
        expect(a.close_file(again.handle), 0)

    def unbroken(what):
        expect(a.no_break(0.3), True, what)

    child = name + "\\child"
    made = good(b.open(child, access=RWD, disposition=CREATE))
    broken("create")
    expect(b.write(made.handle, 0, b"data"), 0)
    expect(b.close_file(made.handle), 0)
    broken("close after a write")
    opened = good(b.open(child, access=RWD, disposition=OPEN))
    expect(b.read(opened.handle, 0, 4)[0], 0)
    expect(b.close_file(opened.handle), 0)
    unbroken("open, read, close")
    opened = good(b.open(child, access=RWD | 0x100, disposition=OPEN))
    expect(b.set_info(opened.handle, 4, struct.pack("<QQQQII", 0, 0, 0, 0, 2, 0)), 0)
    broken("attributes")
    expect(b.set_size(opened.handle, 100), 0)
    broken("size")
    expect(b.rename(opened.handle, child + "2"), 0)
    broken("rename")
    expect(b.dispose(opened.handle), 0)
    expect(b.close_file(opened.handle), 0)
    broken("delete")
    sub = good(b.open(name + "\\sub", options=DIRECTORY, disposition=CREATE, access=READ))
    broken("a subdirectory")
    expect(b.close_file(sub.handle), 0)
    grand = good(b.open(name + "\\sub\\x", disposition=CREATE))
    expect(b.close_file(grand.handle), 0)
    # Its own changes, where they name the directory's lease, break nothing.
    own = good(a.open(name + "\\own", access=RWD, disposition=CREATE, asks=[lease_context(key_of(), RWH, key)]))
    expect(a.write(own.handle, 0, b"x"), 0)
    expect(a.rename(own.handle, name + "\\own2"), 0)
    expect(a.set_size(own.handle, 10), 0)
    expect(a.close_file(own.handle), 0)
    unbroken("its own changes")
    # Another client that names the same key is another client.
    own = good(b.open(name + "\\theirs", access=RWD, disposition=CREATE, asks=[lease_context(key_of(), RWH, key)]))
    expect(b.close_file(own.handle), 0)
    broken("another client with this parent key")
    # One's own change without the parent's key does break it.
    own = good(a.open(name + "\\own3", disposition=CREATE))
    broken("one's own without the key")
    expect(a.close_file(own.handle), 0)
    expect(a.close_file(held.handle), 0)


def directory_renamed_above_opens(site):
    a, b = site.client("a"), site.client("b")
    name = site.name("dir")
    folder = good(a.open(name, options=DIRECTORY, access=READ | DELETE))
    sub = good(a.open(name + "\\sub", options=DIRECTORY, access=READ))
    expect(a.close_file(sub.handle), 0)
    child = good(b.open(name + "\\sub\\deep", access=ATTRIBUTES))
    expect(a.rename(folder.handle, name + "-r"), smb.ACCESS_DENIED, "an open deep below")
    expect(b.close_file(child.handle), 0)
    watched = good(b.open(name + "\\sub", options=DIRECTORY, access=READ, disposition=OPEN))
    expect(a.rename(folder.handle, name + "-r"), smb.ACCESS_DENIED, "an open directory below")
    expect(b.close_file(watched.handle), 0)
    stream = good(b.open(name + "\\sub\\deep:s", access=RW))
    expect(a.rename(folder.handle, name + "-r"), smb.ACCESS_DENIED, "an open stream below")
    expect(b.close_file(stream.handle), 0)
    expect(a.rename(folder.handle, name + "-r"), 0)
    expect(b.open(name, options=DIRECTORY, disposition=OPEN).status, smb.OBJECT_NAME_NOT_FOUND)
    expect(good(b.open(name + "-r\\sub\\deep", disposition=OPEN)).status, 0)


def rename_onto_targets(site):
    a, b = site.client("a"), site.client("b")
    one, two = site.name("from"), site.name("to")
    moved = good(a.open(one, access=RWD))
    target = good(b.open(two, access=RW))
    expect(a.rename(moved.handle, two, False), NAME_COLLISION, "no replacement asked for")
    expect(a.rename(moved.handle, two, True), smb.ACCESS_DENIED, "the target is open")
    expect(b.close_file(target.handle), 0)
    folder = site.name("dir")
    expect(good(b.open(folder, options=DIRECTORY, access=READ)).status, 0)
    expect(a.rename(moved.handle, folder, True), {smb.ACCESS_DENIED, NAME_COLLISION}, "the target is a directory")
    expect(a.rename(moved.handle, two, True), 0)
    expect(good(b.open(two, disposition=OPEN)).status, 0)
    expect(b.open(one, disposition=OPEN).status, smb.OBJECT_NAME_NOT_FOUND)
    expect(a.rename(moved.handle, "no-such\\place"), smb.OBJECT_PATH_NOT_FOUND)
    reader = good(b.open(two, access=READ, disposition=OPEN))
    expect(b.rename(reader.handle, one), smb.ACCESS_DENIED, "without DELETE")
    # Somebody who does not share DELETE keeps the file from being opened for it.
    expect(b.open(two, access=READ, disposition=OPEN, share=3).status, SHARING_VIOLATION)


# --- deletion

def delete_on_close_and_pending(site):
    a, b = site.client("a"), site.client("b")
    name = site.name("gone")
    first = good(a.open(name, access=RWD, options=DELETE_ON_CLOSE))
    second = good(b.open(name, access=RWD))
    expect(b.close_file(good(b.open(name, disposition=OPEN)).handle), 0, "not yet pending")
    expect(a.close_file(first.handle), 0)
    for c in (a, b):
        for access in (READ, ATTRIBUTES, DELETE):
            expect(c.open(name, access=access, disposition=OPEN).status, DELETE_PENDING, "access %x" % access)
        expect(c.open(name, disposition=CREATE).status, {DELETE_PENDING, NAME_COLLISION}, "create")
    got = b.request(smb.QUERY_INFO, smb.query_info_body(second.handle, 1, 5))
    expect(struct.unpack_from("<QQIBB", got.body[8:])[3], 1, "DeletePending")
    expect(b.write(second.handle, 0, b"still"), 0)
    expect(b.dispose(second.handle, 0), 0, "another open takes it back")
    expect(good(a.open(name, disposition=OPEN)).status, 0)
    expect(b.dispose(second.handle, 1), 0)
    expect(a.open(name, disposition=OPEN).status, DELETE_PENDING)
    expect(b.dispose(second.handle, 0), 0)
    expect(b.close_file(second.handle), 0)
    expect(good(a.open(name, disposition=OPEN)).status, 0, "still there")
    # Without DELETE; of a read-only file; of a directory with entries.
    name = site.name("gone")
    plain = good(a.open(name, access=RW))
    expect(a.dispose(plain.handle), smb.ACCESS_DENIED)
    expect(a.open(name, access=RW, options=DELETE_ON_CLOSE).status, {smb.ACCESS_DENIED, smb.INVALID_PARAMETER})
    folder = site.name("dir")
    held = good(a.open(folder, options=DIRECTORY, access=READ | DELETE))
    child = good(b.open(folder + "\\x"))
    expect(a.dispose(held.handle), 0xC0000101, "not empty")
    expect(b.close_file(child.handle), 0)
    # The one that is created anew is another file.
    name = site.name("gone")
    first = good(a.open(name, access=RWD))
    expect(a.write(first.handle, 0, b"old"), 0)
    expect(a.dispose(first.handle), 0)
    expect(a.close_file(first.handle), 0)
    made = good(b.open(name, disposition=OPEN_IF))
    expect((made.action, made.size), (2, 0))


def delete_pending_directory(site):
    a, b = site.client("a"), site.client("b")
    name = site.name("dir")
    held = good(a.open(name, options=DIRECTORY, access=READ | DELETE))
    watch = good(b.open(name, options=DIRECTORY, access=READ))
    waiting = b.start_notify(watch.handle)
    expect(b.settled(waiting), smb.PENDING)
    expect(a.dispose(held.handle), 0)
    expect(status_of(b.wait(waiting, 3)), DELETE_PENDING, "the watch of a directory that goes")
    expect(status_of(b.wait(b.start_notify(watch.handle), 3)), DELETE_PENDING, "and a new one")
    expect(a.close_file(held.handle), 0)
    expect(b.close_file(watch.handle), 0)
    expect(b.open(name, options=DIRECTORY, disposition=OPEN).status, smb.OBJECT_NAME_NOT_FOUND)


# --- byte-range locks

def lock_flags(site):
    a, b = site.client("a"), site.client("b")
    name = site.name("lock")
    mine, other = good(a.open(name, access=RW)).handle, good(b.open(name, access=RW)).handle
    for flags in (0, 3, 5, 6, 7, 0x10, 0x13, 0x15, 0x16, 0x14, 0x20, 0x22, 0x80000002):
        expect(a.lock(mine, (0, 1, flags)), smb.INVALID_PARAMETER, "flags %x" % flags)
    body = smb.lock_body(mine, [(0, 1, 2)], count=0)
    expect(a.status(smb.LOCK, body), smb.INVALID_PARAMETER, "no locks")
    expect(a.status(smb.LOCK, smb.lock_body(mine, [(0, 1, 2)], count=3)), smb.INVALID_PARAMETER, "a count past the end")
    # Arrays: blocking ones only alone, locks and unlocks do not mix.
    expect(a.lock(mine, (0, 1, EXCLUSIVE), (2, 1, EXCLUSIVE)), smb.INVALID_PARAMETER, "two that block")
    expect(a.lock(mine, (0, 1, EXCLUSIVE | NOW), (2, 1, EXCLUSIVE)), smb.INVALID_PARAMETER, "one of two blocks")
    expect(a.lock(mine, (0, 1, EXCLUSIVE | NOW), (0, 1, UNLOCK)), smb.INVALID_PARAMETER, "a lock, then an unlock")
    expect(b.lock(other, (0, 1, EXCLUSIVE | NOW)), 0, "nothing of it stays")
    expect(b.lock(other, (0, 1, UNLOCK)), 0)
    expect(a.lock(mine, (0, 1, EXCLUSIVE | NOW)), 0)
    expect(a.lock(mine, (0, 1, UNLOCK), (5, 1, EXCLUSIVE | NOW)), smb.INVALID_PARAMETER, "an unlock, then a lock")
    # A conflict in the middle undoes what was locked before it.
    a.lock(mine, (0, 1, UNLOCK))
    expect(b.lock(other, (20, 5, EXCLUSIVE | NOW)), 0)
    expect(a.lock(mine, (0, 5, EXCLUSIVE | NOW), (10, 5, EXCLUSIVE | NOW), (22, 5, EXCLUSIVE | NOW)),
           smb.LOCK_NOT_GRANTED)
    expect(b.lock(other, (0, 15, EXCLUSIVE | NOW)), 0, "rolled back")
    # An unlock in the middle that fails leaves what was unlocked before it.
    expect(a.lock(mine, (30, 1, EXCLUSIVE | NOW), (31, 1, EXCLUSIVE | NOW)), 0)
    expect(a.lock(mine, (30, 1, UNLOCK), (40, 1, UNLOCK), (31, 1, UNLOCK)), smb.RANGE_NOT_LOCKED)
    expect(b.lock(other, (30, 1, EXCLUSIVE | NOW)), 0, "the first is unlocked")
    expect(b.lock(other, (31, 1, EXCLUSIVE | NOW)), smb.LOCK_NOT_GRANTED, "the third is not")
    expect(a.lock(mine, (31, 2, UNLOCK)), smb.RANGE_NOT_LOCKED, "another length")
    expect(a.lock(mine, (0, 15, UNLOCK)), smb.RANGE_NOT_LOCKED, "somebody else's")
    for c, h in ((a, mine), (b, other)):
        expect(c.close_file(h), 0)
    reader = good(b.open(name, access=READ, disposition=OPEN)).handle
    expect(b.lock(reader, (0, 1, EXCLUSIVE | NOW)), 0, "a reader may lock")
    looker = good(a.open(name, access=ATTRIBUTES, disposition=OPEN)).handle
    expect(a.lock(looker, (50, 1, SHARED | NOW)), smb.ACCESS_DENIED, "who reaches no data may not")
    folder = good(a.open(site.name("dir"), options=DIRECTORY, access=READ)).handle
    expect(a.lock(folder, (0, 1, SHARED | NOW)), {smb.INVALID_PARAMETER, smb.INVALID_DEVICE_REQUEST}, "a directory")


def lock_ranges(site):
    a, b = site.client("a"), site.client("b")
    name = site.name("lock")
    mine, other = good(a.open(name, access=RW)).handle, good(b.open(name, access=RW)).handle
    top = 2**64 - 1
    x = EXCLUSIVE | NOW
    for offset, length in ((top, 2), (1, top + 0), (2**63, 2**63 + 1), (top, top)):
        wanted = 0 if offset + length <= 2**64 else smb.INVALID_LOCK_RANGE
        expect(a.lock(mine, (offset, length, x)), wanted, "%x + %x" % (offset, length))
        if wanted == 0:
            expect(b.lock(other, (offset, 1, x)), smb.LOCK_NOT_GRANTED)
            expect(a.lock(mine, (offset, length, UNLOCK)), 0)
    expect(a.lock(mine, (top, 1, x)), 0, "the last byte")
    expect(b.lock(other, (top, 1, x)), smb.LOCK_NOT_GRANTED)
    expect(b.lock(other, (0, top, x)), 0, "all before it")
    expect(a.lock(mine, (top, 1, UNLOCK)), 0)
    expect(b.lock(other, (0, top, UNLOCK)), 0)
    # Zero-length locks: between bytes; they conflict where they lie inside a range.
    expect(a.lock(mine, (10, 10, x)), 0)
    expect(b.lock(other, (10, 0, x)), 0, "at the beginning")
    expect(b.lock(other, (20, 0, x)), 0, "at the end")
    expect(b.lock(other, (15, 0, x)), smb.LOCK_NOT_GRANTED, "inside")
    expect(b.lock(other, (15, 0, SHARED | NOW)), smb.LOCK_NOT_GRANTED, "inside, shared")
    expect(b.lock(other, (10, 0, UNLOCK)), 0)
    expect(b.lock(other, (10, 0, UNLOCK)), smb.RANGE_NOT_LOCKED)
    expect(b.lock(other, (0, 0, x)), 0, "at 0")
    expect(b.lock(other, (top, 0, x)), 0, "at the top")
    expect(a.lock(mine, (10, 10, UNLOCK)), 0)
    expect(a.lock(mine, (15, 10, x)), smb.LOCK_NOT_GRANTED, "over another's zero-length lock")
    expect(a.lock(mine, (20, 5, x)), 0, "beginning at it")
    # Shared beside shared; the same owner's exclusive over its shared is refused.
    expect(a.lock(mine, (100, 10, SHARED | NOW)), 0)
    expect(b.lock(other, (105, 10, SHARED | NOW)), 0)
    expect(a.lock(mine, (100, 10, x)), smb.LOCK_NOT_GRANTED)
    expect(a.lock(mine, (100, 10, SHARED | NOW)), 0, "stacked")
    expect(a.lock(mine, (100, 10, UNLOCK)), 0)
    expect(a.lock(mine, (100, 10, UNLOCK)), 0)
    expect(a.lock(mine, (100, 10, UNLOCK)), smb.RANGE_NOT_LOCKED)


def lock_waits(site):
    a, b = site.client("a"), site.client("b")
    name = site.name("lock")
    mine, other = good(a.open(name, access=RW)).handle, good(b.open(name, access=RW)).handle
    expect(a.lock(mine, (0, 10, EXCLUSIVE)), 0, "a blocking one that need not")
    waiting = b.start_lock(other, (5, 10, EXCLUSIVE))
    expect(b.settled(waiting), smb.PENDING)
    expect(a.lock(mine, (0, 10, UNLOCK)), 0)
    expect(status_of(b.wait(waiting, 3)), 0, "woken by the unlock")
    expect(a.write(mine, 5, b"x"), FILE_LOCK_CONFLICT)
    waiting = a.start_lock(mine, (0, 10, SHARED))
    expect(a.settled(waiting), smb.PENDING)
    a.cancel(waiting)
    expect(status_of(a.wait(waiting, 3)), smb.CANCELLED)
    expect(b.lock(other, (5, 10, UNLOCK)), 0)
    expect(b.lock(other, (0, 10, EXCLUSIVE | NOW)), 0, "the cancelled one got nothing")
    # A close of the waiter's handle; of the holder's.
    second = good(a.open(name, access=RW)).handle
    waiting = a.start_lock(second, (0, 1, EXCLUSIVE))
    expect(a.settled(waiting), smb.PENDING)
    expect(a.close_file(second), 0)
    expect(status_of(a.wait(waiting, 3)), smb.RANGE_NOT_LOCKED, "its open is closed")
    waiting = a.start_lock(mine, (0, 1, EXCLUSIVE))
    expect(a.settled(waiting), smb.PENDING)
    expect(b.close_file(other), 0)
    expect(status_of(a.wait(waiting, 3)), 0, "woken by the close")
    # The holder's connection goes.
    third = site.client("b")
    handle = good(third.open(name, access=RW)).handle
    expect(third.lock(handle, (50, 1, EXCLUSIVE | NOW)), 0)
    waiting = a.start_lock(mine, (50, 1, EXCLUSIVE))
    expect(a.settled(waiting), smb.PENDING)
    reset(third)
    expect(status_of(a.wait(waiting, 5)), 0, "woken by the lost connection")
    # Tree disconnect and logoff end waiting locks.
    for end, wanted in ((smb.TREE_DISCONNECT, {smb.RANGE_NOT_LOCKED}), (smb.LOGOFF, {smb.RANGE_NOT_LOCKED})):
        waiter = site.client("b")
        handle = good(waiter.open(name, access=RW)).handle
        waiting = waiter.start_lock(handle, (50, 1, EXCLUSIVE))
        expect(waiter.settled(waiting), smb.PENDING)
        expect(waiter.status(end, struct.pack("<HH", 4, 0)), 0)
        expect(status_of(waiter.wait(waiting, 3)), wanted, "command %d" % end)


def locks_against_io(site):
    a, b = site.client("a"), site.client("b")
    name = site.name("lock")
    mine, other = good(a.open(name, access=RW)).handle, good(b.open(name, access=RW)).handle
    expect(a.write(mine, 0, b"0123456789" * 10), 0)
    twin = good(a.open(name, access=RW)).handle
    expect(a.lock(mine, (10, 10, EXCLUSIVE | NOW)), 0)
    for c, h in ((b, other), (a, twin)):
        expect(c.read(h, 0, 11)[0], FILE_LOCK_CONFLICT)
        expect(c.read(h, 19, 1)[0], FILE_LOCK_CONFLICT)
        expect(c.read(h, 0, 10)[0], 0)
        expect(c.write(h, 19, b"xx"), FILE_LOCK_CONFLICT)
        expect(c.write(h, 20, b"xx"), 0)
        expect(c.write(h, 15, b""), {0, smb.INVALID_PARAMETER})
        expect(c.ioctl(h, 0x980C8, struct.pack("<QQ", 12, 14))[0], FILE_LOCK_CONFLICT, "zero data")
        expect(c.ioctl(h, 0x980C8, struct.pack("<QQ", 20, 22))[0], 0, "zero data beside it")
    expect(a.read(mine, 10, 10)[0], 0)
    expect(a.write(mine, 10, b"x"), 0)
    # Copychunk: source and target.
    target = good(b.open(site.name("copy"), access=RW)).handle
    status, got = b.ioctl(other, 0x140078)
    expect(status, 0, "resume key")
    token = got.body[48:72]
    chunk = token + struct.pack("<II", 1, 0) + struct.pack("<QQII", 5, 0, 10, 0)
    expect(b.ioctl(target, 0x1440F2, chunk)[0], FILE_LOCK_CONFLICT, "copy from locked")
    chunk = token + struct.pack("<II", 1, 0) + struct.pack("<QQII", 30, 15, 3, 0)
    expect(b.ioctl(other, 0x1440F2, chunk)[0], FILE_LOCK_CONFLICT, "copy onto locked")
    # A shared lock of others: read yes, write no, also for its holder.
    expect(a.lock(mine, (10, 10, UNLOCK)), 0)
    expect(a.lock(mine, (10, 10, SHARED | NOW)), 0)
    expect(b.read(other, 10, 10)[0], 0)
    expect(b.write(other, 10, b"x"), FILE_LOCK_CONFLICT)
    expect(a.write(mine, 10, b"x"), FILE_LOCK_CONFLICT, "one's own shared lock")
    # Truncation asks no locks ([MS-FSA] 2.1.5.15.4).
    expect(b.set_size(other, 5), {0, 0xC0000243})
    expect(a.lock(mine, (10, 10, UNLOCK)), 0)


def lock_sequences(site):
    """[MS-SMB2] 3.3.5.14: remembered for every open of 3.x, replayed, index 0 and past 64 are none."""
    for dialect in (0x0210, 0x0302, 0x0311):
        a, b = site.client("a", dialect=dialect), site.client("b", dialect=dialect)
        name = site.name("seq")
        asks = [] if dialect < 0x300 else [request_v2(os.urandom(16))]
        mine = good(a.open(name, access=RW, oplock=9, asks=asks or [(b"DHnQ", bytes(16))])).handle
        if dialect < 0x300:
            expect(a.ioctl(mine, 0x1401D4, struct.pack("<II", 5000, 0))[0], 0, "resilient")
        x = (0, 1, EXCLUSIVE | NOW)
        sequence = (1 << 4) | 3
        expect(a.lock(mine, x, sequence=sequence), 0)
        expect(a.lock(mine, x, sequence=sequence), 0, "replayed: success without a lock")
        expect(a.lock(mine, (0, 1, UNLOCK), sequence=(1 << 4) | 4), 0)
        expect(a.lock(mine, (0, 1, UNLOCK), sequence=(1 << 4) | 4), 0, "replayed unlock")
        expect(a.lock(mine, (0, 1, UNLOCK), sequence=(1 << 4) | 5), smb.RANGE_NOT_LOCKED, "a new one")
        expect(a.lock(mine, (0, 1, UNLOCK), sequence=(1 << 4) | 5), smb.RANGE_NOT_LOCKED, "failures are not remembered")
        for index in (64,):
            expect(a.lock(mine, (9, 1, EXCLUSIVE | NOW), sequence=(index << 4) | 3), 0)
            expect(a.lock(mine, (9, 1, EXCLUSIVE | NOW), sequence=(index << 4) | 3), 0, "index 64")
        for index in (0, 65, 0xFFFFFFF):
            expect(a.lock(mine, (20, 1, EXCLUSIVE | NOW), sequence=(index << 4) | 3), 0, "index %d" % index)
            expect(a.lock(mine, (20, 1, EXCLUSIVE | NOW), sequence=(index << 4) | 3), smb.LOCK_NOT_GRANTED,
                   "index %d is no index" % index)
            expect(a.lock(mine, (20, 1, UNLOCK)), 0)
        expect(a.close_file(mine), 0)
        b.close()


# --- change notification

def notify_filters(site):
    """What each completion filter hears of, one watch each."""
    a, b = site.client("a"), site.client("b")
    name = site.name("watch")
    good(a.open(name, options=DIRECTORY, access=READ))
    FILES, DIRS, ATTR, SIZE, LASTWRITE, CREATION, EA, SECURITY = 1, 2, 4, 8, 0x10, 0x40, 0x80, 0x100

    def watch(filter_):
        handle = good(a.open(name, options=DIRECTORY, access=READ)).handle
        return handle, a.start_notify(handle, filter_)

    def check(what, act, hears):
        filters = (FILES, DIRS, ATTR, SIZE, LASTWRITE, CREATION, EA, SECURITY, 0x200, 0x400, 0x800)
        watches = {f: watch(f) for f in filters}
        for _, mid in watches.values():
            expect(a.settled(mid), smb.PENDING)
        time.sleep(0.15)
        act()
        heard = set()
        time.sleep(0.25)
        a.pump(0.1)
        for f, (handle, mid) in watches.items():
            if mid in a.answers:
                expect(status_of(a.wait(mid)), 0, what)
                heard.add(f)
            a.close_file(handle)
            if mid not in a.answers and f not in heard:
                expect(status_of(a.wait(mid, 3)), NOTIFY_CLEANUP, "close of the directory")
        if not (hears[0] <= heard <= hears[0] | hears[1]):
            raise AssertionError("%s: heard by %s, expected %s (perhaps %s)" % (
                what, sorted(map(hex, heard)), sorted(map(hex, hears[0])), sorted(map(hex, hears[1]))))

    child = name + "\\f"

    def create():
        b.close_file(good(b.open(child, disposition=CREATE)).handle)

    def mkdir():
        b.close_file(good(b.open(name + "\\d", disposition=CREATE, options=DIRECTORY, access=READ)).handle)

    def attributes():
        h = good(b.open(child, access=0x100 | 0x80, disposition=OPEN)).handle
        expect(b.set_info(h, 4, struct.pack("<QQQQII", 0, 0, 0, 0, 2, 0)), 0)
        b.close_file(h)

    def times():
        h = good(b.open(child, access=0x100 | 0x80, disposition=OPEN)).handle
        expect(b.set_info(h, 4, struct.pack("<QQQQII", 132000000000000000, 0, 132000000000000000, 0, 0, 0)), 0)
        b.close_file(h)

    def write():
        h = good(b.open(child, disposition=OPEN)).handle
        expect(b.write(h, 0, b"data"), 0)
        b.close_file(h)

    def size():
        h = good(b.open(child, disposition=OPEN)).handle
        expect(b.set_size(h, 1000), 0)
        b.close_file(h)

    def security():
        h = good(b.open(child, access=0x60000 | 0x80, disposition=OPEN)).handle
        got = b.request(smb.QUERY_INFO, smb.query_info_body(h, 3, 0, additional=4))
        expect(b.status(smb.SET_INFO, smb.set_info_body(h, 3, 0, got.body[8:], additional=4)), 0)
        b.close_file(h)

    def rename():
        h = good(b.open(child, access=DELETE | 0x80, disposition=OPEN)).handle
        expect(b.rename(h, child + "2"), 0)
        b.close_file(h)

    def delete():
        h = good(b.open(child + "2", access=DELETE, disposition=OPEN, options=DELETE_ON_CLOSE)).handle
        b.close_file(h)

    def rmdir():
        h = good(b.open(name + "\\d", access=DELETE, disposition=OPEN, options=DELETE_ON_CLOSE | DIRECTORY)).handle
        b.close_file(h)

    check("create", create, ({FILES}, set()))
    check("mkdir", mkdir, ({DIRS}, set()))
    check("attributes", attributes, ({ATTR}, set()))
    check("times", times, ({LASTWRITE, CREATION}, {ATTR}))
    check("write", write, ({SIZE, LASTWRITE}, {ATTR}))
    check("size", size, ({SIZE}, {LASTWRITE, ATTR}))
    check("security", security, ({SECURITY}, {ATTR}))
    check("rename", rename, ({FILES}, {ATTR, CREATION}))
    check("delete", delete, ({FILES}, set()))
    check("rmdir", rmdir, ({DIRS}, set()))


def notify_content(site):
    a, b = site.client("a"), site.client("b")
    name = site.name("watch")
    handle = good(a.open(name, options=DIRECTORY, access=READ)).handle
    deep = good(b.open(name + "\\sub", options=DIRECTORY, access=READ)).handle

    def wait_for(tree, act):
        mid = a.start_notify(handle, 0xFFF, tree)
        expect(a.settled(mid), smb.PENDING)
        time.sleep(0.1)
        act()
        return mid

    mid = wait_for(True, lambda: b.close_file(good(b.open(name + "\\sub\\x", disposition=CREATE)).handle))
    got = a.wait(mid, 3)
    expect(status_of(got), 0)
    expect(notified(got)[0], (1, "sub\\x"), "a tree watch")
    # What happens between two requests is kept.
    time.sleep(0.1)
    h = good(b.open(name + "\\sub\\x", access=DELETE | 0x80)).handle
    expect(b.rename(h, name + "\\sub\\y"), 0)
    expect(b.rename(h, name + "\\z"), 0)
    expect(b.close_file(h), 0)
    time.sleep(0.2)
    found = []
    for _ in range(4):
        mid = a.start_notify(handle, 0xFFF, True)
        if a.settled(mid, 1) != 0:
            a.cancel(mid)
            expect(status_of(a.wait(mid, 3)), smb.CANCELLED)
            break
        found += notified(a.wait(mid))
    names = [x for x in found if x[0] != 3]
    expect(tuple(names[:2]), ((4, "sub\\x"), (5, "sub\\y")), "old and new name")
    expect(set(names[2:]) >= {(2, "sub\\y"), (1, "z")} or set(names[2:]) >= {(4, "sub\\y"), (5, "z")}, True,
           "moved: %r" % names)
    expect(b.close_file(deep), 0)


def notify_sizes(site):
    a, b = site.client("a"), site.client("b")
    name = site.name("watch")
    good(a.open(name, options=DIRECTORY, access=READ))
    for size in (0, 1, 12, 40):
        handle = good(a.open(name, options=DIRECTORY, access=READ)).handle
        mid = a.start_notify(handle, 0xFFF, output=size)
        expect(a.settled(mid), smb.PENDING)
        time.sleep(0.1)
        long_name = name + "\\" + "n" * 100 + str(size)
        b.close_file(good(b.open(long_name)).handle)
        got = a.wait(mid, 3)
        expect(status_of(got), NOTIFY_ENUM_DIR, "a buffer of %d bytes" % size)
        a.close_file(handle)
    handle = good(a.open(name, options=DIRECTORY, access=READ)).handle
    for size in (8 << 20, (8 << 20) + 1, 0xFFFFFFFF):
        got = a.settled(a.start_notify(handle, 0xFFF, output=size), 3)
        expect(got, smb.PENDING if size <= 8 << 20 else smb.INVALID_PARAMETER, "a buffer of %d bytes" % size)
    # More changes than a buffer holds, between two requests.
    handle = good(a.open(name, options=DIRECTORY, access=READ)).handle
    mid = a.start_notify(handle, 0xFFF, output=200)
    expect(a.settled(mid), smb.PENDING)
    time.sleep(0.1)
    for i in range(50):
        b.close_file(good(b.open("%s\\many-of-them-%d" % (name, i))).handle)
    got = a.wait(mid, 3)
    expect(status_of(got), {0, NOTIFY_ENUM_DIR})
    time.sleep(0.3)
    got = a.wait(a.start_notify(handle, 0xFFF, output=200), 3)
    expect(status_of(got), NOTIFY_ENUM_DIR, "more than fits")
    file = good(a.open(site.name("file"))).handle
    expect(a.settled(a.start_notify(file), 2), smb.INVALID_PARAMETER, "a file")
    blind = good(a.open(name, options=DIRECTORY, access=ATTRIBUTES)).handle
    expect(a.settled(a.start_notify(blind), 2), smb.ACCESS_DENIED, "without FILE_LIST_DIRECTORY")


def notify_ends(site):
    name = site.name("watch")
    for how in ("close", "tree", "logoff", "cancel"):
        a = site.client("a")
        handle = good(a.open(name, options=DIRECTORY, access=READ)).handle
        mid = a.start_notify(handle)
        expect(a.settled(mid), smb.PENDING)
        if how == "cancel":
            a.cancel(mid)
            expect(status_of(a.wait(mid, 3)), smb.CANCELLED)
            a.cancel(mid)
            expect(a.echo(), 0)
            continue
        if how == "close":
            expect(a.close_file(handle), 0)
        else:
            expect(a.status(smb.TREE_DISCONNECT if how == "tree" else smb.LOGOFF, struct.pack("<HH", 4, 0)), 0)
        expect(status_of(a.wait(mid, 3)), NOTIFY_CLEANUP, how)


# --- durable handles

def durable(client, name, version=2, lease=None, guid=None, flags=0, timeout_ms=0, **how):
    """A durable open: (Opened, guid, lease key)."""
    guid = guid or os.urandom(16)
    asks = [request_v2(guid, flags, timeout_ms)] if version == 2 else [(b"DHnQ", bytes(16))]
    if lease:
        asks.append(lease_context(lease, RWH, version=2 if client.dialect >= 0x300 else 1))
    opened = good(client.open(name, oplock=0 if lease else 9, asks=asks, **how))
    tag = b"DH2Q" if version == 2 else b"DHnQ"
    if tag not in opened.contexts:
        raise AssertionError("not durable: %r" % (opened,))
    return opened, guid


def back(client, name, handle, guid=None, lease=None, flags=0, extra=(), lease_version=2, oplock=None, **how):
    asks = [reconnect_v2(handle, guid, flags)] if guid else [(b"DHnC", handle)]
    if lease:
        asks.append(lease_context(lease, RWH, version=lease_version))
    asks += list(extra)
    return client.open(name, oplock=(0 if lease else 9) if oplock is None else oplock, disposition=OPEN, asks=asks,
                       **how)


def patiently(attempt, wanted=0, seconds=6):
    """The first node may not have heard of the loss yet."""
    end = time.monotonic() + seconds
    while True:
        got = attempt()
        if got.status == wanted or time.monotonic() > end:
            return got
        time.sleep(0.05)


def durable_refusals(site):
    guid = os.urandom(16)
    NOT_FOUND = smb.OBJECT_NAME_NOT_FOUND
    for leased in (True, False):
        for version in (1, 2):
            a = site.client("a", guid=guid)
            name = site.name("durable")
            key = key_of() if leased else None
            held, create_guid = durable(a, name, version, key)
            g = create_guid if version == 2 else None
            c = site.client("b", guid=guid)
            what = "leased %s v%d" % (leased, version)
            expect(back(c, name, held.handle, g, key).status, NOT_FOUND, what + ": still connected")
            expect(a.write(held.handle, 0, b"x"), 0, what + ": and it works on")
            reset(a)
            time.sleep(0.2)
            stranger = site.client("b")
            if leased:
                expect(back(stranger, name, held.handle, g, key).status, NOT_FOUND, what + ": another client")
                expect(back(c, name, held.handle, g, key_of()).status, NOT_FOUND, what + ": another key")
                expect(back(c, name, held.handle, g, None).status, NOT_FOUND, what + ": no lease context")
                expect(back(c, name, held.handle, g, key, lease_version=1).status, NOT_FOUND, what + ": lease version 1")
                expect(back(c, site.name(), held.handle, g, key).status, smb.INVALID_PARAMETER, what + ": another name")
            else:
                expect(back(c, name, held.handle, g, key_of()).status, NOT_FOUND, what + ": a lease context")
            wrong = struct.pack("<Q", 0x1234567812345678) + held.handle[8:]
            expect(back(c, name, wrong, g, key).status, NOT_FOUND, what + ": another FileId")
            if version == 2:
                expect(back(c, name, held.handle, os.urandom(16), key).status, NOT_FOUND, what + ": another CreateGuid")
            other = site.client("b", guid=guid, user="tester2")
            expect(back(other, name, held.handle, g, key).status, smb.ACCESS_DENIED, what + ": another user")
            if site.ca:
                elsewhere = site.client("b", guid=guid, share=site.ca)
                expect(back(elsewhere, name, held.handle, g, key).status, NOT_FOUND, what + ": another share")
            DHNQ, DHNC = (b"DHnQ", bytes(16)), (b"DHnC", held.handle)
            DH2Q, DH2C = request_v2(os.urandom(16)), reconnect_v2(held.handle, create_guid)
            clash = [DH2Q, DH2C] if version == 1 else [DHNQ, DHNC, DH2Q]
            for extra in clash:
                expect(back(c, name, held.handle, g, key, extra=[extra]).status, smb.INVALID_PARAMETER,
                       what + ": beside %s" % extra[0])
            again = patiently(lambda: back(c, name, held.handle, g, key,
                                           extra=[DHNQ] if version == 1 else []))
            good(again, what + ": its owner")
            expect(again.handle[:8], held.handle[:8], what)
            expect(again.oplock, 0xFF if leased else 9, what)
            if leased:
                expect(again.lease[:2], (RWH, 0), what)
            expect(c.write(again.handle, 0, b"y"), 0, what)
            expect(back(c, name, again.handle, g, key).status, NOT_FOUND, what + ": twice")
            expect(c.close_file(again.handle), 0, what)
            expect(back(c, name, held.handle, g, key).status, NOT_FOUND, what + ": closed")
    a = site.client("a")
    for extra in ((b"DHnC", bytes(16)), (b"DH2C", bytes(36)), (b"DHnQ", bytes(16))):
        expect(a.open(site.name(), oplock=9, asks=[request_v2(os.urandom(16)), extra]).status, smb.INVALID_PARAMETER,
               "DH2Q beside %s" % extra[0])
    expect(a.open(site.name(), oplock=9, asks=[(b"DH2C", bytes(36)), (b"DHnQ", bytes(16))]).status, smb.INVALID_PARAMETER)
    for tag, sizes in ((b"DHnQ", (0, 15)), (b"DHnC", (0, 15)), (b"DH2Q", (0, 31)), (b"DH2C", (0, 35))):
        for size in sizes:
            expect(a.open(site.name(), oplock=9, asks=[(tag, bytes(size))]).status, smb.INVALID_PARAMETER,
                   "%s of %d bytes" % (tag, size))


def durable_grants(site):
    a = site.client("a")
    for version in (1, 2):
        tag = b"DH2Q" if version == 2 else b"DHnQ"
        for oplock, lease, wanted in ((9, None, True), (8, None, False), (1, None, False), (0, None, False),
                                      (0xFF, RWH, True), (0xFF, R | H, True), (0xFF, R | W, False), (0xFF, R, False)):
            asks = [request_v2(os.urandom(16)) if version == 2 else (tag, bytes(16))]
            if lease:
                asks.append(lease_context(key_of(), lease))
            got = good(a.open(site.name("durable"), oplock=oplock, asks=asks))
            expect(tag in got.contexts, wanted, "v%d oplock %x lease %s" % (version, oplock, lease))
            a.close_file(got.handle)
        got = good(a.open(site.name("dir"), options=DIRECTORY, access=READ, oplock=0xFF,
                          asks=[request_v2(os.urandom(16)) if version == 2 else (tag, bytes(16)),
                                lease_context(key_of(), RWH)]))
        expect(tag in got.contexts, False, "a directory")
    for asked, given in ((0, None), (5000, 5000), (0xFFFFFFFF, 300000)):
        got, _ = durable(a, site.name("durable"), timeout_ms=asked)
        timeout, flags = struct.unpack("<II", got.contexts[b"DH2Q"])
        if given is not None:
            expect((timeout, flags), (given, 0), "timeout %d" % asked)
        a.close_file(got.handle)
    # PERSISTENT on a share that is not continuously available: an ordinary durable handle.
    got = good(a.open(site.name("durable"), oplock=9, asks=[request_v2(os.urandom(16), PERSISTENT)]))
    expect(struct.unpack("<II", got.contexts[b"DH2Q"])[1], 0, "not persistent")


def durable_ends(site):
    """What takes a durable handle from a client that is away."""
    guid = os.urandom(16)
    for what in ("open", "timeout", "tree"):
        a, b = site.client("a", guid=guid), site.client("b")
        name, key = site.name("durable"), key_of()
        held, create_guid = durable(a, name, 2, key, timeout_ms=1000 if what == "timeout" else 0)
        if what == "tree":
            expect(a.status(smb.TREE_DISCONNECT, struct.pack("<HH", 4, 0)), 0)
        reset(a)
        time.sleep(0.2)
        if what == "open":
            expect(b.open(name, access=RW, share=0, disposition=OPEN).status, 0, "who comes gets it at once")
        if what == "timeout":
            expect(patiently(lambda: b.open(name, access=ATTRIBUTES, disposition=OPEN)).status, 0)
            time.sleep(1.5)
        c = site.client("b", guid=guid)
        expect(back(c, name, held.handle, create_guid, key).status, smb.OBJECT_NAME_NOT_FOUND, what)
        if what == "timeout":
            expect(b.open(name, access=RW, share=0, disposition=OPEN).status, 0, "nothing of it is left")


def durable_session_reconnect(site):
    """PreviousSessionId through the other end: the former session ends, its durable opens come along."""
    guid = os.urandom(16)
    a = site.client("a", guid=guid)
    name, plain, key = site.name("durable"), site.name("plain"), key_of()
    held, create_guid = durable(a, name, 2, key)
    good(a.open(plain, share=0))
    former = a.session
    stranger = site.client("b", user="tester2", previous=former)
    expect(a.write(held.handle, 0, b"x"), 0, "another user's PreviousSessionId ends nothing")
    stranger.close()
    b = site.client("b", guid=guid, previous=former)
    again = patiently(lambda: back(b, name, held.handle, create_guid, key))
    good(again)
    expect(patiently(lambda: b.open(plain, share=0, disposition=OPEN)).status, 0, "its plain opens are gone")
    expect(a.request(smb.ECHO, struct.pack("<HH", 4, 0)) in (smb.CLOSED,) or
           a.write(held.handle, 0, b"x") in (smb.USER_SESSION_DELETED, smb.FILE_CLOSED, smb.CLOSED), True,
           "the former session is gone")


# --- replay

def create_replay(site):
    guid = os.urandom(16)
    a = site.client("a", guid=guid)
    name, create_guid, key = site.name("replay"), os.urandom(16), key_of()

    def ask(c, name=name, flags=REPLAY, key=key, create_guid=create_guid, **how):
        return c.open(name, asks=[request_v2(create_guid), lease_context(key, RWH)], flags=flags, **how)

    first = good(ask(a))
    expect(first.action, 2)
    again = good(ask(a), "replayed")
    expect((again.handle, again.action, again.lease), (first.handle, 2, first.lease), "the same answer")
    expect(ask(a, flags=0).status, DUPLICATE_OBJECTID, "the guid again, no replay")
    expect(ask(a, key=key_of()).status, smb.ACCESS_DENIED, "another lease key")
    expect(ask(a, name=site.name()).status, {smb.INVALID_PARAMETER, smb.ACCESS_DENIED}, "another name")
    expect(a.open(name, oplock=9, asks=[request_v2(create_guid)], flags=REPLAY).status, smb.ACCESS_DENIED, "no lease")
    b = site.client("b", guid=guid)
    expect(ask(b, key=key).status, DUPLICATE_OBJECTID, "another session of this client")
    stranger = site.client("b")
    got = stranger.open(site.name(), oplock=9, asks=[request_v2(create_guid)], flags=REPLAY)
    expect(got.status, 0, "another client's guid is its own")
    # Used, it is not replayed any more.
    expect(a.write(first.handle, 0, b"x"), 0)
    expect(ask(a).status, {0, smb.INVALID_PARAMETER, SHARING_VIOLATION}, "a new open by now")


def channel_sequences(site):
    a = site.client("a")
    name = site.name("sequence")
    held, _ = durable(a, name)
    STALE = FILE_NOT_AVAILABLE
    expect(a.write(held.handle, 0, b"0", sequence=0), 0)
    expect(a.write(held.handle, 0, b"1", sequence=1), 0)
    expect(a.write(held.handle, 0, b"0", sequence=0), STALE, "a write of the former channel")
    expect(a.read(held.handle, 0, 1, sequence=0), (0, b"1"), "a read is no harm")
    expect(a.status(smb.SET_INFO, smb.set_info_body(held.handle, 1, 20, struct.pack("<Q", 5)), sequence=0), STALE)
    expect(a.status(smb.IOCTL, smb.ioctl_body(held.handle, 0x980C8, struct.pack("<QQ", 0, 1)), sequence=0), STALE)
    expect(a.write(held.handle, 0, b"2", sequence=0x8000), 0, "0x7fff ahead is newer")
    expect(a.write(held.handle, 0, b"1", sequence=1), STALE)
    expect(a.write(held.handle, 0, b"3", sequence=0x8001), 0)
    expect(a.write(held.handle, 0, b"4", sequence=0xFFFF), 0)
    expect(a.write(held.handle, 0, b"5", sequence=2), 0, "wraps around")
    expect(a.write(held.handle, 0, b"4", sequence=0xFFFF), STALE)
    expect(a.write(held.handle, 0, b"6", sequence=2, flags=REPLAY), 0, "replayed")


# --- application instances

def app_instances(site):
    instance = os.urandom(16)

    def context_of(which=instance, version=None):
        asks = [(b"\x45\xBC\xA6\x6A\xEF\xA7\xF7\x4A\x90\x08\xFA\x46\x2E\x14\x4D\x74",
                 struct.pack("<HH", 20, 0) + which)]
        if version:
            asks.append((b"\xB9\x82\xD0\xB7\x3B\x56\x07\x4F\xA0\x7B\x52\x4A\x81\x16\xA0\x10",
                         struct.pack("<HHIQQ", 24, 0, 0, *version)))
        return asks

    def ask(c, name, which=instance, version=None, **how):
        asks = [request_v2(os.urandom(16))] + context_of(which, version)
        return c.open(name, oplock=9, share=0, asks=[(t, d) for t, d in asks], **how)

    for dialect in (0x0302, 0x0311):
        a, b = site.client("a", dialect=dialect), site.client("b", dialect=dialect)
        name = site.name("app")
        first = good(ask(a, name))
        # A connected one waits for its break; the same client's other open too.
        got = ask(b, name)
        expect(got.status, 0, "the instance moves to another client, dialect %x" % dialect)
        expect(a.write(first.handle, 0, b"x"), smb.FILE_CLOSED, "the former one's open is closed")
        other = b"\1" * 16
        waiting = a.start_open(name, oplock=9, share=0, asks=[request_v2(os.urandom(16))] + context_of(other))
        expect(b.next_break().kind, "oplock", "another instance is anybody else")
        expect(b.acknowledge_oplock(got.handle, 1)[0], 0)
        expect(a.opened(waiting).status, SHARING_VIOLATION)
        expect(b.close_file(got.handle), 0)
    name = site.name("app")
    a, b, c = (site.client(end, dialect=0x0311) for end in "aba")
    first = good(ask(a, name, version=(1, 5)))
    expect(ask(b, name, version=(1, 5)).status, FILE_FORCED_CLOSED, "the same version")
    expect(ask(b, name, version=(1, 4)).status, FILE_FORCED_CLOSED, "a lower one")
    expect(ask(b, name, version=(0, 9)).status, FILE_FORCED_CLOSED, "a lower high part")
    expect(a.write(first.handle, 0, b"x"), 0, "it goes on")
    second = good(ask(b, name, version=(1, 6)))
    expect(a.write(first.handle, 0, b"x"), smb.FILE_CLOSED)
    good(ask(c, name, version=(2, 0)))
    expect(b.write(second.handle, 0, b"x"), smb.FILE_CLOSED)


# --- resilient handles

def resilient_handles(site):
    guid = os.urandom(16)
    for dialect in (0x0210, 0x0302):
        a, b = site.client("a", guid=guid, dialect=dialect), site.client("b")
        name = site.name("resilient")
        held = good(a.open(name, access=RW))
        LMR = 0x1401D4
        for data, wanted in ((struct.pack("<I", 1000), smb.INVALID_PARAMETER), (b"", smb.INVALID_PARAMETER),
                             (struct.pack("<II", 0xFFFFFFFF, 0), smb.INVALID_PARAMETER),
                             (struct.pack("<II", 301000, 0), smb.INVALID_PARAMETER),
                             (struct.pack("<II", 1500, 0), 0)):
            expect(a.ioctl(held.handle, LMR, data)[0], wanted, "dialect %x, %r" % (dialect, data))
        expect(a.lock(held.handle, (0, 1, EXCLUSIVE | NOW)), 0)
        reset(a)
        time.sleep(0.3)
        other = good(b.open(name, access=RW, disposition=OPEN))
        expect(b.write(other.handle, 0, b"x"), FILE_LOCK_CONFLICT, "its lock stays")
        c = site.client("b", guid=guid, dialect=dialect)
        again = good(patiently(lambda: back(c, name, held.handle, None, None, oplock=0)), "reclaimed")
        expect(c.write(again.handle, 0, b"y"), 0)
        reset(c)
        time.sleep(2.5)
        expect(b.write(other.handle, 0, b"x"), 0, "its time is over")
        d = site.client("b", guid=guid, dialect=dialect)
        expect(back(d, name, held.handle, None, None, oplock=0).status, smb.OBJECT_NAME_NOT_FOUND)
    a = site.client("a", dialect=0x0202)
    held = good(a.open(site.name("resilient"), access=RW))
    expect(a.ioctl(held.handle, 0x1401D4, struct.pack("<II", 1000, 0))[0],
           {smb.INVALID_DEVICE_REQUEST, smb.NOT_SUPPORTED}, "SMB 2.0.2")


# --- persistent handles

def persistent_handles(site):
    guid = os.urandom(16)
    NOT_FOUND = smb.OBJECT_NAME_NOT_FOUND
    for leased in (False, True):
        a, b = site.client("a", guid=guid, share=site.ca), site.client("b", share=site.ca)
        name = site.name("persistent")
        key = key_of() if leased else None
        create_guid = os.urandom(16)
        asks = [request_v2(create_guid, PERSISTENT, 20000)] + ([lease_context(key, RWH)] if leased else [])
        held = good(a.open(name, access=RWD, oplock=0xFF if leased else 0, asks=asks))
        expect(struct.unpack("<II", held.contexts[b"DH2Q"]), (20000, PERSISTENT), "granted, oplock or not")
        expect(a.lock(held.handle, (0, 1, EXCLUSIVE | NOW)), 0)
        reset(a)
        time.sleep(0.3)
        end = time.monotonic() + 5
        while True:
            got = b.open(name, disposition=OPEN).status
            if got == FILE_NOT_AVAILABLE or time.monotonic() > end:
                break
        expect(got, FILE_NOT_AVAILABLE, "nobody else while its client is away")
        low = site.client("b", share=site.ca, dialect=0x0210)
        mid = low.start_open(name, access=ATTRIBUTES, disposition=OPEN)
        expect(low.settled(mid), {0, smb.PENDING, FILE_NOT_AVAILABLE})
        low.close()
        c = site.client("b", guid=guid, share=site.ca)
        oplock = 0xFF if leased else 0
        expect(back(c, name, held.handle, create_guid, key, oplock=oplock).status, NOT_FOUND, "without the flag")
        plain = site.client("b", guid=guid)
        expect(back(plain, name, held.handle, create_guid, key, PERSISTENT, oplock=oplock).status, NOT_FOUND,
               "through another share")
        expect(back(c, name, held.handle, os.urandom(16), key, PERSISTENT, oplock=oplock).status, NOT_FOUND)
        # 3.3.5.9.12: where the FileId is not known, the CreateGuid is.
        again = good(back(c, name, b"\xEE" * 8 + bytes(8), create_guid, key, PERSISTENT, oplock=oplock), "by CreateGuid")
        expect(again.handle[:8], held.handle[:8])
        expect(c.lock(again.handle, (0, 1, EXCLUSIVE | NOW)), smb.LOCK_NOT_GRANTED, "its lock is there")
        reset(c)
        time.sleep(0.3)
        d = site.client("a", guid=guid, share=site.ca)
        again = good(patiently(lambda: back(d, name, held.handle, create_guid, key, PERSISTENT, oplock=oplock)), "by FileId")
        # The CREATE itself may be replayed instead, as by a client that did not hear the answer.
        reset(d)
        time.sleep(0.3)
        e = site.client("b", guid=guid, share=site.ca)
        replayed = patiently(lambda: e.open(name, access=RWD, oplock=0xFF if leased else 0, asks=asks, flags=REPLAY))
        good(replayed, "replay of the CREATE")
        expect(replayed.handle[:8], held.handle[:8])
        expect(e.close_file(replayed.handle), 0)


# --- sessions and channels

def channels(site):
    for dialect in (0x0300, 0x0302, 0x0311):
        guid = os.urandom(16)
        a = site.client("a", guid=guid, dialect=dialect)
        name = site.name("channel")
        held = good(a.open(name, access=RW))
        for what, how, wanted in (
                ("no such session", {"session": 0x77}, smb.USER_SESSION_DELETED),
                ("another user", {"user": site.users[1]}, smb.ACCESS_DENIED),
                ("a wrong key", {"key": b"k" * 16}, smb.ACCESS_DENIED),
                ("a wrong password", {"password": "no"}, smb.LOGON_FAILURE)):
            second = site.client("b", guid=guid, dialect=dialect, login=False)
            former, a.session = a.session, how.pop("session", a.session)
            got = second.bind(a, **how)
            a.session = former
            expect(got, wanted, "dialect %x: %s" % (dialect, what))
            second.close()
        for other in (0x0210, 0x0302 if dialect != 0x0302 else 0x0300):
            second = site.client("b", guid=guid, dialect=other, login=False)
            expect(second.bind(a), {smb.INVALID_PARAMETER, smb.REQUEST_NOT_ACCEPTED}, "dialect %x to %x" % (other, dialect))
            second.close()
        expect(a.write(held.handle, 0, b"one"), 0, "the session is as it was")
        second = site.client("b", guid=guid, dialect=dialect, login=False)
        expect(second.bind(a), 0, "bound")
        expect(second.read(held.handle, 0, 3), (0, b"one"), "the session's open on its other channel")
        # The session's key is not this channel's any more; smbtorture's bind tests want that said first.
        expect(second.bind(a), smb.ACCESS_DENIED, "bound already")
        second.session = a.session
        # A request of one channel is cancelled on the other.
        folder = good(a.open(site.name("dir"), options=DIRECTORY, access=READ)).handle
        mid = a.start_notify(folder)
        expect(a.settled(mid), smb.PENDING)
        second.interim[mid] = a.interim[mid]
        second.cancel(mid)
        got = status_of(a.wait(mid, 1))
        expect(got, {smb.CANCELLED, smb.TIMEOUT}, "cancelled on another channel")
        # The first channel goes, the session stays.
        reset(a)
        time.sleep(0.3)
        expect(second.write(held.handle, 0, b"two"), 0, "the other channel goes on")
        third = site.client("a", guid=guid, dialect=dialect, login=False)
        expect(third.bind(second), 0)
        expect(second.status(smb.LOGOFF, struct.pack("<HH", 4, 0)), 0, "logoff on one channel")
        expect(third.read(held.handle, 0, 3)[0], {smb.USER_SESSION_DELETED, smb.CLOSED}, "ends it on all")
    a = site.client("a", dialect=0x0210)
    second = site.client("b", dialect=0x0210, login=False)
    expect(second.bind(a), {smb.REQUEST_NOT_ACCEPTED, smb.INVALID_PARAMETER}, "SMB 2.1")


def breaks_on_channels(site):
    """A break goes to any channel that is alive."""
    guid = os.urandom(16)
    a = site.client("a", guid=guid)
    second = site.client("b", guid=guid, login=False)
    expect(second.bind(a), 0)
    for kind in ("oplock", "lease"):
        other = site.client("a")
        name, key = site.name("channel"), key_of()
        asks = [lease_context(key, RWH)] if kind == "lease" else []
        held = good(a.open(name, access=RW, oplock=0xFF if asks else 9, asks=asks))
        if kind == "lease":
            reset(a)
            time.sleep(0.2)
        waiting = other.start_open(name, access=RW)
        got = None
        end = time.monotonic() + 5
        while not got and time.monotonic() < end:
            for c in (second,) if kind == "lease" else (a, second):
                c.pump(0.02)
                got = got or (c.breaks and c.breaks.pop())
        expect(bool(got), True, kind + ": a break came")
        if kind == "lease":
            expect(second.acknowledge(key, R | H), 0, "acknowledged on the other channel")
        else:
            expect(second.acknowledge_oplock(held.handle, 1), (0, 1), "acknowledged on the other channel")
        expect(other.opened(waiting).status, 0)


def sessions(site):
    a = site.client("a")
    held = good(a.open(site.name("session"), access=RW))
    expect(a.log_in(), 0, "authenticated anew")
    expect(a.write(held.handle, 0, b"x"), 0, "everything goes on")
    expect(a.log_in(password="wrong"), smb.LOGON_FAILURE)
    expect(a.write(held.handle, 0, b"x"), {smb.USER_SESSION_DELETED, smb.CLOSED}, "a failed one ends the session")
    # One's own PreviousSessionId on the same connection; one that is nobody's.
    guid = os.urandom(16)
    for other in ("a", "b"):
        a = site.client("a", guid=guid)
        name = site.name("session")
        held = good(a.open(name, share=0))
        b = site.client(other, guid=guid, previous=a.session)
        expect(patiently(lambda: b.open(name, share=0, disposition=OPEN)).status, 0, "what it held is free")
        expect(a.write(held.handle, 0, b"x"), {smb.USER_SESSION_DELETED, smb.CLOSED})
    site.client("a", previous=0x1234567812345678)
    # A handle of one session is nothing to another; nor is a tree.
    a, b = site.client("a"), site.client("b")
    held = good(a.open(site.name("session"), access=RW))
    expect(b.read(held.handle, 0, 1)[0], smb.FILE_CLOSED)
    expect(b.status(smb.CLOSE, smb.close_body(held.handle), tree=a.tree + 77), smb.NETWORK_NAME_DELETED)
    # Signed by somebody else's key.
    a.key, key = b.key, a.key
    expect(a.write(held.handle, 0, b"x"), {smb.ACCESS_DENIED, smb.CLOSED})
    a.key = key


# --- who waits, and who goes meanwhile

def waiting_opens(site):
    """An open that waits for a break: cancelled, its client gone, its session ended; the holder gone."""
    name = site.name("wait")
    a = site.client("a")
    held = good(a.open(name, access=RW, oplock=9))
    b = site.client("b")
    waiting = b.start_open(name, access=RW)
    told = a.next_break()
    expect(b.settled(waiting), smb.PENDING)
    b.cancel(waiting)
    expect(b.opened(waiting, 3).status, smb.CANCELLED)
    waiting = b.start_open(name, access=RW)
    expect(b.settled(waiting), smb.PENDING, "a second one waits for the same break")
    expect(a.no_break(0.2), True, "and asks for no other")
    expect(b.status(smb.LOGOFF, struct.pack("<HH", 4, 0)), 0)
    expect(b.opened(waiting, 3).status, {smb.CANCELLED, smb.USER_SESSION_DELETED, smb.FILE_CLOSED})
    c, d = site.client("b"), site.client("a")
    gone = c.start_open(name, access=RW)
    expect(c.settled(gone), smb.PENDING)
    waiting = d.start_open(name, access=READ)
    expect(d.settled(waiting), smb.PENDING)
    reset(c)
    time.sleep(0.2)
    expect(a.acknowledge_oplock(held.handle, told.after), (0, 1))
    last = good(d.opened(waiting, 3))
    expect(a.close_file(held.handle), 0)
    expect(d.close_file(last.handle), 0)
    e = site.client("b")
    expect(good(e.open(name, access=RW, share=0)).status, 0, "nothing is left of those who went")
    name = site.name("wait")
    held = good(a.open(name, access=RW, oplock=9))
    waiting = e.start_open(name, access=RW)
    expect(e.settled(waiting), smb.PENDING)
    reset(a)
    expect(e.opened(waiting, 3).status, 0, "the holder's connection went")


def waiting_locks_in_order(site):
    a, b, c = site.client("a"), site.client("b"), site.client("a")
    name = site.name("lock")
    handles = [good(x.open(name, access=RW)).handle for x in (a, b, c)]
    expect(a.lock(handles[0], (0, 10, EXCLUSIVE | NOW)), 0)
    first = b.start_lock(handles[1], (0, 10, EXCLUSIVE))
    expect(b.settled(first), smb.PENDING)
    second = c.start_lock(handles[2], (5, 10, EXCLUSIVE))
    expect(c.settled(second), smb.PENDING)
    expect(a.lock(handles[0], (0, 10, UNLOCK)), 0)
    expect(status_of(b.wait(first, 3)), 0, "first come")
    expect(c.settled(second), smb.PENDING)
    expect(c.until(lambda: second in c.answers, 0.3), False, "the second waits on")
    expect(b.lock(handles[1], (0, 10, UNLOCK)), 0)
    expect(status_of(c.wait(second, 3)), 0)
    # Shared ones wake together.
    expect(c.lock(handles[2], (5, 10, UNLOCK)), 0)
    expect(a.lock(handles[0], (0, 10, EXCLUSIVE | NOW)), 0)
    first, second = b.start_lock(handles[1], (0, 5, SHARED)), c.start_lock(handles[2], (0, 5, SHARED))
    expect((b.settled(first), c.settled(second)), (smb.PENDING, smb.PENDING))
    expect(a.lock(handles[0], (0, 10, UNLOCK)), 0)
    expect((status_of(b.wait(first, 3)), status_of(c.wait(second, 3))), (0, 0))


def late_holders(site):
    """Nobody answers a break (site.break_timeout_s): the holder's I/O fails before the waiter is granted."""
    if not site.break_timeout_s:
        return
    for kind in ("oplock", "lease"):
        a, b = site.client("a"), site.client("b")
        name, key = site.name("late"), key_of()
        asks = [lease_context(key, RWH)] if kind == "lease" else []
        held = good(a.open(name, access=RW, oplock=0xFF if asks else 9, asks=asks))
        twin = good(a.open(name, access=READ, asks=asks)) if asks else None
        expect(a.write(held.handle, 0, b"before"), 0)
        begin = time.monotonic()
        waiting = b.start_open(name, access=RW)
        expect(b.settled(waiting), smb.PENDING)
        expect(bool(a.next_break()), True)
        expect(a.write(held.handle, 0, b"meantime"), 0, "it may still flush")
        got = b.opened(waiting, site.break_timeout_s + 5)
        took = time.monotonic() - begin
        expect(got.status, 0, kind)
        if not site.break_timeout_s - 0.3 <= took <= site.break_timeout_s + 2:
            raise AssertionError("%s: granted after %.1f s" % (kind, took))
        GONE = {smb.FILE_CLOSED, smb.CLOSED, smb.USER_SESSION_DELETED}
        expect(a.write(held.handle, 0, b"late"), GONE, kind)
        if twin:
            expect(a.read(twin.handle, 0, 1)[0], GONE, "all opens of the lease")
        expect(b.read(got.handle, 0, 8), (0, b"meantime"))
        if not a.gone:
            answer = a.acknowledge(key, R) if asks else a.acknowledge_oplock(held.handle, 1)[0]
            expect(answer, {smb.OBJECT_NAME_NOT_FOUND, UNSUCCESSFUL, smb.FILE_CLOSED, smb.CLOSED}, "too late")


# --- durable handles and what happens while their client is away

def durable_keeps_locks_and_sequences(site):
    guid = os.urandom(16)
    a, other = site.client("a", guid=guid), site.client("b")
    name, key = site.name("kept"), key_of()
    held, create_guid = durable(a, name, 2, key, flags=0)
    x = (0, 10, EXCLUSIVE | NOW)
    expect(a.lock(held.handle, x, sequence=(7 << 4) | 2), 0)
    reset(a)
    c = site.client("b", guid=guid)
    again = good(patiently(lambda: back(c, name, held.handle, create_guid, key)))
    expect(c.lock(again.handle, x, sequence=(7 << 4) | 2), 0, "a replayed lock is known through the reclaim")
    expect(c.lock(again.handle, x, sequence=(7 << 4) | 3), smb.LOCK_NOT_GRANTED, "a new one is not")
    expect(c.lock(again.handle, (0, 10, UNLOCK), sequence=(7 << 4) | 4), 0)
    # Its lease is as it was: who comes breaks it, through the channel that it has now.
    waiting = other.start_open(name, access=RW)
    expect(c.next_break()[:4], ("lease", key, RWH, R | H))
    expect(c.acknowledge(key, R | H), 0)
    expect(other.opened(waiting).status, 0)
    expect(c.close_file(again.handle), 0)


def durable_and_deletion(site):
    """Marked for deletion, its client away: the file goes when its time is over, and others wait for that."""
    guid = os.urandom(16)
    a, b = site.client("a", guid=guid), site.client("b")
    name, key = site.name("kept"), key_of()
    held, create_guid = durable(a, name, 2, key, timeout_ms=1500, access=RWD, options=DELETE_ON_CLOSE)
    reset(a)
    time.sleep(0.2)
    c = site.client("b", guid=guid)
    again = good(patiently(lambda: back(c, name, held.handle, create_guid, key)))
    expect(c.write(again.handle, 0, b"x"), 0)
    expect(c.close_file(again.handle), 0)
    expect(b.open(name, disposition=OPEN).status, smb.OBJECT_NAME_NOT_FOUND, "the reclaimed open deletes as well")
    name, key = site.name("kept"), key_of()
    a = site.client("a", guid=guid)
    held, create_guid = durable(a, name, 2, key, timeout_ms=1000, access=RWD, options=DELETE_ON_CLOSE)
    reset(a)
    end = time.monotonic() + 6
    while time.monotonic() < end:
        looked = b.open(name, access=ATTRIBUTES, disposition=OPEN)
        if looked.status != 0:
            break
        b.close_file(looked.handle)
        time.sleep(0.2)
    expect(b.open(name, access=ATTRIBUTES, disposition=OPEN).status, smb.OBJECT_NAME_NOT_FOUND, "after its time")


def durable_and_renames(site):
    guid = os.urandom(16)
    a, b = site.client("a", guid=guid), site.client("b")
    name, key = site.name("kept"), key_of()
    held, create_guid = durable(a, name, 2, key, access=RWD)
    expect(a.rename(held.handle, name + "-r"), 0)
    reset(a)
    time.sleep(0.2)
    c = site.client("b", guid=guid)
    expect(patiently(lambda: back(c, name, held.handle, create_guid, key), smb.INVALID_PARAMETER).status,
           smb.INVALID_PARAMETER, "by its former name")
    again = good(patiently(lambda: back(c, name + "-r", held.handle, create_guid, key)))
    expect(c.close_file(again.handle), 0)
    expect(b.open(name + "-r", disposition=OPEN).status, 0)


def durable_purged(site):
    """Who wants what a client that is away cached gets it at once, and the handle is gone."""
    guid = os.urandom(16)
    for what, share in (("write", 7), ("sharing", 0), ("rename", 7), ("read of RH", 7)):
        a, b = site.client("a", guid=guid), site.client("b")
        name, key = site.name("kept"), key_of()
        if what == "read of RH":
            reader = good(b.open(name, access=READ))
        held, create_guid = durable(a, name, 2, key, access=RW)
        if what == "read of RH":
            expect(b.close_file(reader.handle), 0)
        reset(a)
        time.sleep(0.3)
        if what == "rename":
            other = good(b.open(name, access=DELETE | 0x80, disposition=OPEN))
            expect(b.rename(other.handle, name + "-r"), 0, "H of a client that is away keeps no rename")
        elif what == "read of RH":
            expect(held.lease[0], R | H)
            other = good(b.open(name, access=READ, disposition=OPEN))
            c = site.client("a", guid=guid)
            again = good(patiently(lambda: back(c, name, held.handle, create_guid, key)), "RH beside a reader")
            expect(again.lease[0], R | H)
            continue
        else:
            begin = time.monotonic()
            expect(b.opened(b.start_open(name, access=RW, share=share, disposition=OPEN), 3).status, 0, what)
            expect(time.monotonic() - begin < 1, True, what + " waits for nobody")
        c = site.client("a", guid=guid)
        expect(back(c, name, held.handle, create_guid, key).status,
               {smb.OBJECT_NAME_NOT_FOUND, smb.INVALID_PARAMETER}, what)


def replay_of_pending_creates(site):
    """[MS-SMB2] 3.3.5.9.10: the CREATE waits for a break, and its replay comes on another channel."""
    guid = os.urandom(16)
    holder = site.client("b")
    name, key, create_guid = site.name("replay"), key_of(), os.urandom(16)
    held = good(holder.open(name, oplock=9))
    a = site.client("a", guid=guid)
    second = site.client("b", guid=guid, login=False)
    expect(second.bind(a), 0)
    asks = [request_v2(create_guid), lease_context(key, RWH)]
    waiting = a.start_open(name, asks=asks)
    expect(bool(holder.next_break()), True)
    expect(a.settled(waiting), smb.PENDING)
    expect(second.open(name, asks=asks, flags=REPLAY, sequence=1).status, FILE_NOT_AVAILABLE, "under way")
    expect(second.open(name, asks=asks).status, DUPLICATE_OBJECTID, "no replay")
    reset(a)
    time.sleep(0.2)
    expect(holder.acknowledge_oplock(held.handle, 1), (0, 1))
    end = time.monotonic() + 5
    while True:
        got = second.open(name, asks=asks, flags=REPLAY, sequence=1)
        if got.status != FILE_NOT_AVAILABLE or time.monotonic() > end:
            break
        time.sleep(0.05)
    good(got, "the CREATE went on without its channel")
    expect(second.write(got.handle, 0, b"x", sequence=1), 0)
    expect(second.close_file(got.handle), 0)


# --- streams and directories that are watched

def streams(site):
    a, b = site.client("a"), site.client("b")
    name, folder = site.name("f"), site.name("watch")
    stream = good(a.open(name + ":s", access=RW))
    base = good(b.open(name, access=RWD, disposition=OPEN))
    expect(b.dispose(base.handle), 0)
    expect(b.close_file(base.handle), 0)
    for path in (name, name + ":s", name + ":t"):
        expect(b.open(path, disposition=OPEN_IF).status, DELETE_PENDING, path)
    expect(a.write(stream.handle, 0, b"x"), 0)
    expect(a.close_file(stream.handle), 0)
    expect(b.open(name, disposition=OPEN).status, smb.OBJECT_NAME_NOT_FOUND)
    # Share modes and locks of two streams are their own.
    one, two = good(a.open(name + ":s", access=RW, share=0)), good(b.open(name + ":t", access=RW, share=0))
    expect(b.open(name + ":s", access=READ).status, SHARING_VIOLATION)
    expect(a.lock(one.handle, (0, 10, EXCLUSIVE | NOW)), 0)
    expect(b.lock(two.handle, (0, 10, EXCLUSIVE | NOW)), 0)
    expect(b.open(name, access=DELETE, disposition=OPEN, share=7).status, SHARING_VIOLATION)
    good(a.open(folder, options=DIRECTORY, access=READ))


def watches_of_what_moves(site):
    a, b = site.client("a"), site.client("b")
    one, two = site.name("watch"), site.name("watch")
    watch = {}
    for folder in (one, two):
        handle = good(a.open(folder, options=DIRECTORY, access=READ)).handle
        watch[folder] = handle, a.start_notify(handle, 0x3)
        expect(a.settled(watch[folder][1]), smb.PENDING)
    time.sleep(0.15)
    file = good(b.open(one + "\\x", access=RWD))
    expect(notified(a.wait(watch[one][1], 3)), [(1, "x")], "made")
    mid = a.start_notify(watch[one][0], 0x3)
    expect(a.settled(mid), smb.PENDING)
    expect(b.rename(file.handle, two + "\\y"), 0)
    got = a.wait(mid, 3)
    expect((status_of(got), notified(got)), (0, [(2, "x")]), "gone from here")
    got = a.wait(watch[two][1], 3)
    expect((status_of(got), notified(got)), (0, [(1, "y")]), "come to there")
    # Names as they are on the disk, whatever case they were asked in.
    mid = a.start_notify(watch[two][0], 0x3)
    expect(a.settled(mid), smb.PENDING)
    same = good(b.open(two.upper() + "\\Y", access=DELETE, disposition=OPEN, options=DELETE_ON_CLOSE))
    expect(b.close_file(same.handle), 0)
    expect(b.close_file(file.handle), 0)
    expect(notified(a.wait(mid, 3)), [(2, "y")], "removed")


# --- compounds

def compounds(site):
    a, b = site.client("a"), site.client("b")
    name = site.name("compound")
    SAME = b"\xff" * 16
    parts = [(smb.CREATE, smb.create_body(name, 0x12019F, 3)), (smb.WRITE, smb.write_body(SAME, 0, b"data")),
             (smb.READ, smb.read_body(SAME, 0, 4)), (smb.CLOSE, smb.close_body(SAME))]

    def ask(c, parts):
        out, mids = b"", []
        for i, (command, body) in enumerate(parts):
            body += b"\0" * (-len(body) % 8)
            mids.append(c.take_id())
            part = smb.header(command, mids[-1], c.session, c.tree, smb.RELATED if i else 0,
                              next_command=64 + len(body) if i + 1 < len(parts) else 0) + body
            out += c.sign(part)
        c.send_bytes(smb.frame(out))
        return mids

    expect([status_of(a.wait(m)) for m in ask(a, parts)], [0, 0, 0, 0], "create, write, read, close")
    # The CREATE has to wait for a break through the other end: all of it waits.
    held = good(b.open(name, access=RW, oplock=9))
    mids = ask(a, parts)
    expect(bool(b.next_break()), True)
    expect(b.write(held.handle, 0, b"flushed"), 0)
    expect(b.acknowledge_oplock(held.handle, 1), (0, 1))
    expect([status_of(a.wait(m)) for m in mids], [0, 0, 0, 0], "after a break")
    # It fails: so do those that need its file.
    mids = ask(a, [(smb.CREATE, smb.create_body(site.name("none"), 0x12019F, 1))] + parts[1:])
    expect([status_of(a.wait(m)) for m in mids], [smb.OBJECT_NAME_NOT_FOUND] * 4, "a failed CREATE")


ALL = [value for value in list(globals().values()) if callable(value) and getattr(value, "__code__", None) and
       value.__code__.co_varnames[:1] == ("site",) and value.__code__.co_argcount == 1]

"""Client scenarios of pool_test.py: `scenarios.py NAME ARGS...`, run in the lab's client namespace."""
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from smb2 import *  # noqa: E402, F403

FILES = 30  # enough that each of three nodes owns some


def stage(name):
    print(name, flush=True)


def wait_for_test():
    sys.stdin.readline()


def expect(got, wanted, what):
    if got != wanted:
        raise AssertionError("%s: expected %#x, came %#x" % (what, wanted, got))


def fresh(name):
    return "%s-%d" % (name, time.monotonic_ns())


def share_modes(one, two):
    a, b = Client(one), Client(two)
    for number in range(FILES):
        name = fresh("share%d" % number)
        status, handle, _, _ = a.open(name, access=READ | WRITE, share=0)
        expect(status, SUCCESS, "first open")
        expect(b.status_of_open(name), SHARING_VIOLATION, "open through the other node")
        expect(b.status_of_open(name.upper()), SHARING_VIOLATION, "the same file in other letters")
        expect(a.close(handle), SUCCESS, "close")
        expect(b.status_of_open(name, access=READ | WRITE | DELETE, share=0), SUCCESS, "open after the close")


def locks(one, two):
    a, b = Client(one), Client(two)
    for number in range(FILES):
        name = fresh("lock%d" % number)
        _, mine, _, _ = a.open(name, access=READ | WRITE)
        _, other, _, _ = b.open(name, access=READ | WRITE)
        expect(a.write(mine, 0, b"0123456789" * 10), SUCCESS, "write")
        now = LOCK_EXCLUSIVE | LOCK_FAIL_NOW
        expect(a.lock(mine, 10, 10, now), SUCCESS, "lock")
        expect(b.lock(other, 15, 10, now), LOCK_NOT_GRANTED, "conflicting lock through the other node")
        expect(b.read(other, 0, 20)[0], FILE_LOCK_CONFLICT, "read over the lock through the other node")
        expect(b.write(other, 19, b"x"), FILE_LOCK_CONFLICT, "write over the lock through the other node")
        expect(b.write(other, 20, b"y"), SUCCESS, "write beside the lock")
        expect(a.read(mine, 20, 1)[1][0], ord("y"), "the neighbour's byte")
        expect(a.lock(mine, 10, 10, LOCK_UNLOCK), SUCCESS, "unlock")
        expect(b.lock(other, 15, 10, now), SUCCESS, "lock after the unlock")
        expect(a.read(mine, 15, 1)[0], FILE_LOCK_CONFLICT, "read over the new lock")
        expect(b.close(other), SUCCESS, "close with a lock held")
        expect(a.read(mine, 15, 1)[0], SUCCESS, "read after the close")
        expect(a.close(mine), SUCCESS, "close")


def lease_break(one, two):
    a, b = Client(one, dialect=0x0210), Client(two, dialect=0x0210)
    for number in range(FILES):
        name, key = fresh("lease%d" % number), new_key()
        all_three = LEASE_R | LEASE_H | LEASE_W
        status, handle, state, _ = a.open(name, access=READ | WRITE, lease=(key, all_three))
        expect(status, SUCCESS, "open with a lease")
        expect(state, all_three, "granted lease")
        waiting = b.start_open(name, access=READ)
        got_key, before, after, flags = a.next_break()
        assert got_key == key
        expect(before, all_three, "broken from")
        expect(after, LEASE_R | LEASE_H, "broken to")
        expect(flags & 1, 1, "acknowledgment required")
        # The open must still wait: what is written before the acknowledgment is seen by its reader.
        expect(a.write(handle, 0, b"flushed before the break was answered"), SUCCESS, "write back")
        expect(a.acknowledge(key, LEASE_R | LEASE_H), SUCCESS, "acknowledge")
        status, other, _, _ = b.finish_open(waiting)
        expect(status, SUCCESS, "the open that waited")
        assert b.read(other, 0, 7)[1] == b"flushed"
        b.close(other)
        a.close(handle)


def change_notify(one, two):
    """What happens through one node is told to who watches through another."""
    a, b = Client(one), Client(two)
    name = fresh("watched")
    _, folder, _, _ = a.open(name, access=READ, options=0x1)
    stage("watching")
    waiting = a.send(15, struct.pack("<HHI16sII", 32, 1, 4096, folder, 0x3, 0))
    time.sleep(0.5)  # the other nodes hear that somebody watches
    _, made, _, _ = b.open(name + "\\new", access=READ | WRITE)
    answer = a.wait(waiting)
    expect(answer["Status"], SUCCESS, "the watch's answer")
    told = bytes(answer["Data"])
    if "new".encode("utf-16le") not in told:
        raise AssertionError("the answer does not name the new file: %r" % told)
    expect(b.close(made), SUCCESS, "close")
    expect(a.close(folder), SUCCESS, "close of the directory")


DIRECTORY = 1  # FILE_DIRECTORY_FILE


def lease_directory(client, name, key):
    status, handle, state, _ = client.open(name, options=DIRECTORY, lease=(key, LEASE_R | LEASE_H, None))
    expect(status, SUCCESS, "open of the directory")
    return handle, state


def lease_directory_within(client, name, key, seconds):
    """While a node that was lost may still do something, none is granted."""
    deadline = time.monotonic() + seconds
    while True:
        handle, state = lease_directory(client, name, key)
        if state == LEASE_R | LEASE_H or time.monotonic() > deadline:
            return handle, state
        client.close(handle)
        time.sleep(0.05)


def directory_leases(one, two):
    a, b = Client(one, directory_leases=True), Client(two, directory_leases=True)
    for number in range(8):
        name, key = fresh("listed%d" % number), new_key()
        folder, state = lease_directory_within(a, name, key, 5)  # the pool may just have come up
        expect(state, LEASE_R | LEASE_H, "granted lease")
        child = name + "\\child"

        def create():
            expect(b.status_of_open(child), SUCCESS, "create through the other node")

        def write():
            _, handle, _, _ = b.open(child, access=READ | WRITE)
            expect(b.write(handle, 0, b"data"), SUCCESS, "write")
            expect(b.close(handle), SUCCESS, "close after the write")

        def rename():
            _, handle, _, _ = b.open(child, access=READ | DELETE)
            expect(b.wait(b.rename(handle, child + "2"))["Status"], SUCCESS, "rename")
            expect(b.close(handle), SUCCESS, "close")

        def delete():
            _, handle, _, _ = b.open(child + "2", access=DELETE, options=0x1000)
            expect(b.close(handle), SUCCESS, "delete")

        for change in (create, write, rename, delete):
            change()
            got_key, before, after, flags = a.next_break()
            assert got_key == key, change.__name__
            expect(before, LEASE_R | LEASE_H, "broken from")
            expect(after, 0, "broken to")
            expect(flags & 1, 1, "acknowledgment required")
            expect(a.acknowledge(key, 0), SUCCESS, "acknowledge")
            again, state = lease_directory(a, name, key)
            expect(state, LEASE_R | LEASE_H, "granted again")
            expect(a.close(folder), SUCCESS, "close of the former open")
            folder = again
        # Its own change, through an open that names the directory's lease, breaks nothing.
        status, own, _, _ = a.open(name + "\\own", lease=(new_key(), LEASE_R, key))
        expect(status, SUCCESS, "create of one's own")
        expect(a.close(own), SUCCESS, "close")
        expect(a.status_of_open(name, options=DIRECTORY), SUCCESS, "a round trip")
        assert not a.breaks, "the lease was broken by its own client"
        expect(a.close(folder), SUCCESS, "close of the directory")
        expect(b.status_of_open(name + "\\after"), SUCCESS, "create beside nobody")


def directory_lease_and_a_loss(one, two):
    a, b = Client(one, directory_leases=True), Client(two, directory_leases=True)
    name, key = fresh("listed"), new_key()
    folder, state = lease_directory_within(a, name, key, 5)
    expect(state, LEASE_R | LEASE_H, "granted lease")
    stage("leased")
    wait_for_test()
    got_key, _, after, _ = a.next_break()
    assert got_key == key
    expect(after, 0, "a node that went may have changed what it told nobody")
    expect(a.acknowledge(key, 0), SUCCESS, "acknowledge")
    _, state = lease_directory_within(a, name, key, 10)
    expect(state, LEASE_R | LEASE_H, "granted again once the pool is settled")
    expect(b.status_of_open(name + "\\x"), SUCCESS, "create through the survivor")
    expect(a.next_break()[2], 0, "broken to")
    expect(a.close(folder), SUCCESS, "close")


def rename_above_opens(one, two):
    a, b = Client(one), Client(two, dialect=0x0210)
    for number in range(5):
        name = fresh("above%d" % number)
        _, folder, _, _ = a.open(name, access=READ | DELETE, options=DIRECTORY)
        _, child, _, _ = b.open(name + "\\child", access=READ)
        expect(a.wait(a.rename(folder, name + "-r"))["Status"], ACCESS_DENIED, "rename above the other node's open")
        expect(b.close(child), SUCCESS, "close")
        # A handle that is only cached is given up for the rename.
        key = new_key()
        _, child, state, _ = b.open(name + "\\child", access=READ, lease=(key, LEASE_R | LEASE_H))
        expect(state, LEASE_R | LEASE_H, "granted lease")
        waiting = a.rename(folder, name + "-r")
        expect(b.next_break()[2], LEASE_R, "broken to")
        expect(b.close(child), SUCCESS, "close of the cached handle")
        expect(a.wait(waiting)["Status"], SUCCESS, "rename when the handle is gone")
        expect(b.status_of_open(name + "-r\\child", disposition=OPEN), SUCCESS, "under the new name")
        expect(a.close(folder), SUCCESS, "close")


def lease_key_of_another_file(one, two):
    a, b = Client(one, dialect=0x0210, same_client=7), Client(two, dialect=0x0210, same_client=7)
    for number in range(5):
        name, key = fresh("keyed%d" % number), new_key()
        _, first, state, _ = a.open(name, access=READ, lease=(key, LEASE_R | LEASE_H))
        expect(state, LEASE_R | LEASE_H, "granted lease")
        expect(b.status_of_open(name + "x", access=READ, lease=(key, LEASE_R | LEASE_H)), 0xC000000D,
               "the key belongs to another file, on another node")
        status, second, state, _ = b.open(name, access=READ, lease=(key, LEASE_R | LEASE_H))
        expect(status, SUCCESS, "the same lease through the other node")
        expect(state, LEASE_R | LEASE_H, "the same lease's state")
        expect(a.close(first), SUCCESS, "close")
        expect(b.close(second), SUCCESS, "close")
        expect(b.status_of_open(name + "x", access=READ, lease=(key, LEASE_R | LEASE_H)), SUCCESS, "the key is free")


def state(one, two, *names):
    """tests/lib/state_cases.py, the two ends on different nodes."""
    import state_cases
    for case in state_cases.ALL:
        if names and case.__name__ not in names:
            continue
        site = state_cases.Site((one, 445), (two, 445))
        try:
            case(site)
        except AssertionError as error:
            raise AssertionError("%s: %s" % (case.__name__, error)) from error
        finally:
            site.close()


def delete_pending(one, two):
    a, b = Client(one), Client(two)
    name = fresh("gone")
    _, first, _, _ = a.open(name, access=READ | WRITE | DELETE, options=0x1000)
    _, second, _, _ = b.open(name, access=READ)
    expect(a.close(first), SUCCESS, "close of the delete-on-close open")
    expect(a.status_of_open(name, disposition=OPEN), DELETE_PENDING, "open of a delete-pending file")
    expect(b.read(second, 0, 1)[0], 0xC0000011, "the other open still reads")
    expect(b.close(second), SUCCESS, "last close")
    expect(a.status_of_open(name, disposition=OPEN), 0xC0000034, "open of the deleted file")


def many_sessions(pool, count):
    clients = [Client(pool) for _ in range(int(count))]
    stage("connected")
    wait_for_test()
    for number, client in enumerate(clients):
        expect(client.status_of_open(fresh("spread%d" % number)), SUCCESS, "open")


def survive_kill(one, two, dead):
    a, b, c = Client(one), Client(two), Client(dead)
    names = [fresh("owner%d" % number) for number in range(FILES)]
    held = [b.open(name, access=READ | WRITE, share=0)[1] for name in names]
    theirs = fresh("theirs")
    expect(c.open(theirs, access=READ | WRITE, share=0)[0], SUCCESS, "open through the node that will die")
    expect(a.status_of_open(theirs), SHARING_VIOLATION, "while it lives")
    stage("opened")
    wait_for_test()

    def still_exclusive(when):
        for name, handle in zip(names, held):
            expect(a.status_of_open(name), SHARING_VIOLATION, "an open of a survivor stays exclusive " + when)
            expect(b.write(handle, 0, when.encode()), SUCCESS, "and stays usable " + when)

    still_exclusive("after the kill")
    expect(a.status_of_open(theirs), SUCCESS, "what the dead node held is free")
    stage("survived")
    wait_for_test()
    c = Client(dead)
    still_exclusive("after the return")
    for name in names:
        expect(c.status_of_open(name), SHARING_VIOLATION, "through the node that came back")
    for handle in held:
        expect(b.close(handle), SUCCESS, "close")
    for name in names:
        expect(c.status_of_open(name), SUCCESS, "after the close")


def durable_moves(one, two):
    """Handles opened through one node are reclaimed through the other, by their owner only."""
    import durable as d
    import raw_smb as raw

    def connect(host, **how):
        return raw.client(445, host=host, dialect=0x0302, guid=how.pop("guid", d.GUID), **how)

    other = connect(two, guid=b"another-client-2")
    for number in range(FILES):
        name, create_guid = fresh("durable%d" % number), b"guid%12d" % number
        key = b"key%13d" % number
        first = connect(one)
        status, handle = first.open(name, disposition=3, oplock=0xFF,
                                    contexts=d.contexts(d.request_v2(create_guid), d.lease(key)))
        expect(status, SUCCESS, "durable open")
        expect(d.lock(first, handle, 0), SUCCESS, "lock")
        expect(first.status(raw.WRITE, raw.write_body(handle, 0, b"one")), SUCCESS, "write")
        first.close()
        expect(d.reopen(other, name, handle, create_guid, key=key)[0], raw.OBJECT_NAME_NOT_FOUND, "another client")
        second = connect(two)
        expect(d.reopen(second, name, handle, b"x" * 16, key=key)[0], raw.OBJECT_NAME_NOT_FOUND, "another CreateGuid")
        end = time.monotonic() + 10  # the first node may not have heard of the loss yet
        while True:
            status, again = d.reopen(second, name, handle, create_guid, key=key)
            if status == SUCCESS or time.monotonic() > end:
                break
            time.sleep(0.02)
        expect(status, SUCCESS, "reclaim through the other node")
        assert again[:8] == handle[:8]
        expect(second.status(raw.WRITE, raw.write_body(again, 3, b" two")), SUCCESS, "write")
        expect(d.lock(second, again, 5), LOCK_NOT_GRANTED, "its own lock is there")
        expect(d.lock(second, again, 0, flags=LOCK_UNLOCK), SUCCESS, "unlock")
        expect(second.status(raw.CLOSE, raw.close_body(again)), SUCCESS, "close")
        status, handle = other.open(name, share=0)
        expect(status, SUCCESS, "nothing of it is left")
        expect(other.status(raw.CLOSE, raw.close_body(handle)), SUCCESS, "close")
        second.close()


def durable_outlives(dead, healthy):
    """The node is killed under durable handles; they are reclaimed through another one."""
    import durable as d
    import raw_smb as raw
    first = raw.client(445, host=dead, dialect=0x0302, guid=d.GUID)
    handles = []
    for number in range(FILES):
        name, create_guid, key = fresh("outlive%d" % number), b"Guid%12d" % number, b"Key%13d" % number
        status, handle = first.open(name, disposition=3, oplock=0xFF,
                                    contexts=d.contexts(d.request_v2(create_guid), d.lease(key)))
        expect(status, SUCCESS, "durable open")
        expect(d.lock(first, handle, 0), SUCCESS, "lock")
        handles.append((name, handle, create_guid, key))
    stage("opened")
    wait_for_test()
    second = raw.client(445, host=healthy, dialect=0x0302, guid=d.GUID)
    for name, handle, create_guid, key in handles:
        end = time.monotonic() + 10
        while True:
            status, again = d.reopen(second, name, handle, create_guid, key=key)
            if status == SUCCESS or time.monotonic() > end:
                break
            time.sleep(0.05)
        expect(status, SUCCESS, "reclaim of %s through a survivor" % name)
        expect(d.lock(second, again, 5), LOCK_NOT_GRANTED, "its own lock is there")
        expect(second.status(raw.CLOSE, raw.close_body(again)), SUCCESS, "close")


def follow_address(pool):
    client = Client(pool)
    expect(client.status_of_open(fresh("before")), SUCCESS, "open")
    stage("connected")
    wait_for_test()
    begin = time.monotonic()
    client.smb._NetBIOSSession.get_socket().settimeout(20)
    try:
        while True:  # a request that is under way when the node dies must not hang
            client.status_of_open(fresh("during"))
            time.sleep(0.01)
    except Exception:
        noticed = time.monotonic() - begin
    again, took = connect_within(pool, 20)
    expect(again.status_of_open(fresh("after")), SUCCESS, "open through the moved address")
    return {"noticed_s": noticed, "reconnected_s": took}


def hung_writer(hung, healthy):
    a, b = Client(hung), Client(healthy)
    name = fresh("hung")
    status, handle, _, _ = a.open(name, access=READ | WRITE, share=0)
    expect(status, SUCCESS, "open through the node that will hang")
    stage("opened")
    wait_for_test()
    # Its rights are honoured until its own clock must have ended its I/O (grant_margin), then they are gone.
    deadline = time.monotonic() + 5
    while True:
        status, other, _, _ = b.open(name, access=READ | WRITE, share=0)
        if status != SHARING_VIOLATION or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    expect(status, SUCCESS, "open after the hung node was left behind")
    expect(b.write(other, 0, b"new owner"), SUCCESS, "write")
    # Sent while the node sleeps: it is in its socket when it wakes up.
    a.send(9, __import__("struct").pack("<HHIQ", 49, 112, 9, 0) + handle + bytes(16) + b"old owner")
    stage("taken_over")
    wait_for_test()
    time.sleep(2)  # time for the woken node to do the wrong thing
    content = b.read(other, 0, 9)[1].decode()
    return {"content": content}


def reach(node):
    expect(Client(node).status_of_open(fresh("reach")), SUCCESS, "open")


def refused(node):
    try:
        client = Client(node, timeout=5)
    except Exception:
        return
    assert client.status_of_open(fresh("refused")) != SUCCESS


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:]) or {}))

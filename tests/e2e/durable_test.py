#!/usr/bin/env python3
"""Handles that outlive the daemon: opened, the server killed -9 and started again, reclaimed with their locks; and a
store that is not what it should be. /usr/bin/python3 (impacket's NTLM)."""
import os
import struct
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import flotilla  # noqa: E402
import raw_smb as smb  # noqa: E402
from durable import *  # noqa: E402, F403

class Durable(unittest.TestCase):
    def setUp(self):
        self.server = flotilla.Server(share="continuous_availability = true")
        self.server.config = 'state_dir = "%s"' % os.path.join(self.server.dir, "state")
        self.enterContext(self.server)

    def connect(self, **how):
        client = smb.client(self.server.port, dialect=0x0302, guid=how.pop("guid", GUID), **how)
        self.addCleanup(client.close)
        return client

    def crash(self):
        self.server.kill()
        self.server.spawn()

    def opened(self, client, name, create_guid, flags=0):
        status, handle = client.open(name, disposition=3, oplock=0xFF,
                                     contexts=contexts(request_v2(create_guid, flags), lease()))
        self.assertEqual(status, smb.SUCCESS)
        return handle

    def test_a_durable_handle_survives_a_crash_with_its_lock_and_is_given_to_its_owner_only(self):
        create_guid = b"create-guid-0001"
        client = self.connect()
        handle = self.opened(client, "f", create_guid)
        self.assertEqual(client.status(smb.WRITE, smb.write_body(handle, 0, b"before")), smb.SUCCESS)
        self.assertEqual(lock(client, handle, 0), smb.SUCCESS)
        self.crash()
        self.assertEqual(reopen(self.connect(user="tester2"), "f", handle, create_guid)[0], smb.ACCESS_DENIED)
        self.assertEqual(reopen(self.connect(guid=b"another-client-2"), "f", handle, create_guid)[0],
                         smb.OBJECT_NAME_NOT_FOUND)
        back = self.connect()
        for wrong in ({"create_guid": b"create-guid-0002"}, {"key": b"lease-key-nobody"}):
            self.assertEqual(reopen(back, "f", handle, **{"create_guid": create_guid, **wrong})[0],
                             smb.OBJECT_NAME_NOT_FOUND, wrong)
        self.assertEqual(reopen(back, "g", handle, create_guid)[0], INVALID_PARAMETER)
        status, again = reopen(back, "f", handle, create_guid)
        self.assertEqual(status, smb.SUCCESS)
        self.assertEqual(again[:8], handle[:8])
        self.assertEqual(back.status(smb.WRITE, smb.write_body(again, 6, b" after")), smb.SUCCESS)
        with open(os.path.join(self.server.share, "f"), "rb") as f:
            self.assertEqual(f.read(), b"before after")
        self.assertEqual(lock(back, again, 5), LOCK_NOT_GRANTED)
        self.assertEqual(lock(back, again, 0, flags=4), smb.SUCCESS)
        self.assertEqual(back.status(smb.CLOSE, smb.close_body(again)), smb.SUCCESS)
        # Nothing of it is left, over another crash.
        self.crash()
        self.assertEqual(reopen(self.connect(), "f", handle, create_guid)[0], smb.OBJECT_NAME_NOT_FOUND)
        self.assertEqual(self.connect(guid=b"another-client-2").open("f", share=0)[0], smb.SUCCESS)

    def test_a_persistent_handle_keeps_others_out_until_its_client_is_back(self):
        create_guid = b"create-guid-0003"
        handle = self.opened(self.connect(), "p", create_guid, PERSISTENT)
        self.crash()
        other = self.connect(guid=b"another-client-2")
        self.assertEqual(other.open("p")[0], FILE_NOT_AVAILABLE)
        back = self.connect()
        self.assertEqual(reopen(back, "p", handle, create_guid)[0], smb.OBJECT_NAME_NOT_FOUND)
        self.assertEqual(reopen(back, "p", handle, create_guid, PERSISTENT)[0], smb.SUCCESS)

    def test_opens_without_durability_are_gone(self):
        client = self.connect()
        self.assertEqual(client.open("plain", disposition=3, share=0)[0], smb.SUCCESS)
        self.crash()
        self.assertEqual(self.connect().open("plain", share=0)[0], smb.SUCCESS)

    def test_a_store_that_is_none_is_named_with_a_remedy(self):
        self.server.kill()
        store = os.path.join(self.server.dir, "state", "kept.mdb")
        with open(store, "r+b") as f:
            f.write(b"not a store" * 1000)
        config = os.path.join(self.server.dir, "flotilla.toml")
        done = subprocess.run([flotilla.BINARY, "serve", "--config", config], capture_output=True, text=True,
                              timeout=60, check=False)
        self.assertNotEqual(done.returncode, 0)
        said = done.stdout + done.stderr
        self.assertIn(store, said)
        self.assertIn("move", said)
        os.remove(store)
        self.server.spawn()
        self.assertEqual(self.connect().open("x", disposition=3)[0], smb.SUCCESS)

    def test_hundreds_of_durable_opens_all_come_back(self):
        client = self.connect()
        handles = {}
        begin = time.monotonic()
        for i in range(300):
            guid = struct.pack("<Q8x", 1000 + i)
            status, handle = client.open("many%d" % i, disposition=3, oplock=9,
                                         contexts=contexts(request_v2(guid)))
            self.assertEqual(status, smb.SUCCESS)
            handles[i] = (handle, guid)
        print("300 durable opens: %.2f s" % (time.monotonic() - begin))
        self.crash()
        back = self.connect()
        for i, (handle, guid) in handles.items():
            status, again = back.open("many%d" % i, oplock=9, contexts=contexts(reconnect_v2(handle, guid)))
            self.assertEqual(status, smb.SUCCESS, i)
            self.assertEqual(back.status(smb.CLOSE, smb.close_body(again)), smb.SUCCESS)


if __name__ == "__main__":
    unittest.main(verbosity=2)

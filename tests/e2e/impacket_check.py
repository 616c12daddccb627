"""Share modes, locks, and directory listings by impacket (Debian's python3-impacket) over each dialect."""
import sys

from impacket.smb3structs import (FILE_OPEN_IF, FILE_SHARE_READ, GENERIC_READ, GENERIC_WRITE, SMB2_DIALECT_002,
                                  SMB2_DIALECT_21, SMB2_DIALECT_30)
from impacket.smbconnection import SessionError, SMBConnection

STATUS_SHARING_VIOLATION = 0xC0000043


def connect(host, port, dialect):
    c = SMBConnection(host, host, sess_port=port, preferredDialect=dialect)
    c.login("tester", "Secret123")
    return c


def main(host, port):
    for dialect in (SMB2_DIALECT_002, SMB2_DIALECT_21, SMB2_DIALECT_30):
        first, second = connect(host, port, dialect), connect(host, port, dialect)
        assert first.getDialect() == dialect, hex(first.getDialect())
        tree, other = first.connectTree("data"), second.connectTree("data")
        name = "impacket-%x" % dialect
        held = first.createFile(tree, name, desiredAccess=GENERIC_READ | GENERIC_WRITE, shareMode=0,
                                creationDisposition=FILE_OPEN_IF)
        first.writeFile(tree, held, b"hello")
        try:
            second.openFile(other, name, desiredAccess=GENERIC_READ, shareMode=FILE_SHARE_READ)
            raise AssertionError("an open without sharing did not keep the second one out")
        except SessionError as e:
            assert e.getErrorCode() == STATUS_SHARING_VIOLATION, hex(e.getErrorCode())
        first.closeFile(tree, held)
        handle = second.openFile(other, name, desiredAccess=GENERIC_READ)
        assert second.readFile(other, handle) == b"hello"
        second.closeFile(other, handle)
        assert name in [f.get_longname() for f in first.listPath("data", "*")]
        first.deleteFile("data", name)
        assert name not in [f.get_longname() for f in second.listPath("data", "*")]
        first.logoff()
        second.logoff()
    print("impacket: 3 dialects good")


main(sys.argv[1], int(sys.argv[2]))

"""Run a command where there is no network: in a network namespace of its own, with nothing but loopback.

`python offline.py COMMAND ...`, in such a namespace, switches loopback on and becomes the command.
"""

import os
import socket
import struct
import subprocess
import sys
from functools import cache

_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1  # linux/sockios.h, linux/if.h


@cache
def can_be_cut_off():
    """Return whether this system lets us run a command without a network."""
    if sys.platform != "linux":
        return False
    try:
        done = subprocess.run(without_network([sys.executable, "-c", ""]), capture_output=True, check=False)
    except FileNotFoundError:  # no unshare
        return False
    return done.returncode == 0


def without_network(command):
    """Return the command that runs another one without a network."""
    rights = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", "--net", *rights, sys.executable, __file__, *map(str, command)]


def _switch_on_loopback():
    import fcntl  # not on Windows

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 0)
        answer = fcntl.ioctl(any_socket, _SIOCGIFFLAGS, request)
        flags = struct.unpack("16sH14x", answer)[1] | _IFF_UP
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags))


if __name__ == "__main__":
    _switch_on_loopback()
    os.execvp(sys.argv[1], sys.argv[1:])

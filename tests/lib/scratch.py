"""scratch.py - a directory of the test's own, free ports, waiting with a deadline."""

import errno
import os
import random
import shutil
import socket
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def build_dir():
    return os.path.join(ROOT, os.environ.get("BUILD") or "build")


def suites_dir():
    return os.path.join(ROOT, os.environ.get("SUITES") or "../shared/suites")


def binary():
    return os.path.join(ROOT, os.environ.get("POSTERN") or os.path.join(build_dir(), "postern"))


def sanitized():
    """Is the binary under test built with a sanitizer?  Then its memory and times say nothing."""
    with open(binary(), "rb") as f:
        text = f.read()
    return b"__asan_init" in text or b"__tsan_init" in text


class Scratch:
    """A short path, since a unix socket's may have 107 octets, open to the MTAs' users."""

    def __init__(self, name="t", parent=None):
        self.path = tempfile.mkdtemp(prefix="postern-%s-" % name, dir=parent)
        os.chmod(self.path, 0o755)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()

    def remove(self):
        if os.environ.get("KEEP"):
            print("# kept: " + self.path)
        else:
            shutil.rmtree(self.path, ignore_errors=True)

    def join(self, *names):
        return os.path.join(self.path, *names)

    def write(self, name, text):
        """Puts a file in place whole, as an editor that renames does."""
        path = self.join(name)
        with open(path + ".new", "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(path + ".new", 0o644)
        os.rename(path + ".new", path)
        return path


def free_port(family=socket.AF_INET):
    """A port that nobody listens on now, below those that the kernel gives to clients."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket(family, socket.SOCK_STREAM) as s:
            try:
                s.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", port))
                return port
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise


def have_ipv6():
    try:
        free_port(socket.AF_INET6)
        return True
    except OSError:
        return False


def wait_until(condition, timeout=10.0):
    """What condition() returns as soon as it is true, or its last answer at the deadline."""
    deadline = time.monotonic() + timeout
    pause = 0.002
    while True:
        answer = condition()
        if answer or time.monotonic() > deadline:
            return answer
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def can_connect(address):
    """address: a path, or a port on 127.0.0.1."""
    unix = isinstance(address, str)
    with socket.socket(socket.AF_UNIX if unix else socket.AF_INET) as s:
        s.settimeout(5)
        try:
            s.connect(address if unix else ("127.0.0.1", address))
            return True
        except OSError:
            return False

"""filters.py - what is measured: the floor, postern, a build of another
revision, and other filters, if they are installed; each started in a directory of its
own and stopped by its own process id."""

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))

from scratch import binary, build_dir  # noqa: E402

OFFER = struct.pack(">IcIII", 13, b"O", 6, 0x1FF, 0x1FFFFF)


def negotiates(path):
    """Does a filter answer there?"""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(60)
        try:
            s.connect(path)
            s.sendall(OFFER)
            return bool(s.recv(4))
        except OSError:
            return False


class Filter:
    """A process that serves a unix socket; ready: milliseconds that took."""

    def __init__(self, scratch, name, argv, patience=300, env=None, sock=None):
        self.name = name
        self.socket = sock or scratch.join(name + ".sock")
        self.log = scratch.join(name + ".log")
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        began = time.monotonic()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
        while not negotiates(self.socket):
            if self.process.poll() is not None or time.monotonic() - began > patience:
                self.stop()
                with open(self.log, errors="replace") as log:
                    raise RuntimeError("%s does not start:\n%s" % (name, log.read()[-2000:]))
            time.sleep(0.001)
        self.ready = (time.monotonic() - began) * 1000

    def pids(self):
        """It and what it has started."""
        found, new = [], [self.process.pid]
        while new:
            found += new
            new = [int(p) for pid in new for p in children(pid)]
        return found

    def settle(self, patience=300):
        """Waits until it has nothing to do: databases of patterns are built beside the work."""
        until, before = time.monotonic() + patience, -1
        while time.monotonic() < until:
            now = sum(ticks(pid) for pid in self.pids())
            if now == before:
                return
            before = now
            time.sleep(0.2)

    def resident(self):
        """In MiB."""
        with open("/proc/%d/status" % self.process.pid) as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:")) / 1024

    def forget_peak(self):
        """What is resident now is the most that ever was."""
        with open("/proc/%d/clear_refs" % self.process.pid, "w") as f:
            f.write("5")

    def reload(self, patience=300):
        """SIGHUP, and waits until postern says that it has taken the rules."""
        until = time.monotonic() + patience
        with open(self.log, "rb") as log:
            log.seek(0, os.SEEK_END)
            self.process.send_signal(signal.SIGHUP)
            tail = b""
            while b"reloaded: " not in tail:
                if b"not reloaded" in tail or time.monotonic() > until:
                    raise RuntimeError("%s: not reloaded" % self.name)
                time.sleep(0.05)
                tail = tail[-200:] + log.read()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return f.read().split()
    except OSError:
        return []


def ticks(pid):
    """CPU time that it has taken."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return sum(int(n) for n in f.read().rsplit(")", 1)[1].split()[11:13])
    except OSError:
        return 0


def floor(scratch, mode):
    sock = scratch.join("floor%s.sock" % mode)
    argv = [os.path.join(build_dir(), "tests", "bench", "floor"), "unix:" + sock] + ([mode] if mode else [])
    return Filter(scratch, "floor " + (mode or "replying"), argv, sock=sock)


def postern(scratch, rules, args, name="postern", path=None):
    """rules: without listen and log; they stand in the scratch directory, and so do lists."""
    sock = scratch.join(name + ".sock")
    path = path or binary()
    file = scratch.write(name + ".rules", "set listen unix:%s\nset log stderr\n" % sock + rules)
    return Filter(scratch, name, [path, "run", "-c", file] + args, sock=sock)


def facts():
    """The names of the facts that there are."""
    out = subprocess.run([binary(), "facts"], capture_output=True, text=True).stdout
    return {word.split("[")[0] for line in out.split("\n") for word in line.split()[:1]}


def wrong_lines(scratch, rules):
    """The lines of rules that postern does not take, from 1."""
    file = scratch.write("check.rules", rules)
    out = subprocess.run([binary(), "check", "-c", file], capture_output=True).stderr.decode("utf-8", "replace")
    lines = set()
    for line in out.split("\n"):
        part = line[len(file):].split(":") if line.startswith(file + ":") else []
        if len(part) > 3 and part[1].isdigit() and part[3].strip() == "error":
            lines.add(int(part[1]))
    return lines


def matching(scratch, rules, message):
    """The names of the rules, shadow rules all of them, that are true of the message."""
    file = scratch.write("judge.rules", rules)
    out = subprocess.run([binary(), "judge", "--json", "-c", file, "--zone", scratch.write("none", ""), message],
                         capture_output=True, check=True).stdout
    return {note["rule"] for note in json.loads(out)["notes"]}


def build_of(revision):
    """Builds that revision in build/, and returns its binary."""
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "--verify", "--quiet", revision + "^{commit}"],
                            capture_output=True, text=True).stdout.strip()
    if not commit:
        raise RuntimeError("git knows no revision %s" % revision)
    tree = os.path.join(build_dir(), "base-" + commit)
    path = os.path.join(tree, "build", "postern")
    if not os.path.exists(path):
        if os.path.exists(tree):
            shutil.rmtree(tree)
        subprocess.run(["git", "-C", ROOT, "worktree", "prune"], check=True)
        subprocess.run(["git", "-C", ROOT, "worktree", "add", "--detach", tree, commit], check=True, capture_output=True)
        subprocess.run(["make", "-C", tree, "NO_DEPS=1", "BUILD=build", "-s", "build/postern"], check=True, stdout=sys.stderr)
    return path

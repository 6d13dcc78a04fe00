#!/usr/bin/python3
"""store.py - what is remembered from one message to the next: across restarts, kill -9, reloads, and among several
filters through a Redis server."""

import os
import pwd
import shutil
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from daemon import Daemon, command
from milter import Milter
from scratch import Scratch, can_connect, free_port, wait_until
from tap import Tap

RULES = """set store %s
set store-timeout %s
set greylist-delay %s
set greylist-spf off
set on-error store skip
rule over
    if   rcpt.local is counted and rate["${sender}", 3 per 1h]
    then reject 550 5.7.1 "over"
rule grey
    if   rcpt.local is new and greylist
    then tempfail 451 4.7.1 "grey"
"""


def rules(store, timeout="2s", delay="1s", extra=""):
    return RULES % (store, timeout, delay) + extra


def rcpt(d, sender, path, ip="192.0.2.7"):
    """What a recipient is told."""
    with Milter(d.address) as m:
        m.open(ip=ip)
        m.mail(sender)
        reply = m.rcpt(path)
        m.abort()
        return reply.text or reply.kind


def count(d, sender, n):
    """Sends n messages; how many of their recipients were refused."""
    return sum("over" in rcpt(d, sender, "<counted@example.org>") for _ in range(n))


def grey(d, sender, **origin):
    return "grey" in rcpt(d, sender, "<new@example.org>", **origin)


def passes(d, sender, **origin):
    return wait_until(lambda: not grey(d, sender, **origin))


# ---- a file

def restarts(tap, scratch):
    store = "lmdb:" + scratch.join("store")
    with Daemon(scratch, rules(store)) as d:
        tap.same(count(d, "<a@example.com>", 4), 1, "lmdb: the fourth of three is refused")
        tap.ok(grey(d, "<x@example.com>"), "lmdb: who is new is delayed")
        tap.ok(passes(d, "<x@example.com>"), "lmdb: and passes when it comes again")
        tap.ok(not grey(d, "<x@example.com>", ip="192.0.2.99"), "lmdb: from its neighbour, too")
        tap.ok(grey(d, "<x@example.com>", ip="198.51.100.1"), "lmdb: but from no other network")
        tap.same(d.stop(), 0, "lmdb: ends well")
    with Daemon(scratch, rules(store)) as d:
        tap.same(count(d, "<a@example.com>", 1), 1, "restart: the rate goes on")
        tap.ok(not grey(d, "<x@example.com>"), "restart: who came again is known")
        tap.same(count(d, "<k@example.com>", 3), 0, "restart: others are counted by themselves")
        d.process.kill()
        d.wait()
    with Daemon(scratch, rules(store)) as d:
        tap.same(count(d, "<k@example.com>", 1), 1, "kill -9: what was answered is not forgotten")
        tap.ok(not d.crashed(), "kill -9: the next start is sound", d.text()[-2000:])


def killed_while_writing(tap, scratch):
    """However often, wherever it is hit: what was answered is there."""
    store = "lmdb:" + scratch.join("store")
    lost = []
    for i in range(5):
        sender = "<s%d@example.com>" % i
        with Daemon(scratch, rules(store)) as d:
            threads = [threading.Thread(target=flood, args=(d, "<other%d@example.com>" % k)) for k in range(3)]
            for t in threads:
                t.start()
            count(d, sender, 3)
            d.process.kill()
            d.wait()
            for t in threads:
                t.join()
        with Daemon(scratch, rules(store)) as d:
            if count(d, sender, 1) != 1:
                lost.append(sender)
            d.stop()
            if d.crashed():
                lost.append(d.crashed())
    tap.same(lost, [], "kill -9 while it writes, five times: nothing is lost")


def flood(d, sender):
    try:
        while d.alive():
            rcpt(d, sender, "<counted@example.org>")
    except Exception:       # it was killed under our hands: that is the test
        pass


def reloads(tap, scratch):
    one, two = "lmdb:" + scratch.join("one"), "lmdb:" + scratch.join("two")
    with Daemon(scratch, rules(one)) as d:
        count(d, "<a@example.com>", 3)
        with Milter(d.address) as old:          # holds the first generation
            old.open()
            tap.ok(d.reload(rules=rules(two)), "reload: another store")
            tap.same(count(d, "<a@example.com>", 3), 0, "reload: which is empty")
            old.mail("<a@example.com>")
            reply = old.rcpt("<counted@example.org>")
            tap.ok("over" in (reply.text or ""), "reload: an old session asks the old one", reply)
            old.abort()
            tap.ok(d.reload(rules=rules(one)), "reload: back, while the old session is there")
            tap.same(count(d, "<a@example.com>", 1), 1, "reload: and nothing is forgotten")
        tap.ok(d.reload(rules="rule a\n    then accept\n"), "reload: no store")
        tap.ok(d.reload(rules=rules(one)), "reload: and again one")
        tap.same(count(d, "<a@example.com>", 1), 1, "reload: still nothing is forgotten")
        mark = d.mark()
        tap.ok(d.reload(rules=rules("lmdb:/nonexistent/deeper/store")) is False, "reload: a store that can't be opened is refused")
        tap.ok(d.wait_line("cannot use the store", mark), "reload: with the reason", d.lines[mark:])
        tap.same(count(d, "<a@example.com>", 1), 1, "reload: and the old one goes on")
        tap.ok(d.reload(rules=rules("memory")), "reload: memory")
        tap.same(count(d, "<a@example.com>", 4), 1, "reload: which counts as well")


def bad_files(tap, scratch):
    scratch.write("junk", b"this is no store" * 1000)
    for name, path, words, lines in (
            ("a directory that isn't there", "/nonexistent/deeper/store", ":3:11: error: there is no directory /nonexistent/deeper for the store", 4),
            ("a file that is no store", scratch.join("junk"), "cannot use the store", 1)):
        file = scratch.write("b", "set log stderr\nset listen unix:%s\n" % scratch.join("sock") + rules("lmdb:" + path))
        status, out, err = command("run", "-c", file)
        tap.ok(status == 73 and err.count("\n") == lines and words in err, "start: " + name, status, err)


def damaged(tap, scratch):
    """A file damaged inside is named at the start, and ends no filter that runs; removed, it is made anew."""
    path = scratch.join("store")
    with Daemon(scratch, rules("lmdb:" + path)) as d:
        for i in range(40):
            count(d, "<s%d@example.com>" % i, 1)
    with open(path, "r+b") as f:
        f.seek(8192)
        f.write(b"\x5a" * (os.path.getsize(path) - 8192))
    file = scratch.write("b", "set log stderr\nset listen unix:%s\n" % scratch.join("sock") + rules("lmdb:" + path))
    status, out, err = command("run", "-c", file)
    tap.ok(status == 73 and path in err and "it is damaged" in err and "remove it" in err, "damaged: refused at start", status, err)
    os.unlink(path)
    with Daemon(scratch, rules("lmdb:" + path)) as d:
        tap.same(count(d, "<a@example.com>", 4), 1, "damaged: removed, it is made anew")
        mark = d.mark()
        os.unlink(path)
        tap.same(count(d, "<a@example.com>", 4), 1, "removed while it runs: it begins anew")
        tap.ok(d.wait_line("its file was removed: it is made anew", mark), "removed while it runs: it is said", d.lines[mark:])
        tap.ok(os.path.exists(path), "removed while it runs: there is a file again")
    with Daemon(scratch, rules("lmdb:" + path)) as d:
        tap.same(count(d, "<a@example.com>", 1), 1, "removed while it runs: a restart finds what was counted since")


def directory(tap, scratch):
    """The store's directory is made for the user that the filter becomes."""
    if os.geteuid() != 0:
        tap.skip("the store's directory is made for the user", "not root")
        return
    with Daemon(scratch, rules("lmdb:" + scratch.join("new", "store")), settings="set user nobody\n") as d:
        tap.same(count(d, "<a@example.com>", 4), 1, "user: the store works")
        tap.same(os.stat(scratch.join("new")).st_uid, pwd.getpwnam("nobody").pw_uid, "user: its directory belongs to the user")


def judged(tap, scratch):
    """judge and the tests in a file count nothing."""
    path = scratch.join("untouched")
    test = 'test "t"\n    client 192.0.2.7  sender <a@example.com>  rcpt <counted@example.org>\n    expect accept\n'
    file = scratch.write("j", rules("lmdb:" + path, extra=test))
    message = scratch.write("m", "Subject: x\n\nx\n")
    status, out, err = command("check", "-c", file)
    tap.ok(status == 0, "check: runs the tests", out, err)
    for _ in range(5):
        status, out, err = command("judge", "-c", file, "--client", "192.0.2.7", "--helo", "a.example", "--sender",
                                   "a@example.com", "--rcpt", "counted@example.org", "-v", message)
    tap.ok(status == 0 and "is unset" in out, "judge: counts nothing", out, err)
    tap.ok(not os.path.exists(path), "judge: the real store is not touched")


# ---- a server

class Redis:
    """Debian's server on a free port, nothing kept on disk."""

    def __init__(self, scratch, *args):
        self.port = free_port()
        self.args = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                     "--dir", scratch.path] + list(args)
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: can_connect(self.port) or self.process.poll() is not None)

    def stop(self):
        self.process.kill()
        self.process.wait()

    @property
    def place(self):
        return "127.0.0.1:%d" % self.port


def shared(tap, scratch):
    server = Redis(scratch)
    try:
        store = "redis://%s/2" % server.place
        second = Scratch("store")
        with second, Daemon(scratch, rules(store)) as one, Daemon(second, rules(store)) as two:
            tap.same(count(one, "<a@example.com>", 2) + count(two, "<a@example.com>", 3), 2, "redis: two filters count together")
            tap.ok(grey(one, "<x@example.com>"), "redis: one delays")
            tap.ok(passes(two, "<x@example.com>"), "redis: and the other lets pass")
            counts = [0, 0]

            def hammer(i, d):
                counts[i] = count(d, "<h@example.com>", 30)
            threads = [threading.Thread(target=hammer, args=(i, d)) for i, d in enumerate((one, two))]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            tap.same(sum(counts), 57, "redis: none of sixty at once is lost")
            server_away(tap, server, one)
            for name, d in (("first", one), ("second", two)):
                tap.ok(d.stop() == 0 and not d.crashed(), "redis: the %s filter ends well" % name, d.text()[-2000:])
    finally:
        server.stop()


def server_away(tap, server, d):
    mark = d.mark()
    server.stop()
    tap.same(rcpt(d, "<x@example.com>", "<new@example.org>"), "continue", "redis away: on-error store skip")
    tap.ok(d.wait_line(r"store redis://.*: .*(refused|closed)", mark), "redis away: it is said", d.lines[mark:])
    for _ in range(5):
        rcpt(d, "<x@example.com>", "<new@example.org>")
    tap.same(sum("store redis" in line for line in d.lines[mark:]), 1, "redis away: once", d.lines[mark:])
    tap.ok(d.reload(rules=rules("redis://" + server.place).replace("store skip", "store tempfail")), "redis away: a reload takes it as it is")
    told = rcpt(d, "<x@example.com>", "<new@example.org>")
    tap.ok("could not be completed" in told, "redis away: on-error store tempfail", told)
    mark = d.mark()
    server.start()
    tap.ok(wait_until(lambda: "over" in rcpt(d, "<a@example.com>", "<counted@example.org>")), "redis back: it counts again")
    tap.ok(d.wait_line("works again", mark), "redis back: it is said", d.lines[mark:])


def passwords(tap, scratch):
    server = Redis(scratch, "--requirepass", "secret")
    try:
        with Daemon(scratch, rules("redis://:secret@%s/1" % server.place)) as d:
            tap.same(count(d, "<a@example.com>", 4), 1, "redis: with its password")
        with Daemon(scratch, rules("redis://:wrong@%s/1" % server.place)) as d:
            tap.same(count(d, "<a@example.com>", 4), 0, "redis: a wrong password is an error of the store")
            line = d.wait_line("store redis")
            tap.ok(line and "wrong" not in line.replace("WRONGPASS", ""), "redis: no password in the log", line)
        with Daemon(scratch, rules("redis://default:secret@%s/1" % server.place)) as d:
            tap.same(count(d, "<u@example.com>", 4), 1, "redis: with a user, too")
    finally:
        server.stop()


def reasons(tap, scratch):
    """A server that is away and then wants a password: both are said."""
    server = Redis(scratch, "--requirepass", "secret")
    server.stop()
    try:
        with Daemon(scratch, rules("redis://" + server.place)) as d:
            rcpt(d, "<x@example.com>", "<new@example.org>")
            tap.ok(d.wait_line("store redis.*refused"), "redis: away", d.text()[-500:])
            mark = d.mark()
            server.start()
            tap.ok(wait_until(lambda: rcpt(d, "<x@example.com>", "<new@example.org>") and d.wait_line("store redis.*NOAUTH", mark, 0.1)),
                   "redis: back, but with another reason to fail", d.lines[mark:])
    finally:
        server.stop()


def sockets(tap, scratch):
    path = scratch.join("redis.sock")
    server = Redis(scratch, "--unixsocket", path, "--requirepass", "secret")
    try:
        with Daemon(scratch, rules("redis://:secret@unix:%s/3" % path)) as d:
            tap.same(count(d, "<a@example.com>", 4), 1, "redis: by a Unix socket")
        with Daemon(scratch, rules("redis://:secret@%s/3" % server.place)) as d:
            tap.same(count(d, "<a@example.com>", 1), 1, "redis: the same database by TCP")
        with Daemon(scratch, rules("redis://:secret@unix:%s" % path)) as d:
            tap.same(count(d, "<a@example.com>", 4), 1, "redis: a socket without a database")
        with Daemon(scratch, rules("redis://unix:%s-not" % path)) as d:
            rcpt(d, "<x@example.com>", "<new@example.org>")
            tap.ok(d.wait_line("store redis.*No such file"), "redis: a socket that isn't there", d.text()[-500:])
    finally:
        server.stop()


def unknown_name(tap, scratch):
    """A name that can't be looked up is a server that is away."""
    with Daemon(scratch, rules("redis://nosuch.invalid/0")) as d:
        tap.ok(d.wait_line("store redis://nosuch.invalid/0: cannot find the server nosuch.invalid"), "redis: no such name, said at start", d.text()[-500:])
        tap.same(rcpt(d, "<x@example.com>", "<new@example.org>"), "continue", "redis: no such name, on-error decides")
        tap.same(d.stop(), 0, "redis: no such name, ends well")


def silent_server(tap, scratch):
    """It takes connections and says nothing: nobody waits longer than the deadline, and not each by himself."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(50)
        with Daemon(scratch, rules("redis://127.0.0.1:%d" % s.getsockname()[1], timeout="1s")) as d:
            since = time.monotonic()
            tap.same(rcpt(d, "<x@example.com>", "<new@example.org>"), "continue", "redis silent: on-error")
            first = time.monotonic() - since
            tap.ok(0.9 < first < 8, "redis silent: after the deadline", first)
            tap.ok(d.wait_line("did not answer in time"), "redis silent: it is said", d.text()[-500:])


def main():
    tap = Tap()
    for part in (restarts, killed_while_writing, reloads, bad_files, damaged, directory, judged):
        with Scratch("store") as scratch:
            part(tap, scratch)
    with Scratch("store") as scratch:
        silent_server(tap, scratch)
    with Scratch("store") as scratch:
        unknown_name(tap, scratch)
    for part in (shared, passwords, reasons, sockets):
        if shutil.which("redis-server") is None:
            tap.skip(part.__name__, "redis-server is not installed")
            continue
        with Scratch("store") as scratch:
            part(tap, scratch)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())

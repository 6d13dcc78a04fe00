#!/usr/bin/python3
"""stall.py - nobody waits for another's lookups.

A name server of our own leaves questions about slow names without an answer.
Fifty sessions wait for it, fifty others begin at the same moment, and those
must not notice (libmilter queues sessions behind busy workers unless it is
cured: filter/pool.c)."""

import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from daemon import Daemon
from milter import Milter
from nameserver import NameServer
from scratch import Scratch, binary
from tap import Tap, skip_all

RULES = """\
set dns-servers 127.0.0.1@%d
set dns-timeout %s
set earliest-reply mail
set authentication-results off
rule own
    if   sender.domain is own.example
    then accept
rule dns
    if   spf is temperror
    then tempfail 451 4.4.3 "SPF lookup failed"
rule fail
    if   spf is fail
    then reject 550 5.7.23 "SPF"
"""


def session(address, name, took, answers, barrier):
    with Milter(address, timeout=40) as m:
        m.open()
        barrier.wait(30)
        began = time.monotonic()
        reply = m.mail("<x@%s>" % name)
        took.append(time.monotonic() - began)
        answers.append(reply)
        m.abort()
        m.quit()


class Burst:
    """Sessions of several kinds, all at once; the slow ones are in front of the queue."""

    def __init__(self, address, *kinds):
        barrier = threading.Barrier(sum(len(names) for names in kinds))
        self.took, self.told = [[] for _ in kinds], [[] for _ in kinds]
        self.threads = [[threading.Thread(target=session, args=(address, name, self.took[k], self.told[k], barrier))
                         for name in names] for k, names in enumerate(kinds)]
        for kind in self.threads:
            for t in kind:
                t.start()

    def join(self, *kinds):
        for k in kinds or range(len(self.threads)):
            for t in self.threads[k]:
                t.join()
        return self


SLOW, QUICK, OWN = range(3)


def names(word, n):
    return ["%s%d-%d.example.net" % (word, n, i) for i in range(50)]


def stalls(tap, scratch, server):
    """Slow ones wait for a dead name server, quick ones for a live one, the others need none; and as soon as the
    quick ones have their answers, while the slow ones still wait, the next burst comes."""
    with Daemon(scratch, RULES % (server.port, "2s"), zone=None) as d:
        bursts = []
        for n in range(3):
            bursts.append(Burst(d.address, names("slow", n), names("pass", n), ["own.example"] * 50))
            bursts[-1].join(QUICK, OWN)
        for n, b in enumerate(bursts):
            b.join()
            tap.same({r.kind for r in b.told[QUICK] + b.told[OWN]} - {"continue", "accept"}, set(),
                     "burst %d: the quick ones have their answers" % n, d.text()[-1500:])
            tap.ok(max(b.took[QUICK]) < 1.0, "burst %d: and did not wait" % n, "%.2f s" % max(b.took[QUICK]))
            tap.ok(max(b.took[OWN]) < 1.0, "burst %d: nor did those without DNS" % n, "%.2f s" % max(b.took[OWN]))
            tap.ok(max(b.took[QUICK] + b.took[OWN]) < min(b.took[SLOW]), "burst %d: all before the first slow one" % n,
                   "%.2f s" % min(b.took[SLOW]))
            tap.same([r.code for r in b.told[SLOW]], [451] * 50, "burst %d: the slow ones are put off" % n)
            tap.ok(max(b.took[SLOW]) < 5, "burst %d: at the deadline" % n, "%.2f s" % max(b.took[SLOW]))
            tap.comment("slowest quick one %.0f ms, without DNS %.0f ms, slow ones %.2f to %.2f s" % (
                1000 * max(b.took[QUICK]), 1000 * max(b.took[OWN]), min(b.took[SLOW]), max(b.took[SLOW])))
        asked = server.count("pass0-0.example.net")
        with Milter(d.address) as m:
            m.open()
            tap.ok(m.mail("<x@pass0-0.example.net>").kind in ("continue", "accept"), "a second question")
            m.abort()
        tap.same(server.count("pass0-0.example.net"), asked, "is answered from memory")
        status = d.stop()
        tap.ok(status == 0 and not d.crashed(), "the daemon ends well", status, d.text()[-2000:])


def late_answers(tap, scratch, server):
    """A name server that must ask others takes its time; what comes before the deadline counts, however quick the
    server was before, or silent."""
    with Daemon(scratch, RULES % (server.port, "3s"), zone=None) as d:
        for ms, before in ((700, None), (1500, None), (1500, "pass"), (1500, "slow")):
            if before:
                Burst(d.address, ["%s-%d-%d.example.net" % (before, ms, n) for n in range(20)]).join()
            name = "late-%d.%s.example.net" % (ms, before)
            with Milter(d.address, timeout=20) as m:
                m.open()
                began = time.monotonic()
                reply = m.mail("<x@%s>" % name)
                took = time.monotonic() - began
                tap.ok(reply.kind in ("continue", "accept"),
                       "an answer after %d ms counts%s" % (ms, ", after 20 %s ones" % before if before else ""),
                       "%r after %.2f s" % (reply, took), "asked %d times" % server.count(name))
                m.abort()


def stop_while_waiting(tap, scratch, server):
    """SIGTERM does not wait longer than the lookups' deadline."""
    with Daemon(scratch, RULES % (server.port, "2s"), zone=None) as d:
        m = Milter(d.address)
        m.open()
        m.send("M", b"<x@slow-stop.example.net>\0")
        d.wait_line("started", 0, 1)
        began = time.monotonic()
        d.stop()
        took = time.monotonic() - began
        tap.ok(took < 8, "stop while a lookup is under way", "%.2f s" % took)
        tap.same(d.crashed(), None, "without a crash", d.text()[-1500:])
        m.close()


def main():
    if not os.access(binary(), os.X_OK):
        skip_all("no %s" % binary())
    tap = Tap()
    server = NameServer()
    with Scratch("stall") as scratch:
        tap.case("stalls", stalls, tap, scratch, server)
        tap.case("late_answers", late_answers, tap, scratch, server)
        tap.case("stop_while_waiting", stop_while_waiting, tap, scratch, server)
    server.close()
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())

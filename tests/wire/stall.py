#!/usr/bin/python3
"""stall.py - nobody waits for another's lookups.

A name server of our own leaves questions about slow names without an answer.
Fifty sessions wait for it, fifty others begin at the same moment, and those
must not notice (libmilter queues sessions behind busy workers unless it is
cured: filter/pool.c)."""

import os
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from daemon import Daemon
from milter import Milter
from scratch import Scratch, binary
from tap import Tap, skip_all

RULES = """\
set dns-servers 127.0.0.1@%d
set dns-timeout %s
set earliest-reply mail
set authentication-results off
rule dns
    if   spf is temperror
    then tempfail 451 4.4.3 "SPF lookup failed"
rule fail
    if   spf is fail
    then reject 550 5.7.23 "SPF"
"""

TXT = 16


class NameServer:
    """UDP on loopback.  slow...: silence; pass...: an SPF record; late-N...: the same, known N ms after the first
    question, as with a name server that must ask others; all else: no such name."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.asked = {}         # (name, type): [times]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                packet, peer = self.sock.recvfrom(4096)
            except OSError:
                return
            labels, at = [], 12
            while packet[at]:
                labels.append(packet[at + 1:at + 1 + packet[at]].decode("latin-1").lower())
                at += 1 + packet[at]
            qtype, = struct.unpack("!H", packet[at + 1:at + 3])
            asked = self.asked.setdefault((".".join(labels), qtype), [])
            asked.append(time.monotonic())
            kind, _, number = (labels[0] if labels else "").partition("-")
            if kind.startswith("slow"):
                continue
            wait = asked[0] + int(number) / 1000 - asked[-1] if kind == "late" else 0
            if wait > 0:
                threading.Timer(wait, self._answer, (packet, at, qtype, kind, peer)).start()
            else:
                self._answer(packet, at, qtype, kind, peer)

    def _answer(self, packet, at, qtype, kind, peer):
        good = kind == "late" or kind.startswith("pass")
        answer = b""
        if good and qtype == TXT:
            text = b"v=spf1 ip4:192.0.2.0/24 -all"
            rdata = bytes([len(text)]) + text
            answer = b"\xc0\x0c" + struct.pack("!HHIH", TXT, 1, 300, len(rdata)) + rdata
        head = packet[:2] + struct.pack("!HHHHH", 0x8580 if good else 0x8583, 1, 1 if answer else 0, 0, 0)
        try:
            self.sock.sendto(head + packet[12:at + 5] + answer, peer)
        except OSError:
            pass

    def count(self, name):
        return len(self.asked.get((name, TXT), ()))

    def close(self):
        self.sock.close()


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


def burst(address, slow, quick):
    """Both kinds at once: ([times], [replies]) of each."""
    barrier = threading.Barrier(len(slow) + len(quick))
    results = [([], []), ([], [])]
    threads = [threading.Thread(target=session, args=(address, name) + results[kind] + (barrier,))
               for kind, names in enumerate((slow, quick)) for name in names]
    # The slow ones are in front of the queue.
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return results


def stalls(tap, scratch, server):
    with Daemon(scratch, RULES % (server.port, "2s"), zone=None) as d:
        for n in range(2):
            slow = ["slow%d-%d.example.net" % (n, i) for i in range(50)]
            quick = ["pass%d-%d.example.net" % (n, i) for i in range(50)]
            (slow_took, slow_told), (quick_took, quick_told) = burst(d.address, slow, quick)
            tap.same({r.kind for r in quick_told} - {"continue", "accept"}, set(),
                     "burst %d: the quick ones have their answers" % n, d.text()[-1500:])
            tap.ok(max(quick_took) < 1.0, "burst %d: and did not wait" % n, "the slowest of them: %.2f s" % max(quick_took))
            tap.same([r.code for r in slow_told], [451] * 50, "burst %d: the slow ones are put off" % n)
            tap.ok(max(slow_took) < 5, "burst %d: at the deadline" % n, "%.2f s" % max(slow_took))
            tap.comment("slowest quick one %.0f ms, slow ones %.2f to %.2f s" % (
                1000 * max(quick_took), min(slow_took), max(slow_took)))
        asked = server.count("pass0-0.example.net")
        with Milter(d.address) as m:
            m.open()
            tap.ok(m.mail("<x@pass0-0.example.net>").kind in ("continue", "accept"), "a second question")
            m.abort()
        tap.same(server.count("pass0-0.example.net"), asked, "is answered from memory")
        status = d.stop()
        tap.ok(status == 0 and not d.crashed(), "the daemon ends well", status, d.text()[-2000:])


def late_answers(tap, scratch, server):
    """A name server that must ask others takes its time; what comes before the deadline counts."""
    with Daemon(scratch, RULES % (server.port, "6s"), zone=None) as d:
        for ms, before in ((700, 0), (1500, 0), (1500, 20)):
            if before:
                burst(d.address, ["slow-%d-%d.example.net" % (ms, n) for n in range(before)], [])
            with Milter(d.address, timeout=20) as m:
                m.open()
                began = time.monotonic()
                reply = m.mail("<x@late-%d.%d.example.net>" % (ms, before))
                took = time.monotonic() - began
                tap.ok(reply.kind in ("continue", "accept"),
                       "an answer after %d ms counts%s" % (ms, ", after %d that never came" % before if before else ""),
                       "%r after %.2f s" % (reply, took), "asked %d times" % server.count("late-%d.%d.example.net" % (ms, before)))
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

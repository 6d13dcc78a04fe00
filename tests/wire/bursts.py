#!/usr/bin/python3
"""bursts.py - however the stream is cut, it is the same stream.

The daemon reads ahead what an MTA sends at once (filter/ahead.c).  Three
messages in one session, as one write, in pieces of many sizes, and packet by packet:
what comes back must be the same, to the octet."""

import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from daemon import Daemon
from milter import HDR_LEADSPC, NO, Closed, Milter, cstring, packet
from scratch import Scratch, binary
from tap import Tap, skip_all

RULES = """\
set authentication-results off
set body-limit 10M
rule refused
    if   subject contains "refuse"
    then reject 554 5.7.1 "${subject}"
rule third
    if   raw.body contains "the end of the third"
    then add header X-Seen "${size}"
"""

MESSAGES = (
    ("first", b"short\r\n"),
    ("refuse this", b"line\r\n" * 5000),
    ("third", b"line of the third\r\n" * 8000 + b"the end of the third\r\n"),
)


def stream(offer):
    """The packets of all messages, as far as the filter wants them."""
    def wanted(code):
        return not offer.steps & NO.get(code, 0)
    out = [packet("C", cstring("client.example.com") + b"4" + (2525).to_bytes(2, "big") + cstring("203.0.113.5")),
           packet("H", cstring("client.example.com"))]
    for subject, body in MESSAGES:
        out += [packet("D", b"M" + cstring("i") + cstring("4Xyz")), packet("M", cstring("<a@example.com>")),
                packet("R", cstring("<b@example.org>")), packet("R", cstring("<c@example.org>"))]
        out += [packet("T")] if wanted("T") else []
        blank = " " if offer.steps & HDR_LEADSPC else ""
        out += [packet("L", cstring(n) + cstring(blank + v)) for n, v in
                [("From", "a@example.com"), ("Subject", subject)] + [("X-%d" % i, "y" * i) for i in range(60)]]
        out.append(packet("N"))
        out += [packet("B", body[i:i + 65535]) for i in range(0, len(body), 65535)]
        out += [packet("E"), packet("A")]
    return out + [packet("Q")]


def answers(address, segment):
    """All octets that come back.  segment: of one write; 0: a packet each; None: all at once."""
    with Milter(address, segment=segment or None) as m:
        m.negotiate()
        packets = stream(m.offer)
        got = []

        def listen():
            try:
                while True:
                    got.append(m.read())
            except (Closed, OSError):
                pass
        listener = threading.Thread(target=listen)
        listener.start()
        for octets in packets if segment == 0 else [b"".join(packets)]:
            m.write(octets)
        listener.join(30)
        return got


def main():
    if not os.access(binary(), os.X_OK):
        skip_all("no %s" % binary())
    tap = Tap()
    with Scratch("burst") as scratch, Daemon(scratch, RULES) as daemon:
        want = answers(daemon.address, 0)
        kinds = [code for code, _ in want]
        tap.same([k for k in kinds if k in "hya"], ["a", "y", "h", "a"], "packet by packet: what each message got", want)
        for segment in (None, 1 << 16, 16384, 16389, 4096, 1000, 61, 7, 5, 4):
            tap.same(answers(daemon.address, segment), want, "in pieces of %s" % (segment or "any size"))
        tap.ok(not daemon.crashed(), "the daemon is well", daemon.crashed)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())

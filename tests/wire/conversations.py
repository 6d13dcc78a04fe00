#!/usr/bin/python3
"""conversations.py - SUITES/milter against the daemon.

conversations.jsonl: what MTAs say, and what broken or hostile peers say
(bad-...), as octets.  Each is played in several segmentations.  packets.jsonl:
single packets, right and wrong, from both sides, thrown at open sessions.
Whatever comes, the daemon answers rightly or closes, and serves the next.
"""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from daemon import Daemon
from milter import FINAL, SKIP, Closed, Milter, Offer, packet
from scratch import Scratch, binary, suites_dir
from tap import Tap, skip_all

# Looks at everything that an MTA can send and decides nothing.
RULES = """\
set authentication-results spf dkim
rule connection
    if   client.ip in 203.0.113.250 or client.name is none.example.net
    then score +1
rule envelope
    if   helo is none.example.net or sender is none@example.net or rcpt.count > 1000
    then score +1
rule content
    if   subject contains "no such words" or raw.body contains "no such words"
    then score +1
rule end
    if   score > 2
    then reject "never"
"""

# Modifications that a filter may send (the rest of the letters are last words).
CHANGES = "+-2behimqpl"


def pieces(octets, how):
    """The writes in which octets are sent; long packets byte by byte at their start only."""
    if how in ("whole", "joined"):
        return [octets]
    size = 1 if how == "bytes" else 3
    head = octets[:600]
    out = [head[i:i + size] for i in range(0, len(head), size)]
    return out + [octets[i:i + 1400] for i in range(600, len(octets), 1400)]


class Player:
    """One conversation in one segmentation; problems are gathered."""

    def __init__(self, address, how):
        self.m = Milter(address, timeout=8)
        self.how = how
        self.pending = b""
        self.offered = 0
        self.skipping = False
        self.mail_seen = False

    def send(self, octets, hold):
        """hold: no reply follows, so the next packet may go along with it."""
        self.pending += octets
        if self.how == "joined" and hold:
            return
        for piece in pieces(self.pending, self.how):
            self.m.write(piece)
        self.pending = b""

    def step(self, step):
        octets, reply = bytes.fromhex(step["send"]), step["reply"]
        code = chr(octets[4]) if len(octets) > 4 else ""
        if reply == "c" and self.m.offer is not None:
            if self.m.offer.declines(code) or (code == "B" and self.skipping):
                return None
            if self.m.offer.silent(code):
                reply = "none"
        if code == "M":
            self.skipping, self.mail_seen = False, True
        self.send(octets, reply == "none")
        if reply == "O":
            self.offered = int.from_bytes(octets[13:17], "big"), int.from_bytes(octets[9:13], "big")
            return self.negotiated()
        if reply == "c":
            answer = self.m.reply()
            if answer.kind == "skip" and code == "B":
                self.skipping = True
                return None if self.m.offer.steps & SKIP else "skip without leave"
            return None if answer.kind == "continue" and not answer.changes else "answered %r" % answer
        if reply == "eom" and not self.mail_seen and not self.m.offer.declines("M"):
            return None         # an MTA may leave out only what the filter declined: no answer is due
        if reply == "eom":
            answer = self.m.reply()
            return None if answer.kind in ("continue", "accept") else "answered %r" % answer
        if reply == "close":
            return self.closing(half=code != "Q")
        return None

    def negotiated(self):
        code, data = self.m.read()
        if code != "O":
            return "negotiation answered with %r" % code
        self.m.offer = offer = Offer(data)
        steps, actions = self.offered
        if offer.steps & ~steps or offer.actions & ~actions:
            return "asks for more than was offered: steps %#x of %#x, actions %#x of %#x" % (
                offer.steps, steps, offer.actions, actions)
        if offer.steps & ~0x301FFFFF or offer.actions & ~0x1FF:
            return "asks for what nobody knows: %#x %#x" % (offer.steps, offer.actions)
        return None

    def closing(self, half):
        """Up to the end of the stream only whole packets with known letters; then the end."""
        try:
            if half:
                self.m.half_close()
            while True:
                code, _ = self.m.read()
                if code not in FINAL and code not in CHANGES and code != "O":
                    return "a packet with the letter %r" % code
        except Closed:
            return None if not self.m.buffer else "half a packet"
        except OSError as error:        # reset, or not closed in time
            return None if isinstance(error, ConnectionError) else "not closed: %r" % error

    def play(self, steps):
        bad = None
        for step in steps:
            try:
                bad = self.step(step)
            except Closed:
                bad = "closed"
            except OSError as error:
                bad = repr(error)
            if bad:
                return "%s: %s" % (step["what"], bad)
            if step["reply"] == "close":
                return None
        return None


def serves(address):
    """A plain message from negotiation to its acceptance."""
    try:
        with Milter(address) as m:
            m.open()
            last = m.message()[1]
            return last is not None and last.kind in ("accept", "continue") and m.quit()
    except (Closed, OSError):
        return False


def lines(name):
    with open(os.path.join(suites_dir(), "milter", name)) as f:
        return [json.loads(line) for line in f]


def conversation(tap, daemon, case):
    problems = []
    for how in ("whole", "joined", "bytes", "threes") if case.get("split") else ("whole",):
        player = Player(daemon.address, how)
        bad = player.play(case["steps"])
        player.m.close()
        hostile = case["id"].startswith("bad-")
        # A hostile peer may be answered or be dropped anywhere; it must not be waited for.
        if bad and not (hostile and bad.endswith(": closed")):
            problems.append("%s: %s" % (how, bad))
        if hostile and not serves(daemon.address):
            problems.append("%s: the next is not served" % how)
        if not daemon.alive():
            problems.append("%s: the daemon is gone" % how)
            break
    tap.ok(not problems, "%s: %s" % (case["id"], case.get("notes", "")), *problems)


def thrown(tap, daemon, case):
    """The packet after the negotiation, and in the middle of a message."""
    problems = []
    octets = packet(case["code"], bytes.fromhex(case["data"]))
    for where in ("negotiated", "in a message"):
        with Milter(daemon.address) as m:
            m.negotiate()
            if where == "in a message":
                m.connect()
                m.helo()
                m.mail()
                m.rcpt()
            player = Player.__new__(Player)
            player.m = m
            try:
                m.write(octets)
            except Closed:
                pass
            bad = player.closing(half=True)
        if bad:
            problems.append("%s: %s" % (where, bad))
        if not serves(daemon.address):
            problems.append("%s: the next is not served" % where)
    tap.ok(not problems, "%s: %s %r %s" % (case["id"], case["from"], case["code"], case["what"]), *problems)


def main():
    if not os.access(binary(), os.X_OK):
        skip_all("no %s" % binary())
    if not os.path.isdir(os.path.join(suites_dir(), "milter")):
        skip_all("no folder %s/milter" % suites_dir())
    tap = Tap()
    with Scratch("conv") as scratch, Daemon(scratch, RULES) as daemon:
        for case in lines("conversations.jsonl"):
            tap.case(case["id"], conversation, tap, daemon, case)
        for case in lines("packets.jsonl"):
            tap.case(case["id"], thrown, tap, daemon, case)
        tap.same(daemon.stop(), 0, "the daemon ends well", daemon.text()[-2000:])
        tap.same(daemon.crashed(), None, "no crash", daemon.text()[-2000:])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())

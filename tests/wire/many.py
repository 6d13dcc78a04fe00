#!/usr/bin/python3
"""many.py - however many connections wait, each that says something is answered.

libmilter's list of those that wait is kept by the kernel (filter/pool_poll.c): a
connection that were forgotten there would wait for ever.  At random, up to 80 of them
begin, send a message or half of one, rest, end or break off, and their descriptors are
used again; what is never answered is a failure.  SEED and STEPS may be set."""

import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from daemon import Daemon
from milter import Closed, Milter
from scratch import Scratch, binary
from tap import Tap, skip_all

RULES = """\
set authentication-results off
rule told
    if   rcpt.local matches /^told([0-9]+)$/
    then reject 550 5.7.1 "number ${1}"
"""
MOST = 80


class Client:
    """A connection, and what it says next."""

    def __init__(self, address, serial):
        self.m, self.serial, self.stage = Milter(address), serial, 0
        self.m.open()

    def speak(self):
        """One step of a message: False if the answer is another's, or none."""
        self.stage = (self.stage + 1) % 3
        if self.stage == 1:
            return self.m.mail("<a%d@example.com>" % self.serial).kind in ("continue", "none")
        if self.stage == 2:
            return self.m.rcpt("<told%d@example.org>" % self.serial).lines == ["number %d" % self.serial]
        self.m.abort()
        return True

    def end(self, rng):
        """As an MTA ends, or as one that dies."""
        well = rng.random() < 0.5
        good = not well or self.m.quit()
        self.m.close()
        return good


def walk(address, rng, steps):
    clients, serial = [], 0
    for k in range(steps):
        # Now nearly all of the room is used, now a few: the list grows and shrinks.
        room = MOST if k // 400 % 2 == 0 else 10
        what, who = rng.random(), rng.choice(clients) if clients else None
        try:
            if who is None or (what < 0.3 and len(clients) < room):
                clients.append(Client(address, serial))
                serial += 1
            elif what < 0.1 or len(clients) > room:
                clients.remove(who)
                if not who.end(rng):
                    return "step %d: connection %d isn't closed" % (k, who.serial)
            elif not who.speak():
                return "step %d: connection %d got another's answer" % (k, who.serial)
        except (Closed, OSError) as error:
            return "step %d of %d connections: %r" % (k, len(clients), error)
    for who in clients:
        who.end(rng)
    return None


def main():
    if not os.access(binary(), os.X_OK):
        skip_all("no %s" % binary())
    seed, steps = int(os.environ.get("SEED") or random.randrange(1 << 30)), int(os.environ.get("STEPS") or 4000)
    tap = Tap()
    print("# SEED=%d STEPS=%d" % (seed, steps))
    with Scratch("many") as scratch, Daemon(scratch, RULES) as daemon:
        tap.same(walk(daemon.address, random.Random(seed), steps), None, "each is answered")
        tap.same(daemon.stop(), 0, "the daemon ends well", daemon.text()[-2000:])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/python3
"""demo.py - postern at work: a Postfix of its own on loopback, a handful of
messages, and for each what the client was told, what postern logged and what
came out.  Nothing of it outlives the demo; no mail leaves the machine."""

import os
import sys
import textwrap

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "tests", "lib"))

import mta_postfix
from daemon import Daemon
from scratch import Scratch, binary, wait_until
from smtp import Client, Sink, message, transaction

# What it shows, the client's address and HELO, sender, recipients, Subject, From, body.
BOB = "bob@example.org"
MESSAGES = [
    ("A plain message", "192.0.2.1", "mail.example.com", "alice@example.com", [BOB], "Lunch", "alice@example.com",
     "At noon?\r\n"),
    ("One recipient of two is unknown", "192.0.2.1", "mail.example.com", "alice@example.com",
     [BOB, "nobody@example.org"], "Minutes", "alice@example.com", "See below.\r\n"),
    ("A client that says it is us", "203.0.113.9", "mx1.example.org", "x@example.com", [BOB], "Hello",
     "x@example.com", "Hello.\r\n"),
    ("A forged sender: SPF fails", "203.0.113.9", "mail.evil.example", "service@bank.example", [BOB], "Your account",
     "service@bank.example", "Log in here.\r\n"),
    ("SPF cannot be looked up", "203.0.113.9", "mail.lost.example", "a@lost.example", [BOB], "Hello",
     "a@lost.example", "Hello.\r\n"),
    ("Our own domain in From, from outside", "192.0.2.1", "mail.example.com", "alice@example.com", [BOB], "Question",
     "boss@example.org", "Are you at your desk?\r\n"),
    ("The same, and asking for money", "192.0.2.1", "mail.example.com", "alice@example.com", [BOB], "Urgent",
     "boss@example.org", "I need a wire transfer today.\r\n"),
]


def show(label, text):
    lines = textwrap.wrap(text, 100, break_long_words=False) or [""]
    print("  %-10s %s" % (label, ("\n" + " " * 13).join(lines)))


def logged(line):
    """The log line without what every message has."""
    words = line.split(" ")
    at = next((i for i, w in enumerate(words) if w.startswith("verdict=")), 0)
    return " ".join(words[at:])


def play(daemon, mta, sink, number, what, ip, helo, sender, rcpts, subject, author, body):
    print("\n%d. %s" % (number, what))
    log, sunk = daemon.mark(), sink.mark()
    with Client(mta.port, ehlo=helo, xclient={"ADDR": ip, "NAME": "[UNAVAILABLE]"}) as c:
        result = transaction(c, message(subject, body, author), sender, rcpts)
        c.quit()
    for rcpt, reply in zip(rcpts, result.rcpts):
        if reply.code >= 400:
            show("client", "RCPT %s: %r" % (rcpt, reply))
    if result.data is not None:
        show("client", "message: %r" % result.data)
    expected = sum(r.code >= 400 for r in result.rcpts) + (result.data is not None)
    wait_until(lambda: sum(" verdict=" in l for l in daemon.lines[log:]) >= expected, 5)
    for line in daemon.lines[log:]:
        if " verdict=" in line:
            show("postern", logged(line))
    if result.data is not None and result.data.code == 250:
        if any("verdict=quarantine" in l for l in daemon.lines[log:]):
            show("Postfix", "on hold: " + ", ".join(q for q, _ in mta.held()))
        elif sink.wait_count(1, sunk, 10):
            d = sink.mail[sunk]
            show("delivered", "Subject: %s" % d.get("Subject"))
            show("", "Authentication-Results: %s" % d.get("Authentication-Results"))


def main():
    if not os.access(binary(), os.X_OK):
        sys.exit("demo: %s: not built yet: run make" % binary())
    why = mta_postfix.missing()
    if why:
        sys.exit("demo: " + why)
    with open(os.path.join(HERE, "demo.rules")) as f:
        rules = f.read()
    with open(os.path.join(HERE, "demo.zone")) as f:
        zone = f.read()
    sink = Sink()
    with Scratch("demo") as scratch, Daemon(scratch, rules, zone=zone, group="postfix") as daemon:
        with mta_postfix.Postfix(scratch, daemon.listen, sink.port) as mta:
            print("Postfix on 127.0.0.1:%d asks postern with contrib/demo/demo.rules." % mta.port)
            for number, args in enumerate(MESSAGES, 1):
                play(daemon, mta, sink, number, *args)
    sink.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

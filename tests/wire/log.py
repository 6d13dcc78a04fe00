#!/usr/bin/python3
"""log.py - what the log says of a message beside its verdict: the words that the
client heard, who gave the points, what was changed and by which rule."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import logline
from daemon import Daemon
from milter import Milter
from scratch import ROOT, Scratch, binary
from tap import Tap, skip_all

RULES = """\
set authserv-id mx.example.org
rule external
    then tag subject "[EXT]"
rule marks
    if   subject contains "mark"
    then set header X-Mark "a"
    then add header X-New "b"
    then remove header X-Old
rule vip
    if   rcpt.local is boss
    then redirect <spy@example.net>
rule copy
    if   subject contains "copy"
    then add rcpt copy@example.net
    then set sender new@example.net
rule gone
    if   rcpt.local is trap
    then discard
rule money
    if   subject contains "money"
    then score +3
rule now
    if   subject contains "now"
    then score +2
rule good
    if   subject contains "please"
    then score -1
rule for-carol
    if   rcpt.local is carol and subject contains "money"
    then score +1
rule heavy
    if   score >= 5
    then reject 550 5.7.1 "Too much: ${score}" "Ask \\"us\\""
rule hold
    if   subject contains "hold"
    then quarantine "look at: ${subject}"
rule long
    if   subject contains "long"
    then reject "TEXT TEXT"
""".replace("TEXT TEXT", "long " * 60)

# subject, recipients, fields that must be there, fields that must not
CASES = [
    ("a mark", ["bob"], {"verdict": "accept", "edits": "tag subject by external, set header X-Mark by marks, "
                         "add header X-New by marks, remove header X-Old by marks"}, ["reply", "reason", "scored"]),
    ("hello", ["boss"], {"edits": "tag subject by external, redirect <spy@example.net> by vip"}, []),
    ("hello copy", ["bob"], {"edits": "tag subject by external, add rcpt <copy@example.net> by copy, "
                             "set sender <new@example.net> by copy"}, []),
    ("hello", ["bob", "trap"], {"verdict": "accept",
                                "edits": "tag subject by external, remove rcpt <trap@example.org> by gone"}, []),
    ("money now", ["bob"], {"verdict": "reject", "rule": "heavy", "score": "5", "scored": "money +3, now +2",
                            "reply": 'Too much: 5 / Ask "us"'}, ["edits", "reason"]),
    ("money, please", ["bob"], {"verdict": "accept", "score": "2", "scored": "money +3, good -1"}, ["reply"]),
    ("money", ["bob", "carol"], {"score": "4", "scored": "money +3, for-carol +1"}, ["reply"]),
    ("hold it", ["bob"], {"verdict": "quarantine", "reason": "look at: hold it", "edits": "tag subject by external"},
     ["reply"]),
]


def judged(d, subject, rcpts):
    with Milter(d.address) as m:
        m.open()
        since = d.mark()
        m.message(rcpts=["<%s@example.org>" % r for r in rcpts],
                  headers=[("Subject", " " + subject), ("X-Old", " c")])
        line = d.wait_line(logline.is_verdict, since)
    return line, logline.parse(line or "")


def fields(tap, scratch):
    with Daemon(scratch, "set mixed-recipients strictest\n" + RULES) as d:
        for subject, rcpts, want, without in CASES:
            line, have = judged(d, subject, rcpts)
            tap.same({k: have.get(k) for k in want}, want, "%s to %s" % (subject, ", ".join(rcpts)), line)
            tap.ok(not set(without) & set(have), "and nothing of %s" % ", ".join(without or ["more"]), line)
        line, have = judged(d, "long", ["bob"])
        tap.ok(have.get("reply", "").startswith("long long") and 100 < len(have["reply"]) <= 170, "a long reply is cut", line)


def monitored(tap, scratch):
    with Daemon(scratch, "set mode monitor\n" + RULES) as d:
        line, have = judged(d, "hold it", ["bob"])
        tap.same((have.get("verdict"), have.get("would")),
                 ("accept", "quarantine by hold: tag subject by external"), "mode monitor: which edits", line)
        tap.ok("edits" not in have and "reason" not in have, "mode monitor: and they are not said to be done", line)


def documented(tap):
    """Every key that report.c writes stands in the manual."""
    import re
    with open(os.path.join(ROOT, "filter", "report.c")) as f:
        text = f.read()
    keys = set(re.findall(r'log_(?:field|number)\(l?&?l?, "([a-z.-]+)"', text))
    keys |= set(re.findall(r'put_(?:result|dkim)\(&r, "([a-z.-]+)"', text)) | set(re.findall(r'\{ NOTE_\w+, "([a-z-]+)"', text))
    with open(os.path.join(ROOT, "man", "postern.8.in")) as f:
        section = re.search(r"^\.Sh LOG\n(.*?)^\.Sh ", f.read(), re.M | re.S).group(1)
    told = set(re.findall(r"[a-z.-]+", " ".join(re.findall(r"^\.It Li (.*)$", section, re.M))))
    tap.ok(len(keys) > 20, "the keys are found", sorted(keys))
    tap.same(sorted(keys - told), [], "each key of the log is in postern(8)")


def main():
    if not os.access(binary(), os.X_OK):
        skip_all("no %s" % binary())
    tap = Tap()
    with Scratch("log") as scratch:
        tap.case("fields", fields, tap, scratch)
        tap.case("monitored", monitored, tap, scratch)
    tap.case("documented", documented, tap)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())

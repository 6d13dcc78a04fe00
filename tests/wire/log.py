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


MIXED = """\
rule role
    if   rcpt.local is postmaster
    then accept
rule bad
    if   sender is bad@example.com
    then reject 550 5.7.1 "Bad"
rule slow-spf
    if   spf is fail
    then reject 550 5.7.23 "SPF"
rule full
    if   rcpt.local is full
    then tempfail 450 4.2.2 "Full"
rule trap
    if   rcpt.local is trap
    then discard
rule external
    then tag subject "[EXT]"
rule x
    if   subject contains "xx"
    then reject 554 5.7.1 "X"
"""
MIXED_ZONE = 'fail.example TXT "v=spf1 -all"\n'

# setting, sender, subject, recipients, what is said to each of them when it is enforced, what monitor logs
MONITORED = [
    ("", "bad@example.com", "hello", "bob postmaster carol", [550, 250, 550],
     "reject 550 by bad for <bob@example.org>,<carol@example.org>; accept by role for <postmaster@example.org>"),
    ("", "a@fail.example", "hello", "bob postmaster", [550, 250],
     "reject 550 by slow-spf for <bob@example.org>; accept by role for <postmaster@example.org>"),
    ("", "a@example.com", "xx", "bob postmaster carol", [250, 452, 250],
     "reject 554 by x for <bob@example.org>,<carol@example.org>; split by role, then accept by role for <postmaster@example.org>"),
    ("", "a@example.com", "hello", "postmaster bob carol", [250, 452, 452],
     "accept by role for <postmaster@example.org>; "
     "split by role, then accept for <bob@example.org>,<carol@example.org>"),
    ("set split-limit 1\n", "a@example.com", "xx", "postmaster bob carol", [250, 452, 250],
     "reject 554 by x for <postmaster@example.org>,<carol@example.org>; split by role, then reject 554 by x for <bob@example.org>"),
    ("", "a@example.com", "hello", "full bob", [450, 250],
     "tempfail 450 by full for <full@example.org>; accept for <bob@example.org>: tag subject by external"),
    ("", "a@example.com", "hello", "bob carol", [250, 250], "accept: tag subject by external"),
    ("", "a@example.com", "hello", "bob trap", [250, 250], "accept: tag subject by external, remove rcpt <trap@example.org> by trap"),
    ("", "a@example.com", "hello", "trap", [250], "discard by trap"),
    ("", "bad@example.com", "hello", "bob carol", [550, 550], "reject 550 by bad"),
    ("", "bad@example.com", "hello", "a b c d e postmaster", [550] * 5 + [250],
     "reject 550 by bad for <a@example.org>,<b@example.org>,<c@example.org> and 2 more; accept by role for <postmaster@example.org>"),
    ("set mixed-recipients strictest\n", "a@example.com", "xx", "bob postmaster", [250, 250], "reject 554 by x"),
    ("set mixed-recipients exempt-wins\n", "a@example.com", "xx", "bob postmaster", [250, 250],
     "accept by role: tag subject by external"),
]


def told(m, sender, rcpts):
    """What each recipient is told: 250 where nothing is said against it."""
    m.mail("<%s>" % sender)
    replies = [m.rcpt("<%s@example.org>" % r) for r in rcpts.split()]
    return [r.code if r is not None and r.kind == "reply" else 250 for r in replies]


def monitored_recipients(tap, scratch):
    """would= tells what becomes of each recipient when the file is enforced, by the replies that it gets then."""
    for setting, sender, subject, rcpts, codes, would in MONITORED:
        name = "%s%s, %s to %s" % (setting.strip() + ": " if setting else "", sender, subject, rcpts)
        with Daemon(scratch, setting + MIXED, zone=MIXED_ZONE) as d, Milter(d.address) as m:
            m.open()
            tap.same(told(m, sender, rcpts), codes, "enforced: " + name)
        with Daemon(scratch, "set mode monitor\n" + setting + MIXED, zone=MIXED_ZONE) as d, Milter(d.address) as m:
            m.open()
            tap.same(set(told(m, sender, rcpts)), {250}, "mode monitor: nothing is said: " + name)
            since = d.mark()
            m.data()
            m.header("Subject", " " + subject)
            m.end_of_headers()
            m.end()
            line = d.wait_line(logline.is_verdict, since)
            tap.same(logline.parse(line or "").get("would"), would, "mode monitor: " + name, line)
# What somebody may want to know of one message, all at once.
TALKATIVE = """\
rule bad
    if   rcpt.local is bad
    then reject "no"
rule trap
    if   rcpt.local is trap
    then discard
rule carol
    if   rcpt.local is carol and subject contains "carol"
    then reject "no"
rule shadow
    if   subject contains "shadow"
    then would reject "no"
rule told
    if   subject contains "told"
    then log "one"
    then log "two"
    then score +1
rule marked
    if   subject contains "marked"
    then add header X-A "a"
    then remove header X-Old
rule held
    if   subject contains "held"
    then quarantine "look"
rule never
    if   subject contains "never"
    then reject "no"
rule gone
    if   subject contains "gone"
    then discard
"""

# recipients, subject (None: gone before it), and of each line what it says
LINES = [
    (["bob"], "hello", ["verdict=accept"]),
    (["bob", "dave", "erin"], "hello", ["rcpts=3"]),
    (["bad"], None, ["verdict=reject code=550 rule=bad stage=rcpt"]),
    (["bob", "bad", "dave", "bad"], "hello", ["verdict=reject", "verdict=reject", "rcpts=2"]),
    (["bob", "carol"], "hello", ["verdict=split code=452 rule=carol stage=rcpt", "verdict=accept"]),
    (["bob", "trap"], "hello", ["verdict=accept"]),
    (["trap"], "hello", ["verdict=discard"]),
    (["bob", "dave"], "never", ["verdict=reject code=550 rule=never stage=message"]),
    (["bob", "dave"], "gone", ["verdict=discard"]),
    (["bob"], "held", ["verdict=quarantine"]),
    (["bob", "dave"], "shadow", ["would="]),
    (["bob"], "told", ["log="]),
    (["bob", "dave"], "told, marked, shadow, held", ["edits="]),
    (["bob"], None, []),
]


def calls(tap, scratch):
    """A message has one line, each recipient that was refused one before it, and each line is one call."""
    with Daemon(scratch, TALKATIVE, apart=True) as d, Milter(d.address) as m:
        m.open()
        m.message(queue_id="first")
        d.wait_line("queue=first ")     # and what the daemon said as it began
        for i, (rcpts, subject, want) in enumerate(LINES):
            since = d.mark()
            m.macros("M", i="Q%d" % i)
            m.mail()
            for r in rcpts:
                m.rcpt("<%s@example.org>" % r)
            if subject is None:
                m.abort()
            else:
                m.content(headers=[("Subject", " " + subject), ("X-Old", " c")])
            # Whatever else was to be said of it would stand before the next one's line.
            m.message(rcpts=["<next@example.org>"], queue_id="N%d" % i)
            d.wait_line("queue=N%d " % i, since)
            have = d.lines[since:]
            tap.ok(len(have) == len(want) + 1 and all(w in h for w, h in zip(want, have)),
                   "%s to %s: %d of the log" % (subject or "nothing", ", ".join(rcpts), len(want)), *have)
            tap.ok(all(logline.is_verdict(h) and "\n" not in h for h in have), "and each is one line", *have)


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
        tap.case("monitored recipients", monitored_recipients, tap, scratch)
        tap.case("calls", calls, tap, scratch)
    tap.case("documented", documented, tap)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())

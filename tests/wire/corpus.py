#!/usr/bin/python3
"""corpus.py - all messages of SUITES/mail and SUITES/mail-hostile, as an MTA would
hand them over, to a daemon with rules.example, and to one with rules that look
at all of a message: each gets an answer and a line in the log, none makes an
error.

Through real MTAs only a hundred go; here nothing between tidies the rest up."""

import os
import re
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import logline
from daemon import Daemon
from milter import Closed, Milter
from scratch import ROOT, Scratch, binary, suites_dir
from tap import Tap, skip_all

ZONE = 'example.com TXT "v=spf1 ip4:192.0.2.0/24 -all"\n'

CURIOUS = """\
set authentication-results spf dkim
set earliest-reply mail

rule r-from
    if   not from.count is 1 or from.domain is example.com or from.name matches /paypal|bank/i or reply-to in { a@b.example }
    then score +2

rule r-words
    if   subject matches /\\b(free|money|offer)\\b/i or raw.body matches /viagra|click (here|below)|unsubscribe/i
    then score +2
    then add header X-Words "${subject}"

rule r-encoded
    if   raw.header["Subject"] contains "=?" and subject contains "="
    then log "${subject}"

rule r-list
    if   list-id is set and not dkim is pass
    then tag subject "[LIST]"

rule r-age
    if   date.age > 365d and received.count < 20
    then set header X-Age "${date.age} ${message-id}"
    then remove header X-Mailer

rule r-large
    if   size > 100K
    then quarantine "${size} octets"

rule r-many
    if   header.count["Received"] > 6 or any dkim.signature has ( result is fail and domain is example.com )
    then reject 550 5.7.1 "From ${from}" "About ${subject}" "100%"

rule r-score
    if   score >= 4
    then reject 554 5.7.1 "Score ${score}: ${header["To"]}"
"""

FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:(.*)$", re.S)


def site_rules():
    """rules.example but for what the tests set themselves."""
    with open(os.path.join(ROOT, "rules.example")) as f:
        return re.sub(r"(?m)^set\s+(listen|log|user|chroot|socket-\S+)\s.*\n", "", f.read())


def split(octets):
    """The header fields and the body: what is neither field nor continuation begins the body, as in an MTA."""
    lines = octets.replace(b"\r\n", b"\n").split(b"\n")
    fields, at = [], 0
    while at < len(lines):
        line = lines[at]
        if line == b"":
            at += 1
            break
        found = FIELD.match(line)
        if line[:1] in b" \t" and fields:
            fields[-1][1] += b"\n" + line
        elif found:
            fields.append([found.group(1), found.group(2)])
        else:
            break
        at += 1
    return fields, b"\r\n".join(lines[at:])


def messages():
    for folder in ("mail", "mail-hostile"):
        for place, _, names in sorted(os.walk(os.path.join(suites_dir(), folder))):
            for name in sorted(names):
                if not name.endswith((".tsv", ".md", ".txt")):
                    yield os.path.join(place, name)


def hand_over(address, paths, bad):
    """Several a session; reports (path, what went wrong)."""
    m = None
    for number, path in enumerate(paths):
        with open(path, "rb") as f:
            fields, body = split(f.read())
        try:
            if m is None or number % 10 == 0:
                if m is not None:
                    m.quit()
                    m.close()
                m = Milter(address, timeout=20)
                m.open()
            # A C string ends at the first NUL: MTAs don't pass them on.
            fields = [(n.replace(b"\0", b""), v.replace(b"\0", b"")) for n, v in fields]
            replies, last = m.message(queue_id="C%d" % number, headers=fields, body=body)
            if last is None or last.kind not in ("accept", "continue", "reply", "discard"):
                bad.append((path, "answered %r %r" % (replies, last)))
            elif last.kind == "reply" and last.lone_percent:
                bad.append((path, "a lone percent sign: %r" % last))
        except (Closed, OSError, ValueError) as error:
            bad.append((path, repr(error)))
            m.close()
            m = None
    if m is not None:
        m.close()


def main():
    if not os.access(binary(), os.X_OK):
        skip_all("no %s" % binary())
    paths = list(messages())
    if not paths:
        skip_all("no folder %s/mail" % suites_dir())
    tap = Tap()
    for name, rules in (("rules.example", site_rules()), ("curious rules", CURIOUS)):
        tap.case(name, corpus, tap, name, rules, paths)
    return tap.done()


def corpus(tap, name, rules, paths):
    bad, counts = [], {}
    with Scratch("corpus") as scratch, Daemon(scratch, rules, zone=ZONE) as d:
        threads = [threading.Thread(target=hand_over, args=(d.address, paths[n::4], bad)) for n in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        tap.ok(not bad, "%s: %d messages, each is answered" % (name, len(paths)), *["%s: %s" % b for b in bad[:20]])
        status = d.stop()
        tap.ok(status == 0 and not d.crashed(), name + ": the daemon ends well", status, d.text()[-3000:])
        lines = [logline.parse(l) for l in d.lines if logline.is_verdict(l)]
        tap.ok(len(lines) >= len(paths), name + ": each is in the log", "%d lines" % len(lines))
        refusals = [l for l in lines if l["verdict"] in ("reject", "tempfail")]
        tap.same([l for l in refusals if "rule" not in l][:3], [], name + ": each refusal names its rule")
        tap.same([l for l in d.lines if re.search(r"\berror: |trouble=|out of memory", l)][:5], [],
                 name + ": no line tells of trouble")
    for l in lines:
        counts[l["verdict"]] = counts.get(l["verdict"], 0) + 1
    tap.comment("%s: %s" % (name, counts))


if __name__ == "__main__":
    sys.exit(main())

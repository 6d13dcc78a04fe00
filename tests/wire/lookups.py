#!/usr/bin/python3
"""lookups.py - which lookups a session makes, when it waits for them, and what is told of them.

A name server of our own knows its records as late as a case wants it to."""

import os
import re
import select
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import logline
import milter
from daemon import Daemon
from milter import Milter
from nameserver import A, PTR, TXT, NameServer, text, wire
from scratch import Scratch, binary
from signing import Key, signature
from tap import Tap, skip_all

HEAD = """\
set dns-servers 127.0.0.1@%d
set dns-timeout %s
set authserv-id mx.example.org
"""
ALL = """\
rule fail
    if   spf is fail and spf.helo is fail and client.iprev is fail
    then reject "all of them"
rule lost
    if   client.confirmed-name is mail.example.net
    then tag subject "[T]"
"""
EACH = """\
rule bad-sender
    if   spf is fail
    then reject "sender"
rule bad-helo
    if   spf.helo is fail
    then reject "HELO"
rule bad-client
    if   client.iprev is fail
    then reject "client"
"""
CLIENT, REVERSE = "192.0.2.9", "9.2.0.192.in-addr.arpa"
ADDRESS = socket.inet_aton(CLIENT)
EVERY = 4.99        # seconds; the daemon counts whole milliseconds
STATIC = "set authentication-results off\n"


class Env:
    def __init__(self, tap, scratch):
        self.tap, self.scratch = tap, scratch
        self.server = None

    def daemon(self, rules, timeout="8s"):
        """With a name server that has been asked nothing yet."""
        if self.server:
            self.server.close()
        self.server = NameServer()
        return Daemon(self.scratch, HEAD % (self.server.port, timeout) + rules, zone=None)

    def asked(self):
        """What the daemon asked for on behalf of mail."""
        return sorted(name for name, kind in self.server.asked if name not in ("", "localhost"))

    def name_the_client(self):
        self.server.add(REVERSE, PTR, wire("mail.example.net"))
        self.server.add("mail.example.net", A, ADDRESS)


def none_is_made(e):
    """A message whose rules ask for nothing makes no lookup, whatever else stands in the file."""
    rules = "rule own\n    if   client.ip is %s\n    then accept\n" % CLIENT + ALL
    with e.daemon(rules) as d, Milter(d.address) as m:
        m.open(ip=CLIENT)
        _, last = m.message()
        e.tap.same((last.kind, e.asked()), ("accept", []), "a message that the first rule accepts makes none")
        changed = [c for c in last.changes if c[0] == "i"]
        e.tap.same(changed, [], "and is told none")
    with e.daemon('rule s\n    if   subject contains bad\n    then reject "no"\n') as d, Milter(d.address) as m:
        m.open(ip=CLIENT)
        m.message()
        e.tap.same(e.asked(), [], "nor does one whose rules name no lookup")
    both = "set authentication-results spf iprev\nset received-spf on\n"
    with e.daemon(both + 'rule s\n    then reject "no"\n') as d, Milter(d.address) as m:
        m.open(ip=CLIENT)
        replies, last = m.message()
        e.tap.same((replies[-1].kind, e.asked()), ("reply", []), "nor one that is refused, for fields that nobody will see")


def side_by_side(e):
    """Sender, HELO and client are asked at the same time, the client's from connect on, and nobody waits before RCPT.
    What is asked for second is asked for while the others' second answers are still lacking."""
    first = (REVERSE, "helo.example.net", "from.example.net")
    second = ("mail.example.net", "more.example.net", "host.example.net")
    with e.daemon(STATIC + ALL) as d, Milter(d.address, timeout=60) as m:
        e.name_the_client()
        e.server.add("helo.example.net", TXT, text("v=spf1 include:more.example.net -all"))
        e.server.add("more.example.net", TXT, text("v=spf1 -all"))
        e.server.add("from.example.net", TXT, text("v=spf1 a:host.example.net -all"))
        e.server.add("host.example.net", A, b"\xcb\0\x71\1")
        e.server.hold(*first, *second)
        replies = [m.open(ip=CLIENT, helo="helo.example.net")]
        e.tap.ok(e.server.wait_asked(REVERSE), "the client's name is asked for from the start", e.asked())
        replies.append(m.mail("<x@from.example.net>"))
        e.tap.same({r.kind for r in replies} - {"continue", "none"}, set(), "nothing is waited for before RCPT")
        m.send("R", b"<bob@example.org>\0")
        e.tap.ok(e.server.wait_asked(*first), "three chains begin without an answer to any", e.asked())
        e.server.release(*first)
        e.tap.ok(e.server.wait_asked(*second), "and go on side by side", e.asked())
        e.server.release(*second)
        reply = m.reply()
        e.tap.same((reply.kind, e.asked()), ("continue", sorted(first + second)), "then the recipient is answered")
        asked = sum(map(len, e.server.asked.values()))
        m.abort()
        m.mail("<x@from.example.net>")
        m.rcpt()
        e.tap.same(sum(map(len, e.server.asked.values())), asked, "and now they are known")
        m.abort()


def going_away(e):
    """A session's end waits for no lookup, and the next message has lookups of its own."""
    with e.daemon(STATIC + EACH) as d:
        e.name_the_client()
        e.server.hold(REVERSE)
        with Milter(d.address, timeout=60) as waits, Milter(d.address, timeout=60) as m:
            # One that does wait for the same name and began before: its deadline comes first.
            waits.open(ip=CLIENT, helo="slow.example.net")
            waits.mail("<x@slow-0.example.net>")
            waits.send("R", b"<bob@example.org>\0")
            e.server.wait_asked("slow-0.example.net")
            m.open(ip=CLIENT, helo="slow.example.net")
            for n in range(5):
                m.mail("<x@slow-%d.example.net>" % n)
                m.abort()
            e.tap.ok(m.quit(), "the filter closes")
            told, _, _ = select.select([waits.sock], [], [], 0)
            e.tap.same(told, [], "before the first who waits was told that nothing came")
        with Milter(d.address) as m:
            m.open(ip=CLIENT, helo="slow.example.net")
            m.mail("<x@slow-6.example.net>")
            m.send("R", b"<bob@example.org>\0")
            m.close()
        status = d.stop()
        e.tap.ok(status == 0 and not d.crashed(), "the daemon ends well", status, d.text()[-1500:])


def failures_are_told(e):
    """The log line of a message put off says which lookup failed."""
    rules = STATIC + ('rule lost\n    if   spf is temperror\n    then tempfail "SPF"\n'
                      'rule name\n    if   client.confirmed-name is not set\n    then reject "no name"\n')
    with e.daemon(rules, timeout="1s") as d, Milter(d.address, timeout=20) as m:
        e.name_the_client()
        m.open(ip=CLIENT)
        since = d.mark()
        m.message(sender="<x@slow.example.net>")
        have = logline.parse(d.wait_line(logline.is_verdict, since) or "")
        e.tap.same((have.get("rule"), have.get("spf")), ("lost", "temperror"), "put off since SPF could not be asked")
        e.tap.same(have.get("dns"), "spf: TXT of slow.example.net: timeout, no answer by the deadline",
                   "with the lookup that failed")
        since = d.mark()
        replies, last = m.message(sender="<x@pass.example.net>")
        line = d.wait_line(logline.is_verdict, since) or ""
        e.tap.ok(last and last.kind == "accept" and "dns=" not in line and "client.iprev=pass" in line,
                 "nothing of it where all is well", line)
    with e.daemon(rules, timeout="1s") as d, Milter(d.address, timeout=20) as m:
        e.server.add(REVERSE, PTR, wire("slow.example.net"))
        m.open(ip=CLIENT)
        since = d.mark()
        replies, last = m.message(sender="<x@pass.example.net>")
        have = logline.parse(d.wait_line(logline.is_verdict, since) or "")
        e.tap.ok(replies[-1].code == 451 and have.get("on-error") == "yes" and have.get("rule") == "name",
                 "a name that could not be confirmed is not taken for none", replies, have)
        e.tap.same(have.get("dns"), "client.iprev: A of slow.example.net: timeout, no answer by the deadline",
                   "and the log says which lookup it was")
        m.abort()
        e.server.add("slow.example.net", A, ADDRESS)
        replies, last = m.message(sender="<x@pass.example.net>")
        e.tap.ok(last and last.kind == "accept", "the next message tries anew", replies, last)


def fields(e):
    """What is told of the client and the sender, and in which order."""
    rules = "set authentication-results spf iprev auth\nset received-spf on\n"
    with e.daemon(rules) as d, Milter(d.address, timeout=20) as m:
        e.name_the_client()
        m.open(ip=CLIENT)
        m.macros("M", i="4XyZ", auth_authen="alice", auth_type="PLAIN")
        m.mail("<x@pass.example.net>")
        m.rcpt()
        last = m.content()
        inserted = [c[1] for c in last.changes if c[0] == "i"]
        e.tap.same([(i, name) for i, name, _ in inserted],
                   [(0, "Received-SPF"), (0, "Authentication-Results")], "Received-SPF, and our results above it")
        results = re.sub(r"\s+", " ", inserted[1][2]).strip() if len(inserted) == 2 else ""
        e.tap.same(results, "mx.example.org; spf=pass smtp.mailfrom=x@pass.example.net; "
                            "iprev=pass policy.iprev=192.0.2.9; auth=pass smtp.auth=alice", "each method")
        e.tap.ok(len(inserted) == 2 and re.match(r" pass \(domain of pass.example.net designates it as permitted sender: "
                                                 r"192\.0\.2\.9\)\s+identity=mailfrom; client-ip=192\.0\.2\.9;",
                                                 inserted[0][2]), "Received-SPF says so, too", inserted)
        m.macros("M", i="4XyA")
        m.mail("<>")
        m.rcpt()
        inserted = [c[1] for c in m.content().changes if c[0] == "i"]
        e.tap.ok(len(inserted) == 2 and "auth=" not in inserted[1][2] and "smtp.helo=mail.example.com" in inserted[1][2]
                 and "identity=helo" in inserted[0][2], "nobody logged in, the null sender", inserted)
    with e.daemon("set authentication-results off\nset received-spf on\n") as d, Milter(d.address) as m:
        m.open(ip=None)
        inserted = [c for c in m.message()[1].changes if c[0] == "i"]
        e.tap.same(inserted, [], "nothing of a client without an address")


def progress(e):
    """At the dot the MTA hears every five seconds that we are still there.  The key is told when it has heard it once."""
    rules = STATIC + 'rule d\n    if   dkim is temperror\n    then tempfail "DKIM"\n'
    key = "k0._domainkey.example.net"
    with e.daemon(rules, timeout="60s") as d, Milter(d.address, timeout=90) as m:
        e.server.add(key, TXT, text("v=DKIM1; p="))
        e.server.hold(key)
        m.open(ip=CLIENT)
        m.mail()
        m.rcpt()
        m.header("From", " a@example.net")
        m.header("DKIM-Signature", " v=1; a=rsa-sha256; d=example.net; s=k0; h=from; bh=%s; b=%s" % (
            "A" * 43 + "=", "A" * 342 + "=="))
        m.end_of_headers()
        began = time.monotonic()
        m.send("E")
        seen = []
        while not seen or seen[-1] == "p":
            seen.append(m.read()[0])
            if len(seen) == 1:
                e.tap.ok(seen == ["p"] and time.monotonic() - began >= EVERY, "a word after five seconds, not before",
                         seen, time.monotonic() - began)
                e.server.release(key)
        took = time.monotonic() - began
        e.tap.ok(took >= EVERY * (len(seen) - 1), "and no more often", seen, took)
        e.tap.ok(seen[-1] in "ac", "then the verdict", seen, d.text()[-800:])


KEY_NAME = "slow._domainkey.example.net"
SIGNED_BODY = "one\r\ntwo\r\n" * 20000          # several chunks
ON_DKIM = STATIC + """\
rule early
    if   spf is pass
    then reject 550 5.7.1 "never"
rule good
    if   dkim is pass
    then reject 550 5.7.1 "passed"
rule lost
    if   dkim is temperror
    then tempfail 451 4.7.5 "lost"
"""


def begin_signed(e, m, key, sender):
    """A signed message up to the end of its headers; its key isn't known yet."""
    fields = [("From", "a@example.net"), ("Subject", "hello")]
    m.mail(sender)
    m.rcpt()
    m.data()
    m.header("DKIM-Signature", " " + signature(key, "example.net", "slow", ["From", "Subject"], fields, SIGNED_BODY))
    for name, value in fields:
        m.header(name, " " + value)
    m.end_of_headers()


def body_needs_no_key(e):
    """Body chunks are taken while the key isn't there; at the dot it is waited for."""
    key = Key(e.scratch.join("key"))
    with e.daemon(ON_DKIM, timeout="3s") as d, Milter(d.address, timeout=30) as m:
        m.open(ip=CLIENT, steps=milter.ALL_STEPS & ~milter.NR["B"])
        begin_signed(e, m, key, "<>")
        e.tap.ok(not m.offer.silent("B"), "chunks are answered where the MTA wants it")
        e.tap.ok(e.server.wait(KEY_NAME), "the key is asked for as soon as the header is known", e.asked())
        e.tap.same(m.body(SIGNED_BODY.encode()).kind, "continue", "all of the body is taken before it is there")
        e.server.add(KEY_NAME, TXT, text(key.record))
        e.tap.same(m.end().code, 550, "it is judged by the key that came after the body", d.text()[-800:])
        begin_signed(e, m, key, "<>")
        e.tap.same(m.body(SIGNED_BODY.replace("two", "three", 1).encode()).kind, "continue", "a changed body, too")
        e.tap.same(m.end().kind, "accept", "does not pass")
    with e.daemon(ON_DKIM, timeout="1s") as d, Milter(d.address, timeout=30) as m:
        m.open(ip=CLIENT)
        since = d.mark()
        begin_signed(e, m, key, "<>")
        m.body(SIGNED_BODY.encode())
        e.tap.same(m.end().code, 451, "without its key it is put off")
        have = logline.parse(d.wait_line(logline.is_verdict, since) or "")
        e.tap.same(have.get("dns"), "dkim: TXT of %s: timeout, no answer by the deadline" % KEY_NAME,
                   "and the log names the lookup that failed")


def dot_waits_anew(e):
    """What was waited for before the dot is not taken off what may be waited at it."""
    key = Key(e.scratch.join("key"))
    with e.daemon(ON_DKIM, timeout="3s") as d, Milter(d.address, timeout=30) as m:
        m.open(ip=CLIENT)
        began = time.monotonic()
        begin_signed(e, m, key, "<x@slow.example.net>")
        e.tap.ok(time.monotonic() - began > 2.5, "SPF took all the time that there is before the dot")
        m.body(SIGNED_BODY.encode())
        m.send("E")
        e.server.add(KEY_NAME, TXT, text(key.record))
        e.tap.same(m.reply().code, 550, "the key is waited for all the same", d.text()[-800:])
        m.abort()


SHADOW = STATIC + """\
rule shadow
    if   dmarc is fail
    then would reject 550 5.7.1 "no"
rule other
    if   dmarc is pass
    then would reject 550 5.7.1 "no"
rule told
    then log "spf=${spf} dmarc=${dmarc} score=${score}"
rule points
    if   dnsbl["bl.example.net"] is set
    then score +3
rule failed
    if   dmarc is fail
    then log "DMARC failed, score ${score}"
rule early
    if   sender.domain is early.example.net
    then reject 550 5.7.1 "early"
rule content
    if   subject is refused
    then reject 550 5.7.1 "content"
"""
POLICY, LISTED, SENDER = "_dmarc.author.example.net", "9.2.0.192.bl.example.net", "sender.example.net"


def shadow_line(e, m, d, sender, subject):
    """What the log says of a message whose lookups are answered once it waits for them at its end, and the reply."""
    held = (POLICY, LISTED, SENDER)
    e.server.hold(*held)
    since = d.mark()
    m.mail(sender)
    reply = m.rcpt()
    if reply.kind == "continue":
        m.data()
        m.header("From", " a@author.example.net")
        m.header("Subject", " " + subject)
        m.end_of_headers()
        m.send("E")
        e.tap.ok(e.server.wait_asked(*held), "%s: all is asked for before any is answered" % subject, e.asked())
        e.server.release(*held)
        reply = m.reply()
    else:
        e.server.release(*held)
    m.abort()
    return logline.parse(d.wait_line(logline.is_verdict, since) or ""), reply


def log_waits_at_the_end(e):
    """Shadow rules, log lines and scores tell the truth of what only a name server knows; an early reply waits for none."""
    for subject, kind in (("hello", "accept"), ("refused", "reply")):
        with e.daemon(SHADOW) as d, Milter(d.address, timeout=60) as m:
            e.server.add(POLICY, TXT, text("v=DMARC1; p=reject"))
            e.server.add(LISTED, A, b"\x7f\0\0\2")
            e.server.add(SENDER, TXT, text("v=spf1 -all"))
            m.open(ip=CLIENT)
            have, reply = shadow_line(e, m, d, "<x@%s>" % SENDER, subject)
            e.tap.same((reply.kind, have.get("would"), have.get("log"), have.get("score"), have.get("scored")),
                       (kind, 'shadow: reject 550 5.7.1 "no"',
                        "told: spf=fail dmarc=fail score=0; failed: DMARC failed, score 3", "3", "points +3"),
                       "%s: the log says what the lookups said" % subject, have)
    with e.daemon(SHADOW) as d, Milter(d.address, timeout=60) as m:
        m.open(ip=CLIENT)
        have, reply = shadow_line(e, m, d, "<x@early.example.net>", "hello")
        e.tap.same((reply.code, have.get("would"), have.get("log")),
                   (550, 'shadow: reject 550 5.7.1 "no" (not asked); other: reject 550 5.7.1 "no" (not asked)',
                    "told:  (not asked); failed:  (not asked)"), "an early reply overtakes them, and it is said so", have)


def author_first(e):
    """Signatures of others on top don't keep the author's own from being looked at, and no key is asked for in vain."""
    key = Key(e.scratch.join("key"))
    fields = [("From", " a@mail.example.net"), ("Subject", " hello")]
    mine = ("DKIM-Signature", " " + signature(key, "example.net", "own", ["From", "Subject"], fields, "hello\r\n"))
    junk = [("DKIM-Signature", " v=1; a=rsa-sha256; d=junk%d.example.org; s=x; h=from; bh=AAAA; b=AAAA" % n)
            for n in range(30)]
    with e.daemon(ON_DKIM) as d, Milter(d.address, timeout=30) as m:
        e.server.add("own._domainkey.example.net", TXT, text(key.record))
        m.open(ip=CLIENT)
        _, last = m.message(sender="<>", headers=junk + [mine] + fields)
        e.tap.same(last.code, 550, "the author's own passes below thirty others", d.text()[-800:])
        keys = [name for name in e.asked() if "_domainkey" in name]
        e.tap.same((len(keys), "own._domainkey.example.net" in keys), (10, True), "ten keys are asked for", keys)
        m.abort()


def main():
    if not os.access(binary(), os.X_OK):
        skip_all("no %s" % binary())
    tap = Tap()
    with Scratch("lookups") as scratch:
        e = Env(tap, scratch)
        for case in (none_is_made, side_by_side, going_away, failures_are_told, fields, progress, body_needs_no_key,
                     dot_waits_anew, log_waits_at_the_end, author_first):
            tap.case(case.__name__, case, e)
        e.server.close()
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/python3
"""replies.py - what the MTA is asked for, what it is told, and what the log says:
conversations of our own with the daemon.

Each case starts a daemon with the few rules that it is about."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import logline
import milter
from daemon import Daemon
from milter import Milter
from scratch import Scratch, binary
from tap import Tap, skip_all

EARLY = "set earliest-reply mail\n"
QUIET = "set authentication-results off\n"
ZONE = """\
example.com TXT "v=spf1 ip4:192.0.2.0/24 -all"
"""


class Env:
    def __init__(self, tap, scratch):
        self.tap, self.scratch = tap, scratch

    def daemon(self, rules, zone=ZONE, **more):
        return Watched(self.tap, self.scratch, rules, zone=zone, **more)

    def same(self, got, want, name, *detail):
        return self.tap.same(got, want, name, *detail)

    def ok(self, good, name, *detail):
        return self.tap.ok(good, name, *detail)


class Watched(Daemon):
    """A daemon whose bad end is a failure of its own."""

    def __init__(self, tap, *args, **more):
        super().__init__(*args, **more)
        self.tap = tap

    def __exit__(self, *_):
        status = self.stop()
        if status != 0 or self.crashed():
            self.tap.ok(False, "the daemon ends well", "status %s, %s" % (status, self.crashed()), self.text()[-3000:])


# ---- negotiation

def asks_for_little(e):
    with e.daemon(QUIET + 'rule h\n    if   helo is spoof.example.net\n    then reject "no"\n') as d:
        with Milter(d.address) as m:
            o = m.negotiate()
            e.ok(o.declines("B") and o.declines("L") and o.declines("N"), "no header nor body where no rule looks",
                 hex(o.steps))
            e.ok(o.declines("U"), "no unknown commands", hex(o.steps))
            e.ok(o.silent("M") and o.silent("H"), "no reply at HELO and MAIL where no rule can answer", hex(o.steps))
            e.ok(not o.silent("R") and not o.declines("R"), "a reply at RCPT", hex(o.steps))
            e.same(o.actions & ~milter.SETSYMLIST, 0, "no right to change anything")
            e.same(m.connect().kind, "continue" if not o.silent("C") else "none", "connect")


def asks_for_much(e):
    rules = ('rule b\n    if   raw.body contains "xyzzy"\n    then reject "no"\n'
             'rule q\n    if   subject contains "hold"\n    then quarantine "look"\n'
             'rule e\n    if   subject contains "edit"\n    then add rcpt <c@example.net>\n    then remove rcpt\n'
             '    then set sender <s@example.net>\n    then add header X-A "b"\n')
    with e.daemon(rules) as d:
        with Milter(d.address) as m:
            o = m.negotiate()
            e.ok(not any(o.declines(c) for c in "CHMRLNB"), "all steps where rules look at all", hex(o.steps))
            e.ok(o.silent("L"), "no reply for single header fields", hex(o.steps))
            e.ok(o.steps & milter.HDR_LEADSPC, "leading blanks are kept for DKIM", hex(o.steps))
            want = milter.ADDHDRS | milter.CHGHDRS | milter.ADDRCPT | milter.DELRCPT | milter.QUARANTINE | milter.CHGFROM
            e.same(o.actions & want, want, "the rights that the rules need")
            e.same(o.actions & milter.CHGBODY, 0, "but not to change the body")


BODY = 'rule b\n    if   raw.body contains "poison"\n    then reject 554 5.7.1 "body"\n'


def body_by_pieces(m, *pieces):
    """Chunks, the last of them with the end of the message: the replies to those before, and the last."""
    m.macros("M", i="4XyZ12")
    m.mail()
    m.rcpt()
    m.data()
    m.header("Subject", " x")
    m.end_of_headers()
    return [m.step("B", p).kind for p in pieces[:-1]], m.end(pieces[-1])


def chunks_of_body(e):
    exempt = QUIET + 'rule x\n    if   subject is x\n    then accept\n'
    with e.daemon(exempt + BODY) as d, Milter(d.address) as m:
        m.open()
        e.ok(not m.offer.silent("B"), "chunks are answered where rules look at the text", hex(m.offer.steps))
        e.same(body_by_pieces(m, b"a poi", b"")[0], ["skip"], "no more of the body once all is decided")
        e.same(body_by_pieces(m, b"poison", b"")[0], ["skip"], "in the next message, too")
    with e.daemon(exempt + BODY) as d, Milter(d.address) as m:
        m.open(steps=milter.ALL_STEPS & ~milter.SKIP)
        e.same(body_by_pieces(m, b"a poi", b"")[0], ["continue"], "an MTA that knows no skip is told to go on")
    with e.daemon(QUIET + BODY) as d, Milter(d.address) as m:
        m.open()
        replies, last = body_by_pieces(m, b"a poi", b"son")
        e.same((replies, last.code), (["continue"], 554), "text that comes with the end of the message counts")
    with e.daemon(QUIET + 'rule d\n    if   dkim is fail\n    then reject "DKIM"\n' + BODY) as d:
        for what, steps in (("no reply to chunks where signatures are looked at", milter.ALL_STEPS),
                            ("but for an MTA that waits for them", milter.ALL_STEPS & ~milter.NR["B"])):
            with Milter(d.address) as m:
                m.open(steps=steps)
                one = "none" if steps == milter.ALL_STEPS else "continue"
                e.same(m.offer.silent("B"), one == "none", what, hex(m.offer.steps))
                replies, last = body_by_pieces(m, b"a poi", b"son")
                e.same((replies, last.code), ([one], 554), what + ": text with the end of the message counts")
                replies, last = body_by_pieces(m, b"a poi", b"s", b"on", b"")
                e.same((replies, last.code), ([one] * 3, 554), what + ": and so does what came in many chunks")
                e.same(body_by_pieces(m, b"harmless", b"")[1].kind, "accept", what + ": the next message passes")
        # Its descriptor and thread are the next one's.
        for k in range(3):
            with Milter(d.address) as broken:
                broken.negotiate()
                broken.write(b"\0\0\0\6H")
                broken.half_close()
                e.ok(broken.closed_by_filter(), "a peer that ends before the payload is hung up on")
            with Milter(d.address) as m:
                e.ok(m.negotiate().silent("B"), "and the next one is seen to negotiate", hex(m.offer.steps))


def macros_asked_for(e):
    rules = ('rule a\n    if   auth.user is set and tls.version is set and macro["{my_macro}"] is "x"\n    then accept\n'
             'rule b\n    if   subject contains "x"\n    then reject "no"\n')
    with e.daemon(rules) as d:
        with Milter(d.address) as m:
            o = m.negotiate()
            e.ok({"i", "{auth_authen}", "{tls_version}"} <= set(o.macros.get("mail", [])), "macros at MAIL", o.macros)
            e.ok("{my_macro}" in o.macros.get("mail", []), "a macro that a rule names", o.macros)
            e.ok("i" in o.macros.get("eom", []) and "i" in o.macros.get("eoh", []),
                 "both lists of the end, since Sendmail chooses by one of them", o.macros)
            e.ok({"{daemon_name}", "{client_ptr}"} <= set(o.macros.get("connect", [])), "macros at connect", o.macros)
        with Milter(d.address) as m:
            o = m.negotiate(actions=0x7F)
            e.same(o.macros, {}, "no list for an MTA that takes none")
        with Milter(d.address) as m:
            m.negotiate()
            m.connect()
            m.helo()
            m.macros("M", auth_authen="alice", tls_version="TLSv1.3", my_macro="x")
            replies = [m.mail(), m.rcpt()]
            last = m.content(headers=[("Subject", " x")])
            e.ok(last.kind in ("accept", "continue"), "facts from macros", replies, last)


def blanks_lost(e):
    """Who takes away the blank before values breaks signatures, whoever it is that wants them verified."""
    rule = 'rule r\n    if   rcpt.local is nobody\n    then reject 550 5.1.1 "No"\n'
    for rules, hurts in (("set authentication-results dkim\n" + rule, True), (rule, False)):
        with e.daemon(rules) as d:
            with Milter(d.address) as m:
                m.negotiate(steps=milter.ALL_STEPS & ~milter.HDR_LEADSPC)
                m.connect()
                m.helo()
                e.same(m.message()[1].kind, "accept", "blanks lost: a message")
            d.wait_line("verdict=accept")
            told = "drops the blank before header values" in d.text()
            e.same(told, hurts, "blanks lost: told where it hurts")


def offers_little(e):
    """An MTA that offers nothing: what works goes on, and the log tells what doesn't."""
    rules = ('rule r\n    if   rcpt.local is nobody\n    then reject 550 5.1.1 "No"\n'
             'rule t\n    then tag subject "[T]"\nrule q\n    if subject contains "hold"\n    then quarantine "x"\n'
             'rule s\n    if subject contains "bad"\n    then reject 554 5.7.1 "Bad"\n')
    with e.daemon(rules) as d:
        with Milter(d.address) as m:
            o = m.negotiate(version=2, actions=0, steps=0)
            e.same((o.actions, o.steps), (0, 0), "nothing is asked for that is not offered")
            m.connect()
            m.helo()
            m.mail()
            e.same(m.rcpt("<nobody@example.org>").code, 550, "offers nothing: RCPT")
            e.same(m.rcpt().kind, "continue", "offers nothing: another")
            for name, value in (("From", "a@example.com"), ("Subject", "bad")):
                e.same(m.header(name, value).kind, "continue", "offers nothing: each field is answered")
            m.end_of_headers()
            m.body(b"x\r\n")
            e.same(m.end().code, 554, "offers nothing: the end")
            # Protocol 2 has no DATA.
            m.mail()
            m.rcpt()
            m.header("Subject", "hold")
            m.end_of_headers()
            last = m.end(b"the last chunk with the end\r\n")
            e.ok(last.kind in ("accept", "continue", "tempfail", "reply"), "offers nothing: a hold that can't be", last)
            e.same(last.changes, [], "offers nothing: no change is tried")
        e.ok(d.wait_line(r"rule (t|q) can't|rule [tq]\b"), "the log names the rule that cannot work", d.text())


# ---- replies

def refusals(e):
    rules = EARLY + ('rule m\n    if   sender is bad@example.com\n    then reject 550 5.7.1 "Sender ${sender}"\n'
                     'rule x\n    if   sender is go@example.com\n    then tempfail 421 4.7.0 "Go"\n'
                     'rule r\n    if   rcpt.local is nobody\n    then reject 550 5.1.1 "No" "such" "user"\n'
                     'rule t\n    if   rcpt.local is busy\n    then tempfail "Later"\n'
                     'rule h\n    if   rcpt.local is hangup\n    then reject 554 "default enhanced"\n'
                     'rule d\n    if   any rcpt in { trap@example.org }\n    then discard\n'
                     'rule s\n    if   subject contains "bad"\n    then reject "Subject"\n')
    with e.daemon(rules) as d, Milter(d.address) as m:
        m.open()
        reply = m.mail("<bad@example.com>")
        e.same((reply.code, reply.enhanced, reply.lines), (550, "5.7.1", ["Sender bad@example.com"]), "at MAIL")
        reply = m.mail("<go@example.com>")
        e.same((reply.code, reply.enhanced, reply.lines), (421, "4.7.0", ["Go"]), "421 at MAIL")
        e.same(m.mail().kind, "continue", "another MAIL")
        reply = m.rcpt("<nobody@example.org>")
        e.same((reply.code, reply.enhanced, reply.lines), (550, "5.1.1", ["No", "such", "user"]), "three lines at RCPT")
        reply = m.rcpt("<busy@example.org>")
        e.same((reply.code, reply.enhanced, reply.lines), (451, "4.7.1", ["Later"]), "the defaults of tempfail")
        e.same(m.rcpt("<bob@example.org>").kind, "continue", "a good recipient")
        last = m.content(headers=[("Subject", " bad")])
        e.same((last.code, last.enhanced, last.lines), (550, "5.7.1", ["Subject"]), "at the end, the defaults of reject")
        replies, last = m.message(rcpts=("<bob@example.org>", "<trap@example.org>"))
        e.same([r.kind for r in replies], ["continue"] * 3, "a discard isn't told before DATA")
        e.ok(last.kind == "discard" or (last.kind in ("accept", "continue") and last.changes), "but then", last)


def hostile_values(e):
    """Facts in a reply that would spoil it."""
    rules = EARLY + 'rule h\n    if   helo is set\n    then reject 550 5.7.1 "HELO ${helo} no"\n'
    values = [("50%", "a percent sign"), ("%s%n%d%%", "formats"), ("a\r\n250 ok", "a line end"), ("a\tb\x01\x7f", "controls"),
              ("\u202eb\u00fccher.example", "UTF-8"), (b"\xff\xfe\x80", "no UTF-8"), ("${sender}", "a dollar"),
              ("x" * 5000, "5,000 octets"), ("%" * 3000, "3,000 percent signs"), ("a" * 199 + "\u00fc" * 40, "a cut in UTF-8")]
    with e.daemon(rules) as d:
        for value, what in values:
            since = d.mark()
            with Milter(d.address) as m:
                m.open(helo=value)
                reply = m.mail()
                text = reply.raw.decode("latin-1")
                e.ok(reply.kind == "reply" and reply.code == 550 and reply.enhanced == "5.7.1" and len(reply.lines) == 1
                     and not reply.lone_percent and all(" " <= c <= "~" for c in text) and len(text) <= 512
                     and reply.lines[0].startswith("HELO ") and reply.lines[0].endswith(" no"),
                     "reply with %s in HELO" % what, repr(reply)[:600])
                if what == "a percent sign":
                    e.same(reply.lines, ["HELO 50% no"], "the percent sign is there once")
                if what == "a dollar":
                    e.same(reply.lines, ["HELO ${sender} no"], "what mail brings is not expanded again")
                m.quit()
            line = d.wait_verdict(since, verdict="reject")
            e.ok(line is not None, "log with %s in HELO" % what, d.text()[-2000:])
        e.ok(all(len(l.encode()) <= 1020 for l in d.lines), "no line of the log is above 1,000 octets",
             max(len(l) for l in d.lines))
        e.ok(all(l.startswith("postern: ") for l in d.lines), "no value begins a line of its own",
             [l for l in d.lines if not l.startswith("postern: ")])


# ---- sessions

def second_helo(e):
    with e.daemon(EARLY + 'rule h\n    if   helo is spoof.example.net\n    then reject "no"\n') as d:
        with Milter(d.address) as m:
            m.open(helo="spoof.example.net")
            e.same(m.mail().code, 550, "HELO refused at MAIL")
            m.helo("good.example.net")
            e.same(m.mail().kind, "continue", "a second HELO is judged anew")
            m.abort()
            m.helo("spoof.example.net")
            e.same(m.mail().code, 550, "and a third")
            m.helo("good.example.net")
            e.same(m.message()[1].kind in ("accept", "continue"), True, "and a fourth")


def abort_anywhere(e):
    rules = ('rule s\n    if   sender is bad@example.com\n    then reject "sender"\n'
             'rule c\n    if   rcpt.count > 2\n    then reject "too many"\n'
             'rule b\n    if   raw.body contains "poison"\n    then reject "body"\n'
             'rule h\n    if   subject contains "poison"\n    then reject "subject"\n')
    with e.daemon(rules) as d, Milter(d.address) as m:
        m.open()
        steps = [lambda: m.mail("<bad@example.com>"), lambda: m.rcpt("<bob@example.org>"), m.data,
                 lambda: m.header("Subject", " poison"), m.end_of_headers, lambda: m.body(b"poison\r\n")]
        for upto in range(len(steps) + 1):
            if upto == 0:
                m.abort()
            for step in steps[:upto]:
                step()
            m.abort()
            replies, last = m.message(rcpts=("<a@example.org>", "<b@example.org>"))
            e.ok(last is not None and last.kind in ("accept", "continue") and not any(r.refused() for r in replies),
                 "after RSET at step %d the next message starts clean" % upto, replies, last)
        m.abort()
        m.abort()
        m.mail("<bad@example.com>")
        m.mail("<alice@example.com>")
        e.same(m.rcpt().kind, "continue", "a second MAIL without RSET begins anew")


def many_messages(e):
    rules = ('rule r\n    if   rcpt.local is nobody\n    then reject "no"\n'
             'rule s\n    if   subject contains "bad"\n    then reject 554 5.7.1 "bad"\nrule t\n    then tag subject "[T]"\n')
    with e.daemon(rules) as d, Milter(d.address) as m:
        m.open()
        good = 0
        for n in range(40):
            bad = n % 3 == 0
            replies, last = m.message(queue_id="Q%d" % n, rcpts=("<nobody@example.org>", "<bob@example.org>"),
                                      headers=[("From", " a@example.com"), ("Subject", " bad" if bad else " good")])
            right = replies[1].code == 550 and replies[2].kind == "continue" and (
                last.code == 554 if bad else ("m", (1, "Subject", " [T] good")) in last.changes)
            good += right
            if not right:
                e.tap.comment("%d: %r %r" % (n, replies, last))
        e.same(good, 40, "forty messages in a session, each judged by itself")
        e.ok(d.wait_verdict(0, queue="Q39"), "the log has the last one's queue id")
        m.quit_nc()
        e.same(m.connect().kind in ("continue", "none"), True, "QUIT_NC: the same connection for another client")
        m.helo()
        e.ok(m.message()[1].kind in ("accept", "continue"), "QUIT_NC: and its message")
        e.ok(m.quit(), "QUIT: the daemon closes")


def odd_commands(e):
    with e.daemon('rule s\n    if   subject contains "bad"\n    then reject "no"\n') as d, Milter(d.address) as m:
        m.open()
        m.send("U", b"BLURDY\0")
        # Not asked for, so an MTA doesn't send it; where one does, it is answered, or not, but no harm is done.
        m.sock.settimeout(0.3)
        try:
            code, _ = m.read()
            e.same(code, "c", "an unknown command: go on")
        except OSError:
            e.ok(True, "an unknown command: no answer, as agreed")
        m.sock.settimeout(10)
        e.ok(m.message()[1].kind in ("accept", "continue"), "the session goes on after it")


# ---- changes at the end

def edits(e):
    rules = ("set authserv-id mx.example.org\nset authentication-results spf dkim\n"
             'rule t\n    then tag subject "[T]"\n'
             'rule a\n    then add header X-New "for ${sender}, 100%"\n'
             'rule s\n    then set header X-Set "new"\n'
             'rule r\n    then remove header X-Gone\n'
             'rule c\n    then add rcpt <copy@example.net>\n'
             'rule g\n    if   rcpt.local is gone\n    then remove rcpt\n'
             'rule f\n    then set sender <new@example.net>\n'
             'rule q\n    if   subject contains "hold"\n    then quarantine "why: ${subject}"\n')
    fields = [("Authentication-Results", " mx.example.org; spf=pass"), ("From", " a@example.com"), ("X-Gone", " 1"),
              ("Authentication-Results", " other.example; spf=pass"), ("X-Set", " a"), ("X-Gone", " 2"), ("X-Set", " b"),
              ("Authentication-Results", " MX.EXAMPLE.ORG ; dkim=pass"), ("Subject", " hold this")]
    with e.daemon(rules) as d, Milter(d.address) as m:
        m.open()
        replies, last = m.message(headers=fields, rcpts=("<bob@example.org>", "<gone@example.org>"))
        by = {}
        for letter, change in last.changes:
            by.setdefault(letter, []).append(change)
        e.same(by.get("+"), [("<copy@example.net>",)], "a recipient added")
        e.same(by.get("-"), [("<gone@example.org>",)], "a recipient removed")
        e.same([c[0] for c in by.get("e", [])], ["<new@example.net>"], "the sender changed")
        e.same(by.get("q"), [("why: hold this",)], "quarantine with its reason")
        changed = by.get("m", [])
        e.ok((1, "Subject", " [T] hold this") in changed, "the subject tagged, its blank kept", changed)
        gone = [c[0] for c in changed if c[1] == "X-Gone" and c[2] == ""]
        e.same(gone, [2, 1], "fields removed from the highest index down")
        forged = [c[0] for c in changed if c[1].lower() == "authentication-results" and c[2] == ""]
        e.same(forged, [3, 1], "forged results removed, another's kept")
        e.ok((1, "X-Set", " new") in changed and (2, "X-Set", "") in changed, "one field left of those set", changed)
        e.same([c for c in by.get("h", []) if c[0] == "X-New"], [("X-New", " for alice@example.com, 100%")],
               "a field added, with its blank")
        inserted = by.get("i", [])
        e.ok(len(inserted) == 1 and inserted[0][:2] == (0, "Authentication-Results")
             and inserted[0][2].startswith(" mx.example.org;") and "spf=pass" in inserted[0][2],
             "our results inserted at the top", inserted)
        order = "".join(letter for letter, _ in last.changes)
        e.ok(order.rindex("i") > max(order.rindex("m"), order.rindex("h"), order.rindex("+")),
             "inserted last, so that no index shifts", order)
        e.same(last.kind in ("accept", "continue"), True, "and accepted")


def long_log_lines(e):
    with e.daemon('rule s\n    if   subject contains "bad"\n    then reject "no"\n') as d, Milter(d.address) as m:
        m.open(helo='x" verdict=accept rule="y\n postern: fake')
        since = d.mark()
        m.message(rcpts=["<r%d@%s.example.org>" % (n, "x" * 30) for n in range(25)], headers=[("Subject", " bad")])
        line = d.wait_line(logline.is_verdict, since)
        have = logline.parse(line or "")
        e.same(have.get("rcpts"), "25", "25 recipients: counted", line)
        e.ok(line and len(line.encode()) <= 1020 and have.get("rcpt", "").count("@") <= 20, "at most 20 are named", line)
        e.same(have.get("verdict"), "reject", "a HELO with quotes can't speak for the verdict", line)
        e.same(have.get("helo"), 'x" verdict=accept rule="y\n postern: fake', "and can be read back", line)


CASES = [asks_for_little, asks_for_much, chunks_of_body, macros_asked_for, blanks_lost, offers_little, refusals, hostile_values,
         second_helo, abort_anywhere, many_messages, odd_commands, edits, long_log_lines]


def main():
    if not os.access(binary(), os.X_OK):
        skip_all("no %s" % binary())
    tap = Tap()
    with Scratch("rep") as scratch:
        e = Env(tap, scratch)
        for case in CASES:
            tap.case(case.__name__, case, e)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())

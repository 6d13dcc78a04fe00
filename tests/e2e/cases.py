"""cases.py - what a mail server with postern attached must do; the same cases for
Postfix and for Sendmail.

Each case is a function of the environment; where the servers differ, the case
says so.
"""

import base64
import hashlib
import os
import re
import signal
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

from daemon import Daemon
from scratch import suites_dir, wait_until
from smtp import Client, Gone, message, transaction

ZONE = """\
example.com TXT "v=spf1 ip4:192.0.2.0/24 ip4:127.0.0.0/8 -all"
strict.example.com TXT "v=spf1 ip4:198.51.100.1 -all exp=why.example.com"
why.example.com TXT "%{i} may not send for %{d}"
lost.example.com * SERVFAIL
"""


def rules(name):
    with open(os.path.join(HERE, "rules", name + ".rules")) as f:
        return f.read()


class Env:
    """One MTA, one sink, and the daemon between, which is changed for another with other rules by use()."""

    def __init__(self, tap, scratch, mta, sink, listen):
        self.tap, self.scratch, self.mta, self.sink, self.listen = tap, scratch, mta, sink, listen
        self.daemon = None
        self.which = None
        self.number = 0
        self.lock = threading.Lock()

    def use(self, name, zone=ZONE, text=None):
        """The daemon with those rules; started anew only if another was running."""
        if self.which == (name, zone) and text is None and self.daemon.alive():
            return self.daemon
        self.stop()
        self.daemon = Daemon(self.scratch, text or rules(name), zone=zone, listen=self.listen, group=self.mta.group)
        self.daemon.start()
        self.which = (name, zone)
        return self.daemon

    def stop(self):
        """Ends the daemon; a bad end is a failure of its own."""
        if self.daemon:
            alive = self.daemon.alive()
            status = self.daemon.stop()
            crash = self.daemon.crashed()
            if crash or status != 0 or not alive:
                self.tap.ok(False, "the daemon with %s.rules ends well" % self.which[0],
                            "alive %s, status %s, %s" % (alive, status, crash), self.daemon.text()[-3000:])
            self.daemon = None

    def unique(self, text):
        """A subject that no other message has."""
        with self.lock:
            self.number += 1
            return "%s (%d)" % (text, self.number)

    def client(self, ip=None, ehlo="client.example.com", name="[UNAVAILABLE]"):
        """A session; the client's address is 192.0.2.9 where the MTA can be told so, else on loopback."""
        xclient = {"ADDR": ip or "192.0.2.9", "NAME": name} if self.mta.has_xclient else None
        source = ip if ip and ip.startswith("127.") and not xclient else None
        return Client(self.mta.port, ehlo=ehlo, xclient=xclient, source=source)

    def send(self, subject="hello", sender="alice@example.com", rcpts=("bob@example.org",), ip=None,
             ehlo="client.example.com", octets=None, **content):
        """One message in a session of its own: (result, subject, log mark, sink mark)."""
        subject = self.unique(subject)
        log, sunk = self.daemon.mark(), self.sink.mark()
        with self.client(ip, ehlo) as c:
            result = transaction(c, octets or message(subject, **content), sender, rcpts)
            if result.code != 421:
                c.quit()
        return result, subject, log, sunk

    def delivered(self, subject, since=0, timeout=20):
        return self.sink.wait_subject(subject, since, timeout)

    def not_delivered(self, subject, since):
        """Nothing arrives: shown by a later message that does, and an empty sink before it."""
        _, later, _, _ = self.send("later")
        return self.delivered(later) is not None and not any(
            subject in (d.get("Subject") or "") for d in self.sink.mail[since:])

    def detail(self):
        return "daemon's log:\n" + "\n".join(self.daemon.lines[-8:]) + "\nMTA's log:\n" + \
            "\n".join(self.mta.log_text().splitlines()[-12:])

    def logged(self, name, log, **fields):
        """There is a message line with these values."""
        line = self.daemon.wait_verdict(log, **fields)
        return self.tap.ok(line is not None, name + ": logged", "want: %r" % fields, self.detail)

    def same(self, got, want, name):
        return self.tap.same(got, want, name, self.detail)

    def ok(self, good, name, *detail):
        return self.tap.ok(good, name, *detail, self.detail)


# ---- refusals

def helo_at_rcpt(e):
    e.use("main")
    log = e.daemon.mark()
    with e.client(ehlo=None) as c:
        e.same(c.ehlo("spoof.example.net").code, 250, "helo: EHLO itself is answered")
        e.same(c.mail("alice@example.com").code, 250, "helo: MAIL passes by default")
        reply = c.rcpt("bob@example.org")
        e.same((reply.code, reply.text), (550, e.mta.told("5.7.1 You are not spoof.example.net", "bob@example.org")),
               "helo: refused at RCPT")
        c.rset()
        e.logged("helo", log, verdict="reject", code="550", rule="helo-spoof")
        e.same(c.ehlo("client.example.com").code, 250, "helo: a second EHLO")
        subject = e.unique("second helo")
        result = transaction(c, message(subject))
        e.same(result.code, 250, "helo: the second EHLO is judged anew")
        c.ehlo("spoof.example.net")
        e.same(transaction(c, message("x")).code, 550, "helo: and the third")
        c.quit()
    e.ok(e.delivered(subject), "helo: delivered after the second EHLO")


def helo_at_mail(e):
    e.use("early")
    with e.client(ehlo="spoof.example.net") as c:
        reply = c.mail("alice@example.com")
        e.same((reply.code, reply.text),
               (550, e.mta.told("5.7.1 You are not spoof.example.net", "alice@example.com")), "early: HELO refused at MAIL")
        c.ehlo("client.example.com")
        e.same(c.mail("alice@example.com").code, 250, "early: the second EHLO is judged anew")
        c.rset()
        reply = c.mail("refused@example.com")
        e.same((reply.code, reply.text),
               (550, e.mta.told("5.7.1 Sender refused@example.com not accepted", "refused@example.com")),
               "early: sender refused at MAIL")
        e.same(c.mail("later@example.com").code, 450, "early: sender put off at MAIL")
        subject = e.unique("early")
        e.same(transaction(c, message(subject)).code, 250, "early: the session goes on")
        c.quit()
    e.ok(e.delivered(subject), "early: delivered")


def connect_refused(e):
    e.use("connect")
    with e.client("192.0.2.3" if e.mta.has_xclient else "127.0.0.3", ehlo=None) as c:
        # The MTA says it in its own words, at once or at each command.
        codes = [c.banner.code]
        try:
            codes += [c.ehlo("client.example.com").code, c.mail("alice@example.com").code,
                      c.rcpt("bob@example.org").code]
        except Gone:
            pass
        e.ok(any(code >= 500 for code in codes), "connect: refused", codes)
    subject = e.send()[1]
    e.ok(e.delivered(subject), "connect: another client is served")


def sender_refused(e):
    e.use("main")
    result, subject, log, sunk = e.send(sender="refused@example.com")
    e.same(result.mail.code, 250, "sender: MAIL passes by default")
    e.same((result.rcpts[0].code, result.rcpts[0].text),
           (550, e.mta.told("5.7.1 Sender refused@example.com not accepted, 100% sure", "bob@example.org")),
           "sender: refused at RCPT")
    e.logged("sender", log, verdict="reject", code="550", rule="sender-refused", sender="refused@example.com",
             rcpt="bob@example.org")
    result, subject, log, sunk = e.send(sender="later@example.com")
    e.same((result.rcpts[0].code, result.rcpts[0].text),
           (450, e.mta.told("4.7.1 Sender later: try again", "bob@example.org")), "sender: put off")
    e.logged("sender put off", log, verdict="tempfail", code="450", rule="sender-later")


def one_of_two(e):
    e.use("main")
    result, subject, log, sunk = e.send(rcpts=("nobody@example.org", "bob@example.org", "busy@example.org"))
    e.same([r.code for r in result.rcpts], [550, 250, 450], "recipients: each has its own reply")
    e.same(result.rcpts[0].text, e.mta.told("5.1.1 No nobody@example.org here", "nobody@example.org"),
           "recipients: text")
    e.same(result.data.code, 250, "recipients: the message passes for the rest")
    d = e.delivered(subject)
    e.same(d and d.rcpts, ["bob@example.org"], "recipients: only the accepted one gets it")
    e.logged("recipients", log, verdict="reject", rule="rcpt-unknown", rcpt="nobody@example.org")
    e.logged("recipients, accepted", log, verdict="accept", rcpt="bob@example.org")


def refused_at_end(e):
    e.use("main")
    result, subject, log, sunk = e.send("refuse me")
    e.same((result.code, [l for l in result.data.lines]),
           (554, ["5.7.1 Refused:", "5.7.1 " + subject, "5.7.1 100% sure"]), "end: refused in three lines")
    e.logged("end", log, verdict="reject", code="554", rule="subject-refused")
    e.ok(e.not_delivered(subject, sunk), "end: not delivered")
    result = e.send(body="This holds the forbidden phrase, in the body.\r\n")[0]
    e.same((result.code, result.data.text), (550, "5.7.1 Text refused"), "end: refused for its body")
    # Larger than body-limit: decoded as it passes.
    for size, code in ((3 << 20, 550), (1 << 20, 250)):
        octets = base64.encodebytes(bytes(size)).decode().replace("\n", "\r\n")
        result = e.send(body=octets, headers=[("MIME-Version", "1.0"),
                        ("Content-Type", 'application/octet-stream; name="setup.exe"'),
                        ("Content-Transfer-Encoding", "base64")])[0]
        e.same(result.code, code, "end: an attachment of %d octets" % size)
    result, subject, log, sunk = e.send("defer me")
    e.same((result.code, result.data.text), (451, "4.7.1 Not now"), "end: put off")
    e.logged("end put off", log, verdict="tempfail", code="451", rule="subject-later")


def hang_up(e):
    e.use("main")
    with e.client() as c:
        c.mail("hangup@example.com")
        reply = c.rcpt("bob@example.org")
        e.same((reply.code, reply.text), (421, "4.7.0 Go away"), "421: at RCPT")
        e.ok(c.gone(), "421: at RCPT: the connection is closed")
    with e.client() as c:
        result = transaction(c, message(e.unique("hang up")))
        e.same((result.code, result.data.text), (421, "4.7.0 Enough"), "421: at the end")
        e.ok(c.gone(), "421: at the end: the connection is closed")


def discarded(e):
    e.use("main")
    result, subject, log, sunk = e.send("discard me")
    e.same(result.code, 250, "discard: the client is told that all is well")
    e.logged("discard", log, verdict="discard", rule="subject-discard", rcpt="bob@example.org")
    e.ok(e.not_delivered(subject, sunk), "discard: not delivered")


def held(e):
    e.use("main")
    result, subject, log, sunk = e.send("hold me", sender="held@example.com")
    e.same(result.code, 250, "hold: the client is told that all is well")
    e.logged("hold", log, verdict="quarantine", rule="subject-hold")
    e.ok(wait_until(lambda: any(s == "held@example.com" for _, s in e.mta.held())), "hold: in the hold queue",
         e.mta.queue)
    e.ok("held@example.com" in e.mta.queue(), "hold: and mailq shows it", e.mta.queue)
    e.ok(e.not_delivered(subject, sunk), "hold: not delivered")
    ids = [i for i, s in e.mta.held() if s == "held@example.com"]
    e.ok(len(ids) == 1 and subject in e.mta.held_text(ids[0]), "hold: the message can be read", ids)
    log = e.daemon.mark()
    e.mta.release(ids[0])
    e.ok(e.delivered(subject) is not None, "hold: once released it is delivered", e.mta.queue)
    e.same(e.daemon.lines[log:], [], "hold: and the filter is not asked again")


# ---- edits

def tagged(e):
    e.use("main")
    _, subject, log, _ = e.send("tag me")
    d = e.delivered(subject)
    e.same(d and d.all("Subject"), ["[EXT] " + subject], "tag: put before the subject")
    e.logged("tag", log, verdict="accept")
    _, subject, _, _ = e.send("[EXT] tag me")
    d = e.delivered(subject)
    e.same(d and d.all("Subject"), [subject], "tag: not put twice")
    encoded = "=?utf-8?Q?tag_me_caf=C3=A9?= %d" % os.getpid()
    e.send(octets=message(encoded))
    d = e.delivered(encoded)
    e.same(d and d.all("Subject"), ["[EXT] " + encoded], "tag: an encoded subject stays as it is behind the tag")


def headers(e):
    e.use("main")
    fields = [("X-Change", "one"), ("X-Remove", "a"), ("X-Other", "stays"), ("X-Change", "two"), ("X-Remove", "b")]
    _, subject, _, _ = e.send("add me", headers=fields)
    d = e.delivered(subject)
    if not e.ok(d, "headers: delivered"):
        return
    e.same(d.all("X-Added"), ["for alice@example.com"], "headers: one added")
    e.same(d.all("X-Change"), ["changed"], "headers: one changed, the second of its name removed")
    e.same(d.all("X-Remove"), [], "headers: all of a name removed")
    e.same(d.all("X-Other"), ["stays"], "headers: others left alone")
    e.same(d.body, b"A line.\r\n", "headers: the body is the one that was sent")


def recipients(e):
    e.use("main")
    _, subject, log, _ = e.send("copy me", rcpts=("bob@example.org", "gone@example.org", "moved@example.org"))
    want = {"bob@example.org", "new@example.net", "copy@example.net"}
    got = set()
    # The MTA may hand the message over in several transactions.
    wait_until(lambda: got.update(r for d in e.sink.mail if subject in (d.get("Subject") or "") for r in d.rcpts)
               or got >= want, 15)
    e.same(got, want, "envelope: recipients added, removed and redirected")
    _, subject, _, _ = e.send("rewrite", sender="rewrite@example.com")
    d = e.delivered(subject)
    e.same(d and d.sender, "rewritten@example.com", "envelope: sender changed")
    result, subject, _, sunk = e.send("all gone", rcpts=("gone@example.org",))
    e.same(result.code, 250, "envelope: the only recipient removed: taken")
    e.ok(e.not_delivered(subject, sunk), "envelope: and thrown away")


def routed(e):
    """Paths in forms of which the MTAs keep different things: the recipient is found all the same."""
    e.use("main")
    others = ("bob@example.org",)
    for path in ("@relay.example:gone@example.org", "@a.example,@b.example:gone@example.org", '"gone"@example.org',
                 "GONE@Example.Org", '"Gone Man" <gone@example.org>', "@relay.example:<gone@example.org>",
                 "@relay.example:@other.example:gone@example.org", "gone (man)@example.org", "gone@example.org.",
                 "@relay.example:dropped@example.org", '@relay.example:"fixed"@example.org', "FIXED@example.org"):
        result, subject, _, sunk = e.send("routed", rcpts=others + (path,))
        e.same([r.code for r in result.rcpts] + [result.code], [250] * 3, "routed: %s is taken" % path)
        d = e.delivered(subject, sunk)
        e.same(d and d.rcpts, list(others), "routed: and removed")
    result, subject, _, sunk = e.send("routed", rcpts=("@relay.example:moved@example.org",))
    d = e.delivered(subject, sunk)
    e.same(d and d.rcpts, ["new@example.net"], "routed: redirected")
    result = e.send("routed", sender="@relay.example:refused@example.com")[0]
    e.same([r.code for r in result.rcpts], [550], "routed: the sender is known by his address")


def mixed(e):
    e.use("mixed")
    bob, master, carol = "bob@example.org", "postmaster@example.org", "carol@example.org"
    result, subject, log, _ = e.send("bad", rcpts=(bob, master, carol))
    e.same([r.code for r in result.rcpts], [250, 452, 250], "split: who disagrees with the first is put off")
    e.same(result.rcpts[1].enhanced, "4.5.3", "split: with 4.5.3")
    e.same(result.code, 554, "split: the others are refused at the end")
    result, subject, log, _ = e.send("bad", rcpts=(master,))
    e.same(result.code, 250, "split: the retry is accepted")
    e.ok(e.delivered(subject), "split: and delivered")
    text = "set mixed-recipients strictest\n" + rules("mixed")
    e.use("strictest", text=text)
    result = e.send("bad", rcpts=(bob, master, carol))[0]
    e.same([r.code for r in result.rcpts] + [result.code], [250, 250, 250, 554], "strictest: refused for all")
    e.use("exempt-wins", text=text.replace("strictest", "exempt-wins"))
    result, subject, _, _ = e.send("bad", rcpts=(bob, master, carol))
    e.same([r.code for r in result.rcpts] + [result.code], [250, 250, 250, 250], "exempt-wins: taken for all")
    d = e.delivered(subject)
    e.same(d and sorted(d.rcpts), [bob, carol, master], "exempt-wins: delivered to all")


def mixed_pair(e, name, master_first, want, code, gets):
    """Two recipients that disagree, in both orders, for a message that one of them refuses."""
    bob, master = "bob@example.org", "postmaster@example.org"
    rcpts = (master, bob) if master_first else (bob, master)
    result, subject, _, sunk = e.send("bad", rcpts=rcpts)
    name = "%s, two, %s first" % (name, rcpts[0].split("@")[0])
    e.same([r.code for r in result.rcpts] + [result.code], want + [code], name)
    if gets:
        d = e.delivered(subject)
        e.same(d and sorted(d.rcpts), sorted(gets), name + ": who gets it")


def mixed_fifty(e, name, refused, code, gets):
    """Fifty, every tenth of them postmaster of a domain."""
    rcpts = ["postmaster@d%d.example.org" % n if n % 10 == 9 else "user%d@d%d.example.org" % (n, n) for n in range(50)]
    masters = [r for r in rcpts if r.startswith("postmaster")]
    result, subject, _, sunk = e.send("bad", rcpts=rcpts)
    e.same([r for r, reply in zip(rcpts, result.rcpts) if reply.code != 250], masters[:refused], name + ", fifty: who is put off")
    e.same(result.code, code, name + ", fifty: the answer at the end")
    if gets:
        got = set()
        # The MTA may hand the message over in several transactions.
        wait_until(lambda: got.update(r for d in e.sink.mail if subject in (d.get("Subject") or "") for r in d.rcpts)
                   or len(got) >= 50, 30)
        e.same(got, set(rcpts), name + ", fifty: all get it")
    return masters


def mixed_two_and_fifty(e):
    """All three ways; what split puts off is taken when it is sent again."""
    text = rules("mixed")
    bob, master = "bob@example.org", "postmaster@example.org"
    e.use("mixed")
    mixed_pair(e, "split", False, [250, 452], 554, None)
    mixed_pair(e, "split", True, [250, 452], 250, [master])
    masters = mixed_fifty(e, "split", 5, 554, None)
    result, subject, _, _ = e.send("bad", rcpts=masters)
    e.same([r.code for r in result.rcpts] + [result.code], [250] * 5 + [250], "split, fifty: the five together on retry")
    e.use("split of two", text="set split-limit 2\n" + text)
    mixed_fifty(e, "split-limit 2", 2, 554, None)
    e.use("strictest", text="set mixed-recipients strictest\n" + text)
    mixed_pair(e, "strictest", True, [250, 250], 554, None)
    mixed_fifty(e, "strictest", 0, 554, None)
    e.use("exempt-wins", text="set mixed-recipients exempt-wins\n" + text)
    mixed_pair(e, "exempt-wins", False, [250, 250], 250, [bob, master])
    mixed_fifty(e, "exempt-wins", 0, 250, True)


def monitored(e):
    e.use("monitor")
    result, subject, log, _ = e.send("monitor", sender="refused@example.com")
    e.same(result.code, 250, "monitor: all mail passes")
    d = e.delivered(subject)
    e.same(d and d.all("Subject"), [subject], "monitor: unedited")
    e.ok(e.daemon.wait_line(r"would=\S*reject|would=.*sender-refused", log), "monitor: what would be done is logged")


# ---- Authentication-Results

def authentication_results(e):
    e.use("auth")
    forged = [("Authentication-Results", "mx1.example.org; spf=pass smtp.mailfrom=bank.example"),
              ("Authentication-Results", "mx.other.example; dkim=pass header.d=other.example"),
              ("Authentication-Results", "MX1.Example.ORG (comment) 1; dkim=pass header.d=bank.example"),
              ("Authentication-Results", '"mx1.example.org"; dmarc=pass'),
              ("Authentication-Results ", "mx1.example.org; arc=pass"),
              ("authentication-results \t", "mx1.example.org; arc=pass")]
    received = [("Received", "from a.example by b.example; Sun, 22 Nov 2026 09:00:00 +0000")]
    _, subject, log, _ = e.send("results", headers=received + forged)
    d = e.delivered(subject)
    if not e.ok(d, "A-R: delivered"):
        return
    results = d.all("Authentication-Results")
    ours = [r for r in results if r.lower().startswith("mx1.example.org")]
    e.ok(len(ours) == 1 and "bank.example" not in ours[0], "A-R: one of ours, the forged ones are gone", results)
    e.same(len(results), 2, "A-R: another's stays, in quotes too nothing of ours came through")
    e.ok(b"arc=pass" not in d.octets, "A-R: nor with blanks before the colon", d.octets)
    e.ok(ours and re.search(r"\bspf=pass\b", ours[0]) and re.search(r"\bdkim=none\b", ours[0]),
         "A-R: tells of SPF and DKIM", results)
    names = d.names()
    e.same(names[:3], ["authentication-results", "received-spf", "received"],
           "A-R: above every other field, the server's own Received included")
    e.ok(re.match(r"pass \(", d.get("Received-SPF") or ""), "A-R: and Received-SPF tells the same", d.get("Received-SPF"))
    e.logged("A-R", log, verdict="accept", spf="pass")


def spf(e):
    e.use("auth")
    result, _, log, _ = e.send(sender="x@strict.example.com", ip="203.0.113.9")
    client = "203.0.113.9" if e.mta.has_xclient else "127.0.0.1"
    e.same((result.code, result.rcpts[0].text),
           (550, e.mta.told("5.7.23 SPF: %s may not send for strict.example.com" % client, "bob@example.org")),
           "spf: fail, with the explanation")
    e.logged("spf fail", log, verdict="reject", rule="spf-fail", spf="fail")
    result = e.send(sender="x@lost.example.com")[0]
    e.same((result.code, result.rcpts[0].enhanced), (451, "4.4.3"), "spf: temperror puts off")
    result, subject, _, _ = e.send(sender="")
    e.same(result.code, 250, "spf: the null sender passes")
    d = e.delivered(subject)
    e.ok(d and "spf=" in (d.get("Authentication-Results") or ""), "spf: and is checked by its HELO",
         d and d.all("Authentication-Results"))


# Simple canonicalization forgives nothing: no blank after the colon, dots, blanks and empty lines at odd places.
SIGNED = ("gen-h-no-space-simple", "gen-body-lone-dot-simple-simple", "gen-body-leading-blank-simple-simple",
          "gen-body-trailing-wsp-lines-simple-simple", "gen-body-one-crlf-simple-simple",
          "gen-transit-body-blank-appended-simple-simple", "gen-body-many-crlf-relaxed-simple")


def dkim(e):
    """Signed messages reach the filter as they were sent."""
    folder = os.path.join(suites_dir(), "dkim", "generated")
    if not os.path.isdir(folder):
        e.tap.skip("dkim: signatures pass", "no folder " + folder)
        return
    for name in SIGNED:
        with open(os.path.join(folder, name, "zone"), encoding="utf-8") as f:
            zone = f.read()
        with open(os.path.join(folder, name, "message.eml"), "rb") as f:
            octets = f.read()
        e.use("results", zone=zone)
        sunk, log = e.sink.mark(), e.daemon.mark()
        e.send(octets=octets, sender="alice@example.com")
        e.sink.wait_count(1, sunk)
        d = e.sink.mail[-1]
        e.ok(re.search(r"\bdkim=pass\b", d.get("Authentication-Results") or ""), "dkim: %s passes" % name, d.octets)
        e.logged("dkim: %s" % name, log, dkim="pass")


# ---- sizes and numbers

def ten_megabytes(e):
    e.use("main")
    line = b"0123456789abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVW\r\n"
    body = line * (10 * 1024 * 1024 // len(line))
    subject = e.unique("big")
    with e.client() as c:
        result = transaction(c, message(subject, body="") + body)
        c.quit()
    e.same(result.code, 250, "10 MB: taken")
    d = e.delivered(subject, timeout=30)
    e.same(d and hashlib.sha256(d.body).hexdigest(), hashlib.sha256(body).hexdigest(), "10 MB: delivered whole")


def fifty_sessions(e):
    e.use("main")
    sunk, log = e.sink.mark(), e.daemon.mark()
    barrier = threading.Barrier(50)
    codes, errors = [], []

    def session(n):
        try:
            with e.client(ehlo="client%d.example.com" % n) as c:
                barrier.wait(60)    # all fifty are open before the first message
                for i in range(2):
                    words = "parallel refuse me" if (n + i) % 5 == 0 else "parallel"
                    codes.append((words, transaction(c, message(e.unique(words))).code))
                c.quit()
        except Exception as error:
            errors.append("session %d: %r" % (n, error))
            barrier.abort()
    threads = [threading.Thread(target=session, args=(n,)) for n in range(50)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    e.same(errors, [], "50 sessions: none broke")
    wrong = [c for c in codes if c[1] != (554 if "refuse" in c[0] else 250)]
    e.same((len(codes), wrong), (100, []), "50 sessions: each message had its right answer")
    good = sum(1 for c in codes if c[1] == 250)
    e.same(e.sink.wait_count(good, sunk), good, "50 sessions: all accepted ones are delivered")
    lines = []
    wait_until(lambda: lines.clear() or lines.extend(
        l for l in e.daemon.lines[log:] if " verdict=" in l) or len(lines) >= 100, 10)
    e.same(len(lines), 100, "50 sessions: one log line a message")


def one_session(e):
    e.use("main")
    subjects = [e.unique(t) for t in ("one", "two refuse me", "three", "four", "five tag me")]
    with e.client() as c:
        e.same(transaction(c, message(subjects[0])).code, 250, "session: first message")
        e.same(transaction(c, message(subjects[1])).code, 554, "session: second refused")
        c.mail("refused@example.com")
        c.rset()
        e.same(transaction(c, message(subjects[2])).code, 250, "session: RSET after MAIL forgets the sender")
        c.mail("alice@example.com")
        e.same(c.rcpt("nobody@example.org").code, 550, "session: a recipient refused")
        e.same(c.rcpt("moved@example.org").code, 250, "session: another taken")
        c.rset()
        e.same(transaction(c, message(subjects[3])).code, 250, "session: RSET after RCPT forgets recipients")
        c.command("NOOP")
        c.command("VRFY somebody")
        c.command("BLURDY")
        e.same(transaction(c, message(subjects[4])).code, 250, "session: NOOP, VRFY and nonsense change nothing")
        c.quit()
    d = e.delivered(subjects[3])
    e.same(d and d.rcpts, ["bob@example.org"], "session: delivered to its own recipient only")
    d = e.delivered(subjects[4])
    e.same(d and d.all("Subject"), ["[EXT] " + subjects[4]], "session: the last one is judged as the first would be")


def lost_connection(e):
    e.use("main")
    for step in range(4):
        c = e.client()
        if step > 0:
            c.mail("alice@example.com")
        if step > 1:
            c.rcpt("bob@example.org")
        if step > 2:
            c.command("DATA")
            c.send(b"Subject: half\r\n\r\nhalf a mess")
        c.close()
    subject = e.send("after lost ones")[1]
    e.ok(e.delivered(subject), "lost: clients that vanish at any step leave the next one served")


# ---- reload

def _version(word):
    return ('rule first\n    then set header X-First "%s"\n'
            'rule second\n    if sender is %s@example.com\n    then reject 550 5.7.1 "This is %s"\n'
            'rule third\n    then set header X-Last "%s"\n' % (word, word, word, word))


def reload_under_load(e):
    e.use("reload", text=_version("aaa"))
    sunk = e.sink.mark()
    stop = threading.Event()
    taken, errors, refused = [], [], []

    def flow(n):
        while not stop.is_set():
            try:
                with e.client() as c:
                    for _ in range(3):
                        # Which version a session has shows in the header and in the refusal alike.
                        told = c.mail("aaa@example.com"), c.rcpt("bob@example.org")
                        c.rset()
                        version = "aaa" if told[1].code == 550 else "bbb"
                        refused.append(told[1].code)
                        subject = e.unique("flow")
                        result = transaction(c, message(subject))
                        if result.code != 250:
                            errors.append(repr(result))
                        taken.append((subject, version))
                    c.quit()
            except Exception as error:
                errors.append(repr(error))
    threads = [threading.Thread(target=flow, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    reloads = 0
    for n in range(12):
        before = len(taken)
        sig = signal.SIGHUP if n % 2 else signal.SIGUSR1
        if not e.daemon.reload(sig, _version("aaa" if n % 2 else "bbb")):
            break
        reloads += 1
        wait_until(lambda: len(taken) >= before + 12, 10)
    stop.set()
    for t in threads:
        t.join()
    e.same(errors, [], "reload: no message is lost or put off while rules change")
    e.same(reloads, 12, "reload: each one was taken")
    e.same(e.sink.wait_count(len(taken), sunk), len(taken), "reload: all taken messages are delivered")
    got = {d.get("Subject"): (d.get("X-First"), d.get("X-Last")) for d in e.sink.mail[sunk:]}
    wrong = [(s, v, got.get(s)) for s, v in taken if got.get(s) != (v, v)]
    e.same(wrong, [], "reload: each session is judged by one file, whole")
    seen = {v for _, v in taken}
    e.same(seen, {"aaa", "bbb"}, "reload: both files were in force")
    e.tap.comment("%d messages through %d reloads" % (len(taken), reloads))


def broken_rules(e):
    e.use("reload2", text=_version("aaa"))
    told = e.daemon.reload(signal.SIGHUP, 'rule x\n    if   spf.resullt is fail\n    then reject "no"\n')
    e.same(told, False, "broken file: not taken")
    e.ok(e.daemon.wait_line(r"resullt", 0), "broken file: the log says why")
    subject = e.send()[1]
    d = e.delivered(subject)
    e.same(d and d.get("X-First"), "aaa", "broken file: the old rules go on")
    os.unlink(e.daemon.path)
    e.same(e.daemon.reload(signal.SIGUSR1), False, "missing file: not taken")
    subject = e.send()[1]
    d = e.delivered(subject)
    e.same(d and d.get("X-First"), "aaa", "missing file: the old rules go on")
    e.same(e.daemon.reload(signal.SIGHUP, _version("bbb")), True, "mended file: taken")
    subject = e.send()[1]
    d = e.delivered(subject)
    e.same(d and d.get("X-First"), "bbb", "mended file: the new rules")


def daemon_gone(e):
    """milter_default_action and F=T: while no filter answers, mail is put off, and served again after."""
    e.use("main")
    e.stop()
    e.which = None
    with e.client() as c:
        result = transaction(c, message(e.unique("nobody there")))
    e.same(result.code // 100, 4, "gone: mail is put off while postern is away")
    e.use("main")
    subject = e.send("back")[1]
    e.ok(e.delivered(subject), "gone: and served when it is back")


COMMON = [helo_at_rcpt, helo_at_mail, connect_refused, sender_refused, one_of_two, refused_at_end, hang_up, discarded,
          held, tagged, headers, recipients, routed, mixed, monitored, authentication_results, spf, dkim, ten_megabytes,
          fifty_sessions, one_session, lost_connection, reload_under_load, broken_rules, daemon_gone]

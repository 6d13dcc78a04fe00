#!/usr/bin/python3
"""postfix.py - postern behind a real Postfix: the cases of cases.py, and what only
Postfix can show: clients from anywhere by XCLIENT, so SPF and DKIM of real mail."""

import os
import re
import subprocess
import sys
import threading

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "lib"), os.path.join(TESTS, "conformance")]

import cases
import e2e
import mta_postfix
import runner
from scratch import ROOT, Scratch, binary, suites_dir, wait_until
from smtp import Client, Sink, transaction
from tap import Tap, skip_all


def rules_example(e):
    """rules.example as a site would have it, but for socket, names and what our own settings say already."""
    path = os.path.join(ROOT, "rules.example")
    if not os.path.exists(path):
        return cases.rules("main")
    with open(path) as f:
        text = f.read()
    return re.sub(r"(?m)^set\s+(listen|log|user|chroot|socket-\S+)\s.*\n", "", text)


def suite_cases(e):
    """SUITES/e2e, compared as `make conformance` compares it: SPF, DKIM, DMARC, ARC, iprev, action and reply."""
    folder, result = os.path.join(suites_dir(), "e2e"), runner.Result("suite")
    suite = runner.read_folders(result, folder, e2e.read_case)
    if suite is None:
        e.tap.skip("suites: e2e", "no cases in " + folder)
        return
    e.same(result.lines, [], "suite: each case can be read")
    for rules_text, zone, some in e2e.groups_of(suite, "rfc9989"):
        e.use("suite", text=rules_text, zone=zone)
        for case in some:
            e.tap.case("suite: " + case["name"], suite_case, e, case)
    e.mta.drop_held()


def suite_case(e, case):
    result, sunk, log = runner.Result("suite", e2e.EXPECTED["rfc9989"]), e.sink.mark(), e.daemon.mark()
    held, field, action = len(e.mta.held()), None, "reject"
    with e.client(case["ip"], ehlo=case["helo"]) as c:
        answer = transaction(c, case["message"], case["sender"], case["rcpts"])
        c.quit()
    if answer.code == 250:
        wait_until(lambda: e.sink.mark() > sunk or len(e.mta.held()) > held)
        action = "none" if e.sink.mark() > sunk else "quarantine"
    if e.sink.mark() > sunk:
        ours = [r for r in e.sink.mail[-1].all("Authentication-Results") if r.startswith("mx.example.org;")]
        field = ours[0] if len(ours) == 1 else ""
    got = e2e.methods(e.daemon, log, field)
    e2e.compare(result, case, dict(got, action=action, reply=str(answer.code)))
    e.ok(not result.bad, "suite: %s: %s" % (case["name"], " ".join(sorted(case["stated"]))), "\n".join(result.lines))


def hundred_messages(e):
    """A hundred messages of SUITES/mail, in six sessions: each gets an answer that a rule or Postfix itself gave."""
    folder = os.path.join(suites_dir(), "mail")
    if not os.path.isdir(folder):
        e.tap.skip("a hundred messages", "no folder " + folder)
        return
    names = []
    for place, _, files in sorted(os.walk(folder)):
        names += [os.path.join(place, f) for f in sorted(files) if f != "index.tsv"]
    names = names[::max(1, len(names) // 100)][:100]
    e.use("example", text=rules_example(e))
    log, sunk, seen = e.daemon.mark(), e.sink.mark(), len(e.mta.log_text())
    results, errors = {}, []

    def session(some):
        try:
            with e.client() as c:
                for name in some:
                    with open(name, "rb") as f:
                        octets = f.read().replace(b"\r\n", b"\n").replace(b"\r", b"\n")
                    results[name] = transaction(c, octets)
                c.quit()
        except Exception as error:
            errors.append(repr(error))
    threads = [threading.Thread(target=session, args=(names[n::6],)) for n in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    e.same(errors, [], "a hundred messages: no session broke")
    e.same(len(results), 100, "a hundred messages: each had an answer")
    lines = []
    wait_until(lambda: lines.clear() or lines.extend(
        l for l in e.daemon.lines[log:] if " verdict=" in l) or len(lines) >= len(results), 10)
    e.ok(len(lines) >= len(results), "a hundred messages: each is in postern's log", "%d lines" % len(lines))
    codes = sorted({r.code for r in results.values()})
    later = {os.path.basename(n): r for n, r in results.items() if 400 <= r.code < 500}
    e.same(later, {}, "a hundred messages: none is put off")
    good = sum(1 for r in results.values() if r.code == 250)
    wait_until(lambda: e.sink.mark() - sunk + len(e.mta.held()) >= good, 30)
    e.ok(good > 0 and e.sink.mark() - sunk + len(e.mta.held()) >= good,
         "a hundred messages: what was taken is delivered or held",
         "%d taken, %d delivered, %d held" % (good, e.sink.mark() - sunk, len(e.mta.held())))
    bad = [l for l in e.mta.log_text()[seen:].splitlines() if re.search(r"(warning|fatal|panic|error):.*milter", l)]
    e.same(bad, [], "a hundred messages: Postfix has nothing to complain about its milter")
    e.tap.comment("codes: %s; taken: %d" % (codes, good))


def by_sendmail_command(e):
    """Mail that did not come by SMTP (non_smtpd_milters): a refusal bounces it, nothing stays in the queue."""
    e.use("main")
    for subject, deliver in (("local", True), ("local refuse me", False)):
        subject = e.unique(subject)
        sunk = e.sink.mark()
        run = subprocess.run(["/usr/sbin/sendmail", "-C", e.mta.config, "-f", "local@example.com", "bob@example.org"],
                             input=cases.message(subject), capture_output=True, timeout=30)
        e.same(run.returncode, 0, "sendmail(1): %s: taken" % subject)
        if deliver:
            e.ok(e.delivered(subject, sunk), "sendmail(1): delivered")
        else:
            bounce = e.sink.wait(lambda d: d.sender == "" and "local@example.com" in d.rcpts, sunk, 15)
            e.ok(bounce is not None, "sendmail(1): a refused one comes back", e.mta.queue)
    e.ok(wait_until(lambda: "local@example.com" not in e.mta.queue(), 10), "sendmail(1): nothing stays in the queue",
         e.mta.queue)


# ---- what XCLIENT and TLS make possible

def sessions(e):
    """Facts about the session, as Postfix tells them."""
    e.use("session")
    sunk = e.sink.mark()

    def one(name, subject, c, sender="alice@example.com", params=(), **content):
        subject = e.unique(subject)
        result = transaction(c, cases.message(subject, **content), sender, params=params)
        c.quit()
        e.same(result.code, 250, name + ": taken")
        return e.delivered(subject, sunk)

    with Client(e.mta.port, xclient={"ADDR": "192.0.2.9", "NAME": "mail.example.com", "PORT": "4711"}) as c:
        d = one("client name", "named", c)
        e.same(d and d.get("X-Name"), "mail.example.com 4711", "client name and port")
    with Client(e.mta.port, xclient={"ADDR": "IPV6:2001:db8::25", "NAME": "[UNAVAILABLE]"}) as c:
        if c.banner.code != 220:
            e.tap.skip("IPv6: the client's address", "Postfix has no IPv6 here")
        else:
            d = one("IPv6", "six", c)
            e.same(d and d.get("X-Six"), "2001:db8::25", "IPv6: the client's address")
    with Client(e.mta.port, xclient={"ADDR": "192.0.2.9", "NAME": "[UNAVAILABLE]", "LOGIN": "alice"}) as c:
        d = one("login", "login", c, sender="nobody@example.com")
        e.ok(d and (d.get("X-User") or "").startswith("alice"), "login: known, and its rule comes first",
             d and d.octets)
    with Client(e.mta.port, ehlo=None) as c:
        d = one("no HELO", "no helo", c)
        e.ok(d, "no HELO: delivered")
    # Where there are milters, Postfix cuts a field at 60,000 octets.
    long = "\r\n ".join(["x" * 900] * 64) + " the end"
    with e.client() as c:
        d = one("long header", "long", c, headers=[("X-Long", long)])
        e.same(d and d.get("X-Seen"), "to the end", "a header field of 58,000 octets is seen whole")
    with e.client() as c:
        d = one("SMTPUTF8", "utf8", c, sender="jürgen@example.com", params=("SMTPUTF8",))
        e.same(d and d.get("X-UTF8"), "yes", "SMTPUTF8: the sender's local part")


def encrypted(e):
    """STARTTLS and a second EHLO: what holds is the session as it is at MAIL."""
    if not e.mta.tls:
        e.tap.skip("TLS: version and HELO are those at MAIL", "no openssl to make a certificate")
        return
    e.use("session")
    with e.client(ehlo="before.example.com") as c:
        c.start_tls()
        c.ehlo("after.example.com")
        subject = e.unique("encrypted")
        e.same(transaction(c, cases.message(subject)).code, 250, "TLS: taken")
        c.quit()
    d = e.delivered(subject)
    e.ok(d and re.fullmatch(r"TLSv1\.\d \d+ after\.example\.com", d.get("X-TLS") or ""),
         "TLS: version and HELO are those at MAIL", d and d.octets)


def old_protocol(e):
    """milter_protocol = 2: Postfix offers less, and what can be done is done."""
    e.use("main")
    e.mta.reconfigure("milter_protocol = 2\n")
    try:
        result, subject, log, sunk = e.send("tag me", rcpts=("nobody@example.org", "bob@example.org"))
        e.same([r.code for r in result.rcpts] + [result.code], [550, 250, 250], "protocol 2: replies")
        d = e.delivered(subject)
        e.same(d and d.all("Subject"), ["[EXT] " + subject], "protocol 2: edits")
        e.same(e.send("refuse me")[0].code, 554, "protocol 2: the end")
    finally:
        e.mta.reconfigure("")


def quiet_log(e):
    """Whatever went through: Postfix never found the milter's answers wanting."""
    bad = [l for l in e.mta.log_text().splitlines()
           if re.search(r"(warning|fatal|panic|error):", l) and re.search(r"milter|panic|fatal", l)
           and "can't connect" not in l and "Connection refused" not in l and "No such file" not in l
           and "connect to Milter service" not in l]
    e.same(bad, [], "Postfix's log holds no complaint about the milter")


def main():
    if not os.access(binary(), os.X_OK):
        skip_all("no %s" % binary())
    why = mta_postfix.missing()
    if why:
        skip_all(why)
    tap = Tap()
    sink = Sink()
    with Scratch("pf") as scratch:
        listen = "unix:" + scratch.join("postern.sock")
        with mta_postfix.Postfix(scratch, listen, sink.port, settings="non_smtpd_milters = %s\n" % listen) as mta:
            e = cases.Env(tap, scratch, mta, sink, listen)
            try:
                for case in cases.COMMON + [cases.mixed_two_and_fifty, sessions, encrypted, suite_cases,
                                            hundred_messages, by_sendmail_command, old_protocol]:
                    tap.case(case.__name__, case, e)
            finally:
                e.stop()
            tap.case("quiet_log", quiet_log, e)
    sink.close()
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())

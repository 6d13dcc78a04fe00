#!/usr/bin/python3
"""commands.py - check, judge, dns, facts and actions as an operator types them:
what they print, for people and for programs, and their exit statuses."""

import fcntl
import json
import os
import pwd
import re
import select
import shutil
import struct
import subprocess
import sys
import termios

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from daemon import command                                                  # noqa: E402
from nameserver import NameServer                                           # noqa: E402
from scratch import ROOT, Scratch, binary                                   # noqa: E402
from tap import Tap, skip_all                                               # noqa: E402

RULES = """\
nets own = 192.0.2.0/24

rule own
    if   client.ip in own or auth.user is set
    then accept

rule role
    if   rcpt.local is postmaster
    then accept

rule bad-sender
    if   sender is bad@example.com
    then reject 550 5.7.1 "Sender ${sender}" "Second line"

rule bad-spf
    if   spf is fail
    then reject 550 5.7.23 "SPF ${spf.explanation}"

rule bad-helo
    if   helo is bad.example
    then tempfail "HELO"

rule bad-macro
    if   macro["{daemon_name}"] is submission
    then reject "macro"

rule night
    if   time.hour < 6
    then reject "at night"

rule marked
    if   subject contains "tag me"
    then tag subject "[T]"
    then score +2

rule hold
    if   subject contains "hold me"
    then quarantine "held"
"""
ZONE = """\
fail.example TXT "v=spf1 -all"
when.example TXT "v=spf1 -all exp=why.example"
why.example TXT "at %{t}"
text.example TXT "one \\"two\\" " "three \\195\\188\\007"
text.example MX 20 mx.example
mx.example A 192.0.2.1
mx.example AAAA 2001:db8::1
mx.example SOA ns1.example root.example 1 2 3 4 5
www.example CNAME mx.example
1.2.0.192.in-addr.arpa PTR mx.example
1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR mx.example
lost.example * SERVFAIL
late.example * TIMEOUT
"""
MESSAGE = "From: a@example.com\nSubject: %s\n\nhello\n"
RECEIVED = ("Return-Path: <bad@example.com>\nReceived: from bad.example (host.example [203.0.113.77])\n"
            "\tby mx.example.org (Postfix) with ESMTP id 1 for <bob@example.org>; Sun, 22 Nov 2026 10:00:00 +0000\n")
TYPES = "A, AAAA, CNAME, MX, NS, PTR, SOA or TXT"
DAY = "2026-11-22 10:00"
MMDB = b"\xab\xcd\xefMaxMind.com"       # all that is looked at while no rule asks
SENDERS = os.path.join(ROOT, "tests/lang/include/senders.cdb")


class Files:
    def __init__(self, scratch):
        self.rules = scratch.write("rules", RULES)
        self.zone = scratch.write("zone", ZONE)
        self.plain = scratch.write("plain.eml", MESSAGE % "hello")
        self.tag = scratch.write("tag.eml", MESSAGE % "tag me")
        self.hold = scratch.write("hold.eml", MESSAGE % "hold me")
        self.received = scratch.write("received.eml", RECEIVED + MESSAGE % "hello")
        self.scratch = scratch

    def judge(self, *args, stdin=None):
        return command("judge", "-c", self.rules, "--zone", self.zone, "--time", DAY, *args, stdin=stdin)


def statuses(tap, f):
    """One line that says what and how to mend it, and the status of sysexits.h."""
    warn = f.scratch.write("warn", RULES + "strings unused = a b\n")
    bad = f.scratch.write("bad", RULES + "rule x\n    if   spf is fial\n    then accept\n")
    failing = f.scratch.write("failing", RULES + 'test "t"\n    sender <bad@example.com>\n'
                              "    rcpt <b@example.org>\n    expect accept\n")
    database = f.scratch.write("database", RULES + 'addresses known = cdb "%s"\n' % SENDERS)
    badzone = f.scratch.write("badzone", "a b c\n")
    cases = [
        (0, ("check", "-c", f.rules), "good"),
        (0, ("check", "-c", warn), "warning"),
        (65, ("check", "-c", warn, "--strict"), "warning"),
        (78, ("check", "-c", bad), "did you mean 'fail'"),
        (78, ("check", "-c", failing), 'test "t" failed'),
        (66, ("check", "-c", f.scratch.join("nowhere")), "No such file"),
        (66, ("check", "-c", f.scratch.path), "it is a directory (name the rules file in it"),
        (78, ("check", "-c", f.scratch.write("nothing", "# all in comments\n")), "no statement in this file"),
        (64, ("check", "--nonsense"), "unknown option --nonsense (see `postern check --help`)"),
        (64, ("check", "--json=1"), "option --json takes no value"),
        (64, ("check", "-x"), "unknown option -x"),
        (64, ("check", f.rules), "-c"),
        (64, ("judge", "-c", f.rules), "message file"),
        (64, ("judge", "-c", f.rules, "--client", "1.2.3", f.plain), "1.2.3 is no IP address"),
        (64, ("judge", "-c", f.rules, "--macro", "x", f.plain), "NAME=VALUE"),
        (64, ("judge", "-c", f.rules, "--time", "noon", f.plain), "noon is no time"),
        (64, ("judge", "-c"), "needs a value"),
        (66, ("judge", "-c", f.rules, "--zone", f.zone, f.scratch.join("nowhere")), "nowhere"),
        (66, ("judge", "-c", f.rules, "--zone", f.scratch.join("nozone"), f.plain), "nozone"),
        (65, ("judge", "-c", f.rules, "--zone", badzone, f.plain), "badzone: line 1"),
        (65, ("dns", "--zone", badzone, "mx.example", "A"), "badzone: line 1"),
        (64, ("judge", "-c", f.rules, "--rcpt", "", f.plain), "--rcpt '' is no address"),
        (64, ("judge", "-c", f.rules, "--rcpt", "<>", f.plain), "--rcpt '<>' is no address"),
        (64, ("judge", "-c", f.rules, "--sender", "a b@example.com", f.plain), "--sender 'a b@example.com' is no address"),
        (64, ("judge", "-c", f.rules, "--sender", "a@example.com\tb", f.plain), "is no address"),
        (66, ("judge", "-c", f.scratch.join("norules"), f.plain), "norules"),
        (78, ("judge", "-c", bad, f.plain), "did you mean 'fail'"),
        (64, ("facts", "x"), "unexpected"),
        (64, ("dns",), "a name and a type"),
        (64, ("dns", "--zone", f.zone, "mx.example", "HINFO"), "'HINFO' is no type that postern asks for: " + TYPES),
        (64, ("dns", "--zone", f.zone, "a..b", "A"), "'a..b' is no domain name"),
        (64, ("dns", "--timeout", "0", "mx.example", "A"), "seconds"),
        (66, ("dns", "--zone", f.scratch.join("nozone"), "mx.example", "A"), "nozone"),
        (66, ("dns", "-c", f.scratch.join("norules"), "mx.example", "A"), "norules"),
        (64, ("dns", "--servers", "mx.example", "mx.example", "A"), "mx.example"),
        (78, ("dns", "-c", bad, "mx.example", "A"), "did you mean 'fail'"),
        (0, ("dns", "-c", database, "--zone", f.zone, "mx.example", "A"), "192.0.2.1"),
        (0, ("dns", "--help"), "--servers"),
        (0, ("dns", "--help"), "TYPE is %s;" % TYPES),
        (64, ("nonsense",), "nonsense"),
        (64, (), "usage"),
        (0, ("--help",), "usage"),
        (0, ("check", "--help"), "--strict"),
        (0, ("judge", "--help"), "--from-headers"),
        (0, ("run", "--help"), "SIGHUP"),
        (0, ("facts", "--help"), "--json"),
        (0, ("--version",), "postern "),
    ]
    for want, args, word in cases:
        status, out, err = command(*args)
        tap.ok(status == want and word in out + err, "status %d: %s" % (want, " ".join(map(os.path.basename, args))),
               "status %d" % status, out, err)
        if want in (64, 66) and args:
            tap.ok(out == "" and err.startswith("postern: ") and err.count("\n") == 1, "and says it in one line", out, err)
    with open("/dev/full", "w") as full:
        run = subprocess.run([binary(), "facts"], stdout=full, stderr=subprocess.PIPE, timeout=30)
    tap.ok(run.returncode == 74 and b"disk" in run.stderr, "what can't be written is an error", run)
    run = subprocess.run([binary(), "check", "-c", f.rules], stderr=subprocess.PIPE, timeout=30, preexec_fn=lambda: os.close(1))
    tap.ok(run.returncode == 74 and b"standard output" in run.stderr, "and so is a standard output that is closed", run)


def checks(tap, f):
    status, out, err = command("check", "-c", f.rules, "-v")
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line and not line.startswith(("/", "No"))}
    tap.same(rows.get("own"), ["mail", "mail", "all", "-"], "check -v: a rule that nothing holds back", out)
    tap.same(rows.get("bad-sender"), ["mail", "rcpt", "all", "role"], "check -v: one that is held back")
    tap.same(rows.get("marked"), ["headers", "-", "all", "-"], "check -v: one without verdict")
    tap.ok(re.search(r": good: 9 rules, 1 list, 0 tests passed, 0 warnings$", out.strip()), "check: counts", out)
    data = json.loads(command("check", "-c", f.rules, "--json")[1])
    tap.same((data["errors"], data["warnings"], len(data["rules"])), (0, 0, 9), "check --json: counts")
    tap.same(data["rules"][2], {"rule": "bad-sender", "known": "mail", "told": "rcpt", "perRecipient": False,
                                "heldBackBy": "role"}, "check --json: a rule")
    bad = f.scratch.write("bad2", "rule x\n    if   helo is \"\n    then acept\n")
    status, out, err = command("check", "-c", bad, "--json")
    data = json.loads(out)
    tap.ok(status == 78 and data["errors"] == len(data["diagnostics"]) > 1 and err == "", "check --json: mistakes", out, err)
    tap.ok(all(d["line"] in (2, 3) and d["severity"] == "error" for d in data["diagnostics"]), "check --json: places", out)


def readable(tap, f):
    """What root can read and the daemon's user can't is told, each file where it is named."""
    if os.geteuid() != 0:
        tap.skip("check: what the daemon can read", "not root")
        return
    top = f.scratch.join("site")
    for d in ("", "/open", "/closed"):
        os.mkdir(top + d)
        os.chmod(top + d, 0o700 if d == "/closed" else 0o755)
    os.chmod(f.scratch.path, 0o755)
    files = {"/rules": 'set user nobody\ninclude "open/more"\naddresses bad = file "closed/list" cdb "open/table"\n'
             'rule r\n    if   sender in bad\n    then reject "no"\n'
             'test "t"\n    message "open/m.eml"\n    zone "open/z"\n    sender <a@example.net>\n'
             '    rcpt <b@example.org>\n    expect accept\n'
             'set geo-database "%s/open/a.mmdb" "%s/closed/b.mmdb"\n' % (top, top),
             "/open/a.mmdb": MMDB, "/closed/b.mmdb": MMDB,
             "/open/more": "rule x\n    if   helo is x.example\n    then accept\n",
             "/closed/list": "bad@example.com\n", "/open/m.eml": MESSAGE % "x", "/open/z": ZONE,
             "/open/table.cdb": None}
    for name, text in files.items():
        if text is None:
            subprocess.run([sys.executable, "-c", CDB, top + name], check=True)
        else:
            with open(top + name, "wb") as out:
                out.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(top + name, 0o600)
    status, out, err = command("check", "-c", top + "/rules")
    for name, place in (("/rules", "rules:1:1"), ("/open/more", "more:1:1"), ("/closed/list", "rules:3:17"),
                        ("/open/table.cdb", "rules:3:36"), ("/open/m.eml", "rules:8:13"), ("/open/z", "rules:9:10"),
                        ("/open/a.mmdb", "rules:13:18"), ("/closed/b.mmdb", "rules:13:%d" % (33 + len(top)))):
        tap.ok(re.search(r"%s: error: the daemon cannot read %s\b.*nobody" % (re.escape(place), re.escape(top + name)), err),
               "check: the daemon can't read %s" % name, err)
    tap.ok("may not enter %s/closed" % top in err, "check: nor enter a directory", err)
    tap.same(status, 78, "check: so that ExecReload fails")
    for name in files:
        os.chmod(top + name, 0o644)
    os.chmod(top + "/closed", 0o711)
    tap.same(command("check", "-c", top + "/rules")[0], 0, "check: mended")


def storable(tap, f):
    """Whoever the daemon will be must be able to write the store, if a rule needs one."""
    if os.geteuid() != 0:
        tap.skip("check: where the daemon can write", "not root")
        return
    top = f.scratch.join("stores")
    rules = 'set user %s\nset store lmdb:' + top + '/%s\nrule r\n    if   %s\n    then reject "no"\n'
    for d in ("", "/roots", "/nobodys", "/files"):
        os.mkdir(top + d, 0o755)
    nobody = pwd.getpwnam("nobody")
    for d in ("/nobodys", "/files"):
        os.chown(top + d, nobody.pw_uid, nobody.pw_gid)
    for name in ("/files/s", "/files/t-lock"):
        with open(top + name, "w"):
            pass
    rate = 'rate["${client.ip}", 1 per 1h]'
    for store, what, want in (
            ("roots/s", rate, "2:11: error: the daemon cannot write the store in %s/roots as user nobody: Permission" % top),
            ("nobodys/s", rate, None),
            ("new/s", rate, None),
            ("none/new/s", rate, "2:11: error: there is no directory %s/none/new for the store, and it can't be made" % top),
            ("files/s/s", rate, "2:11: error: the daemon cannot write the store in %s/files/s as user nobody: Not a dir" % top),
            ("files/s", rate, "2:11: error: the daemon cannot write the store %s/files/s as user nobody: Permission" % top),
            ("files/t", rate, "2:11: error: the daemon cannot write the store %s/files/t as user nobody: Permission" % top),
            ("none/new/s", "helo is x.example", None)):
        path = f.scratch.write("storable", rules % ("nobody", store, what))
        os.chmod(path, 0o644)
        status, out, err = command("check", "-c", path)
        tap.ok((status, err) == (0, "") if want is None else status == 78 and want in err,
               "check: a store in %s, for %s" % (store, what.split()[0]), err)
    path = f.scratch.write("storable", (rules % ("x", "none/new/s", rate)).replace("set user x\n", ""))
    status, out, err = command("check", "-c", path)
    tap.ok(status == 0 and "1:11: warning: there is no directory %s/none/new for the store" % top in err,
           "check: a warning where nobody knows who will write", err)
    unprivileged(tap, f, top, rules, rate)


def unprivileged(tap, f, top, rules, rate):
    """Another user sees only what is not there; the daemon's own all."""
    copy = f.scratch.join("postern")
    shutil.copy(binary(), copy)
    os.chmod(copy, 0o755)
    for user, store, status, want in (
            ("nobody", "roots/s", 78, "error: the daemon cannot write the store in %s/roots as user nobody" % top),
            ("nobody", "nobodys/s", 0, None), ("nobody", "nobodys/new/s", 0, None),
            ("nobody", "new/s", 78, "error: there is no directory %s/new" % top),
            ("daemon", "roots/s", 0, None), ("daemon", "new/s", 0, None),
            ("daemon", "none/new/s", 0, "warning: there is no directory %s/none/new" % top)):
        path = f.scratch.write("storable", rules % (user, store, rate))
        os.chmod(path, 0o644)
        p = subprocess.run([copy, "check", "-c", path], user="nobody", capture_output=True, text=True)
        tap.ok(p.returncode == status and (p.stderr == "" if want is None else want in p.stderr),
               "check: as nobody, a store of %s in %s" % (user, store), p.stderr)


# an empty table of Postfix's: the header alone
CDB = "import struct, sys; open(sys.argv[1], 'wb').write(struct.pack('<II', 2048, 0) * 256)"

# options, the message, and what the line about it says
VERDICTS = [
    ((), "plain", "accept since no rule says otherwise"),
    (("--client", "192.0.2.5", "--sender", "bad@example.com"), "plain", "accept by own at "),
    (("--client", "203.0.113.5", "--sender", "bad@example.com"), "plain",
     'reject 550 5.7.1 "Sender bad@example.com / Second line" by bad-sender at rcpt'),
    (("--sender", "<bad@example.com>"), "plain", "by bad-sender at rcpt"),
    (("--auth", "bob", "--sender", "bad@example.com"), "plain", "accept by own at "),
    (("--client", "203.0.113.5", "--helo", "x.example", "--sender", "a@fail.example"), "plain", "reject 550 5.7.23"),
    (("--helo", "bad.example"), "plain", 'tempfail 451 4.7.1 "HELO" by bad-helo'),
    (("--client", "203.0.113.5", "--sender", "a@when.example", "--time", "1795345200"), "plain", '"SPF at 1795345200"'),
    (("--macro", "{daemon_name}=submission"), "plain", "by bad-macro at "),
    (("--macro", "daemon_name=submission"), "plain", "by bad-macro at "),
    (("--time", "2026-11-22 05:59"), "plain", "by night at "),
    (("--time", "1795345200"), "plain", ""),
    (("--rcpt", "postmaster@example.org", "--sender", "bad@example.com"), "plain", "accept by role at "),
    ((), "hold", 'quarantine "held" by hold at message'),
    (("--from-headers",), "received", "Sender bad@example.com"),
    (("--from-headers", "--sender", "good@example.com"), "received", 'tempfail 451 4.7.1 "HELO"'),
    (("--from-headers", "--sender", "", "--helo", "good.example"), "received", "accept since"),
]


CHANGES = """\
set authserv-id mx.example.org
rule tagged
    then tag subject "[T]"
rule fields
    then set header X-One "1"
    then remove header X-Two
    then add header X-Three "3"
rule people
    if   spf is none and rcpt.local is bob
    then redirect <spy@example.net>
"""


def changes(tap, f):
    """What would become of the message, and not what rules ask for."""
    rules = f.scratch.write("changes", CHANGES)
    message = f.scratch.write("changes.eml", "Subject: Re: [T] x\nX-Three: 3\nX-One: 0\nX-Two: 2\nX-One: 1\n"
                              "Authentication-Results: mx.example.org; spf=pass\n\nx\n")
    args = ("judge", "-c", rules, "--zone", f.zone, "--client", "203.0.113.5", "--helo", "x.example",
            "--sender", "a@nowhere.example", "--rcpt", "bob@example.org")
    of_rules = ["set header X-One \"1\" by fields", "remove header X-One[2] by fields", "remove header X-Two by fields",
                "remove rcpt <bob@example.org> by people", "add rcpt <spy@example.net> by people"]
    out = command(*args, message)[1]
    shown = re.findall(r"^  ((?:set|add|remove|tag) .*)$", out, re.M)
    tap.same(sorted(shown), sorted(of_rules), "judge: changes, none for what is there already", out)
    out = command(*args[:1], "-v", *args[1:], message)[1]
    tap.ok("\n  remove header Authentication-Results\n" in out and
           re.search(r'^  add header Authentication-Results "mx\.example\.org; spf=none .*" on top$', out, re.M),
           "judge -v: and what postern does by itself", out)
    row = json.loads(command(*args[:1], "--json", *args[1:], message)[1])
    tap.ok(len(row["changes"]) == len(of_rules) + 2 and len(row["edits"]) == 6 and
           {"change": "set header", "name": "X-One", "value": "1", "index": 1} in row["changes"] and
           {"change": "remove header", "name": "Authentication-Results", "value": None, "index": 1} in row["changes"],
           "judge --json: changes", row["changes"])
    with open(rules, "a") as more:
        more.write("set mode monitor\n")
    out = command(*args, message)[1]
    tap.ok("\n  would tag subject [T] by tagged\n" in out and "\n  set header" not in out, "judge: mode monitor", out)
    refused = f.scratch.write("refused", CHANGES + 'rule no\n    then reject "no"\n')
    out = command("judge", "-c", refused, *args[3:], message)[1]
    tap.ok("X-One" not in out, "judge: nothing is changed in what is refused", out)


SIGNED = ("DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=x; h=From:From; l=0; bh=AAAA; b=AAAA\n"
          "DKIM-Signature: v=1; a=rsa-sha256; d=lost.example; s=x\n")


def signatures(tap, f):
    """What each signature is worth, and what it leaves unsigned, where a rule asks for it."""
    rules = f.scratch.write("signatures", "set authentication-results off\nrule all\n"
                            '    if   every dkim.signature has ( unsigned is from )\n    then reject "no"\n')
    message = f.scratch.write("signed.eml", SIGNED + MESSAGE % "hello")
    out = command("judge", "-v", "-c", rules, "--zone", f.zone, message)[1]
    tap.same([line for line in out.splitlines() if line.startswith("  DKIM")],
             ["  DKIM  permerror  d=example.com s=x a=rsa-sha256 unsigned=subject,body oversigned=from "
              "(there is no key)",
              "  DKIM  permerror  d=lost.example s=x a=rsa-sha256 (b= is no base64)"], "judge -v: DKIM signatures", out)
    row = json.loads(command("judge", "-v", "--json", "-c", rules, "--zone", f.zone, message)[1])
    tap.same(row.get("signatures", [None])[0],
             {"result": "permerror", "domain": "example.com", "selector": "x", "algorithm": "rsa-sha256", "bits": 0,
              "unsigned": ["subject", "body"], "oversigned": ["from"], "reason": "there is no key"},
             "judge -v --json: the same", row)
    out = command("judge", "-v", "-c", f.rules, "--zone", f.zone, message)[1]
    tap.ok("DKIM " not in out, "judge -v: nothing of them where nobody asks", out)


def lists(tap, f):
    """What lists in the DNS said, and why one is in error."""
    rules = f.scratch.write("listed", 'set authentication-results off\n' + "".join(
        'rule %s\n    if   dnsbl["%s.example"] is 127.0.0.9\n    then reject "no"\n' % (n, n)
        for n in ("refusing", "silent", "clean", "listing")) +
        'rule sender\n    if   rhsbl["clean.example"] is set\n    then reject "no"\n')
    rules = f.scratch.write("listed", open(rules).read().replace("rule sender", "rule senders"))
    zone = f.scratch.write("lists.zone", "4.2.0.192.refusing.example A 127.255.255.254\n"
                           "4.2.0.192.silent.example * SERVFAIL\n"
                           "4.2.0.192.listing.example A 127.0.0.2\n4.2.0.192.listing.example A 127.0.0.3\n")
    args = ("-c", rules, "--zone", zone, "--client", "192.0.2.4", "--sender", "a@b.example", f.plain)
    out = command("judge", "-v", *args)[1]
    shown = sorted(line for line in out.splitlines() if "sbl  " in line)
    tap.same([line.split(" (")[0] for line in shown],
             ["  dnsbl  clean.example  not listed", "  dnsbl  listing.example  127.0.0.2,127.0.0.3",
              "  dnsbl  refusing.example  error", "  dnsbl  silent.example  error",
              "  rhsbl  clean.example  not listed"], "judge -v: lists in the DNS", out)
    tap.ok("(refusing.example: the list refuses to answer this resolver (127.255.255.254))" in out and
           "(A of 4.2.0.192.silent.example: servfail" in out, "judge -v: why one is in error", out)
    row = json.loads(command("judge", "--json", *args)[1])
    tap.same(sorted((l["kind"], l["zone"], l["codes"], l["error"]) for l in row["lists"])[1:4],
             [("dnsbl", "listing.example", ["127.0.0.2", "127.0.0.3"], False), ("dnsbl", "refusing.example", [], True),
              ("dnsbl", "silent.example", [], True)], "judge --json: lists", row)
    tap.ok(any("refuses" in l["reason"] for l in row["lists"]) and
           "4.2.0.192.silent.example" in [l["name"] for l in row["lookups"]], "judge --json: why, and the lookups", row)


def judges(tap, f):
    for options, name, want in VERDICTS:
        status, out, err = f.judge(*options, getattr(f, name))
        first = out.split("\n")[0]
        tap.ok(status == 0 and want in first and err == "", "judge %s %s" % (name, " ".join(options)), out, err)
    out = f.judge("--sender", "bad@example.com", "--rcpt", "bob@example.org", "--rcpt", "postmaster@example.org", f.plain)[1]
    tap.ok("\n  <bob@example.org>: reject 550" in out and "\n  <postmaster@example.org>: accept by role" in out,
           "judge: each recipient", out)
    out = f.judge(f.tag)[1]
    tap.ok('\n  set header Subject "[T] tag me" by marked\n' in out and "\n  score 2\n" in out, "judge: edits and score", out)
    changes(tap, f)
    signatures(tap, f)
    lists(tap, f)
    out = f.judge("-v", "--sender", "bad@example.com", f.plain)[1]
    tap.ok(re.search(r"^  bad-sender +true +\w+ +sender is bad@example\.com$", out, re.M) and
           re.search(r"^  hold +not asked", out, re.M), "judge -v: the trace", out)
    tap.ok("\n  (not given: --client, --helo, --rcpt)\n" in out, "judge -v: what the envelope lacks", out)
    out = f.judge("-v", f.plain)[1]
    tap.ok("\n  (not given: --client, --helo, --sender, --rcpt; the sender is <>)\n" in out, "judge -v: no envelope", out)
    out = f.judge("-v", "--from-headers", f.received)[1] + f.judge(f.plain)[1]
    tap.ok("not given" not in out, "judge: no hint where all is given, and none for programs", out)
    slow = f.scratch.write("slow", "rule slow\n    if   body matches /^(x+x+)+[yz]$/\n    then reject \"x\"\n")
    out = command("judge", "-v", "-c", slow, f.scratch.write("slow.eml", MESSAGE.replace("hello", "x" * 3000) % "slow"))[1]
    tap.ok(re.search(r'^  slow +error .*: match-limit reached$', out, re.M), "judge -v: match-limit by its name", out)
    out = f.judge(f.plain, f.tag, f.hold)[1].splitlines()
    tap.ok(len(out) == 3 and out[2].startswith(f.hold + ": quarantine"), "judge: a line a file", out)
    status, out, err = f.judge("-", stdin=(MESSAGE % "hold me").encode())
    tap.ok(status == 0 and out.startswith("-: quarantine"), "judge: standard input", out, err)
    status, out, err = f.judge(f.plain, f.scratch.join("nowhere"), f.hold)
    tap.ok(status == 66 and out.count("\n") == 2, "judge: one file that can't be read does not keep the others", out, err)
    out = f.judge("--sender", "bad@example.com", "--helo", "x\033[31m\n.example", f.plain)[1]
    tap.ok("\033" not in out, "judge: nothing speaks to the terminal", out)


def judges_json(tap, f):
    out = f.judge("--json", "-v", "--sender", "bad@example.com", "--rcpt", "bob@example.org", f.plain, f.tag, f.hold)[1]
    rows = [json.loads(line) for line in out.splitlines()]
    tap.same([(r["verdict"], r["rule"]) for r in rows], [("reject", "bad-sender")] * 3, "judge --json: an object a file")
    tap.same((rows[0]["code"], rows[0]["enhanced"], rows[0]["reply"]),
             (550, "5.7.1", ["Sender bad@example.com", "Second line"]), "judge --json: the reply")
    trace = {t["rule"]: t["outcome"] for t in rows[0]["recipients"][0]["trace"]}
    tap.same((trace["own"], trace["bad-sender"], trace["hold"]), ("false", "true", "not asked"), "judge --json: the trace")
    row = json.loads(f.judge("--json", f.tag)[1])
    tap.same((row["verdict"], row["rule"], row["score"]), ("accept", None, 2), "judge --json: no rule")
    tap.same(row["edits"], [{"edit": "tag subject", "name": row["edits"][0]["name"], "value": "[T]", "rule": "marked"}],
             "judge --json: edits")


# name, type, exit status, status, records as shown
ANSWERS = [
    ("mx.example", "A", 0, "ok", ["192.0.2.1"]),
    ("MX.example.", "aaaa", 0, "ok", ["2001:db8::1"]),
    ("www.example", "A", 0, "ok", ["192.0.2.1"]),
    ("text.example", "MX", 0, "ok", ["20 mx.example"]),
    ("text.example", "TXT", 0, "ok", ['"one \\"two\\" three \\195\\188\\007"']),
    ("192.0.2.1", "PTR", 0, "ok", ["mx.example"]),
    ("2001:db8::1", "PTR", 0, "ok", ["mx.example"]),
    ("mx.example", "soa", 0, "ok", ["ns1.example"]),
    ("mx.example", "TXT", 68, "nodata", []),
    ("nowhere.example", "A", 68, "nxdomain", []),
    ("lost.example", "A", 75, "servfail", []),
    ("late.example", "TXT", 75, "timeout", []),
]


def dns(tap, f):
    for name, kind, want, word, records in ANSWERS:
        status, out, err = command("dns", "--zone", f.zone, name, kind)
        shown = re.findall(r"^  %s +(.*)$" % kind.upper(), out, re.M)
        tap.ok((status, shown, err) == (want, records, "") and re.search(r" %s: %s$" % (kind.upper(), word), out, re.M) and
               re.search(r"^  time +\d+ ms$", out, re.M), "dns %s %s: %s" % (name, kind, word), status, out, err)
        status, out, err = command("dns", "--zone", f.zone, "--json", name, kind)
        row = json.loads(out)
        tap.ok((status, row["status"], len(row["records"])) == (want, word, len(records)) and
               bool(row["reason"]) == (want == 75), "dns --json %s %s" % (name, kind), out)
    row = json.loads(command("dns", "--zone", f.zone, "--json", "www.example", "A")[1])
    tap.same((row["canonical"], row["secure"], row["validates"]), ("mx.example", False, False), "dns --json: canonical name, DNSSEC")
    row = json.loads(command("dns", "--zone", f.zone, "--json", "text.example", "TXT")[1])
    tap.same(row["records"], ['one "two" three \u00fc\x07'], "dns --json: a text as it is")


def lookups(tap, f):
    """judge -v: each lookup, with its time."""
    out = f.judge("-v", "--client", "203.0.113.5", "--helo", "lost.example", "--sender", "a@fail.example", f.plain)[1]
    tap.ok(re.search(r"^  TXT   fail\.example +ok +\d+ ms$", out, re.M), "judge -v: each lookup with its time", out)
    out = f.judge("-v", "--client", "192.0.2.5", "--sender", "a@fail.example", f.plain)[1]
    tap.ok("fail.example  " not in out, "judge -v: none where none is asked for", out)
    rows = [json.loads(line) for line in f.judge("-v", "--json", "--client", "203.0.113.5", "--helo", "x.example", "--sender",
                                                 "a@lost.example", f.plain, f.plain)[1].splitlines()]
    for row, cached in zip(rows, (False, True)):
        tap.same([(r["name"], r["type"], r["status"], r["cached"]) for r in row["lookups"]],
                 [("lost.example", "TXT", "servfail", cached)], "judge -v --json: %s" % ("from memory" if cached else "asked"))


def waited(tap, f):
    """judge -v where a name server is silent: what was waited for in vain, and what nobody waited for."""
    server = NameServer()
    try:
        rules = f.scratch.write("waited", "set dns-servers 127.0.0.1@%d\nset dns-timeout 1s\n" % server.port +
                                'rule hello\n    if   subject contains "hello"\n    then accept\n'
                                'rule lost\n    if   spf is temperror or dkim is temperror\n    then tempfail "later"\n')
        args = ("judge", "-v", "--json", "-c", rules, "--client", "192.0.2.5", "--sender", "a@slow.example")
        for subject, word in (("hello", "unneeded"), ("other", "timeout")):
            out = command(*args, f.scratch.write("waited.eml", MESSAGE % subject))[1]
            tap.same([(r["name"], r["status"]) for r in json.loads(out)["lookups"]], [("slow.example", word)],
                     "judge -v: %s" % word, out)
    finally:
        server.close()
    for servers in ("foo", "127.0.0.1@", ",", ",".join(["127.0.0.1"] * 20)):
        status, out, err = command("dns", "--servers", servers, "a.example", "A")
        tap.ok(status == 64 and err.startswith("postern: dns: --servers %s: " % servers), "dns --servers %s" % servers,
               status, out, err)


def tables(tap, f):
    """Each row of the .def files, in its order."""
    for name, pattern in (("facts", r'^FACT\("([^"]+)"'), ("actions", r'^ACTION\("([^"]+)"')):
        with open(os.path.join(ROOT, "rules", name + ".def")) as d:
            want = re.findall(pattern, d.read(), re.M)
        rows = json.loads(command(name, "--json")[1])
        tap.same([r["name"] for r in rows], want, "%s --json: every row" % name)
        tap.ok(all(r["manual"] for r in rows), "%s --json: each with its line of manual" % name)
        text = command(name)[1].splitlines()
        tap.ok(len(text) == len(want) and all(t.startswith(w) for t, w in zip(text, want)), "%s: every row" % name)


def colour(tap, f):
    """Only for people: a pipe gets none, and NO_COLOR takes it from a terminal."""
    try:
        master, slave = os.openpty()
    except OSError as e:
        tap.skip("colour on a terminal, unless NO_COLOR", "no terminal to be had here: %s" % e)
        return
    seen = {}
    for no_color in ("", "1"):
        subprocess.run([binary(), "judge", "-c", f.rules, "--zone", f.zone, "--time", DAY, f.plain], stdout=slave,
                       timeout=30, env=dict(os.environ, NO_COLOR=no_color))
        ready = select.select([master], [], [], 10)[0]
        seen[no_color] = b"\033[" in os.read(master, 65536) if ready else None
    os.close(master)
    os.close(slave)
    tap.same(seen, {"": True, "1": False}, "colour on a terminal, unless NO_COLOR")
    tap.ok("\033[" not in f.judge(f.plain)[1], "no colour in a pipe")


def on_terminal(columns, *args):
    """What a command prints on a terminal of that width, or None where there is none to be had."""
    try:
        master, slave = os.openpty()
    except OSError:
        return None
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    run = subprocess.Popen([binary(), *args], stdout=slave)
    os.close(slave)
    text = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:                 # the last one has closed it
            part = b""
        if not part:
            break
        text += part
    os.close(master)
    run.wait(30)
    return text.decode().replace("\r\n", "\n")


def wrapped(tap, f):
    """On a terminal no line is longer than it is wide; in a pipe each row is one."""
    for name in ("facts", "actions"):
        piped = command(name)[1]
        tap.ok(max(map(len, piped.splitlines())) > 80, "%s: in a pipe a row is a line" % name)
        for columns in (80, 132):
            shown = on_terminal(columns, name)
            if shown is None:
                tap.skip("%s: on a terminal" % name, "no terminal to be had here")
                continue
            longest = max(shown.splitlines(), key=len)
            tap.ok(len(longest) <= columns, "%s: %d columns" % (name, columns), longest)
            tap.same(shown.split(), piped.split(), "%s: and every word is there" % name)
        if shown is not None:
            starts = {line[:len(line) - len(line.lstrip())] for line in shown.splitlines() if line.startswith(" ")}
            tap.ok(len(starts) <= (name == "facts"), "%s: the text stands in its column" % name, starts)
            tap.same(on_terminal(0, name), piped, "%s: a terminal without a width is a pipe" % name)


def main():
    if not os.access(binary(), os.X_OK):
        skip_all("no %s" % binary())
    os.environ["TZ"] = "UTC"
    tap = Tap()
    with Scratch("commands") as scratch:
        f = Files(scratch)
        for case in (statuses, checks, readable, storable, judges, judges_json, lookups, waited, dns, tables, colour,
                     wrapped):
            tap.case(case.__name__, case, tap, f)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/python3
"""arc.py - a forwarded message with a chain of seals through the daemon: the
rule that trusts its forwarder, Authentication-Results, the log, and what comes of a
chain that was broken, or whose keys can't be had.

The messages are the fuzz target's seeds (tests/fuzz/seeds/fuzz_arc).
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import logline                                                              # noqa: E402
from daemon import Daemon                                                   # noqa: E402
from milter import Milter                                                   # noqa: E402
from scratch import ROOT, Scratch, binary                                   # noqa: E402
from tap import Tap, skip_all                                               # noqa: E402

RSA = ('MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCx5SJKh39xBoEF0xOmhTPQbonQvlszCTyO4RqCHj3B5NyBHULM'
       'u15IbgkrCKmwEzGGW2INNMKki3o01OQXasCZy6btlvpqOkEXtrsOd2URYbDMaZinO7RJyu04FW3in4uszuKcwCDl'
       'Km8EYvpTFIZEwvDDWaBeeRRtEt15aq01SwIDAQAB')
KEYS = ('r._domainkey.example.org TXT "v=DKIM1; k=rsa; p=" "%s"\n' % RSA
        + 'e._domainkey.example.org TXT "k=ed25519; p=TCauuLg7VXS7sZZWdAL4+Ed5MsWmk97kZ3uDLnfXE7M="\n')
POLICY = '_dmarc.example.org TXT "v=DMARC1; p=reject"\n'
RULES = """\
set authserv-id mx.example.net
domains trusted-forwarders = example.org

rule forwarded
    if   dmarc is fail and arc is pass and arc.sealer in trusted-forwarders
         and arc.result["dmarc"] is pass
    then add header X-Forwarded-By "${arc.sealer}"

rule dns
    if   dmarc is fail and arc is temperror
    then tempfail 451 4.7.5 "again"

rule spoof
    if   dmarc is fail and not matched["forwarded"]
    then reject 550 5.7.26 "no"
"""


def seed(name):
    """Fields as an MTA hands them over, and the body."""
    with open(os.path.join(ROOT, "tests", "fuzz", "seeds", "fuzz_arc", name), newline="", encoding="ascii") as f:
        header, _, body = f.read().partition("\r\n\r\n")
    return [tuple(line.split(":", 1)) for line in header.split("\r\n")], body.encode()


def folded(fields):
    """As an MTA would fold and hand it over: LF alone."""
    return [(n, v.replace("; ", ";\n\t")) for n, v in fields]


def one(tap, name, fields, body, zone, kind, log, **more):
    with Scratch("arc") as scratch, Daemon(scratch, RULES, zone=zone) as d, Milter(d.address) as m:
        m.open(ip="2001:db8::7")
        since = d.mark()
        _, last = m.message(sender="<list@list.example>", headers=fields, body=body)
        tap.same(last.kind in ("accept", "continue") and "accept" or last.code, kind, name + ": the reply")
        line = logline.parse(d.wait_line(logline.is_verdict, since) or "")
        tap.same({k: line.get(k) for k in log}, log, name + ": the log")
        ours = [c for letter, c in last.changes if letter == "i"]
        tap.same([c[2].strip().split(";\n\t")[-1] for c in ours], more.get("states", []), name + ": what is stated")
        added = [c for letter, c in last.changes if letter == "h"]
        tap.same(added, more.get("adds", []), name + ": what is added")
        status = d.stop()
        tap.ok(status == 0 and not d.crashed(), name + ": the daemon ends well", status, d.text()[-2000:])


def cases(tap):
    fields, body = seed("one-set")
    good = {"arc": "pass", "dmarc": "fail", "verdict": "accept"}
    states = ["arc=pass header.oldest-pass=0 smtp.remote-ip=\"2001:db8::7\""]
    adds = [("X-Forwarded-By", " example.org")]
    one(tap, "a trusted forwarder", fields, body, KEYS + POLICY, "accept", good, states=states, adds=adds)
    one(tap, "folded on its way", [("Received", " from x")] + folded(fields), body, KEYS + POLICY, "accept", good,
        states=states, adds=adds)
    two, _ = seed("two-sets")
    one(tap, "a forwarder that saw DMARC fail", two, body, KEYS + POLICY, 550,
        {"arc": "pass", "rule": "spoof", "verdict": "reject"})
    one(tap, "a body that was changed", fields, body + b"and more\r\n", KEYS + POLICY, 550,
        {"arc": "fail", "rule": "spoof"})
    bare = [f for f in fields if not f[0].startswith("ARC-")]
    one(tap, "no chain", bare, body, KEYS + POLICY, 550, {"arc": "none", "rule": "spoof"})
    dead = "r._domainkey.example.org * SERVFAIL\n"
    one(tap, "keys that can't be had", fields, body, dead + POLICY, 451, {"arc": "temperror", "rule": "dns"})


def main():
    if not os.access(binary(), os.X_OK):
        skip_all("no %s" % binary())
    tap = Tap()
    tap.case("arc", cases, tap)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())

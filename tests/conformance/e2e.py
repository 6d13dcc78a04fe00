#!/usr/bin/python3
"""Whole messages with their zones: every folder of e2e through the daemon, by the
milter protocol.

usage: e2e.py [- [SUITES]], with $POSTERN

Compares whatever a case states, once with each of DMARC's RFCs: the results of
spf, dkim, dmarc, arc and iprev, as rules see them and as Authentication-Results has them;
what is done with the message (action: none, quarantine, reject), by
rules that do what the domain asks for; the class of a reply.
"""
import json
import os
import re
import sys

import runner

sys.path.insert(0, os.path.join(os.path.dirname(runner.HERE), "lib"))

import scratch                                                              # noqa: E402
from daemon import Daemon                                                   # noqa: E402
from milter import Milter                                                   # noqa: E402

SHA1 = "signed with rsa-sha1, which never passes (RFC 8301)"
# Cases that can't be met: RFC -> "case: what is stated" -> why.
EXPECTED = {
    "rfc9989": {
        "authmilter-dmarc_reject_wl-dmarc_reject_wl: dkim": SHA1,
        "rspamd-DMARC-SUBDOMAIN-PASS-SPF-RELAXED-ALIGNMENT: dmarc":
            "stated by RFC 7489: mom.za.org is registrable, but has no record, so that no tree walk leads there",
    },
    "rfc7489": {
        "authmilter-dmarc_reject_wl-dmarc_reject_wl: dkim": SHA1,
    },
}

METHODS = ("spf", "dkim", "dmarc", "arc", "iprev")
ACTIONS = ("none", "quarantine", "reject")
# The results are told first, since a refused message gets no field.
RULES = """\
set authserv-id mx.example.org
set authentication-results spf dkim dmarc arc iprev
set dmarc %s
rule results
    then log "results spf=${spf} dkim=${dkim} dmarc=${dmarc} arc=${arc} iprev=${client.iprev}"
"""
# What a domain asks for is done only where the case states an action: others are accepted by the stated milters.
ACT = """\
rule asked-to-reject
    if   dmarc is fail and dmarc.policy is reject
    then reject 550 5.7.1 "DMARC"
rule asked-to-quarantine
    if   dmarc is fail and dmarc.policy is quarantine
    then quarantine "DMARC"
"""


# ---- Reading ----

def read_case(folder):
    expect = json.loads(runner.read_text(os.path.join(folder, "expect.json")))
    with open(os.path.join(folder, "message.eml"), "rb") as f:
        message = f.read()
    stated = dict(expect["stated"])
    if "dkim" not in stated and expect.get("dkim_reference") is not None:
        reference = list(expect["dkim_reference"])
        stated["dkim"] = ["pass"] if "pass" in reference else reference or ["none"]
    for key, value in stated.items():
        if key in METHODS:
            runner.must(isinstance(value, list) and value and all(isinstance(v, str) for v in value), key + " is no list")
    runner.must(stated.get("action", "none") in ACTIONS, "action is none of " + " ".join(ACTIONS))
    if "reply" in stated:
        runner.must(re.search(r"\b[245]\d\d\b", str(stated["reply"])), "reply has no code")
    runner.must(any(k in (*METHODS, "action", "reply") for k in stated), "nothing is stated")
    client, sender = expect["client"], (expect.get("mail_from") or "").strip("<>")
    rcpts = [r.strip("<>") for r in expect.get("rcpt_to") or ["x@receiver.example"]]
    with open(os.path.join(folder, "zone"), "rb") as f:
        zone = f.read()
    return {"name": os.path.basename(folder), "ip": client["ip"] + "", "helo": client["helo"] + "", "sender": sender,
            "rcpts": rcpts, "message": message, "zone": zone, "stated": stated}


def split(octets):
    """Fields as an MTA hands them over, with LF alone in folds, and the body."""
    fields = []
    lines = re.split(rb"(?<=\n)", re.sub(rb"(?<!\r)\n", b"\r\n", octets))
    for n, line in enumerate(lines):
        text = line.rstrip(b"\r\n")
        if not text:
            return fields, b"".join(lines[n + 1:])
        if text[:1] in b" \t" and fields:
            fields[-1] = (fields[-1][0], fields[-1][1] + b"\n" + text)
        elif re.match(rb"[!-9;-~]+[ \t]*:", text):
            name, _, value = text.partition(b":")
            fields.append((name, value))
        elif not (n == 0 and text.startswith(b"From ")):
            return fields, b"".join(lines[n:])
    return fields, b""


# ---- Running ----

def judge(daemon, case):
    """What came of it, by what can be stated."""
    since, (fields, body) = daemon.mark(), split(case["message"])
    with Milter(daemon.address) as m:
        m.open(ip=case["ip"], helo=case["helo"])
        replies, last = m.message(sender="<%s>" % case["sender"], rcpts=["<%s>" % r for r in case["rcpts"]],
                                  headers=fields, body=body)
        m.quit()
    last = last or next(r for r in replies if r.refused())
    written = [c[2] for letter, c in last.changes if letter == "i" and c[1] == "Authentication-Results"]
    got = methods(daemon, since, written[-1] if written else None)
    got["action"] = "reject" if last.refused() else \
        "quarantine" if any(letter == "q" for letter, _ in last.changes) else "none"
    got["reply"] = str(last.code or {"reject": 550, "tempfail": 450}.get(last.kind, 250))
    return got


def methods(daemon, since, field):
    """The results in the log, and that they are in the field, too, where there is one."""
    line = daemon.wait_line(r"\bresults spf=", since) or ""
    got = {m: re.findall(r"\b%s=(\w+)" % m, line.partition("results ")[2]) for m in METHODS}
    if field is None:
        return got
    told = re.sub(r"\([^()]*\)|\"[^\"]*\"", "", field)
    return {m: words if set(words) & set(re.findall(r";\s*%s=(\w+)" % m, told)) else words + ["(not in the field)"]
            for m, words in got.items()}


def wanted(case, key):
    """What is stated, as RFC 8601 has it: authentication_milter says that iprev fails where there is no name, too."""
    want = case["stated"][key]
    if key == "iprev" and want == ["fail"] and not has_name(case):
        return ["permerror"]
    return want


def has_name(case):
    if ":" in case["ip"]:
        return True
    name = ".".join(reversed(case["ip"].split("."))) + ".in-addr.arpa"
    return re.search(rb"(?im)^%s\.?\s" % re.escape(name.encode()), case["zone"]) is not None


def is_right(key, want, got):
    if key == "action":
        return got == want
    if key == "reply":
        return got[0] == re.search(r"\b[245]\d\d\b", str(want)).group()[0]
    # Several results of a method are those of several domains.
    return len(got) == 1 and got[0] in want


def compare(result, case, got):
    parts = []
    for key in case["stated"]:
        if key not in got:
            result.note("%s: states %s, which is not compared" % (case["name"], key))
            continue
        want = wanted(case, key)
        parts.append(("%s: %s" % (case["name"], key), is_right(key, want, got[key]), want, got[key]))
    result.add_parts(parts)


def run_group(result, rules, zone, cases):
    """Cases of one zone, by one daemon."""
    with scratch.Scratch("e2e") as place:
        daemon = Daemon(place, rules, zone=zone)
        try:
            daemon.start()
        except Exception as error:
            for case in cases:
                result.malformed(case["name"], " ".join(str(error).split()))
            return
        for case in cases:
            try:
                compare(result, case, judge(daemon, case))
            except Exception as error:
                result.add(case["name"], False, "an answer", repr(error))
        if daemon.stop() != 0 or daemon.crashed():
            result.fault("the daemon ended badly: %s" % (daemon.crashed() or daemon.text()[-300:]))


def groups_of(cases, spec):
    """The rules, zone and cases of each group that one daemon can judge."""
    groups = {}
    for case in cases:
        groups.setdefault((case["zone"], not case["stated"].keys().isdisjoint(("action", "reply"))), []).append(case)
    for (zone, act), some in groups.items():
        yield RULES % spec + (ACT if act else ""), zone, some


def run(spec, folder, psl):
    result, more = runner.Result("e2e-" + spec, EXPECTED[spec]), ""
    cases = runner.read_folders(result, folder, read_case)
    if cases is None:
        return result.skip("no cases in " + folder)
    if spec == "rfc7489" and os.path.exists(psl):
        more = 'set public-suffix-list "%s"\n' % os.path.abspath(psl)
    for rules, zone, some in groups_of(cases, spec):
        run_group(result, more + rules, zone, some)
    return result


def results(_, suites):
    if not os.access(scratch.binary(), os.X_OK):
        yield runner.Result("e2e").skip("no " + scratch.binary())
        return
    for spec in EXPECTED:
        yield run(spec, os.path.join(suites, "e2e"), os.path.join(suites, "dmarc", "public_suffix_list.dat"))


if __name__ == "__main__":
    sys.exit(runner.main("e2e", results))

#!/usr/bin/python3
"""Suites of which parts are missing, added or broken: what suites.py makes of them.

The folders are made here, with a case or two for each suite.  A missing part
must be told as skipped, a broken case as one that is not right, by name; all
others go on.  The exit status is 1 where a case is not right and none expected that.
"""
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import runner                                                               # noqa: E402
from scratch import Scratch                                                 # noqa: E402
from tap import Tap                                                         # noqa: E402

MESSAGE = "From: a@one.example\r\nSubject: x\r\n\r\nbody\r\n"
ZONE = 'one.example TXT "v=spf1 ip4:192.0.2.1 -all"\n_dmarc.one.example TXT "v=DMARC1; p=reject"\n'
CLIENT = {"client": {"ip": "192.0.2.1", "helo": "h.example"}, "mail_from": "a@one.example", "rcpt_to": ["b@two.example"]}
KEYS = {"result": "none", "policy": None, "record_at": None, "spf_aligned": False, "dkim_aligned": False}
LISTED = {"record": "v=DMARC1", "source": "mail-dmarc t/01.Policy.t", "valid": True}     # an expected failure of dmarc.py
LISTED_NAME = "v=DMARC1 (mail-dmarc t/01.Policy.t)"


def folder(at, expect, message=MESSAGE, zone=ZONE):
    return {at + "/expect.json": json.dumps(expect), at + "/message.eml": message, at + "/zone": zone}


def stated(**values):
    return dict(CLIENT, stated=values)


def spf(name, result="pass", **more):
    test = dict({"helo": "h.example", "host": "192.0.2.1", "mailfrom": "a@one.example", "result": result}, **more)
    return json.dumps({"tests": {name: test}, "zonedata": {"one.example": [{"SPF": "v=spf1 ip4:192.0.2.1 -all"}]}})


def arc(name, **test):
    return json.dumps({"tests": {name: dict({"message": MESSAGE, "cv": "none"}, **test)}, "txt-records": {}})


def lines(*cases):
    return "".join(json.dumps(c) + "\n" for c in cases)


FROM = {"headers": ["From: a@b.example"], "domain": "b.example"}
RECORD = {"record": "v=DMARC1; p=none", "source": "x", "valid": True}
EVALUATION = {"id": "e", "from": "b.example", "spf": None, "dkim": [], "dns": {}, "expect": {"rfc9989": KEYS}}
FORGED = {"id": "f", "authserv_id": "mx", "headers": [["Authentication-Results ", "mx; spf=pass"]], "remove": [1]}
PARSE = {"id": "p", "value": "mx; none", "expect": {"authserv_id": "mx", "version": 1, "results": []}}
WRITE = {"id": "w", "values": {"smtp.mailfrom": "a@b.example"}}
UNSIGNED = {"now": None, "signatures": []}

GOOD = {
    "spf/tiny-tests.yml": spf("one"),
    **folder("dkim/generated/one", UNSIGNED),
    "dkim/keys/key": "x",
    "authres/forged.jsonl": lines(FORGED), "authres/parse.jsonl": lines(PARSE), "authres/write.jsonl": lines(WRITE),
    "dmarc/from-header.jsonl": lines(FROM), "dmarc/evaluate.jsonl": lines(EVALUATION),
    "dmarc/record-parse.jsonl": lines(RECORD), "dmarc/psl-tests.tsv": "# x\na.b.example\tb.example\n",
    "dmarc/public_suffix_list.dat": "example\n",
    "arc/tiny.yml": arc("one"), **folder("arc/messages/two", {"arc": "none"}),
    **folder("e2e/one", stated(spf=["pass"], dkim=["none"], dmarc=["pass"], arc=["none"], iprev=["fail"])),
    **folder("e2e/two", dict(stated(dmarc=["fail"], action="reject", reply="550 5.7.1 no"), mail_from="")),
    "mail/new/one.eml": MESSAGE, "mail-hostile/one.eml": MESSAGE,
}
ALL_GOOD = ["tiny: 1 of 1", "dkim: 1 of 1", "authres forged: 1 of 1", "authres first tokens: 1 of 1",
            "authres parse: 1 of 1", "authres write: 1 of 1", "from: 1 of 1", "dmarc-evaluate-rfc9989: 1 of 1",
            "dmarc-evaluate-rfc7489: skipped, no cases in ", "dmarc-record-parse: 1 of 1", "dmarc-psl-tests: 1 of 1", "arc: 1 of 1", "arc messages: 1 of 1",
            "e2e-rfc9989: 2 of 2", "e2e-rfc7489: 2 of 2", "content: skipped, none of ", "content-bounds: 2 of 2"]
NOTHING = ["spf: skipped, no ", "dkim: skipped, no ", "authres: skipped, no ", "from: skipped, no ",
           "dmarc: skipped, no ", "arc: skipped, no ", "e2e-rfc9989: skipped, no ", "e2e-rfc7489: skipped, no ",
           "content: skipped, no ", "content-bounds: skipped, no "]


def without(*parts):
    return {p: text for p, text in GOOD.items() if not p.startswith(parts)}


def broken(case):
    """What stands where a case should: no JSON, JSON of another form, half a character."""
    odd = json.loads(case.split("\n")[0])
    for key in odd:
        odd[key] = "\ud800"
    return case + '{"id": 3}\nnonsense\n[1]\nnull\n"\xff\n' + json.dumps(odd) + "\n"


# Name, files, lines that must be there (their beginnings), exit status.
CASES = [
    ("all is right", GOOD, ALL_GOOD, 0),
    ("nothing", {}, NOTHING, 0),
    ("empty folders", {p + "/": "" for p in ("spf", "dkim/generated", "authres", "dmarc", "arc/messages", "e2e", "mail",
                                             "mail-hostile")},
     ["spf: skipped, no ", "dkim: skipped, no cases in ", "  dkim generated: skipped, no cases in ",
      "authres forged: skipped, no ", "from: skipped, no ", "dmarc-evaluate-rfc9989: skipped, no ",
      "arc: skipped, no cases in ", "e2e-rfc9989: skipped, no cases in ", "content: skipped, no",
      "content-bounds: skipped, no "], 0),
    ("empty files", {p: "" for p in GOOD if p.startswith(("spf", "authres", "dmarc", "arc/tiny"))},
     ["tiny: skipped, no cases in ", "authres forged: skipped, no cases in ", "from: skipped, no cases in ",
      "dmarc-evaluate-rfc7489: skipped, no ", "arc: skipped, no cases in "], 0),
    ("parts that are missing", without("authres/parse", "dmarc/public", "dmarc/from", "arc/tiny", "mail/", "spf/"),
     ["spf: skipped, no ", "dkim: 1 of 1", "  dkim imported: skipped, no ", "authres forged: 1 of 1",
      "authres first tokens: skipped, no ", "authres parse: skipped, no ", "authres write: 1 of 1", "from: skipped, no ",
      "dmarc-evaluate-rfc9989: 1 of 1", "dmarc-evaluate-rfc7489: skipped, no ", "dmarc-record-parse: 1 of 1",
      "dmarc-psl-tests: skipped, no ", "arc: skipped, no cases in ", "arc messages: 1 of 1", "e2e-rfc7489: 2 of 2",
      "content: skipped, no ", "content-bounds: 1 of 1"], 0),
    ("parts that are added", {
        **GOOD, "spf/more-tests.yml": spf("two", comment="new", colour=["red"]), **folder("dkim/more/two", UNSIGNED),
        "arc/more.yml": arc("three", colour="red"), "authres/more.jsonl": "x", "dmarc/more.jsonl": "x", "more/x": "x",
        **folder("e2e/three", dict(stated(dkim=["none"], colour="red"), colour="red")), "mail/more/one.eml": MESSAGE},
     ["more: 1 of 1", "tiny: 1 of 1", "dkim: 2 of 2", "arc: 2 of 2", "e2e-rfc9989: 3 of 3",
      "  three: states colour, which is not compared", "content-bounds: 3 of 3"], 0),
    ("cases that are wrong", {
        **GOOD, "spf/tiny-tests.yml": spf("one", "fail"), **folder("dkim/generated/one", {
            "now": None, "signatures": [{"accept": ["pass"]}]}), **folder("arc/messages/two", {"arc": "pass"}),
        "arc/tiny.yml": arc("one", cv="pass"), "authres/forged.jsonl": lines(FORGED, dict(FORGED, id="g", remove=[])),
        "dmarc/from-header.jsonl": lines(FROM, dict(FROM, domain="c.example")),
        "dmarc/record-parse.jsonl": lines(dict(RECORD, valid=False)), "dmarc/psl-tests.tsv": "a.b.example\ta.b.example\n",
        **folder("e2e/one", stated(spf=["fail"], iprev=["pass"], action="reject")),
        **folder("e2e/two", dict(stated(dmarc=["fail"], reply=250), mail_from=""))},
     ["tiny: 0 of 1", "  one: expected fail, got pass", "dkim: 0 of 1", "  one: expected [['pass']], got []",
      "authres forged: 1 of 2", "  g: expected [], got [1]", "from: 1 of 2", "dmarc-record-parse: 0 of 1",
      "dmarc-psl-tests: 0 of 1", "  a.b.example: expected a.b.example, got b.example", "arc: 0 of 1",
      "  one: expected pass, got none", "arc messages: 0 of 1", "e2e-rfc9989: 0 of 2",
      "  one: spf: expected ['fail'], got ['pass']", "  one: iprev: expected ['pass'], got ['permerror']",
      "  one: action: expected reject, got none", "  two: reply: expected 250, got 550"], 1),
    ("cases that nobody can read", {
        "spf/tiny-tests.yml": "\n---\n".join((spf("one"), "tests: 3", "[1]", json.dumps({
            "tests": {"two": {"result": "pass"}, "three": None}}), json.dumps({
                "tests": {"four": {"host": "192.0.2.1", "result": "none"}}, "zonedata": {"x.example": 3}}))),
        "spf/no-tests.yml": "a: [b", "spf/list-tests.yml": "[1]",
        **folder("dkim/imported/one", UNSIGNED), "dkim/imported/two/expect.json": "{}",
        "dkim/imported/three/message.eml": "", **folder("dkim/imported/four", {"now": "x", "signatures": [3]}),
        "authres/forged.jsonl": broken(lines(FORGED)), "authres/parse.jsonl": broken(lines(PARSE)),
        "authres/write.jsonl": broken(lines(WRITE)), "dmarc/from-header.jsonl": broken(lines(FROM)),
        "dmarc/evaluate.jsonl": broken(lines(EVALUATION, dict(
            EVALUATION, id=[1], spf={"result": "\ud800"}))), "dmarc/record-parse.jsonl": broken(lines(RECORD)),
        "dmarc/public_suffix_list.dat": "\xff", "dmarc/psl-tests.tsv": "x\n",
        "arc/tiny.yml": "\n---\n".join((arc("one"), "[1]", arc("two", cv=3), arc("three", AS=3, message=None))),
        "arc/no.yml": "a: [b", "arc/messages/two/expect.json": "{}",
        **folder("e2e/one", stated(dkim=["none"])), **folder("e2e/two", stated(dkim="none")),
        **folder("e2e/three", stated(colour="red")), **folder("e2e/four", stated(action="blue")),
        **folder("e2e/five", stated(dkim=["none"]), zone="nonsense\n"), "e2e/six/expect.json": "{",
        **folder("e2e/seven", dict(stated(dkim=["none"]), client={"ip": "nonsense", "helo": ""}))},
     ["tiny: 1 of 6", "  document 2: malformed", "  two: malformed", "  three: malformed", "no: 0 of 1", "list: 0 of 1",
      "dkim: 1 of 4", "  two: malformed", "  three: malformed", "  four: malformed",
      "authres forged: 1 of 7", "  line 3: malformed", "authres first tokens: 1 of 7", "authres parse: 1 of 7",
      "authres write: 1 of 7", "from: 1 of 7", "dmarc-evaluate-rfc9989: 1 of 8", "dmarc-record-parse: 1 of 7",
      "dmarc-psl-tests: 0 of 1", "arc: 1 of 5", "  no.yml: malformed", "arc messages: 0 of 1",
      "e2e-rfc9989: 1 of 7", "  two: malformed", "  three: malformed", "  five: malformed", "  six: malformed"], 1),
    ("an expected failure", {"dmarc/record-parse.jsonl": lines(LISTED)},
     ["dmarc-record-parse: 0 of 1", "  %s: expected " % LISTED_NAME], 0),
    ("an expected failure that is right", {"dmarc/record-parse.jsonl": lines(dict(LISTED, valid=False))},
     ["dmarc-record-parse: 1 of 1", "  %s: right, but listed" % LISTED_NAME], 1),
]


def write(place, files):
    for path, text in files.items():
        path = place.join("suites", path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if not path.endswith("/"):
            with open(path, "wb") as f:
                f.write(text.encode("latin-1"))


def suites(place, *args):
    env = {k: v for k, v in os.environ.items() if k != "HARNESS_ACTIVE"}
    return subprocess.run([os.path.join(HERE, "suites.py"), *args], capture_output=True, text=True,
                          env=dict(env, SUITES=place.join("suites")))


def no_folder(tap):
    """A mistyped name is no suite without a mistake."""
    with Scratch("parts") as place:
        p = suites(place)
        tap.same((p.returncode, p.stdout), (os.EX_NOINPUT, ""), "no folder", p.stderr)
        tap.same(suites(place, "--tap").returncode, 0, "no folder: make check skips")


def one(tap, name, files, wanted, status):
    with Scratch("parts") as place:
        os.mkdir(place.join("suites"))
        write(place, files)
        p = suites(place)
    said = p.stdout.splitlines()
    missing = [w for w in wanted if not any(line.startswith(w) for line in said)]
    tap.same((p.returncode, missing), (status, []), name, p.stdout, p.stderr)
    tap.same((p.stderr, "Traceback" in p.stdout, "runner ended" in p.stdout), ("", False, False),
             name + ": no runner stumbles", p.stdout)


def in_make_check(tap):
    """A test a suite, and a line that prove shows, with the expected failures by name."""
    with Scratch("parts") as place:
        write(place, {"dmarc/record-parse.jsonl": lines(LISTED), "dmarc/from-header.jsonl": lines(FROM),
                      "spf/tiny-tests.yml": spf("one", "fail")})
        p = suites(place, "--tap")
    tap.same(p.returncode, 1, "TAP: the exit status")
    for line in ("not ok 1 - tiny: 0 of 1", "ok 2 - dkim # SKIP no ", "ok 3 - authres # SKIP no ", "ok 4 - from: 1 of 1"):
        tap.ok(re.search("^" + re.escape(line), p.stdout, re.M), "TAP: " + line, p.stdout)
    shown = p.stderr.splitlines()
    for line in ("# dmarc-record-parse: 0 of 1; expected failures: " + LISTED_NAME, "# from: 1 of 1", "# tiny: 0 of 1",
                 "#   one: expected fail, got pass"):
        tap.ok(line in shown, "shown by prove: " + line, p.stderr)


TOOL = """import sys
zone = ""
for line in sys.stdin:
    if line.startswith("zone "):
        zone = line[5:-1]
    elif line == "hang up\\n":
        sys.exit("bye")
    elif line != "swallow\\n":
        print(zone + line, end="")
"""


def tools_that_fail(tap):
    """Only what a tool fails at has no answer, whatever it had in its buffer by then."""
    command, one_zone, two = [sys.executable, "-c", TOOL], b"zone 1\n", b"zone 2\n"
    tap.same(runner.ask(command, []), [], "nothing to ask")
    tap.same(runner.ask(command, [(one_zone, b"a\n"), (one_zone, b"b\n"), (two, b"c\n")]), ["1a", "1b", "2c"],
             "a tool that answers all")
    tap.same(runner.ask(command, [(one_zone, b"a\n"), (one_zone, b"hang up\n"), (one_zone, b"b\n"), (two, b"c\n")]),
             ["1a", "no answer: status 1 bye", "1b", "2c"], "a tool that ends early")
    tap.same(runner.ask(command, [(one_zone, b"swallow\n"), (two, b"c\n")]), ["no answer: 0 lines", "2c"],
             "a tool that swallows a question")


def main():
    tap = Tap()
    for name, files, wanted, status in CASES:
        tap.case(name, one, tap, name, files, wanted, status)
    tap.case("no folder", no_folder, tap)
    tap.case("in make check", in_make_check, tap)
    tap.case("tools that fail", tools_that_fail, tap)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/python3
"""Forged fields found, hostile values written, fields and first tokens read.

usage: authres.py [TOOL [SUITES]]
"""
import json
import os
import re
import subprocess
import sys

tool = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("BUILD", "build") + "/tests/conformance/authres_tool"
suites = sys.argv[2] if len(sys.argv) > 2 else os.environ.get("SUITES", "../shared/suites")
root = os.path.join(suites, "authres")
if not os.path.isdir(root):
    print(f"authres: skipped, no {root}")
    sys.exit(0)


def load(name, suite, form):
    """The file's cases that form() can read, and how many it can't; None without the file."""
    path = os.path.join(root, name)
    if not os.path.exists(path):
        print(f"authres {suite}: skipped, no {path}")
        return None, 0
    cases, bad = [], 0
    with open(path, encoding="utf-8") as f:
        for n, line in enumerate(f, 1):
            if not line.strip():
                continue
            try:
                case = json.loads(line)
                form(case)
                cases.append(case)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                bad += 1
                print(f"# authres {suite}, line {n}: malformed, {error!r}")
    return cases, bad


def ask(lines):
    """An answer a line, "" where the tool gave none."""
    out = subprocess.run([tool], input="".join(lines), stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return out + [""] * (len(lines) - len(out))


def claims(ident, value):
    return f"claims {ident.encode().hex()} {value.encode().hex()}\n"


# ---- A strict reader of RFC 8601, 2.2, for what we write ----

FWS = r"(?:[ \t]|\n[ \t])"
TOKEN = r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+"
QUOTED = r'"(?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\[\x20-\x7e])*"'
ADDRESS = r"(?:[!#$%&'*+\-/=?^_`{|}~0-9A-Za-z.]*@)[0-9A-Za-z.-]+"


def read_field(text):
    """[(method, result, {property: value})]; ValueError if it is no such field."""
    head = re.match(rf"{FWS}*({TOKEN})(?={FWS}|;)", text)
    if not head:
        raise ValueError("no authserv-id")
    at, results = head.end(), []
    while at < len(text):
        m = re.compile(rf"{FWS}*;{FWS}*({TOKEN})=({TOKEN})").match(text, at)
        if not m:
            raise ValueError(f"no result at {at}")
        at, props = m.end(), {}
        while True:
            p = re.compile(rf"{FWS}+([a-z]+(?:\.[a-z]+)?)=({QUOTED}|{ADDRESS}|{TOKEN})(?={FWS}|;|$)").match(text, at)
            if not p:
                break
            value = p.group(2)
            if value.startswith('"'):
                value = re.sub(r"\\(.)", r"\1", value[1:-1])
            if p.group(1) in props:
                raise ValueError(f"{p.group(1)} twice")
            props[p.group(1)] = value
            at = p.end()
        results.append((m.group(1), m.group(2), props))
    return results


total = unexpected = 0


def report(name, good, n):
    global total, unexpected
    total += 1
    unexpected += good != n
    print(f"{'ok' if good == n else 'not ok'} {total} - authres {name}: {good} of {n}")


# ---- Forged ----


def forged_form(case):
    for name, value in case["headers"]:
        claims(case["authserv_id"], name + value)
    case["id"], len(case["remove"]), "" + case.get("notes", "")


def forged_fields():
    forged, bad = load("forged.jsonl", "forged", forged_form)
    if forged is None:
        return
    asked = []
    for case in forged:
        for name, value in case["headers"]:
            asked.append(claims(case["authserv_id"], value))
    answers = iter(ask(asked))
    good = 0
    for case in forged:
        removed = []
        for n, (name, value) in enumerate(case["headers"], 1):
            if next(answers) == "yes" and name.strip().lower() == "authentication-results":
                removed.append(n)
        free = not case["remove"] and any(w in case.get("notes", "") for w in ("removal is", "as above"))
        right = removed == case["remove"] or free
        good += right
        if not right:
            print(f"# authres forged {case['id']}: expected {case['remove'][:9]}, got {removed[:9]}")
    report("forged", good, len(forged) + bad)


# ---- First tokens ----


def parse_form(case):
    expect = case["expect"]
    claims(expect.get("authserv_id") or expect.get("first_token") or "", case["value"])
    case["id"]


def first_tokens():
    cases, bad = load("parse.jsonl", "first tokens", parse_form)
    if cases is None:
        return
    parse = [c for c in cases if c["expect"].get("authserv_id") or c["expect"].get("first_token")]
    idents = [c["expect"].get("authserv_id") or c["expect"]["first_token"] for c in parse]
    answers = iter(ask([line for c, i in zip(parse, idents)
                        for line in (claims(i, c["value"]), claims("x" + i, c["value"]), claims(i[:-1], c["value"]))]))
    good = 0
    for case, ident in zip(parse, idents):
        got = [next(answers), next(answers), next(answers)]
        # A semicolon ends a token even in quotes, since they may not be closed.
        want = ["yes", "no", "yes" if ident.endswith(";") else "no"]
        good += got == want
        if got != want:
            print(f"# authres first tokens {case['id']}: {ident!r} in {case['value'][:70]!r}: {got}")
    report("first tokens", good, len(parse) + bad)


# ---- What fields state ----


def stated():
    parse, bad = load("parse.jsonl", "parse", parse_form)
    if parse is None:
        return
    good = 0
    for case, got in zip(parse, ask([f"parse {c['value'].encode().hex()}\n" for c in parse])):
        want = case["expect"]
        read = None if got == "broken" else json.loads(got or "0")
        right = read is None if "error" in want else read == want
        good += right
        if not right:
            print(f"# authres parse {case['id']}: {case['value'][:70]!r}: expected {want}, got {got}")
    report("parse", good, len(parse) + bad)


# ---- Written ----


def write_form(case):
    for key, value in case["values"].items():
        key.encode(), value.encode()
    case["id"]


def written_fields():
    written, bad = load("write.jsonl", "write", write_form)
    if written is None:
        return
    fields = ask(["write " + " ".join(f"{'header.d' if k == 'header.from' else k}={v.encode().hex()}"
                                      for k, v in c["values"].items()) + "\n" for c in written])
    good = 0
    for case, line in zip(written, fields):
        field = bytes.fromhex(line).decode("utf-8", "surrogateescape")
        try:
            results = read_field(field)
            shape = [(m, r) for m, r, _ in results]
            right = shape in ([("spf", "fail"), ("dkim", "fail")],
                              [("spf", "fail"), ("spf", "none"), ("dkim", "fail")])
            found = {}
            for _, _, props in results:
                found.update(props)
            for key, value in case["values"].items():
                got = found.pop("header.d" if key == "header.from" else key, None)
                # RFC 8601, 2.7.2: the domain may stand for the address.
                right = right and got in (None, value, value.rpartition("@")[2] if key == "smtp.mailfrom" else None)
            right = right and not found
        except ValueError as error:
            right = False
            print(f"# authres write {case['id']}: {error}")
        good += right
        if not right:
            print(f"# authres write {case['id']}: {field!r}")
    report("write", good, len(written) + bad)


forged_fields()
first_tokens()
stated()
written_fields()
print(f"1..{total}")
sys.exit(unexpected > 0)

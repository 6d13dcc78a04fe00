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
    print(f"1..0 # SKIP no {root}")
    sys.exit(0)


def load(name):
    with open(os.path.join(root, name), encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def ask(lines):
    out = subprocess.run([tool], input="".join(lines), stdout=subprocess.PIPE, text=True, check=True)
    return out.stdout.splitlines()


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

forged = load("forged.jsonl")
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
    free = not case["remove"] and ("removal is" in case["notes"] or "as above" in case["notes"])
    right = removed == case["remove"] or free
    good += right
    if not right:
        print(f"# {case['id']}: expected {case['remove'][:9]}, got {removed[:9]}")
report("forged", good, len(forged))

# ---- First tokens ----

parse = [c for c in load("parse.jsonl") if c["expect"].get("authserv_id") or c["expect"].get("first_token")]
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
        print(f"# {case['id']}: {ident!r} in {case['value'][:70]!r}: {got}")
report("first tokens", good, len(parse))

# ---- What fields state ----

parse = load("parse.jsonl")
good = 0
for case, got in zip(parse, ask([f"parse {c['value'].encode().hex()}\n" for c in parse])):
    want = case["expect"]
    read = None if got == "broken" else json.loads(got)
    right = read is None if "error" in want else read == want
    good += right
    if not right:
        print(f"# {case['id']}: {case['value'][:70]!r}: expected {want}, got {got}")
report("parse", good, len(parse))

# ---- Written ----

written = load("write.jsonl")
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
        print(f"# {case['id']}: {error}")
    good += right
    if not right:
        print(f"# {case['id']}: {field!r}")
report("write", good, len(written))
print(f"1..{total}")
sys.exit(unexpected > 0)

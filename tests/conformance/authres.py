#!/usr/bin/python3
"""Forged fields found, hostile values written, fields and first tokens read.

usage: authres.py [TOOL [SUITES]]
"""
import json
import os
import re
import sys

import runner


def in_hex(text):
    return text.encode("utf-8", "surrogatepass").hex()


def claims(ident, value):
    return ("claims %s %s\n" % (in_hex(ident), in_hex(value))).encode()


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


# ---- Forged ----

def read_forged(line):
    case = json.loads(line)
    questions = [claims(case["authserv_id"], value) for _, value in case["headers"]]
    names = [name.strip().lower() for name, _ in case["headers"]]
    free = not case["remove"] and any(w in case.get("notes", "") for w in ("removal is", "as above"))
    return case["id"], questions, names, list(case["remove"]), free


def forged(tool, path):
    result = runner.Result("authres forged")
    cases = runner.read_lines(result, path, read_forged) or []
    answers = iter(runner.ask([tool], [q for _, questions, _, _, _ in cases for q in questions]))
    for ident, _, names, remove, free in cases:
        got = [next(answers) for _ in names]
        removed = [n for n, name in enumerate(names, 1) if name == "authentication-results" and got[n - 1] == "yes"]
        right = (removed == remove or free) and all(g in ("yes", "no") for g in got)
        result.add(ident, right, remove[:9], removed[:9])
    return result


# ---- First tokens, and what fields state ----

def read_parse(line):
    case = json.loads(line)
    expect = case["expect"]
    first = expect.get("authserv_id") or expect.get("first_token") or ""
    claims(first, case["value"])
    return case["id"], case["value"], expect, first


def first_tokens(tool, path):
    result = runner.Result("authres first tokens")
    cases = [c for c in runner.read_lines(result, path, read_parse) or [] if c[3]]
    answers = iter(runner.ask([tool], [claims(i, value) for _, value, _, first in cases
                                       for i in (first, "x" + first, first[:-1])]))
    for ident, value, _, first in cases:
        got = [next(answers), next(answers), next(answers)]
        # A semicolon ends a token even in quotes, since they may not be closed.
        want = ["yes", "no", "yes" if first.endswith(";") else "no"]
        result.add(ident, got == want, "%r in %r: %s" % (first, value[:70], want), got)
    return result


def stated(tool, path):
    result = runner.Result("authres parse")
    cases = runner.read_lines(result, path, read_parse) or []
    answers = runner.ask([tool], [b"parse " + in_hex(value).encode() + b"\n" for _, value, _, _ in cases])
    for (ident, value, want, _), got in zip(cases, answers, strict=True):
        try:
            read = None if got == "broken" else json.loads(got)
        except ValueError:
            read = got
        result.add(ident, read is None if "error" in want else read == want, "%r: %s" % (value[:70], want), got)
    return result


# ---- Written ----

def read_write(line):
    case = json.loads(line)
    words = ["%s=%s" % (name_of(key), in_hex(value)) for key, value in case["values"].items()]
    return case["id"], case["values"], ("write " + " ".join(words) + "\n").encode()


def name_of(key):
    return "header.d" if key == "header.from" else key


def is_written(values, field):
    """ValueError if the field is none."""
    fields = read_field(field)
    if [(m, r) for m, r, _ in fields] not in ([("spf", "fail"), ("dkim", "fail")],
                                              [("spf", "fail"), ("spf", "none"), ("dkim", "fail")]):
        return False
    found = {}
    for _, _, props in fields:
        found.update(props)
    for key, value in values.items():
        got = found.pop(name_of(key), None)
        # RFC 8601, 2.7.2: the domain may stand for the address.
        if got not in (None, value, value.rpartition("@")[2] if key == "smtp.mailfrom" else None):
            return False
    return not found


def written(tool, path):
    result = runner.Result("authres write")
    cases = runner.read_lines(result, path, read_write) or []
    answers = runner.ask([tool], [question for _, _, question in cases])
    for (ident, values, _), line in zip(cases, answers, strict=True):
        try:
            field = bytes.fromhex(line).decode("utf-8", "surrogateescape")
            result.add(ident, is_written(values, field), values, repr(field))
        except ValueError as error:
            result.add(ident, False, values, "%s: %s" % (error, line))
    return result


def results(tool, suites):
    root = os.path.join(suites, "authres")
    if not os.path.isdir(root):
        yield runner.Result("authres").skip("no " + root)
        return
    for run, name in ((forged, "forged"), (first_tokens, "parse"), (stated, "parse"), (written, "write")):
        yield run(tool, os.path.join(root, name + ".jsonl"))


if __name__ == "__main__":
    sys.exit(runner.main("authres", results))

#!/usr/bin/python3
"""Every case of the dkim suites, signature by signature: result, domain, selector, algorithm, bits of the key, why
it does not pass, and what of the message it leaves unsigned or signs beyond what is there.

usage: dkim.py [TOOL [SUITES]]
"""
import collections
import json
import os
import re
import sys

import runner


# What the suite calls a mistake, and what postern says; several where signatures have several mistakes.
REASONS = [(re.compile(why), words) for why, words in (
    (r"$", ("", "t= is no time")),
    (r"signature syntax:", ("no list of tags",)),
    (r"(required tag v missing|v=)", ("v= is missing", "v= is not 1")),
    (r"required tag a missing|unknown a=", ("a= is unknown", "")),
    (r"required tag bh?|base64", ("b= is no base64", "bh= is no base64", "the key record is no key")),
    (r"(required tag d|d= )", ("d= is no domain",)),
    (r"(required tag s|s= )", ("s= is no selector",)),
    (r"(required tag h|h= )", ("h= is missing", "h= is no list of names")),
    (r"From not signed", ("From is not signed", "i= is not within d=")),
    (r"i= not within d=", ("i= is not within d=",)),
    (r"l= ", ("l= is no number",)),
    (r"t= syntax", ("t= is no time",)),
    (r"x= syntax", ("x= is no time",)),
    (r"x= not after", ("x= is not after t=",)),
    (r"unknown c=", ("c= is unknown",)),
    (r"unknown q=", ("q= has no dns/txt",)),
    (r"expired", ("expired",)),
    (r"no key", ("there is no key", "i= is not within d=")),
    (r"key lookup", ("the key lookup failed",)),
    (r"key revoked", ("the key is revoked",)),
    (r"key (syntax|v=|without)", ("the key record is no key", "")),
    (r"p= not a key", ("the key is no Ed25519 key", "the key is no RSA key", "the key's p= is no base64")),
    (r"k=\w+ for a=", ("the key is of another type",)),
    (r"hash not allowed", ("the key is not for this hash",)),
    (r"service not email", ("the key is not for mail",)),
    (r"t=s and i=", ("the key is not for names below d=",)),
    (r"key of \d+ bits", ("the key is too small",)),
    (r"sha1", ("rsa-sha1 is not accepted",)),
    (r"signature$", ("the signature doesn't verify",)),
    (r"body hash", ("the body hash differs", "the signature doesn't verify", "l= is beyond the body's end",
                    "b= is no base64", "bh= is no base64", "the key is too large")),
)]
# Reasons that are found before there is a key, and often before it is known what is signed.
EARLY = re.compile(r"no list of tags|(?!l= is beyond)\w+= |From is not signed|expired")
PARTS = ("from sender reply-to to cc date subject message-id in-reply-to references mime-version content-type "
         "content-transfer-encoding list-id list-unsubscribe list-unsubscribe-post").split()


def fields_of(path):
    """Names, and the h= of each DKIM-Signature, read in another way than postern does."""
    with open(path, "rb") as f:
        head = re.split(rb"\r?\n\r?\n", f.read(), maxsplit=1)[0].decode("latin-1")
    names, signed = collections.Counter(), []
    for line in re.split(r"\r?\n(?![ \t])", head):
        name, _, value = line.partition(":")
        name = name.strip().lower()
        names[name] += 1
        if name == "dkim-signature":
            h = re.search(r"(?:^|;)\s*h\s*=([^;]*)", value)
            signed.append(collections.Counter(re.sub(r"\s", "", h.group(1)).lower().split(":")) if h else {})
    return names, signed


def differences(want, got, signed, names):
    """What is not right of a signature; what the case doesn't tell isn't asked."""
    result, domain, selector, algorithm, bits, unsigned, oversigned, reason = got
    unsigned, oversigned = set(filter(None, unsigned.split(","))), set(filter(None, oversigned.split(",")))
    early = EARLY.match(reason)
    if result not in want["accept"]:
        yield "result %s, not %s" % (result, " or ".join(want["accept"]))
    for what, key, value in (("domain", "d", domain), ("selector", "s", selector), ("algorithm", "a", algorithm)):
        if key in want and value != ((want[key] or "").lower() if key == "d" else want[key] or ""):
            yield "%s %r, not %r" % (what, value, want[key])
    had = want.get("crypto", {}).get("bits")
    unasked, lenient = int(bits) == 0 and early, had is None and result == "pass"
    if "crypto" in want and int(bits) != (had or 0) and not unasked and not lenient:
        yield "%s bits, not %s" % (bits, had)
    # A lookup that failed is named.
    reason = re.sub(r"^TXT of %s\._domainkey\.%s: (servfail|timeout), .+$" % (re.escape(selector), re.escape(domain)),
                    "the key lookup failed", reason)
    told = [words for why, words in REASONS if why.match(want.get("why", ""))]
    if (reason == "") != (result == "pass") or ("why" in want and told and reason not in told[0]):
        yield "reason %r for %r" % (reason, want.get("why"))
    if "flags" not in want or (early and not unsigned and not oversigned):
        return
    flags = set(want["flags"])
    uncovered = {p for f in flags if f.startswith("uncovered:") for p in f.partition(":")[2].split(",")}
    if {p for p in unsigned if signed.get(p)} != uncovered:
        yield "unsigned %s, but %s are signed less often than they are there" % (sorted(unsigned), sorted(uncovered))
    less = {p for p in PARTS if names[p] > signed.get(p, 0)} | ({"body"} if "l<body" in flags else set())
    more = {p for p in PARTS if names[p] < signed.get(p, 0)}
    if unsigned != less or oversigned != more:
        yield "unsigned %s, oversigned %s, not %s and %s" % tuple(map(sorted, (unsigned, oversigned, less, more)))


def read_case(folder):
    case = json.loads(runner.read_text(os.path.join(folder, "expect.json")))
    want = case["signatures"]
    for s in want:
        for key in ("accept", "flags"):
            runner.must(isinstance(s.get(key, []), list) and all(isinstance(a, str) for a in s.get(key, [])),
                        key + " is no list")
        runner.must("accept" in s, "accept is missing")
        runner.must(all(isinstance(s.get(key) or "", str) for key in "dsa") and isinstance(s.get("why", ""), str),
                    "d, s, a or why is no text")
        runner.must(isinstance(s.get("crypto", {}), dict), "crypto is no object")
    open(os.path.join(folder, "zone"), "rb").close()
    return (folder, int(case["now"] or 0), want) + fields_of(os.path.join(folder, "message.eml"))


def results(tool, suites):
    result, root, cases = runner.Result("dkim"), os.path.join(suites, "dkim"), []
    if not os.path.isdir(root):
        yield result.skip("no " + root)
        return
    groups = {e.name for e in os.scandir(root) if e.is_dir() and any(f.is_dir() for f in os.scandir(e))}
    for group in sorted(groups | {"generated", "imported"}):
        some = runner.read_folders(result, os.path.join(root, group), read_case)
        if some is None:
            result.missing("dkim " + group, "no cases in " + os.path.join(root, group))
        cases += some or []
    if not cases and not result.total:
        result.skip("no cases in " + root)
    answers = runner.ask([tool], [("%d %s\n" % (clock, folder)).encode("utf-8", "surrogateescape")
                                  for folder, clock, *_ in cases])
    for (folder, _, want, names, signed), line in zip(cases, answers, strict=True):
        got = [s.split("|") for s in line.split("\t")] if line else []
        right = len(got) == len(want) == len(signed) and all(len(s) == 8 for s in got)
        wrong = ["signature %d: %s" % (n, text) for n, of in enumerate(zip(want, got, signed), 1)
                 for text in differences(*of, names)] if right else got
        result.add(os.path.basename(folder), right and not wrong, [s["accept"] for s in want], wrong)
    yield result


if __name__ == "__main__":
    sys.exit(runner.main("dkim", results))

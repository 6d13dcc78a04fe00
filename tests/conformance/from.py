#!/usr/bin/python3
"""The author's domain: every case of dmarc/from-header.jsonl.

usage: from.py [TOOL [SUITES]]

Where the suite has a domain, the first address must be of it.  Where it has
none, the field must be malformed, absent, or have other than one address.
"""
import json
import os
import subprocess
import sys

tool = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("BUILD", "build") + "/tests/conformance/from_tool"
suites = sys.argv[2] if len(sys.argv) > 2 else os.environ.get("SUITES", "../shared/suites")
path = os.path.join(suites, "dmarc/from-header.jsonl")
if not os.path.exists(path):
    print(f"from: skipped, no {path}")
    sys.exit(0)

cases, malformed, values = [], [], []
with open(path, encoding="utf-8") as f:
    for n, line in enumerate(f, 1):
        if not line.strip():
            continue
        try:
            case = json.loads(line)
            fields = [h.partition(":") for h in case["headers"]]
            case["values"] = [v for name, _, v in fields if name.strip().lower() == "from"]
            case["domain"] and case["domain"].encode()
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            malformed.append((n, error))
            continue
        cases.append(case)
        values += case["values"]
for n, error in malformed:
    print(f"# from, line {n}: malformed, {error!r}")
total = len(cases) + len(malformed)
lines = subprocess.run([tool], input="".join(v.encode().hex() + "\n" for v in values),
                       capture_output=True, text=True).stdout.splitlines()
answers = iter(lines)

good = 0
for case in cases:
    got = [next(answers, "none").split() for _ in case["values"]]
    domains = [d for g in got for d in g[1:]]
    malformed = any(g[0] != "ok" for g in got)
    if case["domain"] is None:
        right = malformed or len(domains) != 1
    else:
        right = domains[:1] == [case["domain"]]
    good += right
    if not right:
        print(f"# from {str(case['headers'])[:160]}: expected {case['domain']} ({case.get('error')}), got {got}")
print("1..1")
print(f"{'ok' if good == total else 'not ok'} 1 - from: {good} of {total}")
sys.exit(good != total)

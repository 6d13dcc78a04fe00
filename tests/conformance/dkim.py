#!/usr/bin/python3
"""Every case of the dkim suites, each signature's result.

usage: dkim.py [TOOL [SUITES]]
"""
import json
import os
import subprocess
import sys

# Cases that are expected to differ, and why.
EXPLAINED = {
    "rspamd-DKIM-Reject-Oversized-Key-Record":
        "a key of 32,768 bits isn't tried (libopendkim takes records of 1,024 octets): policy, not fail",
}

tool = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("BUILD", "build") + "/tests/conformance/dkim_tool"
suites = sys.argv[2] if len(sys.argv) > 2 else os.environ.get("SUITES", "../shared/suites")
root = os.path.join(suites, "dkim")
if not os.path.isdir(root):
    print(f"1..0 # SKIP no {root}")
    sys.exit(0)

folders = []
for group in ("generated", "imported"):
    folders += [os.path.join(root, group, d) for d in sorted(os.listdir(os.path.join(root, group)))]
cases = []
for folder in folders:
    with open(os.path.join(folder, "expect.json"), encoding="utf-8") as f:
        cases.append((folder, json.load(f)))

asked = "".join(f"{c['now'] or 0} {folder}\n" for folder, c in cases)
answers = subprocess.run([tool], input=asked, stdout=subprocess.PIPE, text=True, check=True).stdout.split("\n")

good = 0
unexpected = 0
for n, (folder, case) in enumerate(cases):
    name = os.path.basename(folder)
    line = answers[n] if n < len(answers) else "no answer"
    got = [r.partition(":") for r in line.split("\t")] if line else []
    want = [s["accept"] for s in case["signatures"]]
    right = len(got) == len(want) and all(g[0] in w for g, w in zip(got, want))
    good += right
    if right:
        continue
    if name in EXPLAINED:
        print(f"# {name}: differs, {EXPLAINED[name]}")
        continue
    unexpected += 1
    print(f"# {name}: expected {want}, got {[f'{g[0]} ({g[2]})' for g in got]}")
print("1..1")
print(f"{'not ok' if unexpected else 'ok'} 1 - dkim: {good} of {len(cases)}")
sys.exit(unexpected > 0)

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
    print(f"dkim: skipped, no {root}")
    sys.exit(0)

cases, malformed = [], []
for group in ("generated", "imported"):
    at = os.path.join(root, group)
    if not os.path.isdir(at):
        print(f"dkim {group}: skipped, no {at}")
        continue
    for name in sorted(os.listdir(at)):
        folder = os.path.join(at, name)
        if not os.path.isdir(folder):
            continue
        try:
            with open(os.path.join(folder, "expect.json"), encoding="utf-8") as f:
                case = json.load(f)
            want = [s["accept"] for s in case["signatures"]]
            clock = int(case["now"] or 0)
            for part in ("message.eml", "zone"):
                open(os.path.join(folder, part), "rb").close()
            cases.append((folder, clock, want))
        except (OSError, ValueError, KeyError, TypeError) as error:
            malformed.append((name, error))

asked = "".join(f"{clock} {folder}\n" for folder, clock, _ in cases)
answers = subprocess.run([tool], input=asked, stdout=subprocess.PIPE, text=True).stdout.split("\n")

good = 0
unexpected = len(malformed)
for name, error in malformed:
    print(f"# dkim {name}: malformed, {error!r}")
for n, (folder, _, want) in enumerate(cases):
    name = os.path.basename(folder)
    line = answers[n] if n < len(answers) else "no answer"
    got = [r.partition(":") for r in line.split("\t")] if line else []
    right = len(got) == len(want) and all(g[0] in w for g, w in zip(got, want))
    good += right
    if right:
        continue
    if name in EXPLAINED:
        print(f"# dkim {name}: differs, {EXPLAINED[name]}")
        continue
    unexpected += 1
    print(f"# dkim {name}: expected {want}, got {[f'{g[0]} ({g[2]})' for g in got]}")
print("1..1")
print(f"{'not ok' if unexpected else 'ok'} 1 - dkim: {good} of {len(cases) + len(malformed)}")
sys.exit(unexpected > 0)

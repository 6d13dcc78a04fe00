#!/usr/bin/python3
"""ARC chains of the arc suites, through the code that the daemon runs.

usage: arc.py [TOOL [SUITES]]

The validation suite states cv for each message.  The sealing suite states the set
that a sealer adds; postern seals nothing, so its cases are read the other way round: a message
with the stated set on top must validate as the sealer said it does.
"""
import glob
import json
import os
import re
import subprocess
import sys

try:
    import yaml
except ImportError:
    print("1..0 # SKIP python3-yaml is missing")
    sys.exit(0)

# Cases that are expected to differ, and why.
EXPLAINED = {
}

tool = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("BUILD", "build") + "/tests/conformance/arc_tool"
suites = sys.argv[2] if len(sys.argv) > 2 else os.environ.get("SUITES", "../shared/suites")
root = os.path.join(suites, "arc")
if not os.path.isdir(root):
    print(f"1..0 # SKIP no {root}")
    sys.exit(0)


def zone_of(records):
    lines = []
    for name, text in (records or {}).items():
        text = " ".join(text.split()).replace("\\", "\\\\").replace('"', '\\"')
        parts = [text[i:i + 200] for i in range(0, len(text), 200)] or [""]
        lines.append(f"{name} TXT " + " ".join(f'"{p}"' for p in parts))
    return "\n".join(lines) + "\n"


def crlf(text):
    return text.replace("\r\n", "\n").replace("\n", "\r\n")


def field(name, value):
    return f"{name}: " + "\n ".join(line.strip() for line in value.strip().split("\n")) + "\n"


def unfolded(signature):
    """The sealers hash b= before they fold it."""
    return re.sub(r"(\bb=)([^;]*)", lambda m: m.group(1) + re.sub(r"\s", "", m.group(2)), signature)


def sealed(test):
    """The message with the set that the suite's sealer adds; None if it adds none."""
    if not test["AS"].strip():
        return None
    return (field("ARC-Seal", test["AS"]) + field("ARC-Message-Signature", unfolded(test["AMS"]))
            + field("ARC-Authentication-Results", test["AAR"]) + test["message"])


cases = []          # group, name, clock, message, zone, accepted
for path in sorted(glob.glob(os.path.join(root, "*.yml"))):
    with open(path, encoding="utf-8") as f:
        documents = list(yaml.safe_load_all(f))
    for document in documents:
        zone = zone_of(document["txt-records"])
        for name, test in document["tests"].items():
            message = test["message"]
            if "cv" in test:
                # "": nothing is stated; RFC 8617, 5.2, step 2 says that it is fail.
                group, want = "arc", test["cv"].lower() or "fail"
            elif (message := sealed(test)) is not None:
                cv = re.search(r"\bcv=\s*(\w+)", test["AS"]).group(1).lower()
                group, want = "arc sealed", "fail" if cv == "fail" else "pass"
            else:
                group, want, message = "arc sealed", "fail", test["message"]
            cases.append((group, name, test.get("t", 1500000000), crlf(message), zone, want))
for folder in sorted(glob.glob(os.path.join(root, "messages", "*", ""))):
    with open(folder + "expect.json", encoding="utf-8") as f:
        want = json.load(f)["arc"]
    with open(folder + "message.eml", encoding="latin-1", newline="") as f:
        message = f.read()
    with open(folder + "zone", encoding="latin-1") as f:
        zone = f.read()
    cases.append(("arc messages", os.path.basename(folder[:-1]), 0, message, zone, want))

asked = "".join(f"{clock} {message.encode('latin-1', 'replace').hex() or '0a'} {zone.encode().hex()}\n"
                for _, _, clock, message, zone, _ in cases)
answers = subprocess.run([tool], input=asked, stdout=subprocess.PIPE, text=True, check=True).stdout.split("\n")

good, total, unexpected, notes = {}, {}, set(), []
for case, got in zip(cases, answers):
    group, name, want = case[0], case[1], case[5]
    total[group] = total.get(group, 0) + 1
    good.setdefault(group, 0)
    if got.split(" ")[0] == want:
        good[group] += 1
    elif name in EXPLAINED:
        notes.append(f"# {name}: differs, {EXPLAINED[name]}")
    else:
        unexpected.add(group)
        notes.append(f"# {name}: expected {want}, got {got}")
for n, group in enumerate(sorted(total), 1):
    print(f"{'not ok' if group in unexpected else 'ok'} {n} - {group}: {good[group]} of {total[group]}")
for note in notes:
    print(note)
print(f"1..{len(total)}")
sys.exit(bool(unexpected))

#!/usr/bin/python3
"""Suites of which parts are missing, or whose cases nobody can read.

A runner must name a missing part and go on, and count what it can't read as
wrong by name; it never ends in a traceback.
"""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOOLS = os.path.join(os.environ.get("BUILD", "build"), "tests", "conformance")
BROKEN = '{"id": 3}\nnonsense\n[1]\n'
FROM = '{"headers": ["From: a@b.example"], "domain": "b.example"}\n'
RECORD = '{"record": "v=DMARC1; p=none", "source": "x", "valid": true}\n'

# Files of a suite, runner, lines that it must say, does it pass?
CASES = [
    ({}, "from", ["from: skipped, no "], True),
    ({"dmarc/from-header.jsonl": FROM}, "from", ["ok 1 - from: 1 of 1"], True),
    ({"dmarc/from-header.jsonl": FROM + BROKEN}, "from",
     ["# from, line 2: malformed", "# from, line 3: malformed", "not ok 1 - from: 1 of 4"], False),
    ({"dmarc/record-parse.jsonl": RECORD}, "dmarc",
     ["dmarc-evaluate: skipped, no ", "dmarc-record-parse: 1 of 1", "dmarc-psl-tests: skipped, no "], True),
    ({"dmarc/record-parse.jsonl": RECORD + BROKEN, "dmarc/evaluate.jsonl": BROKEN}, "dmarc",
     ["dmarc-evaluate-rfc9989: 0 of 3", "dmarc-record-parse: 1 of 4", "  dmarc-record-parse line 3: "], False),
    ({"authres/write.jsonl": BROKEN, "authres/parse.jsonl": ""}, "authres",
     ["authres forged: skipped, no ", "# authres write, line 2: malformed", "not ok 3 - authres write: 0 of 3"],
     False),
    ({"dkim/imported/one/expect.json": "{}", "dkim/imported/two/message.eml": ""}, "dkim",
     ["dkim generated: skipped, no ", "# dkim one: malformed", "# dkim two: malformed", "not ok 1 - dkim: 0 of 2"],
     False),
    ({"mail/bounce/no-such.eml": "Subject: x\r\n\r\n"}, "content",
     ["content ham: skipped, no ", "content bounce/bounce-0001.eml: no ", "content-bounds mail-hostile: skipped, no ",
      "content-bounds: 1 of 1"], False),
]


def main():
    print(f"1..{len(CASES)}")
    bad = 0
    for n, (files, name, wanted, passes) in enumerate(CASES, 1):
        with tempfile.TemporaryDirectory() as suites:
            for path, text in files.items():
                path = os.path.join(suites, path)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w", encoding="utf-8") as f:
                    f.write(text)
            p = subprocess.run([os.path.join(HERE, name + ".py"), os.path.join(TOOLS, name + "_tool"), suites],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        lines = p.stdout.splitlines()
        right = (p.returncode == 0) == passes and "Traceback" not in p.stdout and all(
            any(line.startswith(w) for line in lines) for w in wanted)
        bad += not right
        print(f"{'ok' if right else 'not ok'} {n} - {name} with {', '.join(sorted(files)) or 'nothing'}")
        if not right:
            for line in lines:
                print(f"# {line}")
    return bad > 0


sys.exit(main())

#!/usr/bin/python3
"""All standard suites in $SUITES: a line a suite, then each case that isn't right.

usage: suites.py [--tap | --markdown]

Each suite has a runner beside this file, NAME.py, and a tool that puts its
cases to the code that judges mail.  A runner prints "SUITE: 203 of 203" and, for each case
that is not right, what was expected and what came out; it exits 1 if one of
these isn't listed in it as expected, with the reason.  With --tap, a test a suite, for
make check; a folder that is absent is a skip that says so.  --markdown prints
the table of CONFORMANCE.md.
"""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SUITES = os.environ.get("SUITES", "../shared/suites")
TOOLS = os.path.join(os.environ.get("BUILD", "build"), "tests", "conformance")
# Runner, its folder in SUITES.
RUNNERS = [("spf", "spf"), ("dkim", "dkim"), ("authres", "authres"), ("from", "dmarc"),
           ("dmarc", "dmarc"), ("arc", "arc"), ("e2e", "e2e"), ("content", "mail")]
LINE = re.compile(r"^(?:(?:not )?ok \d+ - )?([\w -]+): (\d+) of (\d+)")
SKIPPED = re.compile(r"^([\w -]+): skipped, (no .*)")


def run(name):
    """A suite's lines, the parts that are missing, what else it said, and whether all is as expected."""
    tool = os.path.join(TOOLS, name + "_tool")
    p = subprocess.run([os.path.join(HERE, name + ".py"), tool, SUITES],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                       errors="replace")
    counts, missing, rest = [], [], []
    for line in p.stdout.splitlines():
        m = LINE.match(line)
        if m:
            counts.append((m.group(1), int(m.group(2)), int(m.group(3))))
        elif SKIPPED.match(line):
            missing.append(SKIPPED.match(line).groups())
        elif line and not re.match(r"^1\.\.\d+", line):
            rest.append(line)
    return counts, missing, rest, p.returncode == 0


def main():
    tap = "--tap" in sys.argv[1:] or "HARNESS_ACTIVE" in os.environ
    markdown = "--markdown" in sys.argv[1:]
    n, bad = 0, False
    if markdown:
        print("| suite | right | of |\n| --- | --- | --- |")
    for name, folder in RUNNERS:
        if not os.path.exists(os.path.join(HERE, name + ".py")):
            continue
        if not os.path.isdir(os.path.join(SUITES, folder)):
            n += 1
            print(f"ok {n} - {name} # SKIP no {SUITES}/{folder}" if tap
                  else f"{name}: skipped, no {SUITES}/{folder}")
            continue
        counts, missing, rest, good = run(name)
        if not counts and (not missing or not good):
            counts, good = [(name, 0, 0)], False
        for suite, right, all_ in counts:
            n += 1
            if markdown:
                print(f"| {suite} | {right} | {all_} |")
                continue
            line = f"{suite}: {right} of {all_}"
            print(f"{'ok' if good else 'not ok'} {n} - {line}" if tap else line)
        for part, why in [] if markdown else missing:
            n += 1
            print(f"ok {n} - {part} # SKIP {why}" if tap else f"{part}: skipped, {why}")
        for line in [] if markdown else rest:
            print(f"# {line.lstrip('# ')}" if tap else f"  {line.lstrip('# ')}")
        bad |= not good
        sys.stdout.flush()
    if tap:
        print(f"1..{n}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

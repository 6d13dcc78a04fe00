#!/usr/bin/python3
"""Every example in README.md, the manual pages and rules.example is right: it loads, and its tests pass.

What begins with a statement of the language is taken for rules; an example that
names a list or a rule of another is checked with the examples before it.  The tests
of rules.example make each of its rules true.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

POSTERN = os.environ.get("POSTERN", "build/postern")
STATEMENT = re.compile(r"^(set|nets|domains|addresses|strings|patterns|rule|test|include)\s", re.M)


def readme(path):
    text = open(path, encoding="utf-8").read()
    for block in re.findall(r"^```\n(.*?)^```", text, re.M | re.S):
        yield block
    for block in re.findall(r"(?:^    .*\n|^\n(?=    ))+", text, re.M):
        yield re.sub(r"^    ", "", block, flags=re.M).strip("\n") + "\n"


def manual(path):
    text = open(path, encoding="utf-8").read()
    for block in re.findall(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed", text, re.M | re.S):
        yield block.replace("\\(dq", '"').replace("\\e", "\\").replace("\\-", "-")


def rules_of(block):
    """The rules at the start of a block: a README block may go on with commands."""
    lines = []
    for line in block.splitlines():
        if not line.strip() or line[0] in " \t#" or STATEMENT.match(line + " "):
            lines.append(line)
        else:
            break
    text = "\n".join(lines) + "\n"
    return text if STATEMENT.search(text) else None


def untested(path):
    """Rules that no test makes true."""
    p = subprocess.run([POSTERN, "check", "--coverage", "--json", "-c", path], capture_output=True, text=True)
    return [c["rule"] for c in json.loads(p.stdout)["coverage"] if c["true"] == 0]


def main():
    n, bad = 0, False
    found = [("README.md", readme("README.md")),
             ("man/postern-rules.5.in", manual("man/postern-rules.5.in")),
             ("man/postern.8.in", manual("man/postern.8.in")),
             ("rules.example", [open("rules.example", encoding="utf-8").read()])]
    for name, blocks in found:
        good, counted, why = True, 0, ""
        for block in blocks:
            text = rules_of(block)
            if text is None:
                continue
            counted += 1
            with tempfile.NamedTemporaryFile("w", suffix=".rules", encoding="utf-8") as f:
                f.write(text)
                f.flush()
                os.chmod(f.name, 0o644)     # for the user that the rules name
                strict = ["--strict"] if name == "rules.example" else []
                p = subprocess.run([POSTERN, "check", "-c", f.name] + strict,
                                   capture_output=True, text=True)
                missed = untested(f.name) if p.returncode == 0 and name == "rules.example" else []
            if p.returncode != 0:
                good, why = False, why + text + p.stdout + p.stderr
            for rule in missed:
                good, why = False, why + "no test makes rule %s true\n" % rule
        n += 1
        if name != "man/postern.8.in" and counted == 0:
            good, why = False, "no example found\n"
        print(f"{'ok' if good else 'not ok'} {n} - {name}: {counted} examples")
        for line in why.splitlines():
            print("# " + line)
        bad |= not good
    print(f"1..{n}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

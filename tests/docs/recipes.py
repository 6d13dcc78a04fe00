#!/usr/bin/python3
"""Every file in contrib/recipes is right, without a warning, and its tests pass; README.md there lists each once.

A recipe begins with a comment that says what it is for and when not to use it, and a
test reaches each of its rules.
"""
import json
import os
import re
import subprocess
import sys

POSTERN = os.environ.get("POSTERN", "build/postern")
FOLDER = "contrib/recipes"
LEAST = 20


def complaints(path):
    text = open(path, encoding="utf-8").read()
    p = subprocess.run([POSTERN, "check", "--strict", "--coverage", "--json", "-c", path],
                       capture_output=True, text=True)
    if p.returncode != 0:
        p = subprocess.run([POSTERN, "check", "--strict", "-c", path], capture_output=True, text=True)
        return p.stdout + p.stderr or "check fails"
    comment = "".join(re.findall(r"^#.*\n", text[:text.find("\n\n")] + "\n", re.M))
    why = [] if comment.startswith("# For: ") and "\n# Not for: " in comment else \
        ["the comment on top says not what it is for and when not to use it"]
    found = json.loads(p.stdout)
    why += ["no test"] if found["tests"] == 0 else []
    why += ["no test makes rule %s true" % c["rule"] for c in found["coverage"] if c["true"] == 0]
    return "\n".join(why)


def main():
    names = sorted(n for n in os.listdir(FOLDER) if n.endswith(".rules"))
    n, bad = 0, False

    def tell(why, name):
        nonlocal n, bad
        n += 1
        print(f"{'not ok' if why else 'ok'} {n} - {name}")
        for line in why.splitlines():
            print("# " + line)
        bad |= bool(why)

    for name in names:
        tell(complaints(os.path.join(FOLDER, name)), name)
    with open(os.path.join(FOLDER, "README.md"), encoding="utf-8") as f:
        listed = re.findall(r"^- \[([^]]+)\]\(\1\.rules\): .+$", f.read(), re.M)
    tell("" if listed == [n[:-6] for n in names] else "listed: %s\nthere: %s" % (listed, names),
         "README.md lists each in its order")
    tell("" if len(names) >= LEAST else "%d of them" % len(names), "there are at least %d" % LEAST)
    print(f"1..{n}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

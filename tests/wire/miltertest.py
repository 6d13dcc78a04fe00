#!/usr/bin/python3
"""miltertest.py - the conversations of tests/wire/*.lua, held by miltertest(8),
which knows nothing of our own client's mistakes.

A script's first comment line names its rules: "-- rules: NAME"; they stand
beside it as NAME.rules.  The script fails by error()."""

import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))

from daemon import Daemon
from scratch import Scratch, binary
from tap import Tap, skip_all


def script(tap, path):
    with open(path) as f:
        name = re.search(r"^-- rules: (\S+)$", f.read(), re.M).group(1)
    with open(os.path.join(HERE, name + ".rules")) as f:
        rules = f.read()
    zone = 'example.com TXT "v=spf1 ip4:192.0.2.0/24 -all"\n'
    with Scratch("lua") as scratch, Daemon(scratch, rules, zone=zone) as d:
        run = subprocess.run(["miltertest", "-D", "socket=" + d.listen, "-s", path], capture_output=True, text=True,
                             timeout=60)
        tap.ok(run.returncode == 0, os.path.basename(path), run.stdout, run.stderr, d.text()[-2000:])
        status = d.stop()
        tap.ok(status == 0 and not d.crashed(), os.path.basename(path) + ": the daemon ends well", status,
               d.text()[-2000:])


def main():
    if not os.access(binary(), os.X_OK):
        skip_all("no %s" % binary())
    if not shutil.which("miltertest"):
        skip_all("miltertest is not installed (make deps-check)")
    tap = Tap()
    for name in sorted(os.listdir(HERE)):
        if name.endswith(".lua"):
            tap.case(name, script, tap, os.path.join(HERE, name))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/python3
"""make install puts everything where it belongs, the unit is one that systemd takes, and
make uninstall leaves nothing but the operator's rules."""

import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from scratch import ROOT, Scratch, build_dir                                # noqa: E402
from tap import Tap                                                         # noqa: E402

DOCS = ["README.md", "NEWS.md", "CONFORMANCE.md", "BENCHMARKS.md", "ARCHITECTURE.md", "HACKING.md", "LICENSE",
        "rules.example"]


def make(target, scratch):
    """Without DESTDIR, so that the paths in the unit are those of the files."""
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    prefix = scratch.join("usr")
    run = subprocess.run(["make", "-C", ROOT, "--no-print-directory", target, "NO_DEPS=1",
                          "BUILD=" + os.path.abspath(build_dir()), "prefix=" + prefix, "DESTDIR=",
                          "sysconfdir=" + scratch.join("etc"), "unitdir=" + scratch.join("unit")],
                         capture_output=True, text=True, env=env)
    return run.returncode, run.stdout + run.stderr


def found(scratch):
    return sorted(os.path.relpath(os.path.join(d, n), scratch.path) for d, _, names in os.walk(scratch.path) for n in names)


def main():
    tap = Tap()
    with Scratch("install") as scratch:
        rules = scratch.join("etc", "postern", "rules")
        os.makedirs(os.path.dirname(rules))
        with open(rules, "w") as f:
            f.write("# mine\n")
        status, out = make("install", scratch)
        doc = "usr/share/doc/postern/"
        want = ["etc/postern/rules", "unit/postern.service", "usr/sbin/postern", "usr/share/man/man5/postern-rules.5",
                "usr/share/man/man8/postern.8"] + [doc + n for n in DOCS] + \
            [doc + "examples/recipes/" + n for n in os.listdir(os.path.join(ROOT, "contrib/recipes"))]
        tap.ok(status == 0, "make install", out)
        tap.same(found(scratch), sorted(want), "every file is there")
        with open(scratch.join("unit", "postern.service")) as f:
            unit = f.read()
        tap.ok("@" not in unit and "ExecStart=%s run -c %s\n" % (scratch.join("usr/sbin/postern"), rules) in unit,
               "the unit names them", unit)
        if shutil.which("systemd-analyze"):
            run = subprocess.run(["systemd-analyze", "verify", "--man=no", scratch.join("unit", "postern.service")],
                                 capture_output=True, text=True)
            tap.ok(run.returncode == 0 and "postern.service" not in run.stdout + run.stderr, "systemd takes it",
                   run.stdout + run.stderr)
        else:
            tap.skip("systemd takes it", "systemd-analyze is not installed")
        status, out = make("uninstall", scratch)
        tap.ok(status == 0, "make uninstall", out)
        tap.same(found(scratch), ["etc/postern/rules"], "the operator's rules are left")
        tap.ok(not os.path.exists(scratch.join(doc)), "and no empty folder for the documents")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/python3
"""The benchmark refuses words that it doesn't know with one line, before it measures anything."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from scratch import ROOT                                                    # noqa: E402
from tap import Tap                                                         # noqa: E402

OURS = ("BENCH_SECONDS", "BENCH_ROUNDS", "BENCH_ONLY", "PEERS", "BASE")
WRONG = (
    ("BENCH_SECONDS", "abc", "BENCH_SECONDS=abc is no number of seconds"),
    ("BENCH_SECONDS", "-1", "BENCH_SECONDS=-1 is no number of seconds"),
    ("BENCH_SECONDS", "nan", "BENCH_SECONDS=nan is no number of seconds"),
    ("BENCH_ROUNDS", "0", "BENCH_ROUNDS=0 is no number of rounds"),
    ("BENCH_ROUNDS", "1.5", "BENCH_ROUNDS=1.5 is no number of rounds"),
    ("BENCH_ONLY", "spf nix", "no line is called nix; there are: nothing spf "),
    ("PEERS", "opendkim rspam", "no filter is known as rspam; there are: opendkim "),
    ("BASE", "no-such-revision", "git knows no revision no-such-revision"),
)


def bench(*words, **settings):
    env = {k: v for k, v in os.environ.items() if k not in OURS}
    run = subprocess.run([os.path.join(ROOT, "tests", "bench", "bench.py"), *words], capture_output=True, text=True,
                         env=dict(env, **settings), timeout=60)
    return run.returncode, run.stdout, run.stderr


def main():
    tap = Tap()
    for name, value, said in WRONG:
        status, out, err = bench(**{name: value})
        tap.ok(status == 64 and out == "" and err.startswith("bench: " + said) and err.count("\n") == 1,
               "%s=%s" % (name, value), status, out, err)
    status, out, err = bench("--xml")
    tap.ok(status == 64 and err.count("\n") == 1 and "--markdown" in err, "--xml", status, err)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())

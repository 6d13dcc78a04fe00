#!/usr/bin/python3
"""sendmail.py - postern behind a real Sendmail: the cases of cases.py.

Sendmail has no XCLIENT, so all clients have a loopback address."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import cases
import mta_sendmail
from scratch import Scratch, binary
from smtp import Sink
from tap import Tap, skip_all


def quiet_log(e):
    """Sendmail never found the milter's answers wanting."""
    bad = [l for l in e.mta.log_text().splitlines() if re.search(r"Milter.*(error|invalid|unknown|bad|mismatch)", l)
           and "to error state" not in l and "error connecting" not in l and "connection refused" not in l.lower()]
    e.same(bad, [], "Sendmail's log holds no complaint about the milter")


def main():
    if not os.access(binary(), os.X_OK):
        skip_all("no %s" % binary())
    why = mta_sendmail.missing()
    if why:
        skip_all(why)
    tap = Tap()
    sink = Sink()
    # Not under /tmp: Sendmail wants no directory above the socket to be writable for all.
    with Scratch("sm", "/run") as scratch:
        listen = "unix:" + scratch.join("postern.sock")
        with mta_sendmail.Sendmail(scratch, listen, sink.port) as mta:
            e = cases.Env(tap, scratch, mta, sink, listen)
            try:
                for case in cases.COMMON:
                    tap.case(case.__name__, case, e)
            finally:
                e.stop()
            tap.case("quiet_log", quiet_log, e)
    sink.close()
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())

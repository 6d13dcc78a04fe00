"""tap.py - test results as TAP, as prove(1) reads them.

A test that fails or raises is one "not ok" with what was seen as comment
lines; the run goes on.  The plan comes last, since cases are counted as they
happen.
"""

import os
import signal
import sys
import time
import traceback


class Tap:
    def __init__(self):
        self.count = 0
        self.failed = 0
        self.only = os.environ.get("ONLY")      # a part of a case's name, for debugging by hand
        self.slow = float(os.environ.get("SLOW", "0"))
        # What was started must be stopped, whoever ends the test.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        sys.stdout.reconfigure(errors="backslashreplace", line_buffering=True)

    def comment(self, text):
        for line in str(text).splitlines():
            print("# " + line)

    def ok(self, good, name, *detail):
        """One result; detail (values, or functions that make one) is shown only on failure."""
        self.count += 1
        print("%s %d - %s" % ("ok" if good else "not ok", self.count, name.replace("#", "")))
        if not good:
            self.failed += 1
            for item in detail:
                self.comment(item() if callable(item) else item)
        return bool(good)

    def same(self, got, want, name, *detail):
        return self.ok(got == want, name, "got:  %r" % (got,), "want: %r" % (want,), *detail)

    def skip(self, name, reason):
        self.count += 1
        print("ok %d - %s # SKIP %s" % (self.count, name.replace("#", ""), reason))

    def case(self, name, function, *args):
        """Runs a function that reports by ok() and same(); what it raises is a failure."""
        if self.only and self.only not in name:
            return
        began = time.monotonic()
        try:
            function(*args)
        except Exception:
            self.ok(False, name + ": ran to its end", traceback.format_exc())
        took = time.monotonic() - began
        if self.slow and took > self.slow:
            self.comment("%s: %.2f s" % (name, took))

    def done(self):
        """Prints the plan; returns the exit status."""
        print("1..%d" % self.count)
        return 1 if self.failed else 0


def skip_all(reason):
    """Ends the test program: none of it can run here."""
    print("1..0 # SKIP " + reason)
    sys.exit(0)

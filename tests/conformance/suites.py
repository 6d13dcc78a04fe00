#!/usr/bin/python3
"""All standard suites in $SUITES: a line a suite, then each case that isn't right.

usage: suites.py [--tap | --markdown]

Each suite has a runner beside this file, NAME.py, and most have a tool that puts
its cases to the code that judges mail.  For each case that is not right there is what was
expected and what came out, and why where that is known.  Exit status 1 if
one isn't known, 66 if there is no such folder.  What $SUITES has not is said to be skipped.

With --tap, a test a suite, for make check, which shows the line with the
expected failures by name.  --markdown prints the table of CONFORMANCE.md.
"""
import importlib
import os
import sys

import runner

RUNNERS = ["spf", "dkim", "authres", "from", "dmarc", "arc", "e2e", "content"]


def all_results():
    for name in RUNNERS:
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            yield runner.Result(name).skip(str(error))
            continue
        yield from runner.safely(name, module.results(runner.tool_of(name), runner.suites_dir()))


def markdown(result):
    if not result.skipped:
        print("| %s | %d | %d |" % (result.suite, result.right, result.total))


def tap(n, result):
    """prove shows what goes to standard error."""
    line = result.line()
    if result.skipped:
        print("ok %d - %s # SKIP %s" % (n, result.suite, result.skipped))
    else:
        print("%s %d - %s" % ("not ok" if result.bad else "ok", n, line))
    for more in result.lines:
        print("# " + more.replace("\n", "\\n"))
    if result.known:
        line += "; expected failures: " + ", ".join(result.known)
    print("# " + line, file=sys.stderr)
    if result.bad:
        for more in result.lines:
            print("#   " + more.replace("\n", "\\n"), file=sys.stderr)


def main():
    as_tap = "--tap" in sys.argv[1:] or "HARNESS_ACTIVE" in os.environ
    as_table = "--markdown" in sys.argv[1:]
    n, bad = 0, False
    for stream in sys.stdout, sys.stderr:
        stream.reconfigure(errors="backslashreplace", line_buffering=True)
    if not as_tap and not os.path.isdir(runner.suites_dir()):
        print("SUITES=%s: no such folder" % runner.suites_dir(), file=sys.stderr)
        return os.EX_NOINPUT
    if as_table:
        print("| suite | right | of |\n| --- | --- | --- |")
    for n, result in enumerate(all_results(), 1):
        bad |= result.bad
        if as_table:
            markdown(result)
        elif as_tap:
            tap(n, result)
        else:
            runner.show(result)
    if as_tap:
        print("1..%d" % n)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

"""runner.py - what the runners of the standard suites share: cases read from
files that may be missing or broken, the tools asked, the results counted and told.

A runner is a module with results(tool, suites), which yields a Result for each
of its suites.  By itself it prints them; suites.py runs them all.
"""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
RUN_ALL, RUN_ONE = 300, 20      # seconds; a tool that takes longer has no answer


def tool_of(name):
    return os.path.join(os.environ.get("BUILD", "build"), "tests", "conformance", name + "_tool")


def suites_dir():
    return os.environ.get("SUITES", "../shared/suites")


class Result:
    """One suite.  expected: case -> why it can't be met; such a case is told, but fails nothing, and one that
    is right all the same fails."""

    def __init__(self, suite, expected=None):
        self.suite = suite
        self.expected = expected or {}
        self.right = self.total = 0
        self.lines = []         # what isn't right, and other things to be told
        self.known = []         # names of expected failures
        self.bad = False
        self.skipped = None     # why

    def add(self, case, right, expected, got):
        self.add_parts([(case, right, expected, got)])

    def add_parts(self, parts):
        """One case of several parts, each as add() takes it: it is right if all are."""
        self.total += 1
        self.right += all(right for _, right, _, _ in parts)
        for part, right, expected, got in parts:
            part = str(part)        # a case may call itself whatever JSON has
            why, line = self.expected.get(part), "%s: expected %s, got %s" % (part, expected, got)
            if right and why is not None:
                self.fault("%s: right, but listed as an expected failure" % part)
            elif not right and why is None:
                self.fault(line)
            elif not right:
                self.known.append(part)
                self.lines.append("%s (expected: %s)" % (line, why))

    def malformed(self, case, error):
        """A case that can't be read is not right, whatever is expected of it."""
        self.total += 1
        kind = type(error).__name__ + ": " if isinstance(error, Exception) else ""
        self.fault("%s: malformed, %s" % (case, kind + " ".join(str(error).split())))

    def fault(self, line):
        self.bad = True
        self.lines.append(line)

    def note(self, line):
        self.lines.append(line)

    def skip(self, why):
        """There is nothing to run."""
        self.skipped = why
        return self

    def missing(self, part, why):
        """There is more to run, but not this."""
        self.lines.append("%s: skipped, %s" % (part, why))

    def line(self):
        if self.skipped:
            return "%s: skipped, %s" % (self.suite, self.skipped)
        return "%s: %d of %d" % (self.suite, self.right, self.total)


# ---- Reading ----

def read_text(path):
    """Octets that are no UTF-8 become what encode("utf-8", "surrogateescape") makes them again."""
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as f:
        return f.read()


def read_lines(result, path, form):
    """form(line) of each line that isn't empty; what it can't read is malformed.  None: result is skipped."""
    if not os.path.isfile(path):
        result.skip("no " + path)
        return None
    cases = []
    try:
        text = read_text(path)
    except OSError as error:
        result.malformed(os.path.basename(path), error)
        return cases
    for n, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            case = form(line.rstrip("\r"))
        except Exception as error:          # whatever it is that the line has instead of a case
            result.malformed("line %d" % n, error)
            continue
        if case is not None:
            cases.append(case)
    if result.total == 0 and not cases:
        result.skip("no cases in " + path)
        return None
    return cases


def read_folders(result, folder, form):
    """form(path) of each folder in it.  None: there is no such folder, or nothing in it; result tells of it."""
    if not os.path.isdir(folder):
        return None
    names = [n for n in sorted(os.listdir(folder)) if os.path.isdir(os.path.join(folder, n))]
    cases = []
    for name in names:
        try:
            cases.append(form(os.path.join(folder, name)))
        except Exception as error:
            result.malformed(name, error)
    return cases if names else None


def escaped(octets, special):
    """As zone files have what isn't printable ASCII, or is special there."""
    return "".join(chr(c) if 0x20 < c < 0x7f and chr(c) not in special else "\\%03d" % c for c in octets)


def txt(octets):
    """The data of a TXT record, in strings of which each has room for it."""
    parts = [octets[i:i + 200] for i in range(0, len(octets), 200)] or [b""]
    return " ".join('"%s"' % escaped(part, '\\"') for part in parts)


def must(right, what):
    """For form(): what is wrong with a case."""
    if not right:
        raise ValueError(what)


# ---- Asking ----

def run(command, octets=b"", seconds=RUN_ALL):
    """The lines that it prints, and why they are not to be trusted, or None."""
    try:
        p = subprocess.run(command, input=octets, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=seconds)
    except subprocess.TimeoutExpired:
        return [], "no end in %d s" % seconds
    lines = p.stdout.decode("utf-8", "backslashreplace").split("\n")[:-1]
    if p.returncode == 0:
        return lines, None
    last = p.stderr.decode("utf-8", "backslashreplace").strip().split("\n")
    return lines, " ".join(("status %d %s" % (p.returncode, last[-1])).split())


def ask(command, questions):
    """The tool's answer, a line, to each of the questions: octets, or (what goes before, octets), where what
    goes before is sent once for all that have the same.  Should the tool fail, each is asked alone, so that only
    those it fails at have no answer."""
    questions = [q if isinstance(q, tuple) else (b"", q) for q in questions]
    stdin, before = [], b""
    for first, octets in questions:
        if first != before:
            stdin.append(first)
            before = first
        stdin.append(octets)
    lines, why = run(command, b"".join(stdin)) if questions else ([], None)
    if why is None and len(lines) == len(questions):
        return lines
    answers, failed = [], False
    for first, octets in questions:
        lines, one = run(command, first + octets, RUN_ONE)
        good = one is None and len(lines) == 1
        failed |= not good
        answers.append(lines[0] if good else "no answer: " + (one or "%d lines" % len(lines)))
    if not failed:
        answers[-1] = "no answer: together with the others, " + (why or "too few lines")
    return answers


def ask_json(command, questions):
    """The same where answers are JSON; None, and the line, for none."""
    for line in ask(command, questions):
        try:
            yield json.loads(line), line
        except ValueError:
            yield None, line


# ---- Telling ----

def safely(name, results):
    """The results, the last of which tells what a runner itself stumbled over."""
    try:
        yield from results
    except Exception as error:
        broken = Result(name)
        where = error.__traceback__
        while where.tb_next:
            where = where.tb_next
        broken.fault("%s: the runner ended with %r (%s, line %d)" % (
            name, error, os.path.basename(where.tb_frame.f_code.co_filename), where.tb_lineno))
        yield broken


def show(result, out=None):
    out = out or sys.stdout
    print(result.line(), file=out)
    for line in result.lines:
        print("  " + line.replace("\n", "\\n"), file=out)


def main(name, results):
    """One runner by itself: NAME.py [TOOL [SUITES]]"""
    sys.stdout.reconfigure(errors="backslashreplace")
    tool = sys.argv[1] if len(sys.argv) > 1 else tool_of(name)
    suites = sys.argv[2] if len(sys.argv) > 2 else suites_dir()
    bad = False
    for result in safely(name, results(tool, suites)):
        show(result)
        bad |= result.bad
    return 1 if bad else 0

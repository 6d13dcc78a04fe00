#!/usr/bin/python3
"""bench.py - what a message costs: postern beside the floor, in turn.

Each line of the table is a work (works.py).  Its filters run at the same time, and
each round measures them one after another, so that a machine that is slower
for a while is so for all of them; told are the medians of CPU time a message
and of the ratios within a round.

  bench.py [--json | --markdown]    what is printed: lines as they come, or all of it in the end; both
                                    are written to the build directory in any case

  BENCH_SECONDS  of one measurement (0.5)      BENCH_ROUNDS  (3)
  BENCH_ONLY     words of the lines that are wanted
  PEERS          other filters, of: opendkim opendmarc rspamd
  BASE           a revision to build, and to measure beside this one
"""

import os
import re
import resource
import socket
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import filters
import material
import peers
import works
from dnsserver import NameServer
from report import Report, median
from scratch import Scratch, build_dir

ONLY = set((os.environ.get("BENCH_ONLY") or "").split())
PEERS = (os.environ.get("PEERS") or "").split()
MOST = 20000                    # messages of one measurement
BURST = 50                      # sessions of each kind
RELOADS = 10
QUESTIONS = {                   # what the tools call them
    "nets file": "`client.ip in` a million networks",
    "addresses file": "`sender in` a million addresses",
    "warm answer": "an answer of the DNS that is remembered",
}


def wrong(text):
    """Ends with one line."""
    print("bench: " + text, file=sys.stderr)
    sys.exit(64)


def number(name, kind, default):
    """A setting that must be more than 0."""
    text = os.environ.get(name) or default
    try:
        value = kind(text)
    except ValueError:
        value = 0
    if not 0 < value < 1e6:
        wrong("%s=%s is no number of %s" % (name, text, name[6:].lower()))
    return value


def base_build():
    try:
        return filters.build_of(os.environ["BASE"]) if os.environ.get("BASE") else None
    except RuntimeError as error:
        return wrong(str(error))


SECONDS = number("BENCH_SECONDS", float, "0.5")
ROUNDS = number("BENCH_ROUNDS", int, "3")
TOOLS = os.path.join(build_dir(), "tests", "bench")


def load_words(f, message, n, connections, extra):
    pids = [w for pid in f.pids() for w in ("-p", str(pid))]
    return [os.path.join(TOOLS, "load"), "-n", str(n), "-c", str(connections), *pids, *extra, "unix:" + f.socket, message]


def figures_of(f, status, out, err):
    if status != 0:
        raise RuntimeError("%s: %s" % (f.name, err.strip() or "load ends with %d" % status))
    return {k: float(v) for k, v in (w.split("=") for w in out.split())}


def load(f, message, n, connections=1, extra=()):
    """One run of the load generator: its figures by name."""
    for _ in range(3):
        out = subprocess.run(load_words(f, message, n, connections, extra), capture_output=True, text=True)
        if "No such process" not in out.stderr:
            break
        f.settle()          # a helper of its own has ended meanwhile
    return figures_of(f, out.returncode, out.stdout, out.stderr)


class Loading:
    """The load generator beside what is done meanwhile; figures: when that has ended."""

    def __init__(self, f, message, connections, extra=()):
        self.f = f
        self.process = subprocess.Popen(load_words(f, message, 5000000, connections, extra), stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, error, *_):
        self.process.terminate()
        out, err = self.process.communicate()
        if error is None:
            self.figures = figures_of(self.f, self.process.returncode, out, err)


def messages_for(f, message, connections, extra):
    """How many last SECONDS, once warm."""
    load(f, message, 4 * connections, connections, extra)
    n = 16 * connections
    took = load(f, message, n, connections, extra)["seconds"]
    return max(n, min(MOST, int(n * SECONDS / max(took, 1e-4))))


class Bench:
    def __init__(self, scratch, report):
        self.scratch, self.report = scratch, report
        self.material = material.Material(scratch)
        self.base = base_build()
        self.server = NameServer(self.material.records(), self.material.addresses())
        # For filters that can't be told a port.
        self.well_known = NameServer(self.material.records(), self.material.addresses(), "127.0.0.153", 53) \
            if "opendmarc" in PEERS else None

    def stop(self):
        for server in (self.server, self.well_known):
            if server:
                server.stop()

    def postern(self, line, name="postern", path=None):
        rules, args = line.rules, ["--zone", self.material.zone]
        if line.dns:
            rules, args = "set dns-servers 127.0.0.1@%d\n" % (line.dns if line.dns is not True else self.server.port) + rules, []
        return filters.postern(self.scratch, rules, args, name, path)

    def started(self, line):
        """The filters of a line, the floor first; what can't be started is told and left out."""
        yield filters.floor(self.scratch, line.floor)
        yield self.postern(line)
        starts = [lambda: self.postern(line, "base", self.base)] if self.base else []
        starts += [lambda name=name: peers.start(self.scratch, name, self, line) for name in PEERS if name in line.also]
        for start in starts:
            try:
                yield start()
            except RuntimeError as error:
                self.report.note(line.name, error)

    def all_of(self, line):
        """The same as a list; none is left behind if one fails."""
        running = []
        try:
            for f in self.started(line):
                running.append(f)
            for f in running:
                f.settle()
        except BaseException:
            for f in running:
                f.stop()
            raise
        return running

    def one_by_one(self, line):
        for f in self.started(line):
            try:
                yield f
            finally:
                f.stop()

    # ---- How lines are measured ----

    def measure(self, line):
        message = self.material.message(line.message)
        extra = ("-a", str(line.busy)) if line.busy else ()
        running = self.all_of(line)
        try:
            counts = [messages_for(f, message, line.connections, extra) for f in running]
            rounds = [[] for f in running]
            for k in range(ROUNDS):
                for f, n, got in zip(running, counts, rounds):
                    self.report.progress("%s: %s, round %d of %d" % (line.name, f.name, k + 1, ROUNDS))
                    got.append(load(f, message, n, line.connections, extra))
            for i, (f, got) in enumerate(zip(running, rounds)):
                ratio = statistics.median(g["cpu_ms"] / max(r["cpu_ms"], 1e-6) for g, r in zip(got, rounds[0]))
                self.report.row(line.name + ", " + line.message, f, got, ratio if i else None, line.goal if i == 1 else None)
            for i, f in enumerate(running if line.ready else ()):
                self.report.figure(line.ready[0], f.name, f.ready, "ms", line.ready[1] if i == 1 else None)
        finally:
            for f in running:
                f.stop()

    def cold(self, line):
        """Every message from another domain, so that nothing is in a cache; all of them once."""
        for f in self.one_by_one(line):
            got = load(f, self.material.message(line.message), material.COLD, line.connections, ("-d", str(material.COLD)))
            self.report.row(line.name + ", " + line.message, f, [got])

    def idle(self, line):
        """Resident memory of 1,000 connections that have said HELO."""
        for f in self.one_by_one(line):
            got = load(f, self.material.message(line.message), 20, 1, ("-i", "1000"))
            self.report.figure(line.name, f.name, got["rss"] / 1024, "MiB", 16 if f.name == "postern" else None)

    def memory(self, line):
        """The peak of one large message, beyond what is resident when small ones are done."""
        for f in self.one_by_one(line):
            load(f, self.material.message("20 KB"), 50)
            f.forget_peak()
            got = load(f, self.material.message(line.message), 1)
            self.report.figure(line.name, f.name, (got["peak"] - got["before"]) / 1024, "MiB",
                               line.goal if f.name == "postern" else None)

    def stall(self, line):
        """Sessions that need no DNS, begun in one burst with as many that wait for a server that never answers."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dead:
            dead.bind(("127.0.0.1", 0))
            line.dns = dead.getsockname()[1]
            running = self.all_of(line)
            try:
                rounds = [[] for f in running]
                for k in range(max(ROUNDS, 3)):
                    for f, got in zip(running, rounds):
                        self.report.progress("%s: %s, burst %d" % (line.name, f.name, k + 1))
                        began = time.monotonic()
                        got.append(load(f, self.material.message(line.message), BURST, BURST, ("-w", str(BURST))))
                        if f.name == "postern" and time.monotonic() - began < material.STALL_SECONDS * 0.9:
                            raise RuntimeError("postern did not wait for the dead name server")
            finally:
                for f in running:
                    f.stop()
        for f, got in zip(running, rounds):
            self.report.figure(line.name, f.name, median(got, "whole_p99") / 1000, "ms",
                               line.goal if f.name == "postern" else None)

    def reload(self, line):
        """New rules again and again while messages come.  The floor has the same work while postern, with nothing to do,
        reloads beside it: so long a message waits for the machine."""
        message, figure = self.material.message(line.message), self.report.figure
        floor, postern = filters.floor(self.scratch, line.floor), self.postern(line)
        longest = "longest message beyond the median, 8 connections, %d reloads" % RELOADS
        resident = "resident, 10,000 rules, a million addresses, reloads: "
        try:
            for f in (floor, postern):
                load(f, message, 1000, line.connections)
            figure(resident + "none yet", "postern", postern.resident(), "MiB")
            for f, times in ((postern, 1), (floor, RELOADS), (postern, RELOADS)):
                with Loading(f, message, line.connections, ("-r", "100")) as l:
                    for k in range(times):
                        self.report.progress("%s: %s, reload %d of %d" % (line.name, f.name, k + 1, times))
                        postern.reload()
                got = l.figures
                if times == RELOADS:
                    figure(longest, f.name, (got["whole_max"] - got["whole_p50"]) / 1000, "ms",
                           line.goal if f is postern else None)
                if f is postern:
                    f.settle()      # the last session takes the old rules with it
                    figure(resident + "after %d under load" % times, "postern", postern.resident(), "MiB")
        finally:
            for f in (floor, postern):
                f.stop()

    def questions(self, _):
        """What is asked of a list and of the resolver's memory, measured without a filter."""
        for tool, goal in (("bench_tables", 1000), ("bench_resolver", 2000)):
            self.report.progress(tool)
            out = subprocess.run([os.path.join(TOOLS, tool)], capture_output=True, text=True, check=True).stdout
            for line in out.splitlines():
                ns = re.search(r"^(.*?)  .*\bin +(\d+) ns", line)
                if ns and ns.group(1) in QUESTIONS:
                    self.report.figure(QUESTIONS[ns.group(1)], "postern", float(ns.group(2)), "ns", goal)


def wanted(words):
    return not ONLY or ONLY & set(words.split())


def main():
    how = sys.argv[1] if len(sys.argv) > 1 else ""
    if how not in ("", "--json", "--markdown"):
        wrong("there are --json and --markdown, or neither")
    unknown = set(PEERS) - set(peers.STARTS)
    if unknown:
        wrong("no filter is known as %s; there are: %s" % (", ".join(sorted(unknown)), " ".join(peers.STARTS)))
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    report = Report(quiet=bool(how))
    with Scratch("bench") as scratch:
        bench = Bench(scratch, report)
        every = list(works.lines(scratch, bench.material.messages))
        unknown = ONLY - {w for words, _, _ in every for w in words.split()}
        if unknown:
            bench.stop()
            wrong("no line is called %s; there are: %s" % (
                ", ".join(sorted(unknown)), " ".join(words.split()[0] for words, _, _ in every)))
        try:
            for words, method, make in every:
                for line in make() if wanted(words) else ():
                    try:
                        getattr(bench, method)(line)
                    except RuntimeError as error:
                        report.error(line.name, error)
        finally:
            bench.stop()
    for name, ending, text in (("json", "json", report.json()), ("markdown", "md", report.markdown())):
        with open(os.path.join(build_dir(), "bench." + ending), "w") as f:
            f.write(text)
        if how == "--" + name:
            print(text, end="")
    report.say("\nThe same as Markdown and JSON: %s/bench.md, bench.json" % build_dir())
    return 1 if report.errors else 0


if __name__ == "__main__":
    sys.exit(main())

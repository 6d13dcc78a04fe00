#!/usr/bin/python3
"""bench.py - what a message costs: postern beside the floor, in turn.

Each line of the table is a workload.  Its filters run at the same time, and
each round measures them one after another, so that a machine that is slower
for a while is so for all of them; told are the medians of CPU time a message
and of the ratios within a round.

  BENCH_SECONDS  of one measurement (0.5)      BENCH_ROUNDS  (3)
  BENCH_ONLY     words of the lines that are wanted
  PEERS          other filters, of: opendkim opendmarc rspamd
  BASE           a revision to build, and to measure beside this one
"""

import os
import resource
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import filters
import material
import peers
from dnsserver import NameServer
from scratch import Scratch, build_dir, suites_dir

SECONDS = float(os.environ.get("BENCH_SECONDS") or 0.5)
ROUNDS = int(os.environ.get("BENCH_ROUNDS") or 3)
ONLY = os.environ.get("BENCH_ONLY") or ""
PEERS = (os.environ.get("PEERS") or "").split()
MOST = 20000                    # messages of one measurement
LOAD = os.path.join(build_dir(), "tests", "bench", "load")


class Line:
    """One workload.  floor: the mode it is held against; goal: the ratio asked for; dns: answers come from a name
    server and postern's cache, not from the zone; also: other filters that can do it; patterns: those of the rules."""

    def __init__(self, name, message, rules, goal=None, floor="quiet", connections=1, dns=False, also=(), patterns=()):
        self.kind, self.patterns = "patterns" if patterns else name.split(",")[0], patterns
        self.name, self.message, self.rules, self.goal, self.floor = name, message, rules, goal, floor
        self.connections, self.dns, self.also = connections, dns, also


def load(f, message, n, connections=1, extra=()):
    """One run of the load generator: its figures by name."""
    for _ in range(3):
        pids = [w for pid in f.pids() for w in ("-p", str(pid))]
        out = subprocess.run([LOAD, "-n", str(n), "-c", str(connections), *pids, *extra, "unix:" + f.socket, message],
                             capture_output=True, text=True)
        if "No such process" not in out.stderr:
            break
        f.settle()          # a helper of its own has ended meanwhile
    if out.returncode != 0:
        raise RuntimeError("%s: %s" % (f.name, out.stderr.strip()))
    return {k: float(v) for k, v in (w.split("=") for w in out.stdout.split())}


def messages_for(f, message, connections):
    """How many last SECONDS, once warm."""
    load(f, message, 4 * connections, connections)
    n = 16 * connections
    took = load(f, message, n, connections)["seconds"]
    return max(n, min(MOST, int(n * SECONDS / max(took, 1e-4))))


def median(rounds, key):
    return statistics.median(r[key] for r in rounds)


HEADING = "%-34s %-14s %8s %9s %7s %6s  %9s %9s %9s %8s %8s"
ROW = "%-34s %-14s %8.0f %9.4f %7s %6s  %9.0f %9.0f %9.0f %8.0f %8.0f"


def heading():
    print(HEADING % ("work", "filter", "msg/s", "CPU ms", "ratio", "goal", "p50 us", "p99 us", "end p99", "peak KiB", "ready ms"))


def row(name, f, rounds, ratio, goal):
    print(ROW % (name, f.name, median(rounds, "messages") / median(rounds, "seconds"), median(rounds, "cpu_ms"),
                 "%.2f" % ratio if ratio else "", goal or "", median(rounds, "whole_p50"), median(rounds, "whole_p99"),
                 median(rounds, "end_p99"), median(rounds, "peak"), f.ready), flush=True)


class Bench:
    def __init__(self, scratch):
        self.scratch = scratch
        self.material = material.Material(scratch)
        self.base = filters.build_of(os.environ["BASE"]) if os.environ.get("BASE") else None
        self.server = NameServer(self.material.records(), self.material.addresses())
        # For filters that can't be told a port.
        self.well_known = NameServer(self.material.records(), self.material.addresses(), "127.0.0.153", 53) \
            if "opendmarc" in PEERS else None

    def stop(self):
        for server in (self.server, self.well_known):
            if server:
                server.stop()

    def started(self, line):
        """The filters of a line, the floor first."""
        rules, args = line.rules, ["--zone", self.material.zone]
        if line.dns:
            rules, args = "set dns-servers 127.0.0.1@%d\n" % self.server.port + rules, []
        yield filters.floor(self.scratch, line.floor)
        yield filters.postern(self.scratch, rules, args)
        if self.base:
            yield filters.postern(self.scratch, rules, args, "base", self.base)
        for name in PEERS:
            if name in line.also:
                try:
                    yield peers.start(self.scratch, name, self, line)
                except RuntimeError as error:
                    print("%-34s %s" % (line.name, error), flush=True)

    def measure(self, line):
        message = self.material.messages[line.message]
        running = []
        try:
            for f in self.started(line):
                running.append(f)
            for f in running:
                f.settle()
            counts = [messages_for(f, message, line.connections) for f in running]
            rounds = [[] for f in running]
            for _ in range(ROUNDS):
                for f, n, got in zip(running, counts, rounds):
                    got.append(load(f, message, n, line.connections))
            for i, (f, got) in enumerate(zip(running, rounds)):
                ratio = i and statistics.median(g["cpu_ms"] / max(r["cpu_ms"], 1e-6) for g, r in zip(got, rounds[0]))
                row(line.name + ", " + line.message, f, got, ratio, "%.1f" % line.goal if i == 1 and line.goal else "")
        except RuntimeError as error:
            print("%-34s %s" % (line.name, error), flush=True)
        finally:
            for f in running:
                f.stop()

    # ---- Lines that are measured in another way ----

    def idle(self, line):
        """Resident memory of 1,000 connections that have said HELO."""
        for f in self.started(line):
            try:
                got = load(f, self.material.messages[line.message], 20, 1, ("-i", "1000"))
                print("%-34s %-14s %8.1f MiB resident; meanwhile a message takes %.0f us%s" % (
                    line.name, f.name, got["rss"] / 1024, got["whole_p50"],
                    "; goal: 16 MiB" if f.name == "postern" else ""), flush=True)
            finally:
                f.stop()

    def cold(self, line):
        """Every message from another domain, so that nothing is in a cache; all of them once."""
        for f in self.started(line):
            try:
                got = load(f, self.material.messages[line.message], material.COLD, line.connections,
                           ("-d", str(material.COLD)))
                row(line.name + ", " + line.message, f, [got], 0, "")
            finally:
                f.stop()


# ---- The lines of the table ----

def usable_patterns(scratch, suites, message, body):
    """(fact, pattern, flags): those that postern takes and that don't match the message, so that each is tried."""
    m = material
    wanted = [({"rawbody": "raw.body", "body": body}.get(fact, fact), p, flags)
              for fact, p, flags in list(m.suite_patterns(suites)) + list(m.made_patterns(11000))]
    rules = "".join(m.rule_of_pattern(i, *p, action='would reject "x"') for i, p in enumerate(wanted))
    wrong = {(line - 1) // 3 for line in filters.wrong_lines(scratch, rules)}
    # The last rule keeps the message from being decided before its body has come.
    rules = "".join(m.rule_of_pattern(i, *p, action='would reject "x"') for i, p in enumerate(wanted) if i not in wrong)
    true = filters.matching(scratch, m.OFF + rules + m.rule_of_pattern(99999, body, "xyzzyxyzzy", ""), message)
    return [p for i, p in enumerate(wanted) if i not in wrong and "p%d" % i not in true]


def pattern_lines(scratch, suites, message):
    """10 to 10,000 patterns, each in a rule of its own; then as two lists."""
    body = "body" if "body" in filters.facts() else "raw.body"
    good = usable_patterns(scratch, suites, message, body)
    for n, goal in ((10, 1.5), (100, None), (1000, 2.0), (10000, 3.0)):
        # Those of the suites come first, so take a share of each kind.
        some = good[::len(good) // n][:n]
        rules = material.OFF + "".join(material.rule_of_pattern(i, *p) for i, p in enumerate(some))
        yield Line("%s patterns" % format(n, ","), "20 KB", rules, goal, "", also=("rspamd",), patterns=some)
    some = [p for p in good if p[0] in ("subject", body)]
    some = some[::len(some) // 1000][:1000]
    yield Line("1,000 patterns in lists", "20 KB", material.list_of_patterns(scratch, some, body), 2.0, "")


def lines(scratch, messages):
    """(words of it, how it is measured, lines)"""
    m = material
    yield "nothing 20", "measure", lambda: [Line("nothing asked", "20 KB", m.OFF, 0.7)]
    yield "spf 2", "measure", lambda: [
        Line("SPF", "2 KB", m.SPF, 1.3, also=("opendmarc", "rspamd")),
        Line("SPF, by DNS, warm", "2 KB", m.SPF, 1.3, dns=True)]
    yield "dkim", "measure", lambda: [
        Line("DKIM", "2 KB", m.DKIM, 1.5, also=("opendkim", "rspamd")),
        Line("DKIM", "20 KB", m.DKIM, 1.8, also=("opendkim", "rspamd")),
        Line("DKIM", "2 MB", m.DKIM, 8.0 / 1.2, also=("opendkim", "rspamd"))]
    yield "all dmarc", "measure", lambda: [
        Line("SPF+DKIM+DMARC+A-R", "20 KB", m.ALL, 2.2, also=("opendkim", "opendmarc", "rspamd")),
        Line("the same by DNS, warm", "20 KB", m.ALL, 2.2, dns=True)]
    yield "patterns", "measure", lambda: pattern_lines(scratch, suites_dir(), messages["20 KB"])
    yield "million", "measure", lambda: [Line("million addresses, million nets", "2 KB", m.million(scratch))]
    yield "rules dispatch", "measure", lambda: [
        Line("5 rules", "2 KB", m.dispatch(5)), Line("10,000 rules, 5 touched", "2 KB", m.dispatch(10000))]
    yield "connections", "measure", lambda: [
        Line("SPF+DKIM+DMARC+A-R, %d conn." % n, "20 KB", m.ALL, connections=n) for n in (8, 64)]
    yield "idle", "idle", lambda: [Line("1,000 idle connections", "2 KB", m.ALL, also=("opendkim", "opendmarc", "rspamd"))]
    yield "cold", "cold", lambda: [Line("cold caches, 6,000 domains", "2 KB", m.SPF, connections=8, dns=True,
                                        also=("opendmarc", "rspamd"))]


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with Scratch("bench") as scratch:
        bench = Bench(scratch)
        try:
            heading()
            for words, how, make in lines(scratch, bench.material.messages):
                if not ONLY or set(ONLY.split()) & set(words.split()):
                    for line in make():
                        getattr(bench, how)(line)
        finally:
            bench.stop()


if __name__ == "__main__":
    main()

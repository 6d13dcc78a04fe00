"""report.py - what was measured: told as it comes, then whole, in Markdown for BENCHMARKS.md and in JSON.

A row is what a message costs with one filter on one line of work; a figure is
anything else: a name, the filter, a number with its unit."""

import json
import statistics
import sys

HEADING = "%-36s %-14s %8s %9s %7s %5s  %9s %9s %9s %8s %8s" % (
    "work", "filter", "msg/s", "CPU ms", "ratio", "goal", "p50 us", "p99 us", "end p99", "peak KiB", "ready ms")
ROW = "%-36s %-14s %8.0f %9.4f %7s %5s  %9.0f %9.0f %9.0f %8.0f %8.0f"


def median(rounds, key):
    return statistics.median(r[key] for r in rounds)


def plain(x):
    """Three digits that mean something."""
    return "%.0f" % x if x >= 100 else "%.1f" % x if x >= 10 else "%.2f" % x if x >= 1 else "%.3f" % x


class Report:
    def __init__(self, quiet=False):
        self.rows, self.figures, self.errors = [], [], []
        self.quiet, self.shown = quiet, None

    # ---- As it comes ----

    def say(self, line):
        self.progress("")
        if not self.quiet:
            print(line, flush=True)

    def progress(self, text):
        """What is being done now, on a terminal; the next line takes its place."""
        if sys.stderr.isatty():
            sys.stderr.write("\r\033[K" + text)
            sys.stderr.flush()

    def error(self, name, error):
        """A line that could not be measured."""
        self.errors.append({"work": name, "error": str(error)})
        self.note(name, error)

    def note(self, name, error):
        """A filter that is left out."""
        self.progress("")
        print("%-36s %s" % (name, error), file=sys.stderr, flush=True)

    def row(self, work, f, rounds, ratio=None, goal=None):
        r = {"work": work, "filter": f.name, "messages_per_second": median(rounds, "messages") / median(rounds, "seconds"),
             "cpu_ms": median(rounds, "cpu_ms"), "ratio": ratio, "goal": goal, "p50_us": median(rounds, "whole_p50"),
             "p99_us": median(rounds, "whole_p99"), "end_p99_us": median(rounds, "end_p99"),
             "peak_kib": median(rounds, "peak"), "ready_ms": f.ready}
        if self.shown != "rows":
            self.say(HEADING)
        self.shown = "rows"
        self.rows.append(r)
        self.say(ROW % (work, f.name, r["messages_per_second"], r["cpu_ms"], "%.2f" % ratio if ratio else "",
                        "%.1f" % goal if goal else "", r["p50_us"], r["p99_us"], r["end_p99_us"], r["peak_kib"], f.ready))

    def figure(self, name, of, value, unit, goal=None):
        self.shown = "figures"
        self.figures.append({"name": name, "filter": of, "value": value, "unit": unit, "goal": goal})
        self.say("%-70s %-14s %9s %s%s" % (name, of, plain(value), unit, "; goal %s %s" % (goal, unit) if goal else ""))

    # ---- Whole ----

    def json(self):
        return json.dumps({"rows": self.rows, "figures": self.figures, "errors": self.errors}, indent=1) + "\n"

    @staticmethod
    def by(things, key):
        """{name: things of that name}, in their order."""
        out = {}
        for t in things:
            out.setdefault(t[key], []).append(t)
        return out

    def markdown(self):
        out = []
        if self.rows:
            out += ["| work | floor | postern | ratio | goal | messages/s | p50, p99 µs | others |",
                    "| --- | --- | --- | --- | --- | --- | --- | --- |"]
        for work, rows in self.by(self.rows, "work").items():
            ours = next((r for r in rows if r["filter"] == "postern"), None)
            floor = next((r for r in rows if r["filter"].startswith("floor")), None)
            if ours is None or floor is None:
                continue
            out.append("| %s | %.3f%s | %.3f | %s | %s | %.0f | %.0f, %.0f | %s |" % (
                work, floor["cpu_ms"], "*" if floor["filter"] == "floor replying" else "", ours["cpu_ms"],
                "%.2f" % (ours["ratio"] or ours["cpu_ms"] / floor["cpu_ms"]), "%.1f" % ours["goal"] if ours["goal"] else "",
                ours["messages_per_second"], ours["p50_us"], ours["p99_us"],
                ", ".join("%s %.2f" % (r["filter"], r["cpu_ms"]) for r in rows if r not in (ours, floor))))
        if self.figures:
            out += ["", "| | floor | postern | goal | others |", "| --- | --- | --- | --- | --- |"]
        for name, figures in self.by(self.figures, "name").items():
            cell = {f["filter"].split()[0]: "%s %s" % (plain(f["value"]), f["unit"]) for f in figures}
            goal = next(("%s %s" % (f["goal"], f["unit"]) for f in figures if f["goal"]), "")
            out.append("| %s | %s | %s | %s | %s |" % (
                name, cell.pop("floor", ""), cell.pop("postern", ""), goal, ", ".join(" ".join(c) for c in cell.items())))
        return "\n".join(out) + "\n"

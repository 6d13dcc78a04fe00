#!/usr/bin/python3
"""Every case of the dkim suites, each signature's result.

usage: dkim.py [TOOL [SUITES]]
"""
import json
import os
import sys

import runner

# Cases that are expected to differ, and why.
EXPECTED = {
    "rspamd-DKIM-Reject-Oversized-Key-Record":
        "a key of 32,768 bits isn't tried (libopendkim takes records of 1,024 octets): policy, not fail",
}


def read_case(folder):
    case = json.loads(runner.read_text(os.path.join(folder, "expect.json")))
    want = [s["accept"] for s in case["signatures"]]
    for accept in want:
        runner.must(isinstance(accept, list) and all(isinstance(a, str) for a in accept), "accept is no list")
    for part in ("message.eml", "zone"):
        open(os.path.join(folder, part), "rb").close()
    return folder, int(case["now"] or 0), want


def results(tool, suites):
    result, root, cases = runner.Result("dkim", EXPECTED), os.path.join(suites, "dkim"), []
    if not os.path.isdir(root):
        yield result.skip("no " + root)
        return
    groups = {e.name for e in os.scandir(root) if e.is_dir() and any(f.is_dir() for f in os.scandir(e))}
    for group in sorted(groups | {"generated", "imported"}):
        some = runner.read_folders(result, os.path.join(root, group), read_case)
        if some is None:
            result.missing("dkim " + group, "no cases in " + os.path.join(root, group))
        cases += some or []
    if not cases and not result.total:
        result.skip("no cases in " + root)
    answers = runner.ask([tool], [("%d %s\n" % (clock, folder)).encode("utf-8", "surrogateescape")
                                  for folder, clock, _ in cases])
    for (folder, _, want), line in zip(cases, answers, strict=True):
        got = [r.partition(":") for r in line.split("\t")] if line else []
        right = len(got) == len(want) and all(g[0] in w for g, w in zip(got, want))
        result.add(os.path.basename(folder), right, want, ["%s (%s)" % (g[0], g[2]) for g in got])
    yield result


if __name__ == "__main__":
    sys.exit(runner.main("dkim", results))

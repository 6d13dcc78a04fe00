#!/usr/bin/python3
"""The author's domain: every case of dmarc/from-header.jsonl.

usage: from.py [TOOL [SUITES]]

Where the suite has a domain, the first address must be of it.  Where it has
none, the field must be malformed, absent, or have other than one address.
"""
import json
import os
import sys

import runner


def read_case(line):
    case = json.loads(line)
    fields = [h.partition(":") for h in case["headers"]]
    values = [v.encode().hex().encode() + b"\n" for name, _, v in fields if name.strip().lower() == "from"]
    runner.must(case["domain"] is None or isinstance(case["domain"], str), "the domain is no text")
    return case, values


def results(tool, suites):
    result = runner.Result("from")
    cases = runner.read_lines(result, os.path.join(suites, "dmarc", "from-header.jsonl"), read_case) or []
    answers = iter(runner.ask([tool], [v for _, values in cases for v in values]))
    for case, values in cases:
        got = [next(answers).split() or ["none"] for _ in values]
        domains = [d for g in got for d in g[1:]]
        if case["domain"] is None:
            right = any(g[0] != "ok" for g in got) or len(domains) != 1
        else:
            right = domains[:1] == [case["domain"]]
        right = right and not any(g[0] == "no" for g in got)    # answer
        result.add(str(case["headers"])[:160], right, "%s (%s)" % (case["domain"], case.get("error")), got)
    yield result


if __name__ == "__main__":
    sys.exit(runner.main("from", results))

#!/usr/bin/python3
"""ARC chains of the arc suites, through the code that the daemon runs.

usage: arc.py [TOOL [SUITES]]

The validation suite states cv for each message.  The sealing suite states the set
that a sealer adds; postern seals nothing, so its cases are read the other way round: a message
with the stated set on top must validate as the sealer said it does.
"""
import glob
import json
import os
import re
import sys

import yaml

import runner

# Cases that can't be met -> why.
EXPECTED = {
}


def zone_of(records):
    lines = []
    for name, text in (records or {}).items():
        lines.append("%s TXT %s" % (name, runner.txt(" ".join(text.split()).encode())))
    return "\n".join(lines) + "\n"


def crlf(text):
    return text.replace("\r\n", "\n").replace("\n", "\r\n")


def field(name, value):
    return f"{name}: " + "\n ".join(line.strip() for line in value.strip().split("\n")) + "\n"


def unfolded(signature):
    """The sealers hash b= before they fold it."""
    return re.sub(r"(\bb=)([^;]*)", lambda m: m.group(1) + re.sub(r"\s", "", m.group(2)), signature)


def sealed(test):
    """The message with the set that the suite's sealer adds; None if it adds none."""
    if not test["AS"].strip():
        return None
    return (field("ARC-Seal", test["AS"]) + field("ARC-Message-Signature", unfolded(test["AMS"]))
            + field("ARC-Authentication-Results", test["AAR"]) + test["message"])


def read_test(test):
    """Group, message, accepted result."""
    message = test["message"]
    if "cv" in test:
        # "": nothing is stated; RFC 8617, 5.2, step 2 says that it is fail.
        return "arc", message, test["cv"].lower() or "fail"
    whole = sealed(test)
    if whole is None:
        return "arc sealed", message, "fail"
    cv = re.search(r"\bcv=\s*(\w+)", test["AS"]).group(1).lower()
    return "arc sealed", whole, "fail" if cv == "fail" else "pass"


def question(clock, message, zone):
    return ("%d %s %s\n" % (clock, message.encode("utf-8", "surrogateescape").hex() or "0a",
                            zone.encode("utf-8", "surrogateescape").hex() or "0a")).encode()


def read_file(groups, path):
    """The cases of a suite's file, each put to its group."""
    part = groups["arc sealed" if "sign" in os.path.basename(path) else "arc"]
    try:
        documents = list(yaml.safe_load_all(runner.read_text(path)))
    except Exception as error:
        part.malformed(os.path.basename(path), error)
        return
    for n, document in enumerate(documents, 1):
        if document is None:
            continue
        try:
            zone, tests = zone_of(document["txt-records"]), document["tests"].items()
        except Exception as error:
            part.malformed("%s, document %d" % (os.path.basename(path), n), error)
            continue
        for name, test in tests:
            try:
                group, message, want = read_test(test)
                yield groups[group], name, question(int(test.get("t", 1500000000)), crlf(message), zone), want
            except Exception as error:
                part.malformed(name, error)


def read_message(folder):
    want = json.loads(runner.read_text(os.path.join(folder, "expect.json")))["arc"]
    runner.must(isinstance(want, str), "arc is no result")
    message = runner.read_text(os.path.join(folder, "message.eml"))
    zone = runner.read_text(os.path.join(folder, "zone"))
    return os.path.basename(folder), question(0, message, zone), want


def results(tool, suites):
    root = os.path.join(suites, "arc")
    groups = {name: runner.Result(name, EXPECTED) for name in ("arc", "arc sealed", "arc messages")}
    if not os.path.isdir(root):
        yield groups["arc"].skip("no " + root)
        return
    cases = []
    for path in sorted(glob.glob(os.path.join(glob.escape(root), "*.yml"))):
        cases += read_file(groups, path)
    messages = groups["arc messages"]
    cases += [(messages, *case) for case in runner.read_folders(messages, os.path.join(root, "messages"), read_message)
              or []]
    answers = runner.ask([tool], [question for _, _, question, _ in cases])
    for (result, name, _, want), got in zip(cases, answers, strict=True):
        result.add(name, got.split(" ")[0] == want, want, got)
    for result in groups.values():
        if not result.total:
            result.skip("no cases in " + root)
        yield result


if __name__ == "__main__":
    sys.exit(runner.main("arc", results))

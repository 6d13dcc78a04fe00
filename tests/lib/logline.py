"""logline.py - the daemon's log: one key=value line a message or refused recipient."""

import re

PAIR = re.compile(r'([a-z][a-z0-9_.-]*)=("(?:[^"\\]|\\.)*"|\S*)')
ESCAPE = re.compile(r'\\(?:x([0-9a-fA-F]{2})|([0-7]{3})|(.))')
PLAIN = {"n": "\n", "r": "\r", "t": "\t"}


def _unescape(match):
    if match.group(1):
        return chr(int(match.group(1), 16))
    if match.group(2):
        return chr(int(match.group(2), 8))
    return PLAIN.get(match.group(3), match.group(3))


def parse(line):
    """The line's values by key; a key that comes again has its values joined by a comma."""
    fields = {}
    for key, value in PAIR.findall(line):
        if value.startswith('"'):
            value = ESCAPE.sub(_unescape, value[1:-1])
        fields[key] = fields[key] + "," + value if key in fields else value
    return fields


def is_verdict(line):
    return " verdict=" in line

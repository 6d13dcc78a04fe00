#!/usr/bin/python3
"""What messages hold, compared with what Python's email package says; and their bounds.

usage: content.py TOOL SUITES [--all]

content.names lists the messages of SUITES/mail that are compared, and after a
name why the two differ there.  The other decoder is asked when the test runs,
so nothing of the messages is kept here.  A difference that isn't listed fails,
and so does one that is listed and is none.

Bounds: every message of mail and mail-hostile is decoded within twice its size
and 1 MiB of memory, and the same whatever pieces it comes in.
"""
import email
import email.header
import email.utils
import glob
import json
import os
import re
import subprocess
import sys

TOOL, SUITES = sys.argv[1:3]
HERE = os.path.dirname(os.path.abspath(__file__))
NOT_OURS = ("message/rfc822", "message/global", "message/news")


def ask(files, *options):
    """The tool's answers by file."""
    answers = {}
    for at in range(0, len(files), 200):
        p = subprocess.run([TOOL, *options, *files[at:at + 200]], stdout=subprocess.PIPE)
        for line in p.stdout.splitlines():
            answer = json.loads(line)
            answers[answer.pop("file")] = answer
    return answers


# ---- The other decoder ----

def decoded(value):
    """A header value's text, blanks as one."""
    try:
        text = str(email.header.make_header(email.header.decode_header(value)))
    except (LookupError, UnicodeError, ValueError):
        return None         # it can't decode that
    return " ".join(text.split())


def names_of(part):
    name = part.get_filename()
    return None if name is None else decoded(name)


def is_attachment(part):
    kind = part.get_content_type()
    return (not kind.startswith("text/") or part.get_filename() is not None
            or part.get_content_disposition() == "attachment")


def text_of(part):
    """Lines of a text part, or None where the package has no such charset."""
    octets = part.get_payload(decode=True) or b""
    charset = part.get_content_charset() or "utf-8"
    if charset in ("us-ascii", "ascii"):
        charset = "utf-8"
    if charset == "iso-8859-1":
        charset = "windows-1252"
    try:
        text = octets.decode(charset, "replace")
    except LookupError:
        return None
    return lines_of(text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n"))


def lines_of(text):
    """A NUL is U+FFFD to us; quoted-printable has no blanks at line ends (RFC 2045, 6.7), and
    the package takes the last line end away where a boundary is missing."""
    text = text.replace("\0", "\ufffd")
    return "\n".join(line.rstrip(" \t") for line in text.split("\n")).rstrip("\n")


def parts_of(m):
    """All parts; the package makes messages of the paragraphs of a delivery status."""
    yield m
    kind = m.get_content_type()
    if m.is_multipart() and (not kind.startswith("message/") or kind in NOT_OURS):
        for part in m.get_payload():
            yield from parts_of(part)


def other(path):
    with open(path, "rb") as f:
        octets = re.sub(rb"(?<!\r)\n", b"\r\n", f.read())
    m = email.message_from_bytes(octets)
    facts = {"subject": None, "from": [], "attachments": [], "texts": 0, "plain": []}
    if m["subject"] is not None:
        facts["subject"] = decoded(m["subject"])
    facts["from"] = [a for _, a in email.utils.getaddresses([str(m["from"] or "")]) if "@" in a]
    for part in parts_of(m):
        kind = part.get_content_type()
        if part.get_content_maintype() == "multipart" and part.is_multipart():
            continue
        if is_attachment(part) and part.get_content_maintype() != "multipart":
            nested = kind in NOT_OURS
            size = None if nested else len(part.get_payload(decode=True) or b"") \
                if not part.is_multipart() else None
            facts["attachments"].append([kind, names_of(part), size])
        if part.get_content_disposition() == "attachment" or kind in NOT_OURS:
            continue
        if part.get_content_maintype() in ("text", "multipart", "message") and kind not in NOT_OURS:
            if kind.startswith("message/") and part.is_multipart():
                facts["texts"] += 1
            elif kind != "text/html":
                facts["texts"] += 1
                facts["plain"].append(text_of(part))
            else:
                facts.setdefault("html", 0)
                facts["html"] += 1
    return facts


# ---- Comparing ----

def differences(ours, theirs):
    """What is not the same, in words."""
    subject = " ".join((ours["subject"] or "").split())
    if theirs["subject"] is not None and subject != theirs["subject"]:
        yield f"subject: {subject!r}, not {theirs['subject']!r}"
    mine = [a.lower() for a in ours["from"]]
    if mine != [a.lower() for a in theirs["from"]]:
        yield f"from: {ours['from']}, not {theirs['from']}"
    if len(ours["attachments"]) != len(theirs["attachments"]):
        yield (f"attachments: {[a['type'] for a in ours['attachments']]}, "
               f"not {[a[0] for a in theirs['attachments']]}")
    else:
        for a, (kind, name, size) in zip(ours["attachments"], theirs["attachments"]):
            if a["type"] != kind:
                yield f"type: {a['type']}, not {kind}"
            if name is not None and name not in [" ".join(n.split()) for n in a["names"]]:
                yield f"name: {a['names']}, not {name!r}"
            if size is not None and a["size"] != size:
                yield f"size of {kind}: {a['size']}, not {size}"
    if len(ours["htmls"]) != theirs.get("html", 0):
        yield f"html: {len(ours['htmls'])}, not {theirs.get('html', 0)}"
    have = [lines_of(t) for t in ours["texts"]]
    for text in theirs["plain"]:
        if text is None:
            continue
        if text not in have:
            yield f"text: none is {text[:60]!r}..."
        else:
            have.remove(text)


def compare(names):
    root = os.path.join(SUITES, "mail")
    absent = sorted({n.partition("/")[0] for n in names
                     if not os.path.isdir(os.path.join(root, n.partition("/")[0]))})
    for folder in absent:
        print(f"content {folder}: skipped, no {os.path.join(root, folder)}")
    names = {n: why for n, why in names.items() if n.partition("/")[0] not in absent}
    if not names:
        return True
    files = [os.path.join(root, n) for n in names]
    answers = ask([f for f in files if os.path.isfile(f)])
    right = 0
    for name, file in zip(names, files):
        if file not in answers:
            print(f"content {name}: no {file}" if not os.path.isfile(file) else f"content {name}: no answer")
            continue
        try:
            found = list(differences(answers[file], other(file)))
        except (ValueError, KeyError, TypeError, AttributeError, LookupError) as error:
            print(f"content {name}: malformed, the other decoder says {error!r}")
            continue
        if found and not names[name]:
            print(f"content {name}:")
            for line in found:
                print("   ", line)
        elif not found and names[name]:
            print(f"content {name}: is the same, but was not to be: {names[name]}")
        else:
            right += 1
    print(f"content: {right} of {len(names)}")
    return right == len(names)


def bounds():
    files = []
    for folder, pattern in ("mail", "*/*.eml"), ("mail-hostile", "*.eml"):
        if not os.path.isdir(f"{SUITES}/{folder}"):
            print(f"content-bounds {folder}: skipped, no {SUITES}/{folder}")
        files += sorted(glob.glob(f"{SUITES}/{folder}/{pattern}"))
    if not files:
        return True
    whole, pieces = ask(files), ask(files, "--chunk", "1000")
    right = 0
    for f in files:
        if f not in whole or f not in pieces:
            print(f"content-bounds {f}: no answer")
            continue
        a, b = whole[f], pieces[f]
        if a["peak"] > 2 * a["size"] + (1 << 20):
            print(f"content-bounds {f}: {a['peak']} octets of memory for {a['size']}")
            continue
        for answer in a, b:
            del answer["peak"], answer["usec"]
        if a != b:
            print(f"content-bounds {f}: in pieces of 1,000 octets it is another message")
            continue
        right += 1
    print(f"content-bounds: {right} of {len(files)}")
    return right == len(files)


def main():
    names = {}
    if "--all" in sys.argv:
        for f in sorted(glob.glob(f"{SUITES}/mail/*/*.eml")):
            names[os.path.relpath(f, f"{SUITES}/mail")] = ""
    else:
        with open(os.path.join(HERE, "content.names"), encoding="utf-8") as f:
            for line in f:
                if line.strip() and not line.startswith("#"):
                    name, _, why = line.strip().partition(" ")
                    names[name] = why.strip()
    same = compare(names)
    sys.exit(0 if bounds() and same else 1)


main()

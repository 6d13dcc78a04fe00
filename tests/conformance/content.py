#!/usr/bin/python3
"""What messages hold, compared with what Python's email package says; and their bounds.

usage: content.py [TOOL [SUITES [--all]]]

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
import sys

import runner

NOT_OURS = ("message/rfc822", "message/global", "message/news")


def ask(tool, files, *options):
    """The tool's answers by file; of one that it fails at, why."""
    answers = {}
    for at in range(0, len(files), 200):
        answers.update(ask_some([tool, *options], files[at:at + 200]))
    return answers


def ask_some(command, files):
    lines, why = runner.run([*command, *files])
    if why and len(files) > 1:
        return {f: a for file in files for f, a in ask_some(command, [file]).items()}
    try:
        answers = [json.loads(line) for line in lines or []]
        answers = {a.pop("file"): a for a in answers}
    except ValueError as error:
        why, answers = repr(error), {}
    return {f: "no answer: " + why if why else answers.get(f, "no answer") for f in files}


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


def compare(tool, root, names):
    result = runner.Result("content")
    if not os.path.isdir(root):
        return result.skip("no " + root)
    files = {n: os.path.join(root, n) for n in names if os.path.isfile(os.path.join(root, n))}
    absent = [n for n in names if n not in files]
    for folder in sorted({n.partition("/")[0] for n in absent}):
        some = [n for n in absent if n.startswith(folder + "/")]
        result.missing("content " + folder, "no %s%s" % (
            os.path.join(root, some[0]), " and %d more" % (len(some) - 1) if len(some) > 1 else ""))
    if not files:
        return result.skip("none of the messages of content.names in " + root)
    answers = ask(tool, list(files.values()))
    for name, file in files.items():
        answer = answers[file]
        if isinstance(answer, str):
            result.malformed(name, answer)
            continue
        try:
            found = list(differences(answer, other(file)))
        except Exception as error:
            result.malformed(name, error)
            continue
        want = "a difference: " + names[name] if names[name] else "what the other decoder says"
        result.add(name, bool(found) == bool(names[name]), want, "; ".join(found) or "what it says")
    return result


def bounds(tool, suites):
    result, files = runner.Result("content-bounds"), []
    for folder, pattern in ("mail", "*/*.eml"), ("mail-hostile", "*.eml"):
        at = os.path.join(suites, folder)
        if not os.path.isdir(at):
            result.missing("content-bounds " + folder, "no " + at)
        files += sorted(glob.glob(os.path.join(glob.escape(at), pattern)))
    if not files:
        return result.skip("no messages in %s/mail and mail-hostile" % suites)
    whole, pieces = ask(tool, files), ask(tool, files, "--chunk", "1000")
    for f in files:
        a, b, name = whole[f], pieces[f], os.path.relpath(f, suites)
        if isinstance(a, str) or isinstance(b, str):
            result.add(name, False, "an answer", a if isinstance(a, str) else b)
            continue
        limit, peak = 2 * a["size"] + (1 << 20), a["peak"]
        for answer in a, b:
            del answer["peak"], answer["usec"]
        if peak > limit:
            result.add(name, False, "at most %d octets of memory" % limit, peak)
        else:
            result.add(name, a == b, "the same in pieces of 1,000 octets", "another message")
    return result


def listed():
    """The messages of content.names, with why postern differs."""
    names = {}
    with open(os.path.join(runner.HERE, "content.names"), encoding="utf-8") as f:
        for line in f:
            if line.strip() and not line.startswith("#"):
                name, _, why = line.strip().partition(" ")
                names[name] = why.strip()
    return names


def results(tool, suites):
    root = os.path.join(suites, "mail")
    if "--all" in sys.argv:
        names = {os.path.relpath(f, root): "" for f in sorted(glob.glob(os.path.join(glob.escape(root), "*/*.eml")))}
    else:
        names = listed()
    yield compare(tool, root, names)
    yield bounds(tool, suites)


if __name__ == "__main__":
    sys.exit(runner.main("content", results))

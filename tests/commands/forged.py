#!/usr/bin/python3
"""forged.py - rules.example, as it is shipped, refuses forged authors however they are hidden."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from daemon import command                                                  # noqa: E402
from scratch import ROOT, Scratch                                           # noqa: E402
from tap import Tap                                                         # noqa: E402

# The brand's domain asks for nothing: it is the rules that must refuse.
ZONE = """\
evil.net TXT "v=spf1 +all"
_dmarc.brand.example TXT "v=DMARC1; p=none"
_dmarc.strict.example TXT "v=DMARC1; p=reject"
"""
HEAD = "Date: Sun, 22 Nov 2026 10:00:00 +0000\r\nSubject: x\r\n"
AUTHORS = {
    "openly": ("a@brand.example", "brand-spoof"),
    "below it": ("a@news.brand.example", "brand-spoof"),
    "a zero width space": ("a@brand\u200b.example", "brand-spoof"),
    "a soft hyphen": ("a@br\u00adand.example", "brand-spoof"),
    "a joiner at the end": ("Brand <a@brand.example\u200d>", "brand-spoof"),
    "a non-joiner": ("Brand <a@bra\u200cnd.example>", "brand-spoof"),
    "an isolate": ("Brand <a@\u2066brand.example>", "no-author"),
    "a mark for the direction": ("Brand <a@brand.example\u200f>", "no-author"),
    "Braille without dots": ("Brand <a@brand.example\u2800>", "no-author"),
    "our own, with it": ("Boss <a@example.org\u2800>", "no-author"),
    "a symbol below one that is strict": ("a@\u2603.strict.example", "dmarc-reject"),
}
HEADERS = {
    "below 9,990 fields": ("X:y\r\n" * 9990, "", "brand-spoof"),
    "below 10,001 fields": ("X:y\r\n" * 10001, "", "no-author"),
    "above 10,001 fields": ("", "X:y\r\n" * 10001, "no-author"),
    "below 1.1 MB": (("X-A: " + "y" * 900 + "\r\n") * 1200, "", "no-author"),
}


def judge(s, text):
    return command("judge", "-c", os.path.join(ROOT, "rules.example"), "--zone", s.write("zone", ZONE),
                   "--client", "203.0.113.9", "--helo", "mail.evil.net", "--sender", "<x@evil.net>",
                   "--rcpt", "bob@example.org", s.write("mail", text.encode()))


def refused(tap, s, name, text, rule):
    status, out, err = judge(s, text)
    first = out.split("\n")[0]
    tap.ok(": reject 550 " in first and first.endswith(" by %s at message" % rule), name, status, out, err)


tap = Tap()
with Scratch("forged") as scratch:
    for what, (author, by) in AUTHORS.items():
        tap.case(what, refused, tap, scratch, what, "%sFrom: %s\r\n\r\nb\r\n" % (HEAD, author), by)
    for what, (above, below, by) in HEADERS.items():
        tap.case(what, refused, tap, scratch, what,
                 "%s%sFrom: a@brand.example\r\n%s\r\nb\r\n" % (HEAD, above, below), by)
sys.exit(tap.done())

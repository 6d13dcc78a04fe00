#!/usr/bin/python3
"""blanks.py - fields with blanks before the colon ("Subject : x"; RFC 5322, 4.5.8), by
the milter protocol and through judge: they are fields of that name to whoever looks for one,
and for DKIM's simple form the octets that they are.

Postfix 3.7 and Sendmail 8.17 both take the blanks away before a milter sees the field, and
deliver it so.  Another MTA may not."""

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from daemon import Daemon, command                                          # noqa: E402
from milter import Milter                                                   # noqa: E402
from scratch import Scratch, binary                                         # noqa: E402
from tap import Tap, skip_all                                               # noqa: E402

RULES = """\
set authserv-id mx.example.org
set authentication-results dkim dmarc
rule spaced
    if   subject is "spaced" and any header["X-Gone"] is "1" and header["X-Tab"] is "t"
    then remove header X-Gone
rule mark
    then tag subject "[T]"
"""
BODY = b"A line.\r\n"
FIELDS = [("From ", " a@example.com"), ("Subject ", " spaced"), ("X-Gone\t", " 1"), ("X-Gone", " 2"), ("X-Tab \t", " t"),
          ("Authentication-Results ", " mx.example.org; dkim=pass"), ("Authentication-Results", " other.example; spf=pass"),
          ("authentication-results\t ", " mx.example.org; spf=pass")]


def openssl(*args, **more):
    return subprocess.run(["openssl", *args], capture_output=True, check=True, **more).stdout


def signed(scratch, form):
    """A zone, and the fields with a signature of From and Subject on top."""
    key = scratch.join("key")
    openssl("genrsa", "-out", key, "2048")
    public = base64.b64encode(openssl("rsa", "-in", key, "-pubout", "-outform", "DER")).decode()
    tags = " v=1; a=rsa-sha256; c=%s/simple; d=example.com; s=sel; h=from:subject; bh=%s; b=" % (
        form, base64.b64encode(hashlib.sha256(BODY).digest()).decode())
    if form == "simple":
        text = "".join("%s:%s\r\n" % f for f in FIELDS[:2]) + "DKIM-Signature:" + tags
    else:
        text = "from:a@example.com\r\nsubject:spaced\r\ndkim-signature:" + tags.strip()
    b = base64.b64encode(openssl("dgst", "-sha256", "-sign", key, input=text.encode())).decode()
    zone = 'sel._domainkey.example.com TXT "v=DKIM1; p=" "%s" "%s"\n_dmarc.example.com TXT "v=DMARC1; p=reject"\n' % (
        public[:200], public[200:])
    return zone, [("DKIM-Signature", tags + b)] + FIELDS


def by_milter(scratch, zone, fields):
    """What is stated, and the fields that are removed and changed."""
    with Daemon(scratch, RULES, zone=zone) as d, Milter(d.address) as m:
        m.open()
        _, last = m.message(sender="<a@other.example>", headers=fields, body=BODY)
        changes = [(c[1], c[0], c[2].strip()) for letter, c in last.changes if letter == "m"]
        return stated([c[2] for letter, c in last.changes if letter == "i"]), changes


def by_judge(scratch, zone, fields):
    octets = "".join("%s:%s\r\n" % f for f in fields).encode() + b"\r\n" + BODY
    status, out, err = command("judge", "--json", "-c", scratch.write("rules", RULES), "--zone",
                               scratch.write("zone", zone), "--sender", "<a@other.example>", "--client", "192.0.2.7",
                               scratch.write("message.eml", octets))
    if status != 0:
        return err, status
    changes = json.loads(out)["changes"]
    return stated([c["value"] for c in changes if c["index"] == 0]), [
        (c["name"], c["index"], c["value"] or "") for c in changes if c["index"] != 0]


def stated(values):
    return re.findall(r"\b(?:dkim|dmarc)=\w+", " ".join(values))


def cases(tap, scratch):
    changes = [("authentication-results", 3, ""), ("Authentication-Results", 1, ""), ("X-Gone", 2, ""), ("X-Gone", 1, ""),
               ("Subject", 1, "[T] spaced")]
    for form, kept, dkim in (("simple", True, "pass"), ("simple", False, "fail"), ("relaxed", True, "pass"),
                             ("relaxed", False, "pass")):
        zone, fields = signed(scratch, form)
        if not kept:
            fields = [(name.rstrip(), value) for name, value in fields]
        want = (["dkim=" + dkim, "dmarc=" + dkim], changes)
        name = "%s, %s" % (form, "blanks as signed" if kept else "without the blanks")
        tap.same(by_milter(scratch, zone, fields), want, name + ": by the milter protocol")
        tap.same(by_judge(scratch, zone, fields), want, name + ": through judge")


def main():
    if not os.access(binary(), os.X_OK):
        skip_all("no %s" % binary())
    if not shutil.which("openssl"):
        skip_all("no openssl to sign with")
    tap = Tap()
    with Scratch("blanks") as scratch:
        tap.case("blanks", cases, tap, scratch)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())

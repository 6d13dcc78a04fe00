#!/usr/bin/python3
"""world.py - what others know of a client, in the daemon: DNS lists and their
log, a database that is changed under it, and a time zone."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import mmdb                                                                 # noqa: E402
from daemon import Daemon                                                   # noqa: E402
from milter import Milter                                                   # noqa: E402
from scratch import Scratch, binary                                         # noqa: E402
from tap import Tap, skip_all                                               # noqa: E402

LISTS = """\
rule listed
    if   dnsbl["bl.example"] is set
    then reject 550 5.7.1 "Listed: ${dnsbl.text["bl.example"]}"
rule closed
    if   dnsbl["closed.example"] is set or dnsbl["parked.example"] is set
    then reject "never"
rule domain
    if   rhsbl["dbl.example"] in 127.0.1.0/24
    then reject "Bad domain ${sender.domain}"
"""
ZONE = """\
2.2.0.192.bl.example A 127.0.0.2
2.2.0.192.bl.example A 127.0.0.4
2.2.0.192.bl.example TXT "see https://bl.example/?192.0.2.2 %d"
3.2.0.192.closed.example A 127.255.255.254
3.2.0.192.parked.example A 203.0.113.80
bad.example.dbl.example A 127.0.1.2
"""


def send(d, ip, sender="<alice@example.com>"):
    """What each recipient was told, and the log's line."""
    since = d.mark()
    with Milter(d.address) as m:
        m.open(ip=ip)
        replies, last = m.message(sender)
    return ([r.text for r in replies], last), d.wait_verdict(since)


def lists(tap, s):
    with Daemon(s, LISTS, zone=ZONE) as d:
        said, line = send(d, "192.0.2.2")
        tap.ok("Listed: see https://bl.example/?192.0.2.2 %d" in str(said), "the list's text is told", said)
        tap.same((line["rule"], line["dnsbl"]), ("listed", "bl.example:127.0.0.2,bl.example:127.0.0.4"),
                 "the log has the codes", line)
        said, line = send(d, "192.0.2.3", "<x@bad.example>")
        tap.same((line["rule"], line["rhsbl"]), ("domain", "dbl.example:127.0.1.2"), "a listed domain", said, line)
        tap.ok("closed.example: the list refuses to answer this resolver (127.255.255.254)" in line["dns"] and
               "parked.example: answers outside of 127.0.0.0/8" in line["dns"], "the log says what is wrong with lists", line)
        tap.ok("closed: dnsbl" in line["error"], "and which rule it kept from being asked", line)
        said, line = send(d, "192.0.2.4")
        tap.ok(line["verdict"] == "accept" and "dnsbl" not in line and "dns" not in line, "who is not listed passes", line)


def database(tap, s):
    """A file that is written over in place is no reason to end, and new at the next reload."""
    path = mmdb.write(s.join("geo.mmdb"), {"192.0.2.0/24": {"country": {"iso_code": "DE"}}}, "country")
    rules = "set geo-database %s\nrule c\n    if   geo.country is DE\n    then reject \"from DE\"\n" % path
    with Daemon(s, rules) as d:
        tap.same(send(d, "192.0.2.9")[1].get("rule"), "c", "the database is asked")
        with open(path, "wb") as f:
            f.write(b"half")
        tap.same(send(d, "192.0.2.9")[1].get("rule"), "c", "a file cut short in place changes nothing")
        tap.same(d.reload(), False, "a broken database is not taken")
        tap.same(send(d, "192.0.2.9")[1].get("rule"), "c", "and the old one goes on")
        os.unlink(path)
        tap.same(d.reload(), False, "nor is a missing one")
        mmdb.write(path, {"192.0.2.0/24": {"country": {"iso_code": "FR"}}}, "country")
        tap.same(d.reload(), True, "a new one is taken at a reload")
        tap.same(send(d, "192.0.2.9")[1].get("verdict"), "accept", "and asked")
        tap.ok(d.alive() and not d.crashed(), "it is well", d.text()[-2000:])


def zone(tap, s):
    """The hour of three zones, which a full hour may part in between."""
    rules = "set time-zone %s\nrule h\n    then log \"${time.hour}\"\n"
    hours = []
    with Daemon(s, rules % "UTC") as d:
        for name in ("UTC", "Asia/Tokyo", "Pacific/Honolulu"):
            tap.ok(d.reload(rules=rules % name), "time-zone %s is taken" % name)
            hours.append(int(send(d, "192.0.2.9")[1]["log"].split()[-1]))
        tap.ok((hours[1] - hours[0]) % 24 in (9, 10) and (hours[0] - hours[2]) % 24 in (10, 11),
               "each with its hour", hours)
        tap.same(d.reload(rules=rules % "Asia/Tokio"), False, "one that is misspelt is not")
        tap.ok(d.wait_line("did you mean 'Asia/Tokyo'"), "and the log says what it is like", d.text()[-1000:])


def main():
    if not os.path.exists(binary()):
        skip_all("no %s" % binary())
    tap = Tap()
    for case in (lists, database, zone):
        with Scratch("world") as s:
            tap.case(case.__name__, case, tap, s)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())

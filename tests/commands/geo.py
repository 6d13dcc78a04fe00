#!/usr/bin/python3
"""geo.py - databases of countries and networks: what they answer, in which
form they may come, and what is said of those that are none."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import mmdb                                                                 # noqa: E402
from daemon import command                                                  # noqa: E402
from scratch import Scratch                                                 # noqa: E402
from tap import Tap                                                         # noqa: E402

COUNTRIES = {
    "192.0.2.0/25": {"country": {"iso_code": "DE", "names": {"en": "Germany"}}},
    "192.0.2.128/25": {"country": {"iso_code": "us"}},
    "198.51.100.0/24": {"registered_country": {"iso_code": "FR"}},      # where it is isn't known
    "2001:db8::/33": {"country": {"iso_code": "AT"}},
}
FLAT = {"203.0.113.0/24": {"country": "CH", "asn": "AS64500"}}
NETWORKS = {
    "192.0.2.0/24": {"autonomous_system_number": 64496, "autonomous_system_organization": "Example"},
    "2001:db8::/32": {"autonomous_system_number": 4200000000},
}
RULES = """\
set geo-database %s
rule where
    then log "[${geo.country}] [${geo.asn}]"
rule far
    if   geo.country is set and geo.country not in { de AT ch }
    then reject "not from ${geo.country}"
rule net
    if   geo.asn >= 4200000000
    then reject "not from AS${geo.asn}"
"""
MESSAGE = "From: a@example.com\nSubject: x\n\nhello\n"
CASES = [
    ("192.0.2.1", "[DE] [64496]", "accept"), ("192.0.2.127", "[DE] [64496]", "accept"),
    ("192.0.2.128", "[US] [64496]", "far"), ("198.51.100.1", "[] []", "accept"),
    ("203.0.113.9", "[CH] [64500]", "accept"), ("8.8.8.8", "[] []", "accept"),
    ("2001:db8::1", "[AT] [4200000000]", "net"), ("2001:db8:8000::1", "[] [4200000000]", "net"),
    ("2001:db9::1", "[] []", "accept"), ("::ffff:192.0.2.1", "[DE] [64496]", "accept"),
]


def answers(tap, s):
    files = [mmdb.write(s.join(name), networks, name, version) for name, networks, version in
             (("country.mmdb", COUNTRIES, 6), ("flat.mmdb", FLAT, 4), ("asn.mmdb", NETWORKS, 6))]
    rules = s.write("rules", RULES % " ".join(files))
    zone = s.write("zone", "")
    message = s.write("message", MESSAGE)
    for ip, want, verdict in CASES:
        status, out, err = command("judge", "-c", rules, "--zone", zone, "--client", ip, "-v", message)
        tap.ok(status == 0 and want in out and verdict in out, "%s is in %s" % (ip, want), out, err)


def mistakes(tap, s):
    country = mmdb.write(s.join("country.mmdb"), COUNTRIES, "country")
    text = s.write("text.mmdb", "no database\n" * 100)
    whole = mmdb.database(COUNTRIES, "country")
    cut = s.write("cut.mmdb", whole[:40] + whole[whole.index(mmdb.MARK):])
    lost = s.write("lost.mmdb", mmdb.MARK + b"\xff" * 50)
    both = "rule a\n    if   geo.country is DE and geo.asn is 64496\n    then accept\n"
    cases = [
        ("set geo-database %s\n" % s.join("none.mmdb"), ":1:18: error: cannot read '%s'" % s.join("none.mmdb")),
        ("set geo-database %s\n" % text, "is no MaxMind database"),
        ("set geo-database %s\n" % s.path, "cannot read"),
        ("set geo-database %s\n" % cut + both, "cannot be read as a MaxMind database"),
        ("set geo-database %s\n" % lost + both, "cannot be read as a MaxMind database"),
        ("set geo-database %s\n" % country + both, ":1:1: error: geo.asn: no geo-database knows networks; add one"),
        (both, "needs a database: say 'set geo-database FILE'"),
    ]
    for text, word in cases:
        status, out, err = command("check", "-c", s.write("bad", text))
        tap.ok(status == 78 and word in err, "check: " + word.split("'")[0], status, out, err)
    status, out, err = command("judge", "-c", s.write("bad", "set geo-database %s\n" % country + both), text)
    tap.ok(status != 0 and "no geo-database knows networks" in err, "judge: says so, too", status, out, err)


def broken(tap, s):
    """Each octet of a database changed: an answer or an error, never a crash."""
    whole = mmdb.database(COUNTRIES, "country")
    message = s.write("message", MESSAGE)
    zone = s.write("zone", "")
    rules = "set geo-database %s\nrule r\n    if   geo.country is DE\n    then reject \"no\"\n"
    bad = []
    for at in range(0, len(whole), max(1, len(whole) // 120)):
        path = s.write("broken.mmdb", whole[:at] + bytes([whole[at] ^ 0xff]) + whole[at + 1:])
        status, out, err = command("judge", "-c", s.write("rules", rules % path), "--zone", zone,
                                   "--client", "192.0.2.1", message)
        if status not in (0, 65, 69, 78) or "anitizer" in err:
            bad.append((at, status, err[-500:]))
    tap.ok(not bad, "a database with a wrong octet ends nothing", bad[:3])


def main():
    tap = Tap()
    with Scratch("geo") as s:
        for case in (answers, mistakes, broken):
            tap.case(case.__name__, case, tap, s)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())

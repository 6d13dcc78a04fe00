#!/usr/bin/python3
"""selftests.py - the tests in a rules file as check runs them: how a failing one is
shown, and which rules none of them makes true."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from daemon import command                                                  # noqa: E402
from scratch import Scratch                                                 # noqa: E402
from tap import Tap                                                         # noqa: E402

RULES = """\
rule role
    if   rcpt.local is postmaster
    then accept

rule bad-sender
    if   sender is bad@example.com
    then reject 550 5.7.1 "Sender"

rule late
    if   subject contains "late"
    then quarantine "late"

rule tagged
    if   subject contains "tag me"
    then tag subject "[T]"
"""
FAILING = """
test "t"
    sender <bad@example.com>  rcpt <b@example.org>
    expect accept by role

test "u"
    sender <a@example.com>  rcpt <b@example.org>
    header Subject "tag me"
    expect rcpt <b@example.org> reject 550 by bad-sender at mail
    expect tag subject "[X]" by tagged

test "v"
    sender <a@example.com>  rcpt <b@example.org>
    header Subject "hello"
    expect remove header Subject
"""
GOLDEN = """\
rules:19:5: error: test "t" failed: the verdict was reject 550 by bad-sender at rcpt
   19 |     expect accept by role
      |     ^~~~~~~~~~~~~~~~~~~~~
      - expect accept by role
      + expect reject 550 by bad-sender at rcpt
rules:24:5: error: test "u" failed: the verdict was accept at message
   24 |     expect rcpt <b@example.org> reject 550 by bad-sender at mail
      |     ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~
      - expect rcpt <b@example.org> reject 550 by bad-sender at mail
      + expect rcpt <b@example.org> accept at message
rules:25:5: error: test "u" failed: this edit was not made
   25 |     expect tag subject "[X]" by tagged
      |     ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~
      - expect tag subject "[X]" by tagged
      + expect tag subject "[T]"
rules:30:5: error: test "v" failed: this edit was not made
   30 |     expect remove header Subject
      |     ^~~~~~~~~~~~~~~~~~~~~~~~~~~~
      - expect remove header Subject
      + no edit
"""
PASSING = """
test "to postmaster"
    sender <bad@example.com>  rcpt <postmaster@example.org>
    expect accept by role

test "to both"
    sender <bad@example.com>  rcpt <postmaster@example.org>  rcpt <b@example.org>
    expect rcpt <b@example.org> reject by bad-sender
"""


def failing(tap, scratch):
    path = scratch.write("rules", RULES + FAILING)
    status, out, err = command("check", "-c", path)
    tap.same((status, err.replace(os.path.dirname(path) + "/", "")), (78, GOLDEN),
             "a failing test shows what was expected, and what came out")
    found = json.loads(command("check", "-c", path, "--json")[1])["diagnostics"]
    tap.same([(d["expected"], d["got"]) for d in found[2:]],
             [(['expect tag subject "[X]" by tagged'], ['expect tag subject "[T]"']),
              (["expect remove header Subject"], ["no edit"])], "and so does --json")


def coverage(tap, scratch):
    path = scratch.write("rules", RULES + PASSING)
    status, out, err = command("check", "-c", path, "--coverage")
    lines = out.splitlines()
    tap.same((status, lines[:4]), (0, ["rule late: no test comes to it", "rule tagged: no test comes to it",
                                       "2 of 4 rules are true in some test.", ""]), "--coverage: what no test comes to")
    found = json.loads(command("check", "-c", path, "--coverage", "--json")[1])
    tap.same(found["coverage"], [{"rule": "role", "true": 2, "otherwise": 1},
                                 {"rule": "bad-sender", "true": 1, "otherwise": 0},
                                 {"rule": "late", "true": 0, "otherwise": 0},
                                 {"rule": "tagged", "true": 0, "otherwise": 0}], "--coverage --json")
    tap.ok("coverage" not in json.loads(command("check", "-c", path, "--json")[1]), "it isn't there where nobody asks")
    path = scratch.write("more", RULES + PASSING + '\ntest "in time"\n    sender <a@example.com>  rcpt <b@example.org>\n'
                         '    header Subject "tag me"\n    expect accept\n')
    out = command("check", "-c", path, "--coverage")[1]
    tap.same(out.splitlines()[:2], ["rule late: true in no test", "3 of 4 rules are true in some test."],
             "--coverage: what is false in all")
    path = scratch.write("none", RULES)
    out = command("check", "-c", path, "--coverage")[1]
    tap.same(out.count("no test comes to it\n"), 4, "--coverage: a file without tests")
    bad = scratch.write("bad", "rule x\n    if   spf is fial\n    then accept\n")
    status, out, err = command("check", "-c", bad, "--coverage")
    tap.ok(status == 78 and "in some test" not in out, "--coverage: a file with mistakes has none", out, err)


def suffixes(tap, scratch):
    """Both users of the public suffix list take the one that is set."""
    own = scratch.write("psl", "example\nkept.example\n")
    for what, domain, setting in (("the list in libpsl", "kept.example", ""),
                                  ("public-suffix-list", "a.kept.example", 'set public-suffix-list "%s"\n' % own)):
        path = scratch.write("rules", setting + """set dmarc rfc7489
rule links
    if   url.domain is %s
    then reject "No"
rule unaligned
    if   dmarc is fail and dmarc.domain is %s
    then reject "DMARC"
test "a link"
    sender <x@s.example>  rcpt <r@example.org>
    body "see http://w.a.kept.example/x"
    given dmarc none
    expect reject by links
test "a domain"
    client 192.0.2.1  sender <x@s.example>  rcpt <r@example.org>
    header From "<x@w.a.kept.example>"
    zone "%s"
    given spf none, dkim none
    expect reject by unaligned
""" % (domain, domain, scratch.write("zone-" + domain, '_dmarc.%s. TXT "v=DMARC1; p=reject"\n' % domain)))
        status, out, err = command("check", "-c", path)
        tap.same((status, err), (0, ""), "registrable domains by " + what)
    path = scratch.write("rules", 'set public-suffix-list /nonexistent/psl\n'
                         'rule links\n    if   url.domain is a.example\n    then reject "No"\n')
    status, out, err = command("check", "-c", path)
    tap.ok(status == 78 and ":1:1: error: /nonexistent/psl: cannot be read as a public suffix list" in err,
           "a list that can't be read, and that a rule asks for", out, err)


GIVENS = """\
set on-error store accept
set on-error limit tempfail
rule signed
    if   dkim.domain is b.example
    then reject "signed"
rule listed
    if   dnsbl["bl.example"] is 127.0.0.4
    then reject "${dnsbl.text["bl.example"]}"
rule unlisted
    if   dnsbl["bl.example"] is not set and any dkim.signature has ( result is fail )
    then reject "no"
rule busy
    if   rate["${client.ip}", 5 per 1h]
    then discard
rule big-script
    if   any attachment has ( name matches /[.]scr$/ and size > 1M )
    then reject "script"
rule crowded
    if   attachment.count > 2
    then reject "crowded"
rule link
    if   every url has ( domain is evil.example )
    then reject "link"
test "several values"
    client 192.0.2.1  sender <a@b.example>  rcpt <c@d.example>
    given dkim.domain a.example, dkim.domain b.example, dnsbl["bl.example"] unset
    expect reject by signed
test "several codes, and a text"
    client 192.0.2.1  sender <a@b.example>  rcpt <c@d.example>
    given dkim.domain unset, dnsbl["bl.example"] 127.0.0.2
    given dnsbl["bl.example"] 127.0.0.4, dnsbl.text["bl.example"] "why"
    expect reject by listed
test "a list that fails is skipped"
    client 192.0.2.1  sender <a@b.example>  rcpt <c@d.example>
    given dkim.domain unset, dnsbl["bl.example"] error, dkim.signature.result fail
    expect accept
test "a signature"
    client 192.0.2.1  sender <a@b.example>  rcpt <c@d.example>
    given dkim.domain unset, dnsbl["bl.example"] unset, dkim.signature.result fail
    expect reject by unlisted
test "a store that fails"
    client 192.0.2.1  sender <a@b.example>  rcpt <c@d.example>
    given dkim.domain unset, dnsbl["bl.example"] unset, dkim.signature.result pass
    given rate["${client.ip}", 5 per 1h] error, attachment.name "x.scr", attachment.size 2M
    expect accept by busy
test "name and size of one attachment"
    client 192.0.2.1  sender <a@b.example>  rcpt <c@d.example>
    given dkim.domain unset, dnsbl["bl.example"] unset, dkim.signature.result pass
    given attachment.name "a.txt", attachment.name "x.scr", attachment.size 2M, attachment.size 1
    expect accept
test "of the other"
    client 192.0.2.1  sender <a@b.example>  rcpt <c@d.example>
    given dkim.domain unset, dnsbl["bl.example"] unset, dkim.signature.result pass
    given attachment.name "a.txt", attachment.name "x.scr", attachment.size 1, attachment.size 2M
    expect reject by big-script
test "their number"
    client 192.0.2.1  sender <a@b.example>  rcpt <c@d.example>
    header Content-Type "application/x; name=real.scr"
    body "not looked at, since attachments are given"
    given dkim.domain unset, dnsbl["bl.example"] unset, dkim.signature.result pass
    given attachment.name "a", attachment.name "b", attachment.name "c"
    expect reject by crowded
test "over a limit"
    client 192.0.2.1  sender <a@b.example>  rcpt <c@d.example>
    given dkim.domain unset, dnsbl["bl.example"] unset, dkim.signature.result pass
    given attachment.name error
    expect tempfail by big-script
test "all links"
    client 192.0.2.1  sender <a@b.example>  rcpt <c@d.example>
    given dkim.domain unset, dnsbl["bl.example"] unset, dkim.signature.result pass
    given url.domain evil.example, url.domain evil.example
    expect reject by link
test "not all"
    client 192.0.2.1  sender <a@b.example>  rcpt <c@d.example>
    given dkim.domain unset, dnsbl["bl.example"] unset, dkim.signature.result pass
    given url.domain evil.example, url.domain good.example
    expect accept
"""


def givens(tap, scratch):
    """What tests state: several values, errors, parts of one thing; and which lookup is missing."""
    status, out, err = command("check", "-c", scratch.write("rules", GIVENS))
    tap.ok(status == 0 and "11 tests passed" in out, "given: values, errors and parts", out, err)
    for given, missing in (("spf none", 'dnsbl["bl.example"]'), ('dnsbl["bl.example"] 127.0.0.2', 'dnsbl.text["bl.example"]')):
        path = scratch.write("rules", """rule listed
    if   dnsbl["bl.example"] is 127.0.0.2
    then reject "${dnsbl.text["bl.example"]}"
test "t"
    client 192.0.2.1  sender <a@b.example>  rcpt <c@d.example>
    given %s
    expect reject
""" % given)
        status, out, err = command("check", "-c", path)
        tap.ok(status == 78 and "say `given %s ...`" % missing in err, "given: %s is missing" % missing, out, err)


MIXED = """\
rule role
    if   rcpt.local is postmaster
    then accept
rule bad
    if   sender is bad@example.com
    then reject 550 5.7.1 "Bad"
rule x
    if   subject contains xx
    then reject 554 5.7.1 "x"
test "a"
    client 192.0.2.1 sender bad@example.com rcpt <bob@example.org> rcpt <postmaster@example.org>
    expect rcpt <bob@example.org> reject 550 by bad at rcpt
    expect rcpt <postmaster@example.org> accept by role
test "b"
    client 192.0.2.1 sender a@example.com rcpt <bob@example.org> rcpt <postmaster@example.org>
    header Subject "xx"
    expect rcpt <bob@example.org> reject 554 by x at message
    expect rcpt <postmaster@example.org> split by role
test "c"
    client 192.0.2.1 sender bad@example.com rcpt <bob@example.org>
    expect reject 550 by bad at rcpt
"""

# At each stage at which a reply can come.
STAGES = """\
set earliest-reply connect
rule ip
    if   client.ip is 203.0.113.9
    then reject 550 5.7.1 "ip"
rule sent-by
    if   sender.domain is evil.example
    then reject 550 5.7.1 "sender"
rule sent-to
    if   rcpt.local is nobody
    then reject 550 5.1.1 "nobody"
test "the client"
    client 203.0.113.9  helo a.example  sender <a@b.example>  rcpt <c@d.example>
    expect reject 550 by ip at connect
test "the sender"
    client 203.0.113.8  helo a.example  sender <a@evil.example>  rcpt <c@d.example>
    expect reject 550 by sent-by at mail
test "the recipient"
    client 203.0.113.8  helo a.example  sender <a@b.example>  rcpt <nobody@d.example>
    expect reject 550 by sent-to at rcpt
"""


def monitored(tap, scratch):
    """Who tries a good file in mode monitor has a good file: what its tests say is what would be."""
    message = scratch.write("m.eml", "Subject: xx\n\nx\n")
    told = {}
    for mode in ("enforce", "monitor"):
        for rules in (STAGES, MIXED):
            path = scratch.write("rules", "set mode %s\n%s" % (mode, rules))
            status, out, err = command("check", "-c", path)
            tap.ok(status == 0 and "3 tests passed" in out, "mode %s: the same tests pass" % mode, out, err)
        told[mode] = [command("judge", "-c", path, "--client", "192.0.2.1", "--sender", sender, "--rcpt", "bob@example.org",
                              "--rcpt", "postmaster@example.org", message)[1] for sender in ("bad@example.com", "a@example.com")]
    same = [t.replace("  (mode monitor: the mail would pass unchanged)\n", "") for t in told["monitor"]]
    tap.ok(" split 452 " in same[1] and " reject 550 " in same[0], "judge: who would be refused and split at RCPT", same)
    tap.same(same, told["enforce"], "mode monitor: judge says what would be")


def main():
    tap = Tap()
    with Scratch("selftests") as scratch:
        failing(tap, scratch)
        coverage(tap, scratch)
        suffixes(tap, scratch)
        givens(tap, scratch)
        monitored(tap, scratch)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())

"""material.py - what the benchmark sends and by which rules it is judged: all
of it made anew, the same each time but for the DKIM key."""

import os
import random
import re

from signing import Key, signature

CLIENT = "203.0.113.5"          # as load.c says it
DOMAIN = "example.com"
COLD = 6000                     # domains, dN.example
KEY_NAME = "bench._domainkey." + DOMAIN
WORDS = """the of and to in is that for it as was with be by on not he his but at are this have from or had an
they which one you were all her she there would their we him been has when who will no more if out so up said what its
about than into them can only other time new some could these two may first then do any like my now over such our man me
even most made after also did many off before must well back through years much where your way down should because long
each just state those people too mister how little good world make very year still see own work men day get here old life
both between being under three never know same last another while us might great go come since against right used take
invoice order account meeting report project customer delivery payment schedule summary attached regards please""".split()


def text_of(size, rng, html):
    """CR LF lines of about 70 octets; html: with the tags of a newsletter."""
    out, n = [], 0
    while n < size:
        line = " ".join(rng.choice(WORDS) for _ in range(12))
        if html:
            line = rng.choice(('<p style="margin:0 0 8px">%s</p>', '<td class="c%d"><a href="http://www.%s/n/%d">' % (
                rng.randrange(9), DOMAIN, rng.randrange(9999)) + "%s</a></td>", "%s<br>", "<li>%s</li>")) % line
        out.append(line)
        n += len(line) + 2
    return "\r\n".join(out) + "\r\n"


def header(size, html):
    return [
        ("Received", "from client.example.com (client.example.com [203.0.113.5])\r\n"
                     "\tby mx.example.org (Postfix) with ESMTPS id 4Xyz12\r\n"
                     "\tfor <bob@example.org>; Sun, 22 Nov 2026 10:00:00 +0000 (UTC)"),
        ("Received", "from desk (desk.example.com [10.0.0.7]) by client.example.com\r\n"
                     "\twith ESMTPA id 77; Sun, 22 Nov 2026 09:59:58 +0000"),
        ("From", "Alice Example <alice@example.com>"),
        ("To", "Bob Example <bob@example.org>"),
        ("Cc", "Carol <carol@example.net>, Dave <dave@example.net>"),
        ("Subject", "Summary of the meeting, and what we do next (%d)" % size),
        ("Date", "Sun, 22 Nov 2026 09:59:57 +0000"),
        ("Message-ID", "<20261122095957.%d@client.example.com>" % size),
        ("User-Agent", "Example Mail 7.1"),
        ("List-Unsubscribe", "<https://www.example.com/u/0123456789abcdef>"),
        ("X-Campaign", "autumn-2026"),
        ("MIME-Version", "1.0"),
        ("Content-Type", "text/%s; charset=utf-8" % ("html" if html else "plain")),
        ("Content-Transfer-Encoding", "7bit"),
    ]


SIGNED = ["From", "To", "Cc", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"]


def write_message(scratch, key, name, size, html):
    body = text_of(size - 1500, random.Random(size), html)
    if html:
        body = "<html><body>\r\n" + body + "</body></html>\r\n"
    fields = header(size, html)
    fields.insert(0, ("DKIM-Signature", signature(key, DOMAIN, "bench", SIGNED, fields, body)))
    text = "".join("%s: %s\r\n" % f for f in fields) + "\r\n" + body
    return scratch.write(name, text)


class Material:
    """Messages, key and zone in a scratch directory."""

    def __init__(self, scratch):
        self.scratch = scratch
        self.key = Key(scratch.join("key"))
        self.key_record = self.key.record
        self.messages = {
            "2 KB": write_message(scratch, self.key, "2k.eml", 2 << 10, False),
            "20 KB": write_message(scratch, self.key, "20k.eml", 20 << 10, True),
            "2 MB": write_message(scratch, self.key, "2m.eml", 2 << 20, True),
        }
        self.zone = scratch.write("zone", self.zone_text())

    def message(self, size):
        """Its file; a large one is made when somebody wants it."""
        if size not in self.messages:
            n, unit = size.split()
            self.messages[size] = write_message(self.scratch, self.key, "large.eml", int(n) << {"KB": 10, "MB": 20}[unit], True)
        return self.messages[size]

    def records(self, cold=True):
        """(name, TXT) of this world, those of the cold domains last."""
        spf = "v=spf1 ip4:192.0.2.0/24 include:_spf.%s -all"
        yield DOMAIN, spf % DOMAIN
        yield "_spf." + DOMAIN, "v=spf1 a:client.%s ip4:203.0.113.0/24 ?all" % DOMAIN
        yield "_dmarc." + DOMAIN, "v=DMARC1; p=reject"
        yield KEY_NAME, self.key_record
        if not cold:
            return
        for i in range(COLD):
            yield "d%d.example" % i, spf % ("d%d.example" % i)
            yield "_spf.d%d.example" % i, "v=spf1 ip4:203.0.113.0/24 ?all"

    @staticmethod
    def addresses():
        """(name, address)"""
        return [("client." + DOMAIN, CLIENT)]

    def zone_text(self):
        return "".join("%s A %s\n" % a for a in self.addresses()) + "".join(
            '%s TXT "%s"\n' % record for record in self.records(cold=False))


# ---- Rules ----

OFF = "set authentication-results off\n"
SPF = OFF + 'rule spf-fail\n    if   spf is fail\n    then reject 550 5.7.23 "SPF"\n'
DKIM = OFF + 'rule dkim-fail\n    if   dkim is fail\n    then reject 550 5.7.1 "DKIM"\n'
ABOUT_HEADER = 'rule words\n    if   subject contains "xyzzy"\n    then reject 550 5.7.1 "No"\n'
ABOUT_TEXT = 'rule words\n    if   body contains "xyzzy"\n    then reject 550 5.7.1 "No"\n'
ABOUT_RAW = 'rule words\n    if   raw.body contains "xyzzy"\n    then reject 550 5.7.1 "No"\n'
STALL_SECONDS = 2
STALL = OFF + ('set dns-timeout %ds\nrule own\n    if   sender.domain is "%s"\n    then accept\n'
               'rule dns\n    if   spf is temperror\n    then tempfail 451 4.4.3 "SPF lookup failed"\n' % (STALL_SECONDS, DOMAIN))
ALL = ("set authserv-id mx.example.org\nset authentication-results spf dkim dmarc\n"
       'rule dmarc-reject\n    if   dmarc is fail and dmarc.policy is reject\n    then reject 550 5.7.26 "DMARC"\n')


def escape_slashes(pattern):
    return re.sub(r"(\\.)|/", lambda m: m.group(1) or r"\/", pattern)


def suite_patterns(suites):
    """(fact, pattern, flags) of the collected rules, as far as postern has such facts."""
    names = ("spamassassin.tsv", "spamassassin-sandbox.tsv", "rspamd.tsv", "postfix-checks.tsv", "sa-site-rules-gpl.tsv")
    for name in names:
        path = os.path.join(suites, "rules", name)
        if not os.path.exists(path):
            continue
        with open(path, "rb") as f:
            for line in f:
                try:
                    scope, flags, pattern = line.decode("ascii").rstrip("\n").split("\t")[:3]
                except (UnicodeDecodeError, ValueError):
                    continue
                if line.startswith(b"#") or set(flags) - set("imsx"):
                    continue
                if re.fullmatch(r"header:[A-Za-z0-9-]+", scope):
                    fact = 'header["%s"]' % scope[7:]
                elif scope in ("body", "rawbody"):
                    fact = scope
                else:
                    continue
                yield fact, escape_slashes(pattern), flags


def made_patterns(n):
    """As many more: two made-up words, some with a choice or a gap between them."""
    rng = random.Random(n)

    def word():
        return "".join(rng.choice("bcdfghklmnprstvwz") + rng.choice("aeiou") for _ in range(rng.randrange(2, 5)))
    forms = (r"\b%s %s\b", r"%s\s+(?:and|or) %s", r"\b%s.{1,20}%s", r"(?:%s|%s)-offer")
    for i in range(n):
        yield "subject" if i % 5 == 0 else "body", rng.choice(forms) % (word(), word()), "i"


def rule_of_pattern(i, fact, pattern, flags, action='reject 550 5.7.1 "No"'):
    """Three lines."""
    return "rule p%d\n    if   %s matches /%s/%s\n    then %s\n" % (i, fact, pattern, flags, action)


def list_of_patterns(scratch, patterns, body):
    """The patterns as two lists, for one rule each."""
    for name, wanted in (("of-subject", False), ("of-body", True)):
        scratch.write(name, "".join("/%s/%s\n" % (p, f) for fact, p, f in patterns if (fact == body) == wanted))
    return (OFF + 'patterns on-subject = file "of-subject"\npatterns on-body = file "of-body"\n'
            'rule subjects\n    if   subject matches on-subject\n    then reject 550 5.7.1 "No"\n'
            'rule bodies\n    if   %s matches on-body\n    then reject 550 5.7.1 "No"\n' % body)


def million(scratch):
    rng = random.Random(1)
    scratch.write("addresses", "".join("user%d@host%d.example\n" % (i, rng.randrange(10000)) for i in range(1000000)))
    nets = set()
    while len(nets) < 1000000:
        nets.add("%d.%d.%d.0/24" % (rng.randrange(1, 200), rng.randrange(256), rng.randrange(256)))
    scratch.write("nets", "\n".join(sorted(nets)) + "\n")
    return (OFF + 'addresses senders = file "addresses"\nnets clients = file "nets"\n'
            'rule known-sender\n    if   sender in senders\n    then reject 550 5.7.1 "Sender"\n'
            'rule known-client\n    if   client.ip in clients\n    then reject 550 5.7.1 "Client"\n')


def dispatch(n):
    """n rules, each about one sender's domain; five of them about ours."""
    out = [OFF]
    for i in range(n):
        domain = DOMAIN if i % (n // 5) == 0 else "r%d.example" % i
        out.append('rule r%d\n    if   sender.domain is "%s" and subject contains "word%d"\n'
                   '    then reject 550 5.7.1 "No"\n' % (i, domain, i))
    return "".join(out)


def large(scratch):
    """10,000 rules and a million addresses."""
    scratch.write("senders", "".join("user%d@host%d.example\n" % (i, i % 10000) for i in range(1000000)))
    return dispatch(10000) + ('addresses many = file "senders"\nrule known-sender\n    if   sender in many\n'
                              '    then reject 550 5.7.1 "Sender"\n')

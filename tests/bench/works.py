"""works.py - the work that filters are measured at: the lines of the table."""

import filters
import material
from scratch import suites_dir


class Line:
    """One workload.  floor: the mode it is held against; goal: the ratio asked for; dns: answers come from a name
    server and postern's cache, not from the zone; also: other filters that can do it; patterns: those of the rules;
    ready: what to call the time until it serves, and the goal for that in ms; busy: so many of the connections at once,
    0 for all of them."""

    def __init__(self, name, message, rules, goal=None, floor="quiet", connections=1, dns=False, also=(), patterns=(),
                 ready=None, busy=0):
        self.kind, self.patterns = "patterns" if patterns else name.split(",")[0], patterns
        self.name, self.message, self.rules, self.goal, self.floor = name, message, rules, goal, floor
        self.connections, self.dns, self.also, self.ready, self.busy = connections, dns, also, ready, busy


def usable_patterns(scratch, suites, message, body):
    """(fact, pattern, flags): those that postern takes and that don't match the message, so that each is tried."""
    m = material
    wanted = [({"rawbody": "raw.body", "body": body}.get(fact, fact), p, flags)
              for fact, p, flags in list(m.suite_patterns(suites)) + list(m.made_patterns(11000))]
    rules = "".join(m.rule_of_pattern(i, *p, action='would reject "x"') for i, p in enumerate(wanted))
    wrong = {(line - 1) // 3 for line in filters.wrong_lines(scratch, rules)}
    # The last rule keeps the message from being decided before its body has come.
    rules = "".join(m.rule_of_pattern(i, *p, action='would reject "x"') for i, p in enumerate(wanted) if i not in wrong)
    true = filters.matching(scratch, m.OFF + rules + m.rule_of_pattern(99999, body, "xyzzyxyzzy", ""), message)
    return [p for i, p in enumerate(wanted) if i not in wrong and "p%d" % i not in true]


def pattern_lines(scratch, suites, message):
    """10 to 10,000 patterns, each in a rule of its own; then as two lists."""
    body = "body" if "body" in filters.facts() else "raw.body"
    good = usable_patterns(scratch, suites, message, body)
    for n, goal in ((10, 1.5), (100, None), (1000, 2.0), (10000, 3.0)):
        # Those of the suites come first, so take a share of each kind.
        some = good[::len(good) // n][:n]
        rules = material.OFF + "".join(material.rule_of_pattern(i, *p) for i, p in enumerate(some))
        yield Line("%s patterns" % format(n, ","), "20 KB", rules, goal, "", also=("rspamd",), patterns=some,
                   ready=("ready with 10,000 patterns", 3000) if n == 10000 else None)
    rules = material.OFF + "".join(material.rule_of_pattern(i, *p) for i, p in enumerate(good[:1000]))
    yield Line("1,000 patterns, the suites' first", "20 KB", rules, 2.0, "", patterns=good[:1000])
    some = [p for p in good if p[0] in ("subject", body)]
    some = some[::len(some) // 1000][:1000]
    yield Line("1,000 patterns in lists", "20 KB", material.list_of_patterns(scratch, some, body), 2.0, "")


def lines(scratch, messages):
    """(words of it, how it is measured, lines)"""
    m = material
    peers = ("opendkim", "opendmarc", "rspamd")
    yield "nothing 20", "measure", lambda: [Line("nothing asked", "20 KB", m.OFF, 0.7)]
    yield "spf 2", "measure", lambda: [
        Line("SPF", "2 KB", m.SPF, 1.3, also=("opendmarc", "rspamd")),
        Line("SPF, by DNS, warm", "2 KB", m.SPF, 1.3, dns=True)]
    yield "dkim", "measure", lambda: [
        Line("DKIM", "2 KB", m.DKIM, 1.5, also=("opendkim", "rspamd")),
        Line("DKIM", "20 KB", m.DKIM, 1.8, also=("opendkim", "rspamd")),
        Line("DKIM", "2 MB", m.DKIM, 8.0 / 1.2, also=("opendkim", "rspamd"))]
    yield "all dmarc", "measure", lambda: [
        Line("SPF+DKIM+DMARC+A-R", "20 KB", m.ALL, 2.2, also=peers, ready=("ready to serve", 50)),
        Line("the same by DNS, warm", "20 KB", m.ALL, 2.2, dns=True)]
    yield "patterns", "measure", lambda: pattern_lines(scratch, suites_dir(), messages["20 KB"])
    yield "million", "measure", lambda: [Line("million addresses, million nets", "2 KB", m.million(scratch),
                                              ready=("ready with a million addresses and a million nets", None))]
    yield "rules dispatch", "measure", lambda: [
        Line("5 rules", "2 KB", m.dispatch(5)), Line("10,000 rules, 5 touched", "2 KB", m.dispatch(10000))]
    yield "connections", "measure", lambda: [
        Line("SPF+DKIM+DMARC+A-R, %s conn.%s" % (format(n, ","), ", %d busy" % busy if busy else ""), "20 KB", m.ALL,
             connections=n, busy=busy) for busy in (0, 8) for n in ((1, 8, 64, 500, 2000) if busy == 0 else (64, 500, 2000))]
    yield "cold", "cold", lambda: [Line("cold caches, 6,000 domains", "2 KB", m.SPF, connections=8, dns=True,
                                        also=("opendmarc", "rspamd"))]
    yield "idle", "idle", lambda: [Line("1,000 idle connections, resident", "2 KB", m.ALL, also=peers)]
    yield "memory", "memory", lambda: [
        Line("a 50 MB message under SPF, DKIM and header rules, beyond an idle connection", "50 MB", m.ALL + m.ABOUT_HEADER, 1),
        Line("the same with rules about the text of the body (body-limit 1M)", "50 MB", m.ALL + m.ABOUT_TEXT, 2),
        Line("the same with rules about raw.body", "50 MB", m.ALL + m.ABOUT_RAW, 2)]
    yield "stall", "stall", lambda: [Line("p99 of 50 quick sessions beside 50 that wait for a dead name server", "2 KB", m.STALL, 20)]
    yield "reload", "reload", lambda: [Line("reload", "2 KB", m.large(scratch), 50, connections=8)]
    yield "questions", "questions", lambda: [None]

#!/usr/bin/python3
"""The SPF suites through spf_check().

usage: spf.py TOOL [SUITES | FILE.yml ...]

TOOL is the program built from spf_tool.c.  Without files: all *.yml of
SUITES/spf, $SUITES/spf or ../shared/suites/spf.  Prints a line a suite, "rfc7208: 203 of 203", then each case that
is not right with what was expected and what came out; those listed in
EXPECTED below count as expected.  Exits 1 if any other is wrong, or if one
listed there is right or gone wrong in another way.
"""

import glob
import ipaddress
import json
import os
import subprocess
import sys

import yaml

# Cases that can't be met: suite, case -> (what comes out, why).
EXPECTED = {
}

RECEIVER = 'receiver.example.org'


def octets(text):
    """What YAML has as characters up to U+00FF are octets."""
    try:
        return text.encode('latin-1')
    except UnicodeEncodeError:
        return text.encode('utf-8')


def escaped(data, extra):
    return ''.join(chr(c) if 0x20 < c < 0x7f and chr(c) not in extra
                   else '\\%03d' % c for c in data)


def zone_name(name):
    name = octets(str(name))
    if name.endswith(b'.'):
        name = name[:-1]
    return escaped(name, '\\;#"') or '.'


def zone_text(value):
    strings = value if isinstance(value, list) else [value]
    return ' '.join('"%s"' % escaped(octets(str(s)), '\\"') for s in strings
                    ) or '""'


def can_be_asked(name):
    labels = octets(str(name)).rstrip(b'.').split(b'.')
    return all(0 < len(l) < 64 for l in labels)


def zone_lines(name, entries):
    owner = zone_name(name)
    # Some write "- TIMEOUT: true".
    entries = [list(e)[0] if isinstance(e, dict) and True in e.values() else e
               for e in entries]
    types = {t for e in entries if isinstance(e, dict) for t in e}
    lines = []
    for e in entries:
        if e == 'TIMEOUT':
            # What else the name has is answered.
            if not types:
                lines.append('%s * TIMEOUT' % owner)
            elif not any('TXT' in e and e['TXT'] != 'NONE' for e in entries
                         if isinstance(e, dict)):
                lines.append('%s TXT TIMEOUT' % owner)
            continue
        if isinstance(e, str):      # RCODE of Mail::SPF's dialect
            lines.append('%s * %s' % (owner, 'NXDOMAIN' if e == 'NXDOMAIN'
                                      else 'SERVFAIL'))
            continue
        for kind, value in e.items():
            if kind == 'SPF':
                lines.append('%s SPF %s' % (owner, zone_text(value)))
                if 'TXT' not in types:
                    lines.append('%s TXT %s' % (owner, zone_text(value)))
            elif kind == 'TXT':
                if value != 'NONE':
                    lines.append('%s TXT %s' % (owner, zone_text(value)))
            elif kind == 'MX':
                if not value[1] or can_be_asked(value[1]):
                    lines.append('%s MX %d %s' % (owner, value[0],
                                                  zone_name(value[1])))
            elif kind in ('PTR', 'CNAME', 'NS'):
                if can_be_asked(value):
                    lines.append('%s %s %s' % (owner, kind, zone_name(value)))
            else:
                lines.append('%s %s %s' % (owner, kind, value))
    if 'TXT' in types and all(e.get('TXT') == 'NONE' for e in entries
                              if isinstance(e, dict) and 'TXT' in e) \
            and not any(l.startswith(owner + ' ') for l in lines):
        lines.append('%s A 192.0.2.255' % owner)
    return lines


def zone_of(zonedata):
    lines = []
    for name, entries in (zonedata or {}).items():
        if can_be_asked(name):
            lines += zone_lines(name, entries or [])
    return '\n'.join(lines) + '\n'


def netstring(data):
    return b'%d:%s,' % (len(data), data)


def main():
    tool = sys.argv[1]
    files = sys.argv[2:] or [os.environ.get('SUITES', '../shared/suites')]
    if len(files) == 1 and not files[0].endswith('.yml'):
        folder = os.path.join(files[0], 'spf')
        files = sorted(glob.glob(os.path.join(folder, '*.yml')))
    if not files:
        print('spf: skipped, no *.yml in', folder)
        return 0
    return max([run_suite(tool, f) for f in files])


def run_suite(tool, path):
    suite = os.path.basename(path)[:-len('.yml')].replace('-tests', '')
    cases, stdin = [], []
    with open(path, 'rb') as f:
        text = f.read().decode('utf-8', 'surrogateescape')
    try:
        docs = list(yaml.safe_load_all(text))
    except yaml.YAMLError as e:
        print('%s: no YAML: %s' % (suite, str(e).replace('\n', ' ')))
        return 1
    for doc in docs:
        if not doc or not doc.get('tests'):
            continue
        stdin.append(netstring(b'zone') + netstring(
            octets(zone_of(doc.get('zonedata')))))
        for name, case in doc['tests'].items():
            cases.append((str(name), case))
            stdin.append(netstring(b'case') + b''.join(
                netstring(octets(str(v))) for v in (
                    case['host'], case.get('helo') or '',
                    case.get('mailfrom') or '', RECEIVER)))
    out = subprocess.run([tool], input=b''.join(stdin),
                         stdout=subprocess.PIPE, check=False)
    got = [json.loads(line) for line in out.stdout.splitlines()]
    if out.returncode != 0 or len(got) != len(cases):
        print('%s: the tool ended with %d after %d of %d' % (
            suite, out.returncode, len(got), len(cases)))
        return 1
    return report(suite, cases, got)


def wanted(case):
    result = case['result']
    return [str(r).lower() for r in
            (result if isinstance(result, list) else [result])]


def is_right(case, got):
    if got['result'] not in wanted(case):
        return False
    if 'explanation' not in case or got['result'] != 'fail':
        return True
    text = case['explanation']
    return got.get('explanation') == ('' if text == 'DEFAULT' else text)


def shown(result, explanation):
    return result if explanation is None else \
        '%s "%s"' % (result, explanation)


def report(suite, cases, got):
    lines, right, bad = [], 0, False
    for (name, case), g in zip(cases, got):
        known = EXPECTED.get((suite, name))
        ok = is_right(case, g)
        right += ok
        if ok and known is None:
            continue
        expected = shown(' or '.join(wanted(case)), case.get('explanation'))
        came = shown(g['result'], g.get('explanation')
                     if 'explanation' in case else None)
        line = '  %s: expected %s, got %s' % (name, expected, came)
        if g.get('reason'):
            line += ' (%s)' % g['reason']
        if known is None:
            bad = True
        elif ok:
            line, bad = '  %s: right, but listed as wrong' % name, True
        elif known[0] != g['result']:
            line += ' - expected to be wrong, but as ' + known[0]
            bad = True
        else:
            line += ' - expected: ' + known[1]
        lines.append(line)
    print('%s: %d of %d' % (suite, right, len(cases)))
    for line in lines:
        print(line)
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())

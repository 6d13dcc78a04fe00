#!/usr/bin/python3
"""The SPF suites, *.yml in SUITES/spf, through spf_check().

usage: spf.py [TOOL [SUITES]]
"""
import glob
import os
import sys

import yaml

import runner

# Cases that can't be met: suite -> case -> why.
EXPECTED = {
}

RECEIVER = 'receiver.example.org'


def octets(text):
    """What YAML has as characters up to U+00FF are octets."""
    try:
        return text.encode('latin-1')
    except UnicodeEncodeError:
        return text.encode('utf-8')


def zone_name(name):
    name = octets(str(name))
    if name.endswith(b'.'):
        name = name[:-1]
    return runner.escaped(name, '\\;#"') or '.'


def zone_text(value):
    strings = value if isinstance(value, list) else [value]
    return ' '.join(runner.txt(octets(str(s))) for s in strings) or '""'


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


def wanted(case):
    result = case['result']
    return [str(r).lower() for r in (result if isinstance(result, list) else [result])]


def is_right(case, got):
    if got['result'] not in wanted(case):
        return False
    if 'explanation' not in case or got['result'] != 'fail':
        return True
    text = case['explanation']
    return got.get('explanation') == ('' if text == 'DEFAULT' else text)


def shown(result, explanation):
    return result if explanation is None else '%s "%s"' % (result, explanation)


def question(case):
    wanted(case)
    return netstring(b'case') + b''.join(netstring(octets(str(v))) for v in (
        case['host'], case.get('helo') or '', case.get('mailfrom') or '', RECEIVER))


def read_documents(result, path):
    """(name, case, question) of each that can be read."""
    try:
        documents = list(yaml.safe_load_all(runner.read_text(path)))
    except Exception as error:
        result.malformed(os.path.basename(path), error)
        return
    for n, document in enumerate(documents, 1):
        if document is None:
            continue
        try:
            tests = (document.get('tests') or {}).items()
            zone = netstring(b'zone') + netstring(octets(zone_of(document.get('zonedata'))))
        except Exception as error:
            result.malformed('document %d' % n, error)
            continue
        for name, case in tests:
            try:
                yield str(name), case, (zone, question(case))
            except Exception as error:
                result.malformed(name, error)


def run_suite(tool, path):
    suite = os.path.basename(path)[:-len('.yml')].replace('-tests', '')
    result = runner.Result(suite, EXPECTED.get(suite))
    cases = list(read_documents(result, path))
    if not cases and not result.total:
        return result.skip('no cases in ' + path)
    answers = runner.ask_json([tool], [q for _, _, q in cases])
    for (name, case, _), (got, line) in zip(cases, answers, strict=True):
        expected = shown(' or '.join(wanted(case)), case.get('explanation'))
        if got is None:
            result.add(name, False, expected, line)
            continue
        came = shown(got['result'], got.get('explanation') if 'explanation' in case else None)
        if got.get('reason'):
            came += ' (%s)' % got['reason']
        result.add(name, is_right(case, got), expected, came)
    return result


def results(tool, suites):
    folder = os.path.join(suites, 'spf')
    files = sorted(glob.glob(os.path.join(glob.escape(folder), '*.yml')))
    if not files:
        yield runner.Result('spf').skip('no %s' % os.path.join(folder, '*.yml'))
    for path in files:
        yield run_suite(tool, path)


if __name__ == '__main__':
    sys.exit(runner.main('spf', results))

#!/usr/bin/python3
"""The DMARC suites: evaluations by both RFCs, records, registrable domains.

usage: dmarc.py [TOOL [SUITES]]

TOOL is the program built from dmarc_tool.c.  Prints a line a suite,
"dmarc-evaluate-rfc9989: 106 of 106", then each case that is not right with
what was expected and what came out; those listed in EXPECTED below count as
expected.  Exits 1 if any other is wrong, or if one listed there is right.
"""
import json
import os
import subprocess
import sys

# Cases that can't be met: suite, case -> why.
EXPECTED = {
    ('dmarc-record-parse', 'v=DMARC1 (mail-dmarc t/01.Policy.t)'):
        'the suite has this record twice, the other time as not valid: '
        'without p and rua there is nothing to follow',
}

tool = sys.argv[1] if len(sys.argv) > 1 else os.environ.get('BUILD', 'build') + '/tests/conformance/dmarc_tool'
suites = sys.argv[2] if len(sys.argv) > 2 else os.environ.get('SUITES', '../shared/suites')
folder = os.path.join(suites, 'dmarc')
psl = os.path.join(folder, 'public_suffix_list.dat')


def text(s):
    return s.encode().hex() or '-'


def run(lines, args=()):
    out = subprocess.run([tool, *args], input=''.join(l + '\n' for l in lines),
                         capture_output=True, text=True).stdout.splitlines()
    return out + ['no answer'] * (len(lines) - len(out))


def read(name, suite, form):
    """The cases of a file that form(line) can read, and the wrong ones as report() takes them."""
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        print('%s: skipped, no %s' % (suite, path))
        return None, []
    cases, wrong = [], []
    with open(path, encoding='utf-8') as f:
        for n, line in enumerate(f, 1):
            if not line.strip() or (name.endswith('.tsv') and line[0] == '#'):
                continue
            try:
                cases.append(form(line.rstrip('\n')))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                wrong.append(('line %d' % n, 'a case', 'malformed: %r' % error))
    return cases, wrong


def report(suite, cases):
    """cases: name, expected, got.  Returns 1 if one is wrong unexpectedly."""
    wrong = [(n, e, g) for n, e, g in cases if e != g]
    print('%s: %d of %d' % (suite, len(cases) - len(wrong), len(cases)))
    bad = 0
    for name, expected, got in wrong:
        why = EXPECTED.get((suite, name))
        print('  %s %s: expected %s, got %s%s' % (
            suite, name, expected, got, ' (expected: %s)' % why if why else ''))
        bad |= why is None
    names = {n for n, _, _ in cases} - {n for n, _, _ in wrong}
    for s, name in EXPECTED:
        if s == suite and name in names:
            print('  %s %s: right, though it is listed as an expected failure' % (suite, name))
            bad = 1
    return bad


# ---- Evaluations ----

def zone(dns):
    lines = []
    for name, entry in dns.items():
        if isinstance(entry, str):
            lines.append('%s * %s' % (name, entry))
            continue
        for kind, values in entry.items():
            for v in values:
                if kind == 'TXT':
                    v = '"%s"' % v.replace('\\', '\\\\').replace('"', '\\"')
                lines.append('%s %s %s' % (name, kind, v))
    return '\n'.join(lines) + '\n'


def evaluation(case, spec):
    ids = [case['spf'] or {}] + case['dkim']
    words = ['evaluate', spec, text(case['from']), text(zone(case['dns']))]
    for i in ids:
        words += [i.get('result') or '-', text(i.get('domain') or '')]
    return ' '.join(words)


def outcome(line, wanted):
    words = (line.split() + ['?'] * 5)[:5]
    got = {'result': words[0],
           'policy': None if words[1] == '-' else words[1],
           'record_at': None if words[2] == '-' else words[2],
           'spf_aligned': words[3] == 'true',
           'dkim_aligned': words[4] == 'true'}
    # null where the suite has no opinion, since there is nothing to align with.
    return {k: None if wanted[k] is None and v is False else v for k, v in got.items()}


KEYS = ('result', 'policy', 'record_at', 'spf_aligned', 'dkim_aligned')


def read_evaluation(line):
    case = json.loads(line)
    for spec, wanted in case['expect'].items():
        evaluation(case, spec)
        [wanted[k] for k in KEYS]
    case['id']
    return case


def evaluations():
    cases, wrong = read('evaluate.jsonl', 'dmarc-evaluate', read_evaluation)
    if cases is None:
        return 0
    bad = 0
    for spec in ('rfc9989', 'rfc7489'):
        mine = [c for c in cases if spec in c['expect']]
        if spec == 'rfc7489' and not os.path.exists(psl):
            print('dmarc-evaluate-rfc7489: skipped, no', psl)
            continue
        lines = run([evaluation(c, spec) for c in mine], [psl] if spec == 'rfc7489' else [])
        results = []
        for c, line in zip(mine, lines, strict=True):
            wanted = {k: c['expect'][spec][k] for k in KEYS}
            results.append((c['id'], wanted, outcome(line, wanted)))
        bad |= report('dmarc-evaluate-' + spec, results + wrong)
    return bad


# ---- Records ----

def read_record(line):
    case = json.loads(line)
    case['record'].encode(), case['source'], case['valid'], case.get('expect', {}).items()
    return case


def records():
    """Its sources know RFC 7489, which is the stricter grammar."""
    cases, wrong = read('record-parse.jsonl', 'dmarc-record-parse', read_record)
    if cases is None:
        return 0
    # One source's tabs came as a backslash and a t.
    lines = run(['record %s %s' % ('rfc9989' if 'expect' in c else 'rfc7489',
                                   text(c['record'].replace('\\t', '\t'))) for c in cases])
    results = []
    for c, line in zip(cases, lines, strict=True):
        kind, p, sp, np, adkim, aspf, *defect = (line.split() + ['?'] * 6)[:6] if len(line.split()) < 6 else line.split()
        wanted, got = {'valid': c['valid']}, {'valid': kind == 'policy'}
        if kind == 'policy' and defect and not defect[0].startswith(('p=', 'sp=', 'np=')):
            got['valid'] = False
        if ' '.join(defect) == 'p= is not the second tag':
            got['valid'] = False
        for key, value in (('p', p), ('sp', sp), ('np', np), ('adkim', adkim), ('aspf', aspf)):
            if key in c.get('expect', {}):
                wanted[key], got[key] = c['expect'][key], value
        if got != wanted and defect:
            got['why'] = ' '.join(defect)
        results.append(('%s (%s)' % (c['record'], c['source']), wanted, got))
    return report('dmarc-record-parse', results + wrong)


# ---- The public suffix list ----

def a_label(name):
    return '.'.join(l.encode('idna').decode() for l in name.split('.')) if name != '-' else name


def read_suffix(line):
    name, domain = line.split('\t')
    return name, a_label(domain)


def suffixes():
    if not os.path.exists(psl):
        print('dmarc-psl-tests: skipped, no', psl)
        return 0
    cases, wrong = read('psl-tests.tsv', 'dmarc-psl-tests', read_suffix)
    if cases is None:
        return 0
    lines = run(['registrable ' + text(name) for name, _ in cases], [psl])
    return report('dmarc-psl-tests', [
        (name, domain, got)
        for (name, domain), got in zip(cases, lines, strict=True)] + wrong)


sys.exit(max([evaluations(), records(), suffixes()]))

#!/usr/bin/python3
"""The DMARC suites: evaluations by both RFCs, records, registrable domains.

usage: dmarc.py [TOOL [SUITES]]

"""
import json
import os
import sys

import runner

# Records that can't be met -> why.
EXPECTED = {
    'v=DMARC1 (mail-dmarc t/01.Policy.t)':
        'the suite has this record twice, the other time as not valid: '
        'without p and rua there is nothing to follow',
}


def text(s):
    return s.encode('utf-8', 'surrogatepass').hex() or '-'


def ask(tool, lines, *args):
    return runner.ask([tool, *args], [line.encode() + b'\n' for line in lines])


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
                    v = runner.txt(v.encode())
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


SPECS = ('rfc9989', 'rfc7489')
KEYS = ('result', 'policy', 'record_at', 'spf_aligned', 'dkim_aligned')


def read_evaluation(line):
    case = json.loads(line)
    for spec, wanted in case['expect'].items():
        evaluation(case, spec).encode()
        [wanted[k] for k in KEYS]
    runner.must(any(spec in case['expect'] for spec in SPECS), 'expect has none of ' + ' '.join(SPECS))
    case['id']
    return case


def evaluations(tool, path, psl, spec):
    result = runner.Result('dmarc-evaluate-' + spec)
    cases = runner.read_lines(result, path, read_evaluation)
    if spec == 'rfc7489' and cases is not None and not os.path.exists(psl):
        return result.skip('no ' + psl)
    cases = [c for c in cases or [] if spec in c['expect']]
    if not cases and not result.total:
        return result.skip('no cases in ' + path)
    lines = ask(tool, [evaluation(c, spec) for c in cases], *([psl] if spec == 'rfc7489' else []))
    for case, line in zip(cases, lines, strict=True):
        want = {k: case['expect'][spec][k] for k in KEYS}
        got = outcome(line, want)
        result.add(case['id'], got == want, want, line if line.startswith('no answer') else got)
    return result


# ---- Records ----

def read_record(line):
    case = json.loads(line)
    case['record'].encode(), case['source'], case['valid'], case.get('expect', {}).items()
    return case


def read_answer(case, line):
    """What is wanted of a record, and what came."""
    words = line.split()
    kind, p, sp, np, adkim, aspf, *defect = words + ['?'] * (6 - len(words))
    want, got = {'valid': case['valid']}, {'valid': kind == 'policy'}
    if kind == 'policy' and defect and not defect[0].startswith(('p=', 'sp=', 'np=')):
        got['valid'] = False
    if ' '.join(defect) == 'p= is not the second tag':
        got['valid'] = False
    for key, value in (('p', p), ('sp', sp), ('np', np), ('adkim', adkim), ('aspf', aspf)):
        if key in case.get('expect', {}):
            want[key], got[key] = case['expect'][key], value
    if got != want and defect:
        got['why'] = ' '.join(defect)
    return want, line if line.startswith('no answer') else got


def records(tool, path):
    """Its sources know RFC 7489, which is the stricter grammar."""
    result = runner.Result('dmarc-record-parse', EXPECTED)
    cases = runner.read_lines(result, path, read_record) or []
    # One source's tabs came as a backslash and a t.
    lines = ask(tool, ['record %s %s' % ('rfc9989' if 'expect' in c else 'rfc7489',
                                         text(c['record'].replace('\\t', '\t'))) for c in cases])
    for case, line in zip(cases, lines, strict=True):
        want, got = read_answer(case, line)
        result.add('%s (%s)' % (case['record'], case['source']), got == want, want, got)
    return result


# ---- The public suffix list ----

def a_label(name):
    return '.'.join(l.encode('idna').decode() for l in name.split('.')) if name != '-' else name


def read_suffix(line):
    if line.startswith('#'):
        return None
    name, domain = line.split('\t')
    return name, a_label(domain)


def suffixes(tool, path, psl):
    result = runner.Result('dmarc-psl-tests')
    cases = runner.read_lines(result, path, read_suffix)
    if cases is not None and not os.path.exists(psl):
        return result.skip('no ' + psl)
    cases = cases or []
    lines = ask(tool, ['registrable ' + text(name) for name, _ in cases], psl)
    for (name, domain), got in zip(cases, lines, strict=True):
        result.add(name, got == domain, domain, got)
    return result


def results(tool, suites):
    folder = os.path.join(suites, 'dmarc')
    if not os.path.isdir(folder):
        yield runner.Result('dmarc').skip('no ' + folder)
        return
    psl = os.path.join(folder, 'public_suffix_list.dat')
    for spec in SPECS:
        yield evaluations(tool, os.path.join(folder, 'evaluate.jsonl'), psl, spec)
    yield records(tool, os.path.join(folder, 'record-parse.jsonl'))
    yield suffixes(tool, os.path.join(folder, 'psl-tests.tsv'), psl)


if __name__ == '__main__':
    sys.exit(runner.main('dmarc', results))

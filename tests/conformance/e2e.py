#!/usr/bin/python3
"""Whole messages with their zones: every folder of e2e through postern judge.

usage: e2e.py [POSTERN [SUITES]]

Compares the results of SPF, DKIM and DMARC with those stated, once with each
of DMARC's RFCs.  Prints "e2e-rfc9989: 28 of 28", then each case that is not
right with what was expected and what came out; those listed in EXPECTED below
count as expected.  Exits 1 if any other is wrong, or if one listed there is
right.
"""
import json
import os
import subprocess
import sys
import tempfile

SHA1 = 'signed with rsa-sha1, which never passes (RFC 8301)'
# Cases that can't be met: suite, case, method -> why.
EXPECTED = {
    ('rfc9989', 'authmilter-dmarc_reject_wl-dmarc_reject_wl', 'dkim'): SHA1,
    ('rfc7489', 'authmilter-dmarc_reject_wl-dmarc_reject_wl', 'dkim'): SHA1,
    ('rfc9989', 'rspamd-DMARC-SUBDOMAIN-PASS-SPF-RELAXED-ALIGNMENT', 'dmarc'):
        'stated by RFC 7489: mom.za.org is registrable, but has no record, '
        'so that no tree walk leads there',
}

# One rule that asks for everything and changes nothing.
RULES = '''set authentication-results off
set dmarc %s
rule results
    then log "spf=${spf} dkim=${dkim} dmarc=${dmarc}"
'''

postern = sys.argv[1] if len(sys.argv) > 1 else ''
if not os.access(postern, os.X_OK):
    postern = os.environ.get('POSTERN', os.environ.get('BUILD', 'build') + '/postern')
suites = sys.argv[2] if len(sys.argv) > 2 else os.environ.get('SUITES', '../shared/suites')
folder = os.path.join(suites, 'e2e')
psl = os.path.join(suites, 'dmarc', 'public_suffix_list.dat')


def judge(rules, case, expect):
    """The results by method."""
    path = os.path.join(folder, case)
    out = subprocess.run(
        [postern, 'judge', '-c', rules, '--json', '--zone', os.path.join(path, 'zone'),
         '--client', expect['client']['ip'], '--helo', expect['client']['helo'],
         '--sender', '<%s>' % (expect.get('mail_from') or '').strip('<>'),
         '--rcpt', '<%s>' % (expect.get('rcpt_to') or ['x@receiver.example'])[0].strip('<>'),
         os.path.join(path, 'message.eml')],
        capture_output=True, text=True, check=False)
    if out.returncode != 0:
        return {'postern': out.stderr.strip() or out.returncode}
    notes = json.loads(out.stdout)['notes']
    return dict(word.split('=', 1) for n in notes for word in n['text'].split())


def run(spec):
    cases, good, wrong, bad = sorted(os.listdir(folder)), 0, [], 0
    cases = [c for c in cases if os.path.exists(os.path.join(folder, c, 'expect.json'))]
    with tempfile.NamedTemporaryFile('w', suffix='.rules') as f:
        f.write(RULES % spec)
        if spec == 'rfc7489' and os.path.exists(psl):
            f.write('set public-suffix-list "%s"\n' % os.path.abspath(psl))
        f.flush()
        for case in cases:
            with open(os.path.join(folder, case, 'expect.json'), encoding='utf-8') as e:
                expect = json.load(e)
            stated = {m: r for m, r in expect['stated'].items() if m in ('spf', 'dkim', 'dmarc')}
            got = judge(f.name, case, expect)
            # Several results of a method are those of several domains.
            off = [m for m, r in stated.items() if got.get(m) not in r]
            good += not off
            for m in off:
                wrong.append((case, m, stated[m], got.get(m, got)))
            for s, c, m in EXPECTED:
                if s == spec and c == case and m not in off:
                    wrong.append((case, m, ['a failure'], 'right, though it is listed'))
    print('e2e-%s: %d of %d' % (spec, good, len(cases)))
    for case, method, expected, got in wrong:
        why = EXPECTED.get((spec, case, method)) if expected != ['a failure'] else None
        print('  %s: %s: expected %s, got %s%s' % (
            case, method, ' or '.join(expected), got, ' (expected: %s)' % why if why else ''))
        bad |= why is None
    return bad


if not os.path.isdir(folder):
    print('e2e: skipped, no', folder)
    sys.exit(0)
sys.exit(max([run('rfc9989'), run('rfc7489')]))

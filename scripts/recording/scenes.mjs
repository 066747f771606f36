// The recordings of docs/tools.md, in the order in which they are made. To add one: an object here, and
// `<!-- recorded: NAME -->` with `<!-- end of recorded -->` in the page.
//
// `before` makes what the lines find. Once their output has `once`, `during` runs, beside them.

const TAPPED = 'time ';

export const scenes = [
  {
    name: 'bus',
    lines: [
      'oslo-bus context save ctl1 --transport-url rabbit://nova:secret@ctl1/ --exchange nova --management-url http://ctl1:15672 --select',
    ],
  },
  { name: 'why', lines: ['oslo-bus why conductor --namespace baseapi --version 1.1'] },
  { name: 'why-nobody', lines: ['oslo-bus why conductor.host7'] },
  { name: 'why-version', lines: ['oslo-bus why conductor.host2 --version 3.12'] },
  { name: 'call', lines: ['oslo-bus call conductor baseapi.ping arg=hi'] },
  {
    name: 'call-fails',
    lines: [
      'oslo-bus call conductor baseapi.fail',
      'oslo-bus call conductor baseapi.slow seconds:=3 --timeout 1s',
      'oslo-bus call conductor.host7 ping',
    ],
  },
  {
    name: 'cast',
    lines: ['oslo-bus cast conductor.host1 ping arg=hi', 'oslo-bus fanout conductor ping arg=all --version 3.11'],
  },
  {
    name: 'ping',
    lines: [
      'oslo-bus ping conductor --all --namespace baseapi --version 1.1',
      'oslo-bus ping conductor --servers host1,host7',
    ],
  },
  { name: 'versions', lines: ['oslo-bus versions conductor --all --from 3.12 --yes'] },
  {
    name: 'tap-binding',
    lines: ['oslo-bus tap --topic conductor --topic conductor.host1 --notifications notifications --for 6s'],
    once: TAPPED,
    during: (stage) => stage.ask('traffic'),
  },
  {
    name: 'tap',
    before: (stage) => stage.firehose(true),
    lines: ['oslo-bus tap --for 6s'],
    once: TAPPED,
    during: (stage) => stage.ask('traffic'),
  },
  {
    name: 'record',
    lines: ['oslo-bus record rec.ndjson --for 6s'],
    once: 'tap: firehose',
    during: (stage) => stage.ask('traffic'),
  },
  { name: 'trace', lines: ['oslo-bus trace req-1111aaaa-0000-4000-8000-000000000001 --from rec.ndjson'] },
  { name: 'replay', lines: ['oslo-bus replay rec.ndjson'] },
  {
    name: 'replay-compare',
    lines: ['oslo-bus replay rec.ndjson --send --same-bus --allow-masked --kinds call --compare --speed 10'],
  },
  {
    name: 'top',
    lines: ['oslo-bus top --interval 5s --count 1'],
    once: 'tap: firehose',
    during: (stage) => stage.ask('traffic'),
  },
  {
    name: 'listen',
    before: (stage) => stage.firehose(false),
    lines: ['oslo-bus listen --count 3'],
    once: 'listen: ',
    during: (stage) => stage.ask('notifications'),
  },
  { name: 'notify', lines: ['oslo-bus notify compute.instance.create.end id=i1 state=active'] },
  {
    name: 'serve',
    before: (stage) =>
      stage.write('routes.json', {
        'get_*': { reply: { state: 'active' } },
        find_host: { fail: 'nova.exception.HostNotFound:no such host', delay: '200ms' },
        sum: { exec: 'jq .args.a+.args.b' },
      }),
    lines: ['cat routes.json', 'oslo-bus serve standin --server host9 --routes routes.json --echo --count 4'],
    once: 'serve: stands in',
    during: (stage) =>
      stage.record('serve-callers', [
        'oslo-bus call standin get_server id=i1',
        'oslo-bus call standin find_host name=h1',
        'oslo-bus call standin sum a:=1 b:=2',
        'oslo-bus call standin other x=y',
      ]),
  },
  {
    name: 'bench',
    lines: ["oslo-bus bench call scheduler --version 4.5 --rate 100/s --duration 5s --expect 'p99<5s,errors=0'"],
  },
  { name: 'why-waiting', before: (stage) => stage.ask('abandon'), lines: ['oslo-bus why compute.cmp14'] },
  {
    name: 'doctor',
    before: (stage) => stage.ask('notify_on'),
    lines: ['oslo-bus doctor'],
  },
  { name: 'doctor-nagios', lines: ['oslo-bus doctor --format nagios'] },
  { name: 'topology', before: (stage) => stage.ask('notify_off'), lines: ['oslo-bus topology --exchange nova'] },
  {
    name: 'context',
    lines: [
      'oslo-bus context save lab --transport-url rabbit://nova:secret@lab1/ --exchange nova --read-only',
      'oslo-bus context ls',
      'oslo-bus context check ctl1',
      'oslo-bus context show lab',
    ],
  },
  { name: 'completion', lines: ['oslo-bus context s<TAB><TAB>', 'oslo-bus ping conductor --context <TAB><TAB>'] },
  { name: 'help', lines: ['oslo-bus help filters'] },
];

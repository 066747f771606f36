// The recordings of docs/tools.md, in the order in which they are made. To add one: an object here, and
// `<!-- recorded: NAME -->` with `<!-- end of recorded -->` in the page.
//
// `before` makes what the lines find. Once their output has `once`, `during` runs, beside them. `shows` are words without which a
// recording does not say what the page says.

const TAPPED = 'time ';
const ROUTES = `{
  "get_*": { "reply": { "state": "active" } },
  "find_host": { "fail": "nova.exception.HostNotFound:no such host", "delay": "200ms" },
  "sum": { "exec": "jq .args.a+.args.b" }
}
`;

export const scenes = [
  {
    name: 'bus',
    lines: [
      'oslo-bus context save ctl1 --transport-url rabbit://nova:secret@ctl1/ --exchange nova --management-url http://ctl1:15672 --select',
    ],
  },
  { name: 'why', shows: ['ok    in time'], lines: ['oslo-bus why conductor --namespace baseapi --version 1.1'] },
  { name: 'why-nobody', shows: ['host1, host2'], lines: ['oslo-bus why conductor.host7'] },
  { name: 'why-version', shows: ['serves: 3.11'], lines: ['oslo-bus why conductor.host2 --version 3.12'] },
  { name: 'call', shows: ['pong'], lines: ['oslo-bus call conductor baseapi.ping arg=hi'] },
  {
    name: 'call-fails',
    shows: ['FAIL', 'TIMED OUT', 'oslo-bus: '],
    lines: [
      'oslo-bus call conductor baseapi.fail',
      'oslo-bus call conductor baseapi.slow seconds:=3 --timeout 1s',
      'oslo-bus call conductor.host7 ping',
    ],
  },
  {
    name: 'cast',
    shows: ['fanout'],
    lines: [
      'oslo-bus cast conductor.host1 baseapi.ping arg=hi',
      'oslo-bus fanout conductor ping arg=all --version 3.11',
    ],
  },
  {
    name: 'ping',
    shows: ['host2  alive', 'NOBODY'],
    lines: [
      'oslo-bus ping conductor --all --namespace baseapi --version 1.1',
      'oslo-bus ping conductor --servers host1,host7 --version 3.11',
    ],
  },
  { name: 'versions', shows: ['behind: '], lines: ['oslo-bus versions conductor --all --from 3.12 --yes'] },
  {
    name: 'tap-binding',
    shows: ['fanout', 'INFO'],
    // The queue of notifications is there then, and found at once.
    before: (stage) => stage.ask('notifications'),
    lines: ['oslo-bus tap --topic conductor --topic conductor.host1 --notifications notifications --for 4s'],
    once: TAPPED,
    during: (stage) => stage.ask('traffic'),
  },
  {
    name: 'tap',
    shows: ['ok', 'FAIL', 'queues: 2', 'DEADLINE', 'LATE', 'NOBODY'],
    before: (stage) => stage.firehose(true),
    lines: ['oslo-bus tap --for 4s'],
    once: TAPPED,
    during: (stage) => stage.ask('traffic'),
  },
  {
    name: 'record',
    lines: ['oslo-bus record rec.ndjson --for 4s'],
    once: 'tap: firehose',
    during: (stage) => stage.ask('traffic'),
  },
  {
    name: 'trace',
    shows: ['LATE', 'FAIL', 'INFO'],
    lines: ['oslo-bus trace req-1111aaaa-0000-4000-8000-000000000001 --from rec.ndjson'],
  },
  { name: 'replay', shows: ['a dry run'], lines: ['oslo-bus replay rec.ndjson'] },
  {
    name: 'replay-compare',
    shows: ['5 of 5 sent'],
    lines: ['oslo-bus replay rec.ndjson --send --same-bus --allow-masked --kinds call --compare --speed 10'],
  },
  {
    name: 'top',
    shows: ['notification'],
    lines: ['oslo-bus top --interval 4s --count 1'],
    once: 'tap: firehose',
    during: (stage) => stage.ask('traffic'),
  },
  {
    name: 'listen',
    shows: ['3 shown'],
    before: (stage) => stage.firehose(false),
    lines: ['oslo-bus listen --count 3'],
    once: 'listen: ',
    during: (stage) => stage.ask('notifications'),
  },
  {
    name: 'notify',
    shows: ['nobody consumes'],
    lines: ['oslo-bus notify compute.instance.create.end id=i1 state=active'],
  },
  {
    name: 'serve',
    shows: ['4 requests'],
    before: (stage) => stage.write('routes.json', ROUTES),
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
    shows: ['answered 300'],
    lines: ["oslo-bus bench call scheduler --version 4.5 --rate 100/s --duration 3s --expect 'p99<5s,errors=0'"],
  },
  {
    name: 'why-waiting',
    shows: ['120 messages'],
    before: (stage) => stage.ask('abandon'),
    lines: ['oslo-bus why compute.cmp14'],
  },
  {
    name: 'doctor',
    shows: ['SRV-NO-CONSUMER', 'NOTE-NOBODY', 'SRV-GHOST'],
    before: (stage) => stage.ask('notify_on'),
    lines: ['oslo-bus doctor'],
  },
  { name: 'doctor-nagios', shows: ['CRITICAL'], lines: ['oslo-bus doctor --format nagios'] },
  {
    name: 'topology',
    shows: ['nova-scheduler:'],
    before: (stage) => stage.ask('notify_off'),
    lines: ['oslo-bus topology --exchange nova'],
  },
  {
    name: 'context',
    shows: ['is there'],
    lines: [
      'oslo-bus context save lab --transport-url rabbit://nova:secret@lab1/ --exchange nova --read-only',
      'oslo-bus context ls',
      'oslo-bus context check ctl1',
      'oslo-bus context show lab',
    ],
  },
  {
    name: 'completion',
    shows: ['select', 'ctl1  lab'],
    lines: [
      'oslo-bus completion bash | head -4',
      'oslo-bus context s<TAB><TAB>',
      'oslo-bus ping conductor --context <TAB><TAB>',
    ],
  },
  { name: 'help', lines: ['oslo-bus help filters'] },
];

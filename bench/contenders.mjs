// Who takes part: how its two sides are loaded, and of what it is a measure.
const node = (file, about, pick = (module) => module) => ({
  about,
  load: async () => pick(await import(new URL(file, import.meta.url).href)),
});
const python = (version, about) => ({ about, python: version });

/** In the order of the tables. A pair is the client of one with the server of the other. */
export const contenders = {
  nest: node('./contenders/oslo-nest.mjs', 'this library through Nest', ({ nest }) => nest('nestjs-oslo-messaging')),
  core: node('./contenders/oslo-core.mjs', 'this library without Nest', ({ core }) => core('nestjs-oslo-messaging')),
  'nest-before': node('./contenders/oslo-nest.mjs', 'another build (--against)', ({ nest }) =>
    nest('nestjs-oslo-messaging-before'),
  ),
  'core-before': node('./contenders/oslo-core.mjs', 'another build (--against)', ({ core }) =>
    core('nestjs-oslo-messaging-before'),
  ),
  'nest-rmq': node('./contenders/nest-rmq.mjs', "Nest's RMQ transport, noDelay: neither acks nor confirms"),
  golevelup: node('./golevelup/contender.mjs', '@golevelup/nestjs-rabbitmq, noDelay'),
  raw: node('./contenders/raw.mjs', 'amqplib, our wire: gathered writes, acks per tick, confirms', (m) => m.gathered),
  'raw-plain': node('./contenders/raw.mjs', 'amqplib, our wire: each write, ack and confirm alone', (m) => m.plain),
  'raw-direct': node(
    './contenders/raw.mjs',
    'amqplib, direct reply-to, one JSON, no acks or confirms',
    (m) => m.direct,
  ),
  'python-18': python('18.3.1', 'oslo.messaging 18.3.1'),
  'python-14': python('14.0.3', 'oslo.messaging 14.0.3'),
  'core>python-18': { about: 'our client, their server', client: 'core', server: 'python-18' },
  'core>python-14': { about: 'our client, their server', client: 'core', server: 'python-14' },
  'python-18>core': { about: 'their client, our server', client: 'python-18', server: 'core' },
  'python-14>core': { about: 'their client, our server', client: 'python-14', server: 'core' },
};

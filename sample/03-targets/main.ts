import { connectBroker, RpcClient, RpcServer } from 'nestjs-oslo-messaging';

// The same without Nest: what a target's parts do.
const url = process.env.OSLO_TRANSPORT_URL ?? 'memory://';
const broker = await connectBroker(url);
const target = { exchange: 'nova', topic: 'compute' };
const heard: string[] = [];
broker.events.subscribe(() => {}); // refused requests would be printed as well

const servers = ['host1', 'host2', 'host3'].map(
  (server) =>
    new RpcServer(broker, { ...target, server }, [
      // Two versions of one API side by side: majors are separate, minors are compatible downwards.
      { version: '1.4', methods: { whoami: () => `${server} in version 1`, note: () => heard.push(server) } },
      { version: '2.0', methods: { whoami: () => `${server} in version 2` } },
    ]),
);
for (const server of servers) await server.start();

console.log('Exchanges: nova (topic, for call and cast) and compute_fanout (fanout)');
for (const server of servers) console.log(`  a server consumes ${server.queues.join(', ')}`);

const client = new RpcClient(broker, target);
console.log('Any of them: the queue "compute" is shared, whoever is free takes the request');
console.log(`  ${String(await client.call('whoami'))}`);

console.log('One chosen server: its own queue');
console.log(`  ${String(await client.prepare({ server: 'host2' }).call('whoami'))}`);

console.log('All of them: each has a fanout queue of its own');
await client.fanout('note');
while (heard.length < servers.length) await new Promise((resolve) => setImmediate(resolve));
console.log(`  ${heard.sort().join(', ')}`);

console.log('Versions: 1.3 is served by the 1.4 interface, 2.0 by its own, 1.9 and 3.0 by nobody');
for (const version of ['1.3', '2.0', '1.9', '3.0']) {
  const answer = await client
    .prepare({ version })
    .call('whoami')
    .catch((error: Error) => `${error.name}: ${error.message}`);
  console.log(`  ${version}: ${String(answer)}`);
}

await client.close();
for (const server of servers) await server.close();
await broker.close();

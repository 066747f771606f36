import { setTimeout as delay } from 'node:timers/promises';
import { type IncomingRequest, NotificationListener, RpcServer } from '../../../lib/index.js';
import { observedBroker, openJournal, settings, takeCommands } from './program.js';

// One server of the topic `work`, and one listener: writes down whatever it is asked to do.
const given = settings();
const { name, url } = given;
const journal = openJournal(given);
const broker = observedBroker(url, given.options, `${name}/rpc`, journal);
const durable = observedBroker(url, given.durable, `${name}/notify`, journal);

async function work({ id, ms }: { id: string; ms: number }, request: IncomingRequest): Promise<string> {
  const { redelivered, uniqueId } = request;
  journal.write({ is: 'ran', id, server: name, redelivered, uniqueId });
  if (ms > 0) await delay(ms);
  return id;
}

const server = new RpcServer(broker, { exchange: 'nova', topic: 'work', server: name }, [{ methods: { work } }]);
const listener = new NotificationListener(
  durable,
  [
    {
      priorities: 'info',
      handler: ({ payload }) => {
        journal.write({ is: 'heard', id: (payload as { id: string }).id, server: name });
      },
    },
  ],
  { exchange: 'events' },
);

async function leave(): Promise<void> {
  await Promise.all([server.close(), listener.close()]);
  await Promise.all([broker.close(), durable.close()]);
  // Nothing of the library may keep the process alive from here on.
  process.disconnect?.();
  process.removeAllListeners('disconnect');
}
process.once('SIGTERM', () => void leave());

await Promise.all([server.start(), listener.start()]);
takeCommands({ counters: () => server.counters });

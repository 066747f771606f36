import { InFlight } from '../../lib/broker/bounds/in-flight.js';
import { Session } from '../../lib/broker/engine/connection/session.js';
import { AckLedger } from '../../lib/broker/engine/consume/ack-ledger.js';
import { ConsumeChannel } from '../../lib/broker/engine/consume/consume-channel.js';
import { ConsumerHealth } from '../../lib/broker/engine/consume/consumer-health.js';
import { ConsumerLosses } from '../../lib/broker/engine/consume/consumer-losses.js';
import { MissingQueues } from '../../lib/broker/engine/publish/missing-queues.js';
import { MessageQueue } from '../../lib/broker/engine/publish/message-queue.js';
import { PendingMessage } from '../../lib/broker/engine/publish/pending-message.js';
import { PublishChannel } from '../../lib/broker/engine/publish/publish-channel.js';
import { Publisher } from '../../lib/broker/engine/publish/publisher.js';

/** A mistake: what it breaks, and how it is made. */
interface Mutation {
  readonly breaks: string;
  /** Returns what undoes it. */
  plant(): () => void;
}

interface Inside {
  [name: string]: (...args: never[]) => unknown;
}

/** Replaces a method, private ones too; returns what puts it back. */
function replace(
  type: { prototype: object },
  name: string,
  by: (original: never) => (...args: never[]) => unknown,
): () => void {
  const prototype = type.prototype as Inside;
  const original = prototype[name]!;
  prototype[name] = by(original as never);
  return () => void (prototype[name] = original);
}

const wellness = { isStuck: false, missing: [], stalled: [], shared: [] };

/** Ten mistakes that the simulator has to find, each within 10 000 seeds. */
export const mutations: Readonly<Record<string, Mutation>> = {
  'in-flight-kept': {
    breaks: 'in-flight is counted and released once',
    plant: () => replace(InFlight, 'release', () => () => undefined),
  },
  'lost-confirms-forgotten': {
    breaks: 'a message whose confirm was lost goes out again',
    plant: () => replace(Publisher, 'sortOutUnconfirmed', () => () => true),
  },
  'expiration-left-out': {
    breaks: 'whoever has ended sends nothing more, and expiration shrinks by the waiting',
    plant: () => replace(PendingMessage, 'expiration', () => () => undefined),
  },
  'nack-taken-for-confirm': {
    breaks: 'a nacked message goes out again',
    plant: () =>
      replace(
        Publisher,
        'nacked',
        () =>
          function confirmed(this: Publisher, ...args: Parameters<Publisher['nacked']>) {
            this.confirmed(...args);
          },
      ),
  },
  'ack-left-out': {
    breaks: 'each delivery is settled on the channel it came by',
    plant: () =>
      replace(
        AckLedger,
        'take',
        (take: AckLedger['take']) =>
          function takeLess(this: AckLedger) {
            return take.call(this).slice(0, -1);
          },
      ),
  },
  'replaced-channel-abandoned': {
    breaks: 'a replaced channel stays until all on it is confirmed',
    plant: () =>
      replace(
        PublishChannel,
        'replace',
        () =>
          function abandoned(this: PublishChannel) {
            this.abandon();
          },
      ),
  },
  'lost-consumers-unnoticed': {
    breaks: 'the same queues and consumer tags after every interruption',
    plant: () => {
      const undo = [
        replace(ConsumeChannel, 'cancelled', () => () => undefined),
        replace(ConsumerHealth, 'examine', () => () => Promise.resolve(wellness)),
      ];
      return () => undo.forEach((one) => one());
    },
  },
  'restoring-untold': {
    breaks: 'the events tell what happened',
    plant: () => replace(ConsumerLosses, 'restored', () => () => undefined),
  },
  'silence-ignored': {
    breaks: 'a silent connection is given up',
    plant: () => replace(Session, 'giveUp', () => () => undefined),
  },
  'again-to-the-back': {
    breaks: 'messages that go again go to the front',
    plant: () =>
      replace(
        MessageQueue,
        'putBack',
        () =>
          function putAtTheEnd(this: MessageQueue, ...args: Parameters<MessageQueue['putBack']>) {
            for (const pending of args[0]) pending.move(this);
          },
      ),
  },
  'queue-back-unnoticed': {
    breaks: 'messages for a missing queue are held, and go out when it is back',
    plant: () => replace(MissingQueues, 'unrouted', () => () => undefined),
  },
};

/** For all that runs in this thread from now on, until the returned function is called. */
export function plant(name: string): () => void {
  const mutation = mutations[name];
  if (!mutation) throw new Error(`No mutation is called '${name}': ${Object.keys(mutations).join(', ')}`);
  return mutation.plant();
}

import type { Channel } from 'amqplib';
import { answeredInTime, type Patience } from './answered-in-time.js';
import { NoAnswer } from './spare-channel.js';

/**
 * One that opens later is closed: nobody listens to it.
 *
 * @throws NoAnswer
 */
export async function openedInTime<T extends Channel>(opened: Promise<T>, patience: Patience): Promise<T> {
  try {
    return await answeredInTime(opened, patience, () => new NoAnswer('open a channel'));
  } catch (error) {
    if (error instanceof NoAnswer) opened.then((late) => late.close()).catch(() => undefined);
    throw error;
  }
}

import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { RabbitServer } from '../../support/rabbit-server.js';
import { now } from '../bench/clock.js';
import type { Injected } from '../bench/fault.js';

/** For what is broken and whole again in one step: the time counts from before, the proof is sent after. */
export async function hit(breakIt: () => Promise<unknown>): Promise<Injected> {
  const since = now();
  await breakIt();
  return { since, hitFrom: now() };
}

/** Stops a node for 8 s; its connections stay open. */
export async function paused(node: RabbitServer): Promise<Injected> {
  const brokenAt = now();
  node.freeze();
  await delay(8_000);
  const since = now();
  node.thaw();
  return { brokenAt, since, hitFrom: now() };
}

/** The moment from which on a broker answers who connects. */
export async function accepting(port: number): Promise<number> {
  while (!(await answers(port))) await delay(20);
  return now();
}

function answers(port: number): Promise<boolean> {
  return new Promise((settle) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('AMQP\0\0\x09\x01'));
    const end = (answered: boolean): void => {
      socket.destroy();
      settle(answered);
    };
    socket.setTimeout(500, () => end(false));
    socket
      .once('data', () => end(true))
      .once('error', () => end(false))
      .once('close', () => end(false));
  });
}

/** A binary of Erlang; our names need no escapes. */
export function binary(text: string): string {
  return `<<"${text}">>`;
}

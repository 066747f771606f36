import { describe, expect, it } from 'vitest';
import type { OutgoingMessage } from '../../../lib/broker/broker.js';
import { sortOutLostConfirms } from '../../../lib/broker/engine/publish/channel-errors.js';
import { BrokerRefusal } from '../../../lib/broker/link.js';
import { PendingMessage } from '../../../lib/broker/engine/publish/pending-message.js';

function pending(body: string, message: Partial<OutgoingMessage> = {}): PendingMessage {
  return new PendingMessage({ exchange: 'there', routingKey: 'k', body, ...message }, () => undefined);
}

function closedBy(code: number, text: string): BrokerRefusal {
  return new BrokerRefusal(code, text);
}

const notFound = closedBy(404, "NOT_FOUND - no exchange 'gone' in vhost '/'");

function bodies(messages: readonly PendingMessage[]): string[] {
  return messages.map(({ message }) => message.body);
}

describe('sortOutLostConfirms', () => {
  it('publishes all again, in order, when the connection was lost', () => {
    const { again, failed } = sortOutLostConfirms([pending('1'), pending('2')], undefined, true);
    expect(bodies(again)).toEqual(['1', '2']);
    expect(failed).toEqual([]);
  });

  it('counts a lost confirm as a try', () => {
    const twice = pending('twice', { retry: 1 });
    const { again, failed } = sortOutLostConfirms([pending('once', { retry: 0 }), twice], undefined, true);
    expect(bodies(again)).toEqual(['twice']);
    expect(failed).toMatchObject([{ pending: { message: { body: 'once' } } }]);
    expect(sortOutLostConfirms([twice], undefined, true).again).toEqual([]);
  });

  it('gives all up where publishing twice is not wanted', () => {
    expect(sortOutLostConfirms([pending('1')], undefined, false).again).toEqual([]);
  });

  it('blames only what names the missing exchange', () => {
    const messages = [
      pending('1'),
      pending('2', { exchange: 'gone' }),
      pending('3'),
      pending('4', { exchange: 'gone' }),
    ];
    const { again, failed } = sortOutLostConfirms(messages, notFound, true);
    expect(bodies(again)).toEqual(['1', '3']);
    expect(failed.map(({ reason }) => reason)).toEqual([
      "NOT_FOUND - no exchange 'gone' in vhost '/'",
      "NOT_FOUND - no exchange 'gone' in vhost '/'",
    ]);
  });

  it('costs the others no try', () => {
    const messages = [pending('1', { retry: 0 }), pending('2', { exchange: 'gone' }), pending('3', { retry: 0 })];
    expect(bodies(sortOutLostConfirms(messages, notFound, true).again)).toEqual(['1', '3']);
  });

  it('knows that nothing behind the offending message was taken', () => {
    const messages = [pending('1'), pending('2', { exchange: 'gone' }), pending('3')];
    const { again } = sortOutLostConfirms(messages, notFound, false);
    expect(bodies(again)).toEqual(['3']);
    expect(again[0]?.writtenBefore).toBe(false);
  });

  it('cannot tell which of several that are alike was the one: any before the last may have been taken', () => {
    const topology = [{ kind: 'exchange', name: 'gone', type: 'fanout', durable: false, autoDelete: true }] as const;
    const messages = [
      pending('1', { exchange: 'gone', topology }),
      pending('2'),
      pending('3', { exchange: 'gone', topology }),
      pending('4'),
    ];
    const { again, failed } = sortOutLostConfirms(messages, notFound, false);
    expect(bodies(failed.map((one) => one.pending))).toEqual(['1', '2', '3']);
    expect(bodies(again)).toEqual(['4']);
    expect(again[0]?.writtenBefore).toBe(false);
    const fresh = messages.map(({ message }) => new PendingMessage(message, () => undefined));
    expect(sortOutLostConfirms(fresh, notFound, true).again.map(({ writtenBefore }) => writtenBefore)).toEqual([
      true,
      true,
      true,
      false,
    ]);
  });

  it('declares a missing exchange once more before it gives a message up', () => {
    const topology = [{ kind: 'exchange', name: 'gone', type: 'fanout', durable: false, autoDelete: true }] as const;
    const message = pending('1', { exchange: 'gone', topology, retry: 0 });
    expect(sortOutLostConfirms([message], notFound, true).again).toEqual([message]);
    expect(sortOutLostConfirms([message], notFound, true).failed).toMatchObject([{ pending: message }]);
  });

  it('finds all messages that are too large by their size', () => {
    const error = closedBy(406, 'PRECONDITION_FAILED - message size 5 is larger than configured max size 4');
    const messages = [pending('1234'), pending('ééx'), pending('1'), pending('123456')];
    const { again, failed } = sortOutLostConfirms(messages, error, true);
    expect(bodies(again)).toEqual(['1234', '1']);
    expect(bodies(failed.map((one) => one.pending))).toEqual(['ééx', '123456']);
  });

  it('lets all that are refused alike share the fate', () => {
    const error = closedBy(403, "ACCESS_REFUSED - access to exchange 'there' in vhost '/' refused for user 'u'");
    const messages = [pending('1'), pending('2', { exchange: 'elsewhere' }), pending('3')];
    const { again, failed, cured } = sortOutLostConfirms(messages, error, true);
    expect(bodies(again)).toEqual(['2']);
    expect(bodies(failed.map((one) => one.pending))).toEqual(['1', '3']);
    expect(cured).toBe(true);
  });

  it('blames one topic only where the refusal is about a topic', () => {
    const text = "ACCESS_REFUSED - access to topic 'k' in exchange 'there' in vhost '/' refused for user 'u'";
    const messages = [pending('1', { routingKey: 'allowed' }), pending('2'), pending('3', { routingKey: 'allowed' })];
    expect(bodies(sortOutLostConfirms(messages, closedBy(403, text), true).again)).toEqual(['1', '3']);
  });

  it('knows the exchange without a name under its other name', () => {
    const text = "ACCESS_REFUSED - access to exchange 'amq.default' in vhost '/' refused for user 'u'";
    const messages = [pending('1'), pending('2', { exchange: '' })];
    expect(bodies(sortOutLostConfirms(messages, closedBy(403, text), true).again)).toEqual(['1']);
  });

  it('cures nothing where it cannot be told who is to blame', () => {
    const { again, cured } = sortOutLostConfirms([pending('1')], closedBy(541, 'INTERNAL_ERROR'), true);
    expect(bodies(again)).toEqual(['1']);
    expect(cured).toBe(false);
  });
});

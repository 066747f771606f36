/**
 * Tests without a broker.
 *
 * @module nestjs-oslo-messaging/testing
 */
export { expectNotification } from './expect-notification.js';
export { createMemoryBus, MemoryTestBus } from './memory-test-bus.js';
export { createOsloTestClient } from './oslo-test-client.js';

export type { ExpectedNotification, ExpectNotificationOptions } from './expect-notification.js';
export type { TestBinding, TestQueue } from './memory-test-bus.js';
export type { OsloTestClientOptions } from './oslo-test-client.js';
export type { WaitingMessage } from './waiting-message.js';

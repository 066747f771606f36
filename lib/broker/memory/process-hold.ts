import { MessageChannel, type MessagePort } from 'node:worker_threads';

/** Keeps the process running, as an open socket does, with nothing that a fake clock would see. */
export class ProcessHold {
  private readonly port: MessagePort;

  constructor() {
    this.port = new MessageChannel().port1;
    this.port.ref();
  }

  release(): void {
    this.port.close();
  }
}

import { MessageChannel, type MessagePort } from 'node:worker_threads';

/** Keeps the process running while anybody holds it, as an open socket does, with nothing that a fake clock would see. */
class ProcessHold {
  private holders = 0;
  private port: MessagePort | undefined;

  acquire(): void {
    this.holders += 1;
    if (this.port) return;
    this.port = new MessageChannel().port1;
    this.port.ref();
  }

  release(): void {
    this.holders -= 1;
    if (this.holders > 0) return;
    this.port?.close();
    this.port = undefined;
  }
}

export const processHold = new ProcessHold();

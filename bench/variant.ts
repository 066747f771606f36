/** One way to make a call, as two programs on one broker. */
export interface Variant {
  /** Starts answering `echo`; resolves when requests can come in. */
  serve(url: string): Promise<void>;
  /** Connects; the result makes one call. */
  connect(url: string): Promise<Caller>;
}

export interface Caller {
  echo(payload: Readonly<Record<string, unknown>>): Promise<unknown>;
}

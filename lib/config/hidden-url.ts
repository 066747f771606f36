/** Options whose URL, which may hold a password, is there and shown by nobody: neither by `inspect` nor as JSON. */
export function withHiddenUrl<Options extends { transportUrl: string }>(options: Options): Options {
  return Object.defineProperty(options, 'transportUrl', { value: options.transportUrl, enumerable: false });
}

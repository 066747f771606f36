/** The object, whose properties of these names may hold secrets: they are shown by nobody, neither by `inspect` nor as JSON. */
export function hiding<Options extends object>(names: readonly (keyof Options)[], options: Options): Options {
  for (const name of names) Object.defineProperty(options, name, { value: options[name], enumerable: false });
  return options;
}

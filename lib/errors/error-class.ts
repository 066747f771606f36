/**
 * A class that is thrown, abstract ones too.
 *
 * @publicApi
 */
export type ErrorClass<Thrown = unknown> = abstract new (...args: never[]) => Thrown;

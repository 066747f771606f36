import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** How many are still referred to, by anything. */
export async function stillKept(objects: readonly WeakRef<object>[]): Promise<number> {
  // Until the end of the task in which it was made, or asked, a WeakRef keeps its object.
  await new Promise((resolve) => setTimeout(resolve, 0));
  collectGarbage();
  return objects.filter((object) => object.deref() !== undefined).length;
}

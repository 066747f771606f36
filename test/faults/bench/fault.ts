import type { Scene, SceneKind } from './scene.js';

/** When something was broken, on the bench's clock. */
export interface Injected {
  /** From here on the time to recover counts. */
  since: number;
  /** What is sent from here on certainly meets the fault: recovery is seen by it. */
  hitFrom: number;
  /** When it began, where that was long before `since`. */
  brokenAt?: number;
}

/** What a fault may cost; what it leaves open is allowed. */
export interface FaultClaims {
  /** Calls work again so long after `since`. */
  recoversWithinMs?: number;
  /** The first process that is hit knows so long after it began that its connection is gone. */
  noticedWithinMs?: number;
  /** The caller's own event loop stands still so long: no timer fires then. */
  callerBlockedMs?: number;
  /** Every call is answered. */
  answersAll?: boolean;
  /** Nothing runs twice: an orderly stop has no excuse. */
  runsOnce?: boolean;
}

/** One way to break the bus, and how it is seen that it works again. */
export interface Fault {
  name: string;
  scene: SceneKind;
  /** Repetitions in the bounded form. */
  bounded: number;
  claims: FaultClaims;
  inject(scene: Scene): Promise<Injected>;
  /** Makes whole what stays broken by itself, after calls work again. */
  repair?(scene: Scene): Promise<void>;
}

/** A promise is measured on a machine of one's own; a test on a busy one is given five times as long. */
export const PATIENCE = 5;

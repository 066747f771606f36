import { MalformedMessage } from '../../errors/wire.errors.js';
import { sealEnvelope } from '../envelope.js';
import { stringifyJson } from '../json/json.js';

/** The message that goes back to a caller: a result, a failure, or (not `ending`, both null) a heartbeat. */
export interface RpcReply {
  msgId: string;
  result: unknown;
  /** JSON text of a `RemoteFailure`. */
  failure: string | null;
  /** No more replies to this call will follow. */
  ending: boolean;
  uniqueId?: string;
}

/** The first of two messages does not say whether it is the last. */
export type WrittenReply = Omit<RpcReply, 'ending'> & Partial<Pick<RpcReply, 'ending'>>;

/**
 * The body of a reply, in the envelope unless it is to be bare.
 *
 * @throws MalformedMessage a result that cannot be written as JSON
 */
export function encodeReply(reply: WrittenReply, bare?: boolean): string {
  const { result = null, failure, ending, msgId, uniqueId } = reply;
  // Written apart, so that a result that JSON leaves out (a function, a symbol) becomes null.
  const ids = `"_msg_id":${JSON.stringify(msgId)}${uniqueId === undefined ? '' : `,"_unique_id":${JSON.stringify(uniqueId)}`}`;
  const failed = failure === null ? 'null' : JSON.stringify(failure);
  const end = ending === undefined ? '' : `"ending":${ending},`;
  return sealEnvelope(`{"result":${stringifyJson(result)},"failure":${failed},${end}${ids}}`, bare);
}

/**
 * Understands an opened reply.
 *
 * @throws MalformedMessage without `_msg_id` nobody can know whose it is
 */
export function decodeReply(message: Readonly<Record<string, unknown>>): RpcReply {
  const { _msg_id: msgId, _unique_id: uniqueId, result = null } = message;
  if (typeof msgId !== 'string') throw new MalformedMessage("the reply's _msg_id is not a string");
  const reply: RpcReply = { msgId, result, failure: failureText(message.failure), ending: Boolean(message.ending) };
  if (typeof uniqueId === 'string') reply.uniqueId = uniqueId;
  return reply;
}

/** Python takes any empty value as no failure, and the text of any other as one. */
function failureText(failure: unknown): string | null {
  if (!failure) return null;
  return typeof failure === 'string' ? failure : stringifyJson(failure);
}

/** True when it only says that the server is at work. */
export function isHeartbeat({ ending, result, failure }: RpcReply): boolean {
  return !ending && result === null && failure === null;
}

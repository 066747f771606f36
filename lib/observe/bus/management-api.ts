import { ConfigurationError } from '../../errors/configuration.errors.js';
import { textWithCause } from '../../errors/text-of.js';
import { maskUrl } from '../../wire/redaction.js';
import { shown } from '../../wire/shown.js';
import {
  type ClusterOverview,
  connectionOf,
  type ListedAlarm,
  type ListedBinding,
  type ListedConnection,
  type ListedConsumer,
  type ListedExchange,
  type ListedNode,
  type ListedQueue,
  ManagementFailure,
  numberOf,
  optionalText,
  queueOf,
  recordOf,
  records,
  requireRecord,
  textOf,
  type UserPermissions,
} from './management-answers.js';

/** Who asks. */
export interface ManagementCredentials {
  readonly username: string;
  readonly password: string;
}

type Fetch = (url: string, init: RequestInit) => Promise<Response>;

const TIMEOUT_MS = 10_000;
/** Of one answer: a list of 50 000 queues is about half of it. */
const LONGEST_BYTES = 64 * 1024 * 1024;
const UNAUTHORIZED = new Set([401, 403]);
const NOT_FOUND = 404;
/** The broker's own words in an error are cut there. */
const REASON_LENGTH = 300;
const COLUMNS = {
  queues:
    'name,durable,auto_delete,exclusive,type,arguments,effective_policy_definition,messages_ready,messages_unacknowledged,' +
    'consumers,message_stats.publish_details.rate,message_stats.deliver_get_details.rate',
  connections: 'name,user_provided_name,user,peer_host,protocol,client_properties',
  consumers: 'queue.name,channel_details.connection_name',
};

/**
 * The few questions that are asked of RabbitMQ's management API. Whoever asks needs a user with a tag: `management` for most,
 * `monitoring` for nodes, `administrator` for permissions and for the firehose. Rejects with `ManagementFailure`.
 */
export class ManagementApi {
  /** For people: without credentials. */
  readonly url: string;
  readonly #authorization: string;

  /** @throws ConfigurationError it is no http URL */
  constructor(
    url: string,
    fallback: ManagementCredentials,
    private readonly fetch: Fetch = globalThis.fetch,
  ) {
    const parsed = parseUrl(url);
    const username = parsed.username === '' ? fallback.username : decodeURIComponent(parsed.username);
    const password = parsed.username === '' ? fallback.password : decodeURIComponent(parsed.password);
    this.#authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
    this.url = `${parsed.origin}${parsed.pathname.replace(/\/+(api\/*)?$/, '')}`;
  }

  async overview(): Promise<ClusterOverview> {
    const askedAt = Date.now();
    const { value, date } = await this.ask('overview');
    const one = requireRecord(value, 'overview');
    const churn = recordOf(one.churn_rates);
    const answeredAt = Date.now();
    // The header has whole seconds, cut off.
    const ours = (askedAt + answeredAt) / 2;
    return {
      clusterName: textOf(one.cluster_name),
      version: textOf(one.rabbitmq_version),
      connectionsOpened: numberOf(churn.connection_created),
      connectionsClosed: numberOf(churn.connection_closed),
      clockAheadMs: date === undefined ? undefined : date + 500 - ours,
      clockDoubtMs: (answeredAt - askedAt) / 2,
    };
  }

  async nodes(): Promise<ListedNode[]> {
    const { value } = await this.ask('nodes?columns=name,running');
    return records(value, 'nodes').map((one) => ({ name: textOf(one.name), running: one.running === true }));
  }

  /** None: no node has an alarm. */
  async alarms(): Promise<ListedAlarm[]> {
    // The answer is 503 while there is one.
    const { value } = await this.ask('health/checks/alarms', { alsoStatus: 503 });
    const { alarms, status } = requireRecord(value, 'alarms');
    if (status === 'ok') return [];
    return records(alarms, 'alarms').map(({ node, resource }) => ({ node: textOf(node), resource: textOf(resource) }));
  }

  async queues(virtualHost: string): Promise<ListedQueue[]> {
    const { value } = await this.ask(`queues/${encodeURIComponent(virtualHost)}?columns=${COLUMNS.queues}`);
    return records(value, 'queues').map(queueOf);
  }

  async exchanges(virtualHost: string): Promise<ListedExchange[]> {
    const { value } = await this.ask(`exchanges/${encodeURIComponent(virtualHost)}`);
    return records(value, 'exchanges').map((one) => ({
      name: textOf(one.name),
      type: textOf(one.type),
      durable: one.durable === true,
      madeBy: optionalText(one.user_who_performed_action),
    }));
  }

  /** Of exchanges that have a name to queues. */
  async bindings(virtualHost: string): Promise<ListedBinding[]> {
    const columns = 'source,destination,destination_type,routing_key';
    const { value } = await this.ask(`bindings/${encodeURIComponent(virtualHost)}?columns=${columns}`);
    return records(value, 'bindings').flatMap((one) =>
      one.source === '' || one.destination_type !== 'queue'
        ? []
        : { exchange: textOf(one.source), queue: textOf(one.destination), routingKey: textOf(one.routing_key) },
    );
  }

  async consumers(virtualHost: string): Promise<ListedConsumer[]> {
    const { value } = await this.ask(`consumers/${encodeURIComponent(virtualHost)}?columns=${COLUMNS.consumers}`);
    return records(value, 'consumers').map((one) => ({
      queue: textOf(recordOf(one.queue).name),
      connection: textOf(recordOf(one.channel_details).connection_name),
    }));
  }

  async connections(virtualHost: string): Promise<ListedConnection[]> {
    const { value } = await this.ask(
      `vhosts/${encodeURIComponent(virtualHost)}/connections?columns=${COLUMNS.connections}`,
    );
    return records(value, 'connections').map(connectionOf);
  }

  /** Undefined: the user has none in this virtual host. For administrators. */
  async permissions(virtualHost: string, user: string): Promise<UserPermissions | undefined> {
    try {
      const { value } = await this.ask(`permissions/${encodeURIComponent(virtualHost)}/${encodeURIComponent(user)}`);
      const { configure, write, read } = requireRecord(value, 'permissions');
      return { configure: textOf(configure), write: textOf(write), read: textOf(read) };
    } catch (error) {
      if (error instanceof ManagementFailure && error.problem === 'not found') return undefined;
      throw error;
    }
  }

  /** True while the firehose is on. For administrators. */
  async isTracing(virtualHost: string): Promise<boolean> {
    const { value } = await this.ask(`vhosts/${encodeURIComponent(virtualHost)}`);
    return requireRecord(value, 'virtual host').tracing === true;
  }

  /** Switches the firehose of a virtual host, on the node that answers. For administrators. */
  async setTracing(virtualHost: string, tracing: boolean): Promise<void> {
    const path = `vhosts/${encodeURIComponent(virtualHost)}`;
    const { value } = await this.ask(path);
    const { description, tags, default_queue_type: queueType } = requireRecord(value, 'virtual host');
    // What is not repeated is emptied. The broker writes `undefined` where it has nothing.
    const kept = {
      ...(isSet(description) && { description }),
      ...(Array.isArray(tags) && { tags: tags.join(',') }),
      ...(isSet(queueType) && { default_queue_type: queueType }),
    };
    await this.ask(path, { method: 'PUT', body: JSON.stringify({ ...kept, tracing }) });
  }

  private async ask(path: string, request: AskOptions = {}): Promise<{ value: unknown; date: number | undefined }> {
    const { method = 'GET', body, alsoStatus } = request;
    const what = `${method} ${this.url}/api/${path.replace(/\?.*/, '')}`;
    const response = await this.answer(path, what, { method, ...(body !== undefined && { body }) });
    const text = await textWithin(response, what);
    if (!response.ok && response.status !== alsoStatus) throw refusal(response.status, text, what);
    const header = response.headers.get('date');
    const date = header === null ? Number.NaN : Date.parse(header);
    return {
      value: method === 'GET' ? parsed(text, what) : undefined,
      date: Number.isNaN(date) ? undefined : date,
    };
  }

  private async answer(path: string, what: string, init: RequestInit): Promise<Response> {
    const headers = { authorization: this.#authorization, 'content-type': 'application/json' };
    try {
      return await this.fetch(`${this.url}/api/${path}`, {
        ...init,
        headers,
        // Our password is for that host alone.
        redirect: 'error',
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
    } catch (error) {
      throw unreachable(what, error);
    }
  }
}

interface AskOptions {
  readonly method?: 'GET' | 'PUT';
  readonly body?: string;
  /** An answer as well, though it says that something is wrong. */
  readonly alsoStatus?: number;
}

function parseUrl(url: string): URL {
  try {
    const parsed = new URL(url);
    decodeURIComponent(parsed.username + parsed.password);
    if (['http:', 'https:'].includes(parsed.protocol)) return parsed;
  } catch {
    // Told below, without what may be a password in it.
  }
  throw new ConfigurationError(
    `'${shown(maskUrl(url))}' is no URL of a management API: write http://user:password@host:15672`,
  );
}

function isSet(value: unknown): boolean {
  return typeof value === 'string' && value !== 'undefined';
}

function unreachable(what: string, error: unknown): ManagementFailure {
  return new ManagementFailure('unreachable', `${what}: ${textWithCause(error)}`, { cause: error });
}

function refusal(status: number, text: string, what: string): ManagementFailure {
  const reason = shown(reasonIn(text), REASON_LENGTH);
  const problem = UNAUTHORIZED.has(status) ? 'refused' : status === NOT_FOUND ? 'not found' : 'not understood';
  return new ManagementFailure(problem, `${what} was answered with ${status}${reason === '' ? '' : `: ${reason}`}`);
}

function reasonIn(text: string): string {
  try {
    const value: unknown = JSON.parse(text);
    const { error, reason } = recordOf(value);
    return optionalText(reason) ?? optionalText(error) ?? '';
  } catch {
    return text;
  }
}

function parsed(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const beginning = shown(text, 80);
    throw new ManagementFailure('not understood', `${what} was not answered with JSON: ${beginning}`, { cause: error });
  }
}

async function textWithin(response: Response, what: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const body = response.body as AsyncIterable<Uint8Array> | null;
  try {
    for await (const chunk of body ?? []) {
      length += chunk.byteLength;
      if (length > LONGEST_BYTES) break;
      chunks.push(chunk);
    }
  } catch (error) {
    throw unreachable(what, error);
  }
  if (length <= LONGEST_BYTES) return Buffer.concat(chunks).toString('utf8');
  throw new ManagementFailure('too large', `the answer to ${what} has more than ${LONGEST_BYTES} bytes`);
}

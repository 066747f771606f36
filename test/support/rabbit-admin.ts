import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';

export interface QueueInfo {
  name: string;
  durable: boolean;
  autoDelete: boolean;
  exclusive: boolean;
  arguments: Record<string, unknown>;
  messagesReady: number;
  messagesUnacknowledged: number;
  consumers: number;
}

export interface ExchangeInfo {
  name: string;
  type: string;
  durable: boolean;
  autoDelete: boolean;
  internal: boolean;
  arguments: Record<string, unknown>;
}

export interface BindingInfo {
  exchange: string;
  queue: string;
  routingKey: string;
}

export interface ConsumerInfo {
  queue: string;
  consumerTag: string;
  ackRequired: boolean;
  prefetchCount: number;
  arguments: Record<string, unknown>;
}

export interface ConnectionInfo {
  name: string;
  vhost: string;
  user: string;
  state: string;
  channels: number;
  authMechanism: string;
  heartbeat: number;
  clientProperties: Record<string, unknown>;
}

/** What a user may do in a virtual host. */
export interface Permissions {
  configure: string;
  write: string;
  read: string;
}

/** How to evaluate an Erlang expression inside the broker. */
export type AdminAccess =
  | { kind: 'erl_call'; node: string; cookie: string; epmdPort: number }
  | { kind: 'rabbitmqctl'; command: string[] };

// Erlang side of the answers: a resource's name, an AMQP table as a map, property lists as maps.
const PRELUDE = `
Name = fun({resource, _, _, N}) -> N; (N) -> N end,
Table = fun T(L) when is_list(L) -> maps:from_list([{K, case Ty of table -> T(V); _ when is_list(V) -> iolist_to_binary(io_lib:format("~p", [V])); _ -> V end} || {K, Ty, V} <- L]); T(_) -> #{} end,
Get = fun(K, P) -> proplists:get_value(K, P) end,
Answer = fun(X) -> binary_to_list(base64:encode(iolist_to_binary(rabbit_json:encode(X)))) end,
`;

/**
 * What the broker itself says about its queues, exchanges, bindings, consumers and connections.
 *
 * Expressions are evaluated inside the node: through `erl_call` in a few milliseconds, where
 * `rabbitmqctl` needs a second (and is used for brokers that the tests have not started).
 */
export class RabbitAdmin {
  constructor(private readonly access: AdminAccess) {}

  /** The JSON value of an Erlang term made of maps, lists, binaries, numbers and booleans. */
  async evaluate<T>(expression: string): Promise<T> {
    const output = await this.run(`${PRELUDE} Answer(begin ${expression} end).\n`);
    const quoted = /^(?:\{ok, )?"([^]*)"\}?\s*$/.exec(output)?.[1];
    if (quoted === undefined) throw new Error(`the broker answered ${output} to ${expression}`);
    return JSON.parse(Buffer.from(quoted.replace(/[^A-Za-z0-9+/=]/g, ''), 'base64').toString()) as T;
  }

  listQueues(vhost: string): Promise<QueueInfo[]> {
    return this.evaluate(`[#{name => Name(Get(name, Q)), durable => Get(durable, Q), autoDelete => Get(auto_delete, Q),
      exclusive => Get(exclusive, Q), arguments => Table(Get(arguments, Q)), messagesReady => Get(messages_ready, Q),
      messagesUnacknowledged => Get(messages_unacknowledged, Q), consumers => Get(consumers, Q)} ||
      Q <- rabbit_amqqueue:info_all(${binary(vhost)}, [name, durable, auto_delete, exclusive, arguments,
        messages_ready, messages_unacknowledged, consumers])]`);
  }

  /** What the broker's channels have delivered and wait for the acknowledgement of, in all. */
  messagesHeld(): Promise<number> {
    return this.evaluate(
      'lists:sum([Get(messages_unacknowledged, C) || C <- rabbit_channel:info_all([messages_unacknowledged])])',
    );
  }

  /** Without the broker's own (`amq.*` and the default exchange). */
  async listExchanges(vhost: string): Promise<ExchangeInfo[]> {
    const exchanges = await this.evaluate<ExchangeInfo[]>(`[#{name => Name(Get(name, X)), type => Get(type, X),
      durable => Get(durable, X), autoDelete => Get(auto_delete, X), internal => Get(internal, X),
      arguments => Table(Get(arguments, X))} || X <- rabbit_exchange:info_all(${binary(vhost)})]`);
    return exchanges.filter(({ name }) => name !== '' && !name.startsWith('amq.'));
  }

  /** Without those to the default exchange. */
  async listBindings(vhost: string): Promise<BindingInfo[]> {
    const bindings = await this.evaluate<BindingInfo[]>(`[#{exchange => Name(Get(source_name, B)),
      queue => Name(Get(destination_name, B)), routingKey => Get(routing_key, B)} ||
      B <- rabbit_binding:info_all(${binary(vhost)})]`);
    return bindings.filter(({ exchange }) => exchange !== '');
  }

  listConsumers(vhost: string): Promise<ConsumerInfo[]> {
    return this.evaluate(`[#{queue => Name(Get(queue_name, C)), consumerTag => Get(consumer_tag, C),
      ackRequired => Get(ack_required, C), prefetchCount => Get(prefetch_count, C),
      arguments => Table(Get(arguments, C))} || C <- rabbit_amqqueue:consumers_all(${binary(vhost)})]`);
  }

  async listConnections(vhost?: string): Promise<ConnectionInfo[]> {
    const connections = await this.evaluate<ConnectionInfo[]>(`[#{name => Get(name, C), vhost => Get(vhost, C),
      user => Get(user, C), state => Get(state, C), channels => Get(channels, C),
      authMechanism => Get(auth_mechanism, C), heartbeat => Get(timeout, C),
      clientProperties => Table(Get(client_properties, C))} ||
      C <- rabbit_networking:connection_info_all([name, vhost, user, state, channels, auth_mechanism, timeout,
        client_properties]), is_binary(Get(vhost, C))]`);
    return connections.filter((connection) => vhost === undefined || connection.vhost === vhost);
  }

  /** `CONNECTION_FORCED` (320) to every connection of the virtual host; the number of connections closed. */
  closeAllConnections(vhost: string): Promise<number> {
    return this.evaluate(`length([rabbit_networking:close_connection(Get(pid, C), "closed by a test") ||
      C <- rabbit_networking:connection_info_all([pid, vhost]), Get(vhost, C) =:= ${binary(vhost)}])`);
  }

  /** Makes the broker cancel the queue's consumers, as deleting it by hand does. False: it is gone already. */
  deleteQueue(vhost: string, queue: string): Promise<boolean> {
    return this.evaluate(`case rabbit_amqqueue:lookup(rabbit_misc:r(${binary(vhost)}, queue, ${binary(queue)})) of
      {ok, Q} -> is_tuple(rabbit_amqqueue:delete(Q, false, false, <<"test">>)); _ -> false end`);
  }

  /** False: there is none. */
  deleteExchange(vhost: string, exchange: string): Promise<boolean> {
    return this.evaluate(
      `rabbit_exchange:delete(rabbit_misc:r(${binary(vhost)}, exchange, ${binary(exchange)}), false, <<"test">>) =:= ok`,
    );
  }

  /**
   * The processes hang that serve the channels which publish with confirms, or those that consume: nothing is read
   * from them nor written to them, though their connections live. Returns who they are.
   */
  hangChannels(vhost: string, which: 'confirm' | 'consumer_count'): Promise<string[]> {
    return this.evaluate(`[begin sys:suspend(Get(pid, C)), list_to_binary(pid_to_list(Get(pid, C))) end ||
      C <- rabbit_channel:info_all([pid, vhost, confirm, consumer_count]), Get(vhost, C) =:= ${binary(vhost)},
      lists:member(Get(${which}, C), [true, 1, 2, 3, 4])]`);
  }

  /** Those that are still there go on. */
  async resumeChannels(processes: readonly string[]): Promise<void> {
    const pids = processes.map((pid) => `"${pid}"`).join(', ');
    await this.evaluate(`[catch sys:resume(list_to_pid(P)) || P <- [${pids}]], true`);
  }

  /** Its process hangs: whoever asks something of the queue gets no answer, until it is let go on. */
  hangQueue(vhost: string, queue: string, hangs: boolean): Promise<boolean> {
    const change = hangs ? 'suspend' : 'resume';
    return this.evaluate(`{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(${binary(vhost)}, queue, ${binary(queue)})),
      sys:${change}(amqqueue:get_pid(Q)) =:= ok`);
  }

  async addVhost(vhost: string, user: string): Promise<void> {
    await this.evaluate(`rabbit_vhost:add(${binary(vhost)}, <<"test">>),
      rabbit_auth_backend_internal:set_permissions(${binary(user)}, ${binary(vhost)}, <<".*">>, <<".*">>, <<".*">>,
        <<"test">>), true`);
  }

  async deleteVhost(vhost: string): Promise<void> {
    await this.evaluate(`rabbit_vhost:delete(${binary(vhost)}, <<"test">>), true`);
  }

  async addUser(user: string, password: string): Promise<void> {
    await this.evaluate(
      `rabbit_auth_backend_internal:add_user(${binary(user)}, ${binary(password)}, <<"test">>), true`,
    );
  }

  deleteUser(user: string): Promise<boolean> {
    return this.evaluate(`rabbit_auth_backend_internal:delete_user(${binary(user)}, <<"test">>) =:= ok`);
  }

  /** Regular expressions of the names of exchanges and queues, as `rabbitmqctl set_permissions` takes them. */
  setPermissions(vhost: string, user: string, { configure, write, read }: Permissions): Promise<boolean> {
    const permissions = [user, vhost, configure, write, read, 'test'].map((text) => binary(text)).join(', ');
    return this.evaluate(`rabbit_auth_backend_internal:set_permissions(${permissions}) =:= ok`);
  }

  /** While it is on, the broker reads nothing from connections that publish (`connection.blocked`). */
  async memoryAlarm(on: boolean): Promise<void> {
    const alarm = '{resource_limit, memory, node()}';
    // The alarm itself is only posted; a question behind it is answered when all connections have been told.
    const change = on ? `rabbit_alarm:set_alarm({${alarm}, []})` : `rabbit_alarm:clear_alarm(${alarm})`;
    await this.evaluate(`${change}, is_list(rabbit_alarm:get_alarms())`);
  }

  private run(expression: string): Promise<string> {
    const { access } = this;
    if (access.kind === 'rabbitmqctl') {
      const [program = 'rabbitmqctl', ...args] = access.command;
      return output(program, [...args, '--silent', 'eval', expression]);
    }
    const env = { ...process.env, ERL_EPMD_PORT: String(access.epmdPort) };
    // Two calls at once under one name refuse each other.
    return output(
      'erl_call',
      ['-h', `c${randomBytes(6).toString('hex')}`, '-n', access.node, '-c', access.cookie, '-e'],
      env,
      expression,
    );
  }
}

function binary(text: string): string {
  return `<<${[...Buffer.from(text)].join(',')}>>`;
}

function output(program: string, args: string[], env = process.env, input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { env, maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${program} failed: ${stderr || stdout || error.message}`, { cause: error }));
      else resolve(stdout);
    });
    child.stdin?.on('error', () => undefined).end(input);
  });
}

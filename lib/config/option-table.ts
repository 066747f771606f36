import type { OptionRule } from './option-rule.js';
import { RABBIT_OPTION_RULES } from './rabbit-options.js';

const SWITCH: OptionRule = { type: 'boolean' };
const NAME: OptionRule = { type: 'name' };
const OBJECT: OptionRule = { type: 'object' };
const FUNCTION: OptionRule = { type: 'function' };
const LIST: OptionRule = { type: 'list' };
const MILLISECONDS: OptionRule = { type: 'milliseconds' };
const COUNT: OptionRule = { type: 'integer', min: 0 };
const CHECKED: OptionRule = { type: 'checked' };

/** Every option that a public entry point takes, by its name: an option means the same wherever it is taken. */
export const OPTION_TABLE = {
  ...RABBIT_OPTION_RULES,
  // ---- where, and how to start
  transportUrl: NAME,
  configFile: CHECKED,
  exchange: NAME,
  topic: NAME,
  namespace: { type: 'string', nullable: true },
  version: { type: 'version' },
  server: NAME,
  fanout: SWITCH,
  startup: { type: 'choice', choices: ['background', 'fail-fast', 'wait'] },
  startupTimeoutMs: MILLISECONDS,
  transportId: { type: 'symbol' },
  name: CHECKED,
  isGlobal: SWITCH,
  serve: OBJECT,
  logEvents: SWITCH,
  forwardContext: { type: 'choice', choices: ['always', 'never', 'same-transport'] },
  // ---- calls
  timeout: { type: 'seconds', nullable: true },
  versionCap: { type: 'version', nullable: true },
  retry: { type: 'integer', min: -1, nullable: true },
  callMonitorTimeout: { type: 'seconds', nullable: true },
  transportOptions: { type: 'object', nullable: true },
  atLeastOnce: SWITCH,
  serializer: OBJECT,
  integers: { type: 'choice', choices: ['exact', 'number'] },
  hooks: LIST,
  defaultContext: FUNCTION,
  callSite: SWITCH,
  allowedRemoteExmods: { type: 'strings' },
  remoteExceptions: OBJECT,
  // ---- serving
  executorThreadPoolSize: { type: 'integer', min: 1 },
  rpcPingEnabled: SWITCH,
  legacyTwoMessageReplies: SWITCH,
  accessPolicy: { type: 'object', methods: ['isAllowed'] },
  shutdownTimeoutMs: MILLISECONDS,
  pythonExceptions: LIST,
  exceptionModule: NAME,
  sendTraceback: SWITCH,
  // ---- notifications
  publisherId: NAME,
  driver: CHECKED,
  topics: { type: 'names' },
  declareQueues: SWITCH,
  routingConfig: CHECKED,
  routingDrivers: OBJECT,
  logger: { type: 'object', methods: ['log', 'warn', 'error'] },
  testLog: OBJECT,
  flushTimeoutMs: MILLISECONDS,
  requeueLimit: COUNT,
  requeueBackoffMs: { type: 'integer', min: 1 },
  requeueBackoffMaxMs: { type: 'integer', min: 1 },
  onDeadLetter: FUNCTION,
  pool: NAME,
  allowRequeue: SWITCH,
  concurrency: { type: 'integer', min: 1 },
  size: { type: 'integer', min: 1 },
  timeoutMs: { type: 'integer', min: 1 },
  priorities: CHECKED,
  filter: CHECKED,
  batch: OBJECT,
  handler: FUNCTION,
  // ---- endpoints and single messages
  methods: OBJECT,
  anyMethod: FUNCTION,
  legacyNamespaces: LIST,
  context: OBJECT,
  signal: OBJECT,
} as const satisfies Readonly<Record<string, OptionRule>>;

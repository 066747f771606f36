// The options of the public entry points, in docs/configuration.md: `--write` brings the tables up to date, else they are checked.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import ts from 'typescript';

const page = 'docs/configuration.md';
const tables = [
  ['bus', 'lib/config/rabbit-options.ts', 'RabbitOptions'],
  ['kafka', 'lib/config/kafka-options.ts', 'KafkaOptions'],
  ['server', 'lib/rpc/server/rpc-server-options.ts', 'RpcServerOptions'],
  ['exceptions sent', 'lib/rpc/exceptions/exception-map.ts', 'ExceptionMapOptions'],
  ['server of Nest', 'lib/nest/server/server-oslo-rpc-options.ts', 'ServerOsloRpcOptions'],
  ['client', 'lib/rpc/client/rpc-client-options.ts', 'RpcClientOptions'],
  ['exceptions received', 'lib/rpc/exceptions/remote-exceptions.ts', 'RemoteExceptionOptions'],
  ['transport of a client', 'lib/rpc/client/rpc-client-options.ts', 'TransportOptions'],
  ['client of Nest', 'lib/nest/client/client-oslo-rpc-options.ts', 'ClientOsloRpcOptions'],
  ['start', 'lib/nest/shared/startup-policy.ts', 'StartupOptions'],
  ['notifier', 'lib/notify/notifier/notifier-options.ts', 'NotifierOptions'],
  ['listener', 'lib/notify/listener/notification-listener-options.ts', 'NotificationListenerOptions'],
  ['on notification', 'lib/nest/listeners/on-notification.decorator.ts', 'OnNotificationOptions'],
  ['filter', 'lib/notify/filter/notification-filter.ts', 'NotificationFilterOptions'],
  ['endpoint', 'lib/nest/server/oslo-endpoint.decorator.ts', 'OsloEndpointOptions'],
  ['method', 'lib/nest/server/oslo-method.decorator.ts', 'OsloMethodOptions'],
  ['log records', 'lib/nest/notifications/oslo-logger.ts', 'OsloLoggerOptions'],
  ['HTTP requests', 'lib/nest/notifications/http-notification.interceptor.ts', 'HttpNotificationOptions'],
  ['notification module', 'lib/nest/notifications/notification-module-options.ts', 'NotificationModuleOptions'],
];

/** One row per member of the interface, from its type and its comment. */
function tableOf(path, name) {
  const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true);
  const found = source.statements.find((one) => ts.isInterfaceDeclaration(one) && one.name.text === name);
  if (!found) throw new Error(`${path} has no interface ${name}`);
  const rows = found.members.map((member) => {
    const [comment] = ts.getJSDocCommentsAndTags(member);
    const meaning = ts.getTextOfJSDocComment(comment?.comment) ?? '';
    const byDefault = comment?.tags?.find(({ tagName }) => tagName.text === 'defaultValue');
    return [
      `\`${member.name.getText()}\``,
      `\`${member.type.getText().replace(/\s+/g, ' ')}\``,
      ts.getTextOfJSDocComment(byDefault?.comment) ?? '',
      meaning,
    ];
  });
  const cells = [['option', 'type', 'default', 'meaning'], ['---', '---', '---', '---'], ...rows];
  return cells
    .map((row) => `| ${row.map((cell) => cell.replace(/\s+/g, ' ').replaceAll('|', '\\|').trim()).join(' | ')} |`)
    .join('\n');
}

const before = readFileSync(page, 'utf8');
let text = before;
for (const [title, path, name] of tables) {
  const begin = `<!-- options: ${title} -->\n`;
  const [head, rest] = text.split(begin);
  if (rest === undefined) throw new Error(`${page} has no place for the options of: ${title}`);
  const tail = rest.slice(rest.indexOf('<!-- end of the options -->'));
  text = `${head}${begin}\n${tableOf(path, name)}\n\n${tail}`;
}
// As oxfmt lays tables out.
text = execFileSync('npx', ['oxfmt', '--stdin-filepath', page], { input: text, encoding: 'utf8' });
if (process.argv.includes('--write')) {
  writeFileSync(page, text);
} else if (text !== before) {
  console.error(`${page} is not up to date: node scripts/option-tables.mjs --write`);
  process.exit(1);
}

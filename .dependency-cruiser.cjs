/**
 * The house, from the ground up: a folder may import itself and the folders named here, nothing else.
 * Type imports count.
 */
const MAY_IMPORT = {
  errors: [],
  wire: ['errors'],
  config: ['errors'],
  events: ['wire', 'errors'],
  broker: ['config', 'events', 'wire', 'errors'],
  rpc: ['broker/broker[.]ts$', 'config', 'events', 'wire', 'errors'],
  notify: ['broker/broker[.]ts$', 'config', 'events', 'wire', 'errors'],
  observe: ['broker/(broker|refusal-words|bounds/body-reader)[.]ts$', 'config', 'events', 'wire', 'errors'],
  nest: ['rpc', 'notify', 'broker', 'config', 'events', 'wire', 'errors'],
  testing: ['nest', 'rpc', 'notify', 'broker', 'config', 'events', 'wire', 'errors'],
  cli: ['observe', 'rpc', 'notify', 'broker', 'config', 'events', 'wire', 'errors'],
};

/** What the package exports: the only barrels. */
const DOORS = ['^lib/(index|core)[.]ts$', '^lib/testing/index[.]ts$', '^lib/observe/(tracing|metrics)[.]ts$'];

const direction = Object.entries(MAY_IMPORT).map(([folder, others]) => ({
  name: `direction-of-${folder}`,
  severity: 'error',
  from: { path: `^lib/${folder}/` },
  to: { path: '^lib/', pathNot: [folder, ...others].map((other) => `^lib/${other}${other.endsWith('$') ? '' : '/'}`) },
}));

module.exports = {
  forbidden: [
    ...direction,
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-unknown-folder',
      comment: 'A new folder gets a row in the table above.',
      severity: 'error',
      from: { path: `^lib/(?!(${Object.keys(MAY_IMPORT).join('|')})/|(index|core)[.]ts$)` },
      to: {},
    },
    {
      name: 'nobody-imports-the-barrels',
      severity: 'error',
      from: { path: '^lib/' },
      to: { path: DOORS },
    },
    {
      name: 'no-other-barrels',
      severity: 'error',
      from: { path: '^lib/', pathNot: DOORS },
      to: { path: '/index[.]ts$', dependencyTypes: ['local'] },
    },
    {
      name: 'wire-and-errors-run-anywhere',
      severity: 'error',
      from: { path: '^lib/(wire|errors)/' },
      to: { dependencyTypes: ['core', 'npm', 'npm-dev', 'npm-peer', 'npm-optional'] },
    },
    {
      name: 'only-rabbit-knows-amqplib',
      severity: 'error',
      from: { path: '^lib/', pathNot: '^lib/broker/rabbit/' },
      to: { path: 'node_modules/(@types/)?amqplib' },
    },
    {
      name: 'only-kafka-knows-its-client',
      severity: 'error',
      from: { path: '^lib/', pathNot: '^lib/broker/kafka/' },
      to: { path: 'node_modules/@platformatic' },
    },
    {
      name: 'only-its-door-knows-opentelemetry',
      comment: 'The main door is imported without it.',
      severity: 'error',
      from: { path: '^lib/', pathNot: '^lib/observe/tracing[.]ts$' },
      to: { path: 'node_modules/@opentelemetry' },
    },
    {
      name: 'only-metrics-know-prom-client',
      severity: 'error',
      from: { path: '^lib/', pathNot: '^lib/observe/(metrics|series/(rpc-series|state-series|tallied-counter))[.]ts$' },
      to: { path: 'node_modules/prom-client' },
    },
    {
      name: 'only-nest-knows-nest',
      severity: 'error',
      from: { path: '^lib/', pathNot: '^lib/(nest|testing)/' },
      to: { path: 'node_modules/(@nestjs|rxjs|reflect-metadata)' },
    },
    {
      name: 'the-engine-knows-no-bus',
      comment: 'What is hard exists once: behind Link are amqplib and the embedded bus.',
      severity: 'error',
      from: { path: '^lib/broker/(engine|bounds)/' },
      to: {
        path: [
          '^lib/broker/(rabbit|memory|kafka)/',
          '^lib/broker/connect-broker',
          '^(node:)?(net|tls|dns|diagnostics_channel)$',
        ],
      },
    },
    {
      name: 'links-know-no-engine',
      severity: 'error',
      from: { path: '^lib/broker/(rabbit|memory)/' },
      to: { path: ['^lib/broker/engine/', '^lib/broker/connect-broker'] },
    },
    {
      name: 'core-needs-no-framework',
      severity: 'error',
      from: { path: '^lib/core[.]ts$' },
      to: { path: '^lib/(nest|testing)/' },
    },
    {
      name: 'no-undeclared-packages',
      severity: 'error',
      from: { path: '^lib/' },
      to: {
        // Bundled with the command line, the one folder that may know it.
        pathNot: 'node_modules/commander/',
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'],
        dependencyTypesNot: ['npm-peer'],
      },
    },
    {
      name: 'only-cli-knows-commander',
      severity: 'error',
      from: { path: '^lib/', pathNot: '^lib/cli/' },
      to: { path: 'node_modules/commander/' },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: 'node_modules/@types/node' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    combinedDependencies: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'node', 'default'] },
  },
};

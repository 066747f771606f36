import { OptionDefaults } from 'typedoc';

/** @type {Record<string, unknown>} */
export default {
  // The door without Nest, lib/core.ts, exports nothing that lib/index.ts does not.
  entryPoints: ['../lib/index.ts', '../lib/testing/index.ts', '../lib/observe/tracing.ts', '../lib/observe/metrics.ts'],
  tsconfig: '../tsconfig.build.json',
  plugin: ['typedoc-plugin-markdown', 'typedoc-vitepress-theme'],
  // Both are what site/pages.mjs fills.
  out: '../.cache/site/pages/api',
  docsRoot: '../.cache/site/pages',
  readme: 'none',
  name: 'API reference',
  entryFileName: 'index',
  // One page for each kind of thing an entry point exports would be too long to be found in.
  outputFileStrategy: 'members',
  parametersFormat: 'table',
  interfacePropertiesFormat: 'table',
  classPropertiesFormat: 'table',
  typeDeclarationFormat: 'table',
  useCodeBlocks: true,
  disableSources: true,
  excludePrivate: true,
  excludeProtected: true,
  excludeInternal: true,
  modifierTags: [...OptionDefaults.modifierTags, '@publicApi'],
  // On everything that is shown.
  excludeTags: [...OptionDefaults.excludeTags, '@publicApi'],
  // Types that compute other types, and what only the library makes.
  intentionallyNotExported: [
    'lib/broker/broker.ts:Delivery',
    'lib/nest/client/oslo-api.ts:Carried',
    'lib/nest/client/oslo-api.ts:Held',
    'lib/nest/client/oslo-api.ts:KeywordsOf',
    'lib/nest/client/oslo-api.ts:Method',
    'lib/nest/client/oslo-api.ts:NoArguments',
    'lib/nest/client/oslo-api.ts:Sendable',
    'lib/nest/client/oslo-proxy.ts:NotOnProxies',
    'lib/nest/module/shared-brokers.ts:SharedBrokers',
  ],
  highlightLanguages: [...OptionDefaults.highlightLanguages, 'python'],
};

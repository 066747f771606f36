import { OptionDefaults } from 'typedoc';

/** @type {Partial<import('typedoc').TypeDocOptions>} */
export default {
  // The door without Nest, lib/core.ts, exports nothing that lib/index.ts does not.
  entryPoints: ['lib/index.ts', 'lib/testing/index.ts', 'lib/observe/tracing.ts', 'lib/observe/metrics.ts'],
  tsconfig: 'tsconfig.build.json',
  out: 'docs/api',
  excludePrivate: true,
  excludeProtected: true,
  excludeInternal: true,
  readme: 'README.md',
  modifierTags: [...OptionDefaults.modifierTags, '@publicApi'],
  // Types that compute other types, and what only the library makes.
  intentionallyNotExported: [
    'lib/broker/broker.ts:Delivery',
    'lib/nest/client/oslo-api.ts:Carried',
    'lib/nest/client/oslo-api.ts:KeywordsOf',
    'lib/nest/client/oslo-api.ts:Method',
    'lib/nest/client/oslo-api.ts:NoArguments',
    'lib/nest/client/oslo-api.ts:Sendable',
    'lib/nest/client/oslo-proxy.ts:NotOnProxies',
    'lib/nest/module/shared-brokers.ts:SharedBrokers',
  ],
  // The README links to a folder of samples; test/package follows the links.
  validation: { invalidPath: false },
  highlightLanguages: [...OptionDefaults.highlightLanguages, 'python'],
};

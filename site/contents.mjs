// The pages in the order of the sidebar. A page that does not exist is left out, one that is not named here comes last.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../scripts/install.mjs';

export const samples = readdirSync(join(root, 'sample'), { withFileTypes: true })
  .flatMap((entry) => (entry.isDirectory() ? entry.name : []))
  .toSorted();

const SECTIONS = [
  [
    'Start here',
    {
      'getting-started': 'Getting started',
      concepts: 'Concepts in ten minutes',
      samples: 'Samples',
    },
  ],
  [
    'Guides',
    {
      nest: 'RPC with Nest',
      notifications: 'Notifications',
      'real-services': 'Calling nova, cinder, ironic, heat',
      recipes: 'Recipes',
      testing: 'Tests without a broker',
      'without-nest': 'Without Nest',
      tools: 'Command line',
      'tracing-and-metrics': 'Traces and metrics',
    },
  ],
  [
    'In production',
    {
      production: 'Production and Kubernetes',
      operations: 'Operations',
      'rabbitmq-versions': 'RabbitMQ versions',
      reliability: 'Reliability',
      faults: 'What happens when',
      performance: 'Performance',
    },
  ],
  [
    'When something is wrong',
    {
      troubleshooting: 'Troubleshooting by symptom',
      doctor: 'What doctor finds',
      errors: 'Error catalogue',
    },
  ],
  [
    'Reference',
    {
      configuration: 'Configuration',
      'nest-versions': 'Nest versions',
      compatibility: 'Compatibility',
      wire: 'The wire',
      architecture: 'Architecture',
      contributing: 'Contributing',
      changelog: 'Changelog',
    },
  ],
];

const MADE = new Set(['samples', 'contributing', 'changelog']);

function isThere(name) {
  return MADE.has(name) || existsSync(join(root, 'docs', `${name}.md`));
}

function listed(pages) {
  return Object.entries(pages).filter(([name]) => isThere(name));
}

/** Pages of docs/ that no section names, by the titles that they give themselves. */
function unlisted() {
  const names = new Set(SECTIONS.flatMap(([, pages]) => Object.keys(pages)));
  const files = readdirSync(join(root, 'docs')).filter((file) => file.endsWith('.md'));
  const others = files.map((file) => file.slice(0, -3)).filter((name) => !names.has(name));
  return Object.fromEntries(others.map((name) => [name, headingOf(`docs/${name}.md`)]));
}

/** The first heading of a page. */
export function headingOf(file) {
  return /^# (.*)$/m.exec(readFileSync(join(root, file), 'utf8'))?.[1] ?? file;
}

function linkTo(name) {
  return name === 'samples' ? '/samples/' : `/${name}`;
}

function itemsOf(pages) {
  return listed(pages).map(([name, text]) => ({ text, link: linkTo(name) }));
}

/** The name of a page in the sidebar. */
export function titleOf(name) {
  return SECTIONS.map(([, pages]) => pages[name]).find((title) => title !== undefined);
}

export function sidebar() {
  const sections = SECTIONS.map(([text, pages]) => ({ text, collapsed: false, items: itemsOf(pages) }));
  sections.at(-1).items.push(...itemsOf(unlisted()), { text: 'API reference', link: '/api/' });
  return sections;
}

/** The first guide for a reader who has read nothing. */
export function firstPage() {
  return linkTo(listed(SECTIONS[0][1])[0][0]);
}

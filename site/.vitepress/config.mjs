import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vitepress';
import { root } from '../../scripts/install.mjs';
import { firstPage, samples, sidebar } from '../contents.mjs';

const folder = join(root, '.cache/site');
const apiSidebar = join(folder, 'pages/api/typedoc-sidebar.json');

/** A message between two services. */
const ICON =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#c51d3a"/>' +
  '<path d="M6 12h14l-4-4M26 20H12l4 4" fill="none" stroke="#fff" stroke-width="3" stroke-linecap="round"/></svg>';

/** As code hosts make the anchors of headings, so that a link holds in both places. */
function slugify(heading) {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-');
}

function showDiagrams(md) {
  const fence = md.renderer.rules.fence;
  md.renderer.rules.fence = (tokens, index, ...rest) => {
    const { info, content } = tokens[index];
    if (info.trim() !== 'mermaid') return fence(tokens, index, ...rest);
    return `<Diagram code="${encodeURIComponent(content)}" />`;
  };
}

function sampleSidebar() {
  return [
    { text: 'Samples', link: '/samples/', items: samples.map((name) => ({ text: name, link: `/samples/${name}` })) },
  ];
}

export default defineConfig({
  title: 'nestjs-oslo-messaging',
  description: JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).description,
  lang: 'en',
  head: [['link', { rel: 'icon', href: `data:image/svg+xml,${encodeURIComponent(ICON)}` }]],
  srcDir: '../.cache/site/pages',
  outDir: '../.cache/site/out',
  cacheDir: '../.cache/site/cache',
  metaChunk: true,
  markdown: { anchor: { slugify }, config: showDiagrams },
  vite: { build: { chunkSizeWarningLimit: 4096 }, publicDir: join(folder, 'pages/public') },
  themeConfig: {
    nav: [
      { text: 'Guide', link: firstPage(), activeMatch: '^/(?!api/|samples/|configuration|index|$)' },
      { text: 'Samples', link: '/samples/', activeMatch: '^/samples/' },
      { text: 'Options', link: '/configuration' },
      { text: 'API', link: '/api/', activeMatch: '^/api/' },
    ],
    sidebar: {
      '/api/': existsSync(apiSidebar) ? JSON.parse(readFileSync(apiSidebar, 'utf8')) : [],
      '/samples/': [...sampleSidebar(), ...sidebar()],
      '/': sidebar(),
    },
    outline: { level: [2, 3] },
    search: {
      provider: 'local',
      // Guides before the API reference, which has each word in many places.
      options: { miniSearch: { searchOptions: { boostDocument: (id) => (id.includes('/api/') ? 0.3 : 1) } } },
    },
  },
});

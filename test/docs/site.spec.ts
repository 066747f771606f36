import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Browser, launchBrowser, type Page, serveFolder } from '../support/browser.js';

const OUT = resolve('.cache/site/out');
const SHOTS = resolve('.cache/site/screenshots');
const WIDE = { width: 1280, height: 900 };
const NARROW = { width: 360, height: 740 };

/** One page of each kind. */
const PAGES = {
  start: '/',
  guide: '/nest.html',
  tables: '/configuration.html',
  diagram: '/reliability.html',
  errors: '/errors.html',
  sample: '/samples/01-rpc-server-and-client.html',
  api: '/api/nestjs-oslo-messaging/classes/OsloClient.html',
};

describe('the documentation site', () => {
  let server: Server;
  let url: string;
  let browser: Browser;
  const opened: Page[] = [];
  const complaints: string[] = [];

  beforeAll(async () => {
    // Other specs run meanwhile, and some of them measure time: the build takes what they leave.
    const command = ['-n', '19', process.execPath, 'site/build.mjs'];
    const { status, stdout, stderr } = spawnSync('nice', command, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`the site cannot be built:\n${stdout}\n${stderr}`);
    mkdirSync(SHOTS, { recursive: true });
    ({ server, url } = await serveFolder(OUT));
    browser = await launchBrowser();
  });

  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  afterEach(async () => {
    for (const page of opened.splice(0)) await page.close();
    const said = complaints.splice(0);
    if (said.length > 0) throw new Error(`the browser's console says: ${said.join('; ')}`);
  });

  async function open(path: string, viewport = WIDE, colorScheme: 'dark' | 'light' = 'light'): Promise<Page> {
    const page = await browser.newPage({ viewport, colorScheme, reducedMotion: 'reduce' });
    opened.push(page);
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(`${path}: ${message.text()}`);
    });
    page.on('pageerror', (error) => complaints.push(`${path}: ${error.message}`));
    await page.goto(`${url}${path}`, { waitUntil: 'networkidle' });
    return page;
  }

  const background = (page: Page): Promise<string> => page.evaluate('getComputedStyle(document.body).backgroundColor');

  it.each(Object.entries(PAGES))('shows %s, narrow and wide, without scrolling sideways', async (name, path) => {
    for (const [width, viewport] of Object.entries({ wide: WIDE, narrow: NARROW })) {
      const page = await open(path, viewport);
      await page.screenshot({ path: join(SHOTS, `${name}-${width}.png`) });
      const overflow = await page.evaluate<number>('document.documentElement.scrollWidth - window.innerWidth');
      expect(overflow, width).toBeLessThanOrEqual(0);
      expect(await page.locator('.VPNavBarTitle').innerText()).toContain('nestjs-oslo-messaging');
      expect(await page.locator('h1').count(), width).toBeGreaterThanOrEqual(1);
    }
  });

  it('leads from the start page into the guide', async () => {
    const page = await open('/');
    await page.screenshot({ path: join(SHOTS, 'start-whole.png'), fullPage: true });
    await page.locator('.VPHero .action a').first().click();
    await page.locator('.VPSidebar').waitFor();
    expect(new URL(page.url()).pathname).not.toBe('/');
  });

  it('lists in its sidebar every page that docs/ has', async () => {
    const page = await open('/nest.html');
    const links = await page.evaluate<string[]>(
      `[...document.querySelectorAll('.VPSidebar a')].map((link) => new URL(link.href).pathname)`,
    );
    const pages = readdirSync('docs').filter((file) => file.endsWith('.md'));
    expect(pages.length).toBeGreaterThan(10);
    expect(links).toEqual(expect.arrayContaining(pages.map((file) => `/${file.replace('.md', '.html')}`)));
  });

  it('has code blocks with colours, and an outline', async () => {
    const page = await open('/nest.html');
    expect(await page.locator('div.language-ts pre.shiki span[style]').count()).toBeGreaterThan(100);
    expect(await page.locator('.VPDocAsideOutline a').allInnerTexts()).toContain('Handlers');
  });

  it.each([
    ['/reliability.html', 'connecting'],
    ['/concepts.html', 'conductor_fanout'],
  ])('draws the diagram of %s', async (path, word) => {
    const page = await open(path);
    await page.locator('.diagram svg').first().waitFor();
    await page.screenshot({ path: join(SHOTS, `diagram-of${path.replace(/\W/g, '-')}.png`), fullPage: true });
    expect(await page.evaluate(`document.querySelector('.diagram svg').textContent`)).toContain(word);
  });

  it('has every exported name in the API reference', async () => {
    const page = await open('/api/');
    expect(await page.locator('.vp-doc a').allInnerTexts()).toEqual(
      expect.arrayContaining(['nestjs-oslo-messaging', 'nestjs-oslo-messaging/testing']),
    );
    const files = readdirSync(join(OUT, 'api/nestjs-oslo-messaging/classes'));
    expect(files).toEqual(expect.arrayContaining(['OsloClient.html', 'ServerOsloRpc.html', 'MessagingTimeout.html']));
  });

  it("finds 'fanout', and opens what it has found", async () => {
    const page = await open('/');
    await page.locator('.VPNavBarSearch button').first().click();
    await page.locator('.VPLocalSearchBox input').fill('fanout');
    await page.locator('.VPLocalSearchBox .result').first().waitFor();
    await page.screenshot({ path: join(SHOTS, 'search.png') });
    const texts = (await page.locator('.VPLocalSearchBox .result').allInnerTexts()).join('\n');
    expect(texts.toLowerCase()).toContain('fanout');
    await page.locator('.VPLocalSearchBox .result').first().click();
    await page.locator('.vp-doc').first().waitFor();
    expect(new URL(page.url()).pathname).not.toBe('/');
  });

  it('turns dark by its switch, and starts dark where the reader prefers it', async () => {
    const page = await open('/nest.html');
    const light = await background(page);
    await page.locator('.VPNavBar .VPSwitchAppearance').first().click();
    const dark = await background(page);
    await page.screenshot({ path: join(SHOTS, 'guide-dark.png') });
    expect(dark).not.toBe(light);
    expect(await background(await open('/nest.html', WIDE, 'dark'))).toBe(dark);
  });

  it('opens its menu on a telephone', async () => {
    const page = await open('/nest.html', NARROW);
    await page.locator('.VPLocalNav button.menu').click();
    await page.locator('.VPSidebar.open').waitFor();
    await page.screenshot({ path: join(SHOTS, 'menu-narrow.png') });
    expect(await page.locator('.VPSidebar.open a').allInnerTexts()).toContain('Notifications');
  });
});

describe('the check of links', () => {
  it('finds a page and an anchor that are not there, and nothing else', async () => {
    const { checkLinks } = (await import(pathToFileURL(resolve('site/links.mjs')).href)) as {
      checkLinks(folder: string): { dead: string[]; count: number };
    };
    const folder = mkdtempSync(join(tmpdir(), 'oslo-links-'));
    const links = ['/b.html#here', './b.html', 'https://example.org/x', '#top', '/c.html', '/b.html#gone'];
    writeFileSync(join(folder, 'a.html'), `<p id="top">${links.map((link) => `<a href="${link}">`).join('')}</p>`);
    writeFileSync(join(folder, 'b.html'), '<h1 id="here">b</h1><a href="a.html#top">');
    expect(checkLinks(folder).dead).toEqual(['a.html -> /c.html', 'a.html -> /b.html#gone']);
    rmSync(folder, { recursive: true });
  });
});

// Follows every link of the built site within it, anchors included.
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';

const unescape = (text) => text.replaceAll('&amp;', '&').replaceAll('&#39;', "'").replaceAll('&quot;', '"');

function htmlFiles(folder) {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.html') && file !== '404.html',
  );
}

function attributes(html, name) {
  return [...html.matchAll(new RegExp(`\\s${name}="([^"]*)"`, 'g'))].map(([, value]) => unescape(value));
}

function targetOf(link, page, base) {
  const { pathname, hash } = new URL(link, `http://site${base}${page}`);
  const path = decodeURIComponent(pathname.startsWith(base) ? pathname.slice(base.length) : pathname.slice(1));
  return {
    file: path === '' || path.endsWith('/') ? `${path}index.html` : path,
    anchor: decodeURIComponent(hash.slice(1)),
  };
}

/** The dead ones, as `page -> link`, and how many there are in all. */
export function checkLinks(folder, base = '/') {
  const files = htmlFiles(folder);
  const html = new Map(files.map((file) => [file, readFileSync(join(folder, file), 'utf8')]));
  const ids = new Map([...html].map(([file, text]) => [file, new Set(attributes(text, 'id'))]));
  const isDead = ({ file, anchor }) => {
    const path = join(folder, file);
    if (!existsSync(path) || statSync(path).isDirectory()) return true;
    return anchor !== '' && ids.has(file) && !ids.get(file).has(anchor);
  };
  const links = [...html].flatMap(([page, text]) =>
    [...attributes(text, 'href'), ...attributes(text, 'src')]
      .filter((link) => !/^(\w+:|\/\/)/.test(link))
      .map((link) => ({ page, link, target: targetOf(link, page.split(posix.sep).join('/'), base) })),
  );
  const dead = links.filter(({ target }) => isDead(target)).map(({ page, link }) => `${page} -> ${link}`);
  return { count: links.length, pages: files.length, dead: [...new Set(dead)] };
}

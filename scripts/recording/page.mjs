// Blocks of a Markdown page between two comments, which a script fills.
const END = '<!-- end of recorded -->';
const BLOCK = new RegExp(`<!-- recorded: ([\\w-]+) -->\\n(?:(?!<!-- recorded).)*?${END}`, 'gs');

export function fenced(lines) {
  return `\`\`\`\n${lines.join('\n')}\n\`\`\``;
}

/** The page with these contents, by the names of its blocks. Throws where a name is on one side only. */
export function filled(page, contents) {
  const names = [...page.matchAll(BLOCK)].map(([, name]) => name);
  const lonely = [
    ...names.filter((name, at) => !contents.has(name) || names.indexOf(name) !== at),
    ...[...contents.keys()].filter((name) => !names.includes(name)),
  ];
  if (lonely.length > 0)
    throw new Error(`neither a block without a scene, nor a scene without one block: ${lonely.join(' ')}`);
  return page.replace(BLOCK, (_, name) => `<!-- recorded: ${name} -->\n\n${contents.get(name)}\n\n${END}`);
}

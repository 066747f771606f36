const MASK = '***';
const EXCERPT_LENGTH = 256;

/** Secrets are masked in more than is shown, so that one that the excerpt cuts is recognised whole. */
const EXCERPT_WINDOW = 2048;

/** As JSON may write an @. */
const ESCAPED_AT = /\\u0040/gi;
/** At the start only: a password may hold one. */
const SCHEME = /^[a-z0-9+.-]*:\/\//i;
/**
 * The text after a scheme. JSON writes characters of a password as escapes, at any level of encoding; a quote
 * ends the URL where it ends a string.
 */
const REST_OF_URL = String.raw`(?:[^\s"\\]|\\(?!")|\\?"(?![\s,:;.}\])\\]|$))*`;
const SCHEME_IN_TEXT = String.raw`[a-z][a-z0-9+.-]{0,40}:(?:\\*\/){2}`;
const URL_IN_TEXT = new RegExp(String.raw`\b(${SCHEME_IN_TEXT})(${REST_OF_URL})`, 'gi');
const URL_AT_END = new RegExp(String.raw`${SCHEME_IN_TEXT}${REST_OF_URL}$`, 'i');
const SECRET_WORD = String.raw`(?:auth_?token|token|passw(?:or)?d|passphrase|admin_?pass|new_?pass|pswd|secret|credential|api_?key|private_?key)[\w.-]{0,64}`;
const SECRET_NAME = String.raw`[\w.-]{0,64}?${SECRET_WORD}`;
const NAME_OF_SECRET = new RegExp(SECRET_NAME, 'i');
/** A quoted key, at any level of escaping, up to its value; its beginning may have been cut off. */
const QUOTED_SECRET = new RegExp(String.raw`${SECRET_WORD}(\\*)["']\s{0,8}:\s{0,8}`, 'gi');
const ASSIGNED_SECRET = new RegExp(
  String.raw`(${SECRET_WORD}\s{0,8}=\s{0,8})(?:"[^"]*"?|'[^']*'?|[^\s&,;"'\\]+)`,
  'gi',
);
/** JSON stays JSON, where its values were masked before. */
const ALREADY_MASKED = /^(\\*")\*{3}\1$/;
/** Keystone's tokens are known by their beginning, under whatever name. */
const FERNET_TOKEN = /\bgAAAAA[\w-]{8,}={0,2}/g;
/** Control characters, line separators and bidirectional overrides: they forge or break lines of a log. */
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** A transport URL with its passwords masked. */
export function maskUrl(url: string): string {
  const scheme = SCHEME.exec(url)?.[0];
  if (scheme === undefined) return url.includes('@') ? maskAuthority(url) : url;
  return scheme + maskAuthority(url.slice(scheme.length)).replace(ASSIGNED_SECRET, `$1${MASK}`);
}

/** A text with the passwords of URLs, tokens and values of password-like keys masked, also inside quoted JSON. */
export function maskSecrets(text: string): string {
  return maskQuoted(text)
    .replace(URL_IN_TEXT, (_, scheme: string, rest: string) => scheme + maskAuthority(rest.replace(ESCAPED_AT, '@')))
    .replace(ASSIGNED_SECRET, `$1${MASK}`)
    .replace(FERNET_TOKEN, MASK);
}

/** True when what has this name is a secret. */
export function isSecretName(name: string): boolean {
  return NAME_OF_SECRET.test(name);
}

/** The beginning of a body for errors and logs: one line, secrets masked. */
export function excerptOf(body: Uint8Array): string {
  const isCut = body.byteLength > EXCERPT_WINDOW;
  const text = new TextDecoder().decode(body.subarray(0, EXCERPT_WINDOW));
  // A URL that the window cuts before its @ would not be recognised.
  const whole = isCut ? text.replace(URL_AT_END, '') : text;
  return printable(maskSecrets(whole).slice(0, EXCERPT_LENGTH));
}

/** Fit for one line of a log. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/**
 * Masks `user:password@` of each host. Where a password holds a raw comma or slash rather more is
 * masked than a strict reading of the URL would.
 */
function maskAuthority(rest: string): string {
  const lastAt = rest.lastIndexOf('@');
  if (lastAt === -1) return rest;
  const masked: string[] = [];
  let insidePassword = false;
  for (const host of rest.slice(0, lastAt + 1).split(',')) {
    const at = host.lastIndexOf('@');
    const colon = host.indexOf(':');
    if (insidePassword) {
      if (at === -1) continue;
      insidePassword = false;
      masked[masked.length - 1] += host.slice(at);
    } else if (at === -1 && !/^(?:\[[^\]]*\]|[^:]*)(?::\d*)?$/.test(host)) {
      insidePassword = true;
      masked.push(`${host.slice(0, colon)}:${MASK}`);
    } else {
      masked.push(colon !== -1 && colon < at ? `${host.slice(0, colon)}:${MASK}${host.slice(at)}` : host);
    }
  }
  return masked.join(',') + rest.slice(lastAt + 1);
}

function maskQuoted(text: string): string {
  let masked = '';
  let done = 0;
  for (const key of text.matchAll(QUOTED_SECRET)) {
    const start = key.index + key[0].length;
    const end = endOfValue(text, start, key[1]!);
    // In a damaged text the quote that ends one value may be the one that opens the next key.
    if (start < done) done = Math.max(done, end);
    if (start < done || end === start || ALREADY_MASKED.test(text.slice(start, end))) continue;
    masked += text.slice(done, start) + MASK;
    done = end;
  }
  return masked + text.slice(done);
}

/** The end of the value that starts there; a value that is cut, or no plain one, goes on to the end. */
function endOfValue(text: string, start: number, escapes: string): number {
  const rest = /^(?:(?:null|None|true|false)\b|[bru]{0,2}(\\*)(["'])|[^\s,}\]\\"']*)/.exec(
    text.slice(start, start + 64),
  );
  if (rest?.[2] !== undefined) {
    const [opening, own = '', quote] = rest;
    const end = endOfString(text, start + opening.length, own, quote);
    // A difference of the two means that something is damaged: rather too much is masked.
    return own === escapes ? end : Math.max(end, endOfString(text, start + opening.length, escapes, quote));
  }
  if (/^(?:null|None|true|false)$/.test(rest?.[0] ?? '')) return start;
  const scalar = /[\s,}\]\\"'[{]/g;
  scalar.lastIndex = start;
  const end = scalar.exec(text);
  return end === null || '[{'.includes(end[0]) ? text.length : end.index;
}

/** The closing quote has exactly as many backslashes as the opening one; those of inner quotes have more. */
function endOfString(text: string, start: number, escapes: string, quote: string): number {
  for (let at = text.indexOf(quote, start); at !== -1; at = text.indexOf(quote, at + 1)) {
    let before = at;
    while (before > start && text[before - 1] === '\\') before--;
    if (at - before === escapes.length) return at + 1;
  }
  return text.length;
}

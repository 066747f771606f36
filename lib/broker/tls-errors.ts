/** The options that a client of this broker has for TLS, for words that say what to set. */
export interface TlsOptionNames {
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
  /** For a broker whose certificate is for another name. */
  readonly serverName?: string;
  readonly version?: string;
  readonly ciphers?: string;
  /** What to do where a port does not speak TLS. */
  readonly noTls: string;
}

type Fault = (names: TlsOptionNames) => string;

/** Faults of the broker's certificate, by the codes of OpenSSL and Node.js. */
const certificateFaults: Readonly<Record<string, Fault>> = {
  CERT_HAS_EXPIRED: () => "the broker's certificate has expired: look at it, and at the clocks",
  CERT_NOT_YET_VALID: () => "the broker's certificate is not valid yet: look at the clocks",
  CERT_REVOKED: () => "the broker's certificate was revoked",
  DEPTH_ZERO_SELF_SIGNED_CERT: ({ authority }) =>
    `the broker's certificate is self-signed: trust it by naming it in ${authority}`,
};

const untrusted: Fault = ({ authority }) =>
  `the broker's certificate is signed by an authority that is not trusted: name that authority's certificate in ${authority}`;

const untrustedCodes = new Set([
  'CERT_UNTRUSTED',
  'INVALID_CA',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** Handshakes that fail, by words in OpenSSL's codes. */
const handshakeFaults: readonly (readonly [RegExp, Fault])[] = [
  [
    /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|RECORD_LAYER_FAILURE/,
    ({ noTls }) => `this port does not speak TLS; ${noTls}`,
  ],
  [
    /ALERT_CERTIFICATE_REQUIRED/,
    ({ certificate, key }) => `the broker wants a certificate of ours: set ${certificate} and ${key}`,
  ],
  [
    // Brokers in Java send this where the client has none.
    /ALERT_BAD_CERTIFICATE/,
    ({ certificate, key }) => `the broker refuses our certificate, or wants one: set ${certificate} and ${key}`,
  ],
  [
    /ALERT_(UNKNOWN_CA|CERTIFICATE_\w+|UNSUPPORTED_CERTIFICATE)/,
    ({ certificate }) => `the broker refuses our certificate (${certificate})`,
  ],
  [
    /PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|NO_PROTOCOLS_AVAILABLE/,
    ({ version }) =>
      `no version of TLS in common with the broker${version ? `: leave ${version} out, or set one that the broker has` : ''}`,
  ],
  [
    /LEGACY_SIGALG|CA_MD_TOO_WEAK|(EE|CA)_KEY_TOO_SMALL|DH_KEY_TOO_SMALL/,
    ({ version, ciphers }) =>
      version && ciphers
        ? `OpenSSL here refuses what is as weak as TLS 1.0 and 1.1: set ${version} to TLSv1_2 or leave it out; if the broker has nothing better, set ${ciphers} to 'DEFAULT@SECLEVEL=0'`
        : 'OpenSSL here refuses what is as weak as TLS 1.0 and 1.1',
  ],
  [
    /HANDSHAKE_FAILURE|NO_CIPHER|NO_SHARED_CIPHER|INSUFFICIENT_SECURITY/,
    ({ certificate, ciphers }) =>
      `nothing in common with the broker: ciphers${ciphers ? ` (${ciphers})` : ''}, versions, or it wants a certificate of ours (${certificate})`,
  ],
];

/** Why a TLS connection could not be opened, in words that say what to do. Undefined: it was something else. */
export function tlsFault(error: Error, names: TlsOptionNames, hostname?: string): string | undefined {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const reason = certificateFault(error, code, names, hostname) ?? handshakeFault(error, code, names);
  return reason === undefined ? undefined : `${reason} (${code})`;
}

function certificateFault(
  error: Error,
  code: string,
  names: TlsOptionNames,
  hostname: string | undefined,
): string | undefined {
  if (code !== 'ERR_TLS_CERT_ALTNAME_INVALID')
    return untrustedCodes.has(code) ? untrusted(names) : certificateFaults[code]?.(names);
  const { host, cert } = error as Error & {
    host?: string;
    cert?: { subjectaltname?: string; subject?: { CN?: string } };
  };
  const others = cert?.subjectaltname ?? `CN ${cert?.subject?.CN ?? 'unknown'}`;
  const remedy = names.serverName ? `set ${names.serverName} to one of these` : 'name it so in the URL';
  return `the broker's certificate is not for '${host ?? hostname}', but for ${others}: ${remedy}`;
}

function handshakeFault({ message }: Error, code: string, names: TlsOptionNames): string | undefined {
  // Node's words, without a code of OpenSSL: the other side has gone in the middle.
  if (code === 'ECONNRESET' && message.includes('before secure TLS connection'))
    return `the broker has broken off the TLS handshake: if this port does not speak TLS, ${names.noTls}`;
  if (!code.startsWith('ERR_SSL_')) return undefined;
  const known = handshakeFaults.find(([pattern]) => pattern.test(code))?.[1];
  if (known !== undefined) return known(names);
  const who = code.includes('_ALERT_') ? 'the broker has' : 'we have';
  const settings = names.version && names.ciphers ? `at ${names.version} and ${names.ciphers}, and ` : '';
  return `${who} broken off the TLS handshake: look ${settings}at the log of the broker`;
}

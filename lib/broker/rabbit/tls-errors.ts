/** Faults of the broker's certificate, by the codes of OpenSSL and Node.js. */
const certificateFaults: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "the broker's certificate has expired: look at it, and at the clocks",
  CERT_NOT_YET_VALID: "the broker's certificate is not valid yet: look at the clocks",
  CERT_REVOKED: "the broker's certificate was revoked",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the broker's certificate is self-signed: trust it by naming it in sslCaFile",
};

const untrusted =
  "the broker's certificate is signed by an authority that is not trusted: name that authority's certificate in sslCaFile";

const untrustedCodes = new Set([
  'CERT_UNTRUSTED',
  'INVALID_CA',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** Handshakes that fail, by words in OpenSSL's codes. */
const handshakeFaults: readonly (readonly [RegExp, string])[] = [
  [
    /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|RECORD_LAYER_FAILURE/,
    'this port does not speak TLS; RabbitMQ does on port 5671',
  ],
  [/ALERT_CERTIFICATE_REQUIRED/, 'the broker wants a certificate of ours: set sslCertFile and sslKeyFile'],
  [
    /ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_\w+|UNSUPPORTED_CERTIFICATE)/,
    'the broker refuses our certificate (sslCertFile)',
  ],
  [
    /PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|NO_PROTOCOLS_AVAILABLE/,
    'no version of TLS in common with the broker: leave sslVersion out, or set one that the broker has',
  ],
  [
    /LEGACY_SIGALG|CA_MD_TOO_WEAK|(EE|CA)_KEY_TOO_SMALL|DH_KEY_TOO_SMALL/,
    "OpenSSL here refuses what is as weak as TLS 1.0 and 1.1: set sslVersion to TLSv1_2 or leave it out; if the broker has nothing better, set sslCiphers to 'DEFAULT@SECLEVEL=0'",
  ],
  [
    /HANDSHAKE_FAILURE|NO_CIPHER|NO_SHARED_CIPHER|INSUFFICIENT_SECURITY/,
    'nothing in common with the broker: ciphers (sslCiphers), versions, or it wants a certificate of ours (sslCertFile)',
  ],
];

/** Why a TLS connection could not be opened, in words that say what to do; other errors stay as they are. */
export function explainTls(error: unknown, hostname: string): unknown {
  if (!(error instanceof Error)) return error;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const reason = certificateFault(error, code, hostname) ?? handshakeFault(code);
  return reason === undefined ? error : new Error(`${reason} (${code})`, { cause: error });
}

function certificateFault(error: Error, code: string, hostname: string): string | undefined {
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const { host, cert } = error as Error & {
      host?: string;
      cert?: { subjectaltname?: string; subject?: { CN?: string } };
    };
    const names = cert?.subjectaltname ?? `CN ${cert?.subject?.CN ?? 'unknown'}`;
    return `the broker's certificate is not for '${host ?? hostname}', but for ${names}: set sslServerName to one of these`;
  }
  return untrustedCodes.has(code) ? untrusted : certificateFaults[code];
}

function handshakeFault(code: string): string | undefined {
  if (!code.startsWith('ERR_SSL_')) return undefined;
  const known = handshakeFaults.find(([pattern]) => pattern.test(code))?.[1];
  if (known !== undefined) return known;
  const who = code.includes('_ALERT_') ? 'the broker has' : 'we have';
  return `${who} broken off the TLS handshake: look at sslVersion and sslCiphers, and at the log of the broker`;
}

import { createPrivateKey, getFips, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { checkServerIdentity, type ConnectionOptions, createSecureContext, type SecureVersion } from 'node:tls';
import type { ResolvedRabbitOptions } from '../../config/rabbit-options.js';
import { labelOf, spelledLike } from '../../config/option-origins.js';
import { ConfigurationError } from '../../errors/configuration.errors.js';
import { textOf } from '../../errors/text-of.js';

const versions: Readonly<Record<string, { minVersion: SecureVersion; maxVersion: SecureVersion }>> = {
  sslv23: { minVersion: 'TLSv1', maxVersion: 'TLSv1.3' },
  tlsv1: { minVersion: 'TLSv1', maxVersion: 'TLSv1' },
  tlsv1_1: { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1' },
  tlsv1_2: { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' },
  tlsv1_3: { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' },
};

type SecretOption = 'sslCa' | 'sslCert' | 'sslKey';

/** All that a connection needs for TLS, from the `ssl…` options and the files that they name. */
export class TlsSettings {
  // Not even `inspect` shows a private key.
  readonly #options: ResolvedRabbitOptions;

  /** @throws ConfigurationError a file or a text that cannot be used */
  constructor(options: ResolvedRabbitOptions) {
    this.#options = options;
    if (options.sslEnforceFipsMode && getFips() !== 1) {
      throw new ConfigurationError(
        `Option ${labelOf(options, 'sslEnforceFipsMode')}: Node.js does not run in FIPS mode (node --enable-fips)`,
        true,
      );
    }
    if (options.sslCiphers !== undefined) checkCiphers(options.sslCiphers, labelOf(options, 'sslCiphers'));
    this.read(options.sslServerName ?? 'localhost');
  }

  /**
   * Reads the files, as they are now.
   *
   * @throws ConfigurationError
   */
  read(hostname: string): ConnectionOptions {
    const { sslCiphers, sslServerName, sslVerify, sslVersion, sslEnforceHostnameVerification } = this.#options;
    const name = sslServerName ?? (isIP(hostname) ? undefined : hostname);
    return {
      ...this.certificates(),
      ...(sslVersion && versions[sslVersion.toLowerCase()]),
      ...(sslCiphers !== undefined && { ciphers: sslCiphers }),
      ...(name !== undefined && { servername: name }),
      rejectUnauthorized: sslVerify,
      checkServerIdentity: sslEnforceHostnameVerification ? checkServerIdentity : () => undefined,
    };
  }

  private certificates(): Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'passphrase'> {
    const ca = this.pem('sslCa');
    const cert = this.pem('sslCert');
    const key = this.pem('sslKey');
    if (ca) certificateIn(ca);
    if (!cert && !key) return { ...(ca && { ca: ca.text }) };
    // As in Python, one file may hold both.
    const certified = cert && certificateIn(cert);
    const keyed = key ?? cert!;
    if (!certified) {
      const missing = spelledLike(this.#options, 'sslKeyFile', 'sslCertFile');
      throw new ConfigurationError(`Option ${keyed.option} is of no use without ${missing}`);
    }
    const passphrase = this.#options.sslKeyPassphrase;
    if (!certified.checkPrivateKey(keyIn(keyed, passphrase))) {
      throw new ConfigurationError(`Option ${keyed.option}: the key is not that of the certificate in ${cert.option}`);
    }
    return { ...(ca && { ca: ca.text }), cert: cert.text, key: keyed.text, ...(passphrase && { passphrase }) };
  }

  private pem(option: SecretOption): Pem | undefined {
    const fileOption = `${option}File` as const;
    const { [option]: text, [fileOption]: file } = this.#options;
    if (text !== undefined && file !== undefined) {
      throw new ConfigurationError(
        `Options ${option} and ${labelOf(this.#options, fileOption)} are two ways to say one thing: set one of them`,
      );
    }
    if (text !== undefined) return { option, text };
    if (file === undefined) return undefined;
    const label = labelOf(this.#options, fileOption);
    try {
      return { option: `${label} ('${file}')`, text: readFileSync(file, 'utf8') };
    } catch (error) {
      throw new ConfigurationError(`Option ${label} must be a file that can be read: ${textOf(error)}`, file, {
        cause: error,
      });
    }
  }
}

interface Pem {
  /** The option that it comes from, for people. */
  option: string;
  text: string;
}

function certificateIn({ option, text }: Pem): X509Certificate {
  try {
    return new X509Certificate(text);
  } catch (error) {
    throw new ConfigurationError(`Option ${option} holds no certificate in PEM form`, undefined, { cause: error });
  }
}

function keyIn({ option, text }: Pem, passphrase: string | undefined): KeyObject {
  try {
    return createPrivateKey({ key: text, format: 'pem', passphrase });
  } catch (error) {
    const isLocked = text.includes('ENCRYPTED');
    const fault = isLocked
      ? `is encrypted, and sslKeyPassphrase ${passphrase === undefined ? 'is not set' : 'does not open it'}`
      : 'holds no private key in PEM form';
    throw new ConfigurationError(`Option ${option} ${fault}`, undefined, { cause: error });
  }
}

function checkCiphers(ciphers: string, label: string): void {
  try {
    createSecureContext({ ciphers });
  } catch (error) {
    const expected = 'ciphers as OpenSSL writes them, for example ECDHE-RSA-AES128-GCM-SHA256:HIGH:!aNULL';
    throw new ConfigurationError(`Option ${label}: OpenSSL knows none of '${ciphers}'; ${expected}`, ciphers, {
      cause: error,
    });
  }
}

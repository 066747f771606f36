import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];

/** Files of a certificate and its key. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

export interface LeafOptions {
  /** `subjectAltName`. @defaultValue DNS:localhost,IP:127.0.0.1 */
  names?: string;
  /** Negative: it has expired. @defaultValue 2 */
  days?: number;
  /** Encrypts the key. */
  passphrase?: string;
}

/** Certificates of our own making, by openssl, in a directory that goes with them. */
export class Certificates {
  private constructor(private readonly directory: string) {}

  static async open(): Promise<Certificates> {
    return new Certificates(await mkdtemp(join(tmpdir(), 'certificates-')));
  }

  /** An authority; itself a self-signed certificate. */
  async authority(name: string): Promise<CertificateFiles> {
    const files = this.files(name);
    const subject = ['-subj', `/CN=${name}`, '-days', '2', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
    await run('openssl', ['req', '-x509', ...newKey, '-nodes', ...subject, '-keyout', files.key, '-out', files.cert]);
    return files;
  }

  /** A certificate that the authority has signed; `name`: its common name. */
  async leaf(name: string, signedBy: CertificateFiles, options: LeafOptions = {}): Promise<CertificateFiles> {
    const { names = 'DNS:localhost,IP:127.0.0.1', days = 2, passphrase } = options;
    const files = this.files(name);
    const request = `${files.cert}.request`;
    const locked = passphrase === undefined ? ['-nodes'] : ['-passout', `pass:${passphrase}`];
    const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=${names}`];
    await run('openssl', ['req', ...newKey, ...locked, ...subject, '-keyout', files.key, '-out', request]);
    const by = ['-CA', signedBy.cert, '-CAkey', signedBy.key, '-CAcreateserial'];
    const extensions = `${files.cert}.extensions`;
    await writeFile(extensions, `subjectAltName=${names}\n`);
    const made = ['-extfile', extensions, '-days', String(days), '-out', files.cert];
    await run('openssl', ['x509', '-req', '-in', request, ...by, ...made]);
    return files;
  }

  async dispose(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }

  private files(name: string): CertificateFiles {
    return { cert: join(this.directory, `${name}.pem`), key: join(this.directory, `${name}.key`) };
  }
}

/** Certificates that openssl makes for one test. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Pem {
	/** Paths. */
	readonly cert: string;
	readonly key: string;
}

function openssl(...argv: string[]): void {
	const result = Bun.spawnSync(["openssl", ...argv], { stdout: "pipe", stderr: "pipe" });
	if (result.exitCode !== 0) throw new Error(`openssl ${argv.join(" ")}: ${result.stderr}`);
}

const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/** A directory of certificates, gone with the test. */
export class Certificates implements Disposable {
	readonly path = mkdtempSync(join(tmpdir(), "portward-pem-"));

	#pem(name: string): Pem {
		return { cert: join(this.path, `${name}.pem`), key: join(this.path, `${name}.key`) };
	}

	/** A self-signed certificate: a CA, or a server's own. `names` as openssl writes them, "DNS:a.example,IP:192.0.2.1". */
	selfSigned(name: string, names = `DNS:${name}`): Pem {
		const pem = this.#pem(name);
		const files = ["-keyout", pem.key, "-out", pem.cert];
		const what = ["-days", "2", "-subj", `/CN=${name}`, "-addext", `subjectAltName=${names}`];
		openssl("req", "-x509", ...curve, ...files, ...what);
		return pem;
	}

	/** A certificate that `ca` signed. */
	signed(name: string, ca: Pem, names = `DNS:${name}`): Pem {
		const pem = this.#pem(name);
		const request = join(this.path, `${name}.csr`);
		const what = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=${names}`];
		openssl("req", ...curve, "-keyout", pem.key, "-out", request, ...what);
		const by = ["-CA", ca.cert, "-CAkey", ca.key, "-CAcreateserial", "-copy_extensions", "copy"];
		openssl("x509", "-req", "-in", request, "-days", "2", ...by, "-out", pem.cert);
		return pem;
	}

	[Symbol.dispose](): void {
		rmSync(this.path, { recursive: true, force: true });
	}
}

export function readPem({ cert, key }: Pem): { readonly cert: string; readonly key: string } {
	return { cert: readFileSync(cert, "latin1"), key: readFileSync(key, "latin1") };
}

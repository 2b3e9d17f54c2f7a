/** Signed policy directories for tests. */

import type { KeyObject } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { manifestFile, signatureFile } from "../../../src/source/manifest.ts";
import { PolicyDirectoryReader } from "../../../src/source/policy-directory.ts";
import { signManifest } from "../../../src/source/policy-signature.ts";
import { generatePrivateKey, parsePrivateKey } from "../../../src/source/signing-key.ts";

export function newKey(): KeyObject {
	const parsed = parsePrivateKey(generatePrivateKey());
	if (!parsed.ok) throw new Error(parsed.message);
	return parsed.key;
}

/** Signs what lies in the directory now. */
export function signDirectory(directory: string, key: KeyObject, serial = 1): void {
	const { files } = new PolicyDirectoryReader(directory, { checkPermissions: false }).read();
	const hashed = files.map(({ path, sha256 }) => ({ path, sha256: sha256 ?? "" }));
	const signed = signManifest({ serial, created: "2026-01-01T00:00:00Z", files: hashed }, key);
	writeFileSync(join(directory, manifestFile), signed.manifest);
	writeFileSync(join(directory, signatureFile), signed.signature);
}

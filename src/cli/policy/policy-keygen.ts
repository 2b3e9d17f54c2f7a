/** `portward policy keygen`: a new key for signing policies. */

import { closeSync, constants, fsyncSync, openSync, writeFileSync } from "node:fs";
import { escapeForTerminal } from "../../base/terminal.ts";
import { generatePrivateKey, parsePrivateKey, publicText } from "../../source/signing-key.ts";
import { exit, type Io, UsageError } from "../command.ts";
import { parseOnlyOptions } from "../options.ts";
import { jsonOption } from "../outcome.ts";

export async function policyKeygen(args: readonly string[], io: Io): Promise<number> {
	const { out } = parseOnlyOptions(args, { out: { type: "string", offer: "file" }, ...jsonOption });
	if (out === undefined) throw new UsageError("name the file for the private key: --out FILE");
	const pem = generatePrivateKey();
	const parsed = parsePrivateKey(pem);
	if (!parsed.ok) throw new Error(parsed.message);
	try {
		// A key that is there already may be the only one that hosts trust.
		const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
		const descriptor = openSync(out, flags, 0o600);
		try {
			writeFileSync(descriptor, pem);
			fsyncSync(descriptor);
		} finally {
			closeSync(descriptor);
		}
	} catch (error) {
		if (!(error instanceof Error && "code" in error)) throw error;
		io.error(`portward: the key cannot be written: ${escapeForTerminal(error.message)}\n`);
		return exit.failure;
	}
	const publicKey = publicText(parsed.key);
	io.values?.add({ publicKey });
	io.out(`${publicKey}\n`);
	return exit.ok;
}

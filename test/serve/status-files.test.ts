import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readStatusFiles } from "../../src/serve/status-files.ts";
import { Certificates, type Pem } from "../support/certificates.ts";

let files: Certificates;
let pem: Pem;
let tokenFile: string;
beforeEach(() => {
	files = new Certificates();
	pem = files.selfSigned("guard.example");
	tokenFile = join(files.path, "token");
	writeFileSync(tokenFile, `${"t".repeat(40)}\n`, { mode: 0o600 });
});
afterEach(() => files[Symbol.dispose]());

const read = (checkPermissions = true) =>
	readStatusFiles({ tls: { ...pem, clientCa: pem.cert }, tokenFile }, checkPermissions);

/** Why it was refused. */
function refusal(checkPermissions = true): string {
	const result = read(checkPermissions);
	return result.ok ? "not refused" : `${result.message}; ${result.hint}`;
}

test("what is named is read, and what is not is not", () => {
	const result = read();
	if (!result.ok) throw new Error(result.message);
	expect(result.bearer?.accepts(`Bearer ${"t".repeat(40)}`)).toBe(true);
	expect(result.tls?.names).toEqual(["guard.example"]);
	expect(readStatusFiles({ tls: null, tokenFile: null }, true)).toEqual({
		ok: true,
		tls: null,
		bearer: null,
		tlsKey: "",
	});
});

test("other TLS files have another key, the same have the same", () => {
	const keyOf = () => {
		const result = read();
		return result.ok ? result.tlsKey : "";
	};
	const before = keyOf();
	expect(keyOf()).toBe(before);
	pem = files.selfSigned("guard.example");
	expect(keyOf()).not.toBe(before);
});

test.each([0o640, 0o604, 0o660, 0o602])(
	"a token that others can read or write is refused: mode %o",
	(mode) => {
		chmodSync(tokenFile, mode);
		expect(refusal()).toMatch(/chmod (?:0600|go-w)/u);
		expect(refusal(false)).toBe("not refused");
	},
);

test.each([0o604, 0o644, 0o620])(
	"a key that everybody can read, or a group write, is refused: mode %o",
	(mode) => {
		chmodSync(pem.key, mode);
		expect(refusal()).toMatch(/chmod (?:0640|go-w)/u);
	},
);

test("a key that its group can read is taken, as Debian's ssl-cert has it", () => {
	chmodSync(pem.key, 0o640);
	expect(refusal()).toBe("not refused");
});

test("files of another user are refused", () => {
	chownSync(tokenFile, 65_534, 65_534);
	expect(refusal()).toContain("owned by user 65534");
	chownSync(tokenFile, 0, 0);
	chownSync(pem.cert, 65_534, 65_534);
	expect(refusal()).toContain("owned by user 65534");
});

test("a link to a file is followed, to which the rules apply", () => {
	const link = join(files.path, "link");
	symlinkSync(tokenFile, link);
	tokenFile = link;
	expect(refusal()).toBe("not refused");
});

test("what is not there, no file, too large or no token is said, with the file's name", () => {
	const good = tokenFile;
	tokenFile = join(files.path, "nowhere");
	expect(refusal()).toContain(tokenFile);
	tokenFile = join(files.path, "directory");
	mkdirSync(tokenFile);
	expect(refusal()).toContain("not a file");
	tokenFile = join(files.path, "fifo");
	Bun.spawnSync(["mkfifo", "-m", "600", tokenFile]);
	expect(refusal()).toContain("not a file");
	tokenFile = good;
	writeFileSync(tokenFile, "a".repeat(5000));
	expect(refusal()).toContain("larger than 4096 bytes");
	writeFileSync(tokenFile, "short");
	expect(refusal()).toContain(`status.tokenFile ${tokenFile}: the token has 5 characters`);
	writeFileSync(tokenFile, "t".repeat(40));
	writeFileSync(pem.key, "no key");
	expect(refusal()).toContain(`status.tls.key ${pem.key} holds no private key`);
});

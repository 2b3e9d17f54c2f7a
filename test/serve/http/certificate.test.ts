import { afterAll, expect, test } from "bun:test";
import { readServerTls } from "../../../src/serve/http/certificate.ts";
import { Certificates, readPem } from "../../support/certificates.ts";

const files = new Certificates();
afterAll(() => files[Symbol.dispose]());
const own = readPem(
	files.selfSigned("guard.example", "DNS:Guard.example,DNS:*.pool.example,IP:192.0.2.1,IP:2001:db8::1"),
);
const other = readPem(files.selfSigned("other.example"));

test("a certificate with its key gives its names, as they are compared, and its end", () => {
	const read = readServerTls(own.cert, own.key, other.cert);
	if (!read.ok) throw new Error(read.message);
	expect(read.tls.names).toEqual(["guard.example", "*.pool.example", "192.0.2.1", "2001:db8::1"]);
	const days = (read.tls.expires - Date.now()) / 86_400_000;
	expect(days).toBeGreaterThan(1.9);
	expect(days).toBeLessThan(2.1);
});

test.each([
	["no certificate", "text", own.key, null, "cert"],
	["a key for a certificate", own.key, own.key, null, "cert"],
	["no key", own.cert, "text", null, "key"],
	["a certificate for a key", own.cert, own.cert, null, "key"],
	["another's key", own.cert, other.key, null, "key"],
	["no CA", own.cert, own.key, "text", "clientCa"],
] as const)("%s is refused, and it is said which file is wrong", (_, cert, key, clientCa, which) => {
	expect(readServerTls(cert, key, clientCa)).toMatchObject({ ok: false, which });
});

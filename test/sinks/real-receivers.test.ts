/** Sinks against the receivers that hosts have: systemd-journald in a mount namespace of its own, and rsyslogd. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SinkBoard } from "../../src/sinks/sink-board.ts";
import { Certificates } from "../support/certificates.ts";
import { spawnBound } from "../system/support/netns.ts";
import { until } from "./support/receivers.ts";
import { lineOf, numbered, sinkSettings } from "./support/settings.ts";

let directory: string;
beforeAll(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-real."));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

type Settings = Parameters<typeof sinkSettings>[0];

async function withBoard(
	sinks: readonly Settings[],
	work: (board: SinkBoard) => Promise<void>,
): Promise<void> {
	const board = new SinkBoard(() => {});
	try {
		const settings = sinks.map(sinkSettings);
		await board.configure({ sinks: settings, stateDirectory: directory, version: "1.2.3" });
		await work(board);
	} finally {
		await board.stop(0);
	}
}

/** Words of the kind that ends lines, fields and structures. */
const hostile = numbered(7, {
	PolicyName: 'evil]"\\ =|\npolicy',
	Message: 'first\nsecond ] " \\ \u001b[31m',
	Severity: "9",
	Action: "Block",
	EventData: { SourceIP: "192.0.2.7", DestinationIP: "192.0.2.1", Protocol: "TCP", Serial: "a\nPRIORITY=0" },
});

const journald = ["/usr/lib/systemd/systemd-journald", "/lib/systemd/systemd-journald"].find(existsSync);

test("journald: fields to search by, whatever is in them", async () => {
	const conf = "[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\nRateLimitBurst=0\n";
	const script = [
		"mount --make-rprivate /",
		"mount -t tmpfs -o mode=755 tmpfs /run",
		"mkdir -p /run/systemd/journald.conf.d /run/log/journal",
		`printf '%b' '${conf.replaceAll("\n", "\\n")}' > /run/systemd/journald.conf.d/test.conf`,
		// A journal belongs to a machine, which a container may not have a number of.
		"echo 0123456789abcdef0123456789abcdef > /run/machine-id",
		"[ ! -e /etc/machine-id ] || mount --bind /run/machine-id /etc/machine-id",
		`exec ${journald ?? "/usr/lib/systemd/systemd-journald"}`,
	];
	const child = spawnBound(["unshare", "--mount", "sh", "-ec", script.join("\n")]);
	try {
		const inside = `/proc/${child.pid}/root`;
		const socket = `${inside}/run/systemd/journal/socket`;
		await until(() => existsSync(socket) && existsSync(`${inside}/run/systemd/journal/dev-log`), "journald");
		const entries = (match: string): Readonly<Record<string, unknown>>[] => {
			const enter = ["nsenter", `--mount=/proc/${child.pid}/ns/mnt`, "journalctl", "-o", "json", "-q", match];
			const { stdout } = Bun.spawnSync(enter, { stderr: "pipe" });
			return stdout
				.toString()
				.split("\n")
				.filter((line) => line !== "")
				.map((line) => JSON.parse(line));
		};
		const sinks: Settings[] = [
			{ name: "journal", type: "journald", address: `unix:${socket}` },
			{
				name: "dev-log",
				type: "syslog",
				address: `unix:${inside}/run/systemd/journal/dev-log`,
				format: "cef",
			},
		];
		await withBoard(sinks, async (board) => {
			board.offer([lineOf(numbered(1)), lineOf(hostile)]);
			await until(() => board.states.every(({ sent }) => sent === 2), "two alerts");
			await until(() => entries("PORTWARD_TYPE=MatchedNetworkPolicy").length === 2, "entries");
			const [first] = entries("PORTWARD_POLICY=np1");
			expect(first).toMatchObject({
				MESSAGE: "Audit by np1: INGRESS SourceIP=192.0.2.7 (alert 1)",
				PRIORITY: "4",
				SYSLOG_IDENTIFIER: "portward",
				PORTWARD_ACTION: "Audit",
				PORTWARD_SEVERITY: "5",
				PORTWARD_DATA_SOURCE_IP: "192.0.2.7",
				PORTWARD_ALERT: lineOf(numbered(1)),
				_TRANSPORT: "journal",
			});
			const [evil] = entries("PORTWARD_SEVERITY=9");
			expect(evil).toMatchObject({
				PRIORITY: "3",
				PORTWARD_POLICY: hostile.PolicyName,
				PORTWARD_POLICY_MESSAGE: expect.anything(),
				PORTWARD_DATA_SERIAL: "a\nPRIORITY=0",
			});
			await until(() => entries("_TRANSPORT=syslog").length === 2, "entries by /dev/log");
			expect(entries("_TRANSPORT=syslog")[0]).toMatchObject({
				SYSLOG_IDENTIFIER: "portward",
				SYSLOG_FACILITY: "3",
				PRIORITY: "4",
				MESSAGE: expect.stringContaining("CEF:0|Portward|Portward|1.2.3|MatchedNetworkPolicy|"),
			});
		});
	} finally {
		child.kill("SIGKILL");
		await child.exited;
	}
});

test("rsyslog: UDP, TCP and TLS as RFC 5424, and its socket for syslog(3)", async () => {
	using certificates = new Certificates();
	// An address of loopback that no other test takes.
	const { pid } = process;
	const host = `127.${(pid >> 16) % 100 || 100}.${(pid >> 8) & 255}.${pid & 255}`;
	const ca = certificates.selfSigned("ca");
	const own = certificates.signed("server", ca, `IP:${host}`);
	const client = certificates.signed("client", ca);
	chmodSync(client.key, 0o600);
	const log = join(directory, "log");
	const path = join(directory, "dev-log");
	const fields = ["inputname", "app-name", "msgid", "structured-data", "syslogseverity-text", "msg"];
	const conf = `
global(workDirectory="${directory}" maxMessageSize="256k" defaultNetstreamDriver="ossl"
	defaultNetstreamDriverCAFile="${ca.cert}" defaultNetstreamDriverCertFile="${own.cert}"
	defaultNetstreamDriverKeyFile="${own.key}")
module(load="imudp")
module(load="imptcp")
module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="x509/certvalid")
module(load="imuxsock" sysSock.use="on" sysSock.name="${path}")
template(name="fields" type="string" string="${fields.map((field) => `%${field}%`).join("\t")}\\n")
input(type="imudp" address="${host}" port="5514" name="udp")
input(type="imptcp" address="${host}" port="5515" name="tcp")
input(type="imtcp" address="${host}" port="5516" name="tls")
action(type="omfile" file="${log}" template="fields" asyncWriting="off" flushInterval="1")
`;
	writeFileSync(join(directory, "rsyslog.conf"), conf);
	const files = ["-f", join(directory, "rsyslog.conf"), "-i", join(directory, "pid")];
	const child = spawnBound(["rsyslogd", "-n", ...files]);
	try {
		await until(() => existsSync(path), "rsyslog");
		const tls = { ca: ca.cert, cert: client.cert, key: client.key };
		const sinks: Settings[] = [
			{ name: "udp", type: "syslog", address: `udp://${host}:5514` },
			{ name: "tcp", type: "syslog", address: `tcp://${host}:5515`, format: "ecs" },
			{ name: "tls", type: "syslog", address: `tls://${host}:5516`, format: "ocsf", tls },
			{ name: "local", type: "syslog", address: `unix:${path}` },
			{ name: "stranger", type: "syslog", address: `tls://${host}:5516`, tls: { ca: ca.cert } },
		];
		await withBoard(sinks, async (board) => {
			board.offer([lineOf(numbered(1)), lineOf(hostile)]);
			const read = () =>
				existsSync(log)
					? readFileSync(log, "utf8")
							.split("\n")
							.filter((line) => line !== "")
							.map((line) => line.split("\t"))
					: [];
			const from = (name: string) => read().filter(([input]) => input === name);
			for (const name of ["udp", "tcp", "tls", "imuxsock"])
				await until(() => from(name).length === 2, `two messages by ${name}`);
			for (const name of ["udp", "tcp", "tls"]) {
				const [first, second] = from(name);
				expect(first?.slice(1, 3)).toEqual(["portward", "MatchedNetworkPolicy"]);
				expect(first?.[3]).toContain('policy="np1" action="Audit" severity="5"');
				expect(first?.[4]).toBe("warning");
				expect(second?.[3]).toContain('policy="evil\\]\\"\\\\ =| policy" action="Block"');
				expect(second?.[4]).toBe("err");
			}
			const message = (name: string) => JSON.parse(from(name)[0]?.[5] ?? "");
			expect(message("udp")).toMatchObject({ PolicyName: "np1", Message: "alert 1" });
			expect(message("tcp")).toMatchObject({ ecs: {}, rule: { name: "np1" } });
			expect(message("tls")).toMatchObject({ class_uid: expect.any(Number), message: "alert 1" });
			expect(from("imuxsock")[0]?.slice(1, 2)).toEqual(["portward"]);
			// Who shows no certificate gets nothing in, and knows it.
			const stranger = () => board.states.find(({ name }) => name === "stranger");
			await until(() => stranger()?.state === "failing", "a refusal");
			expect(stranger()?.queued).toBeGreaterThan(0);
		});
	} finally {
		child.kill("SIGKILL");
		await child.exited;
	}
});

/** KubeArmor's settings (kubearmor.yaml of a host) as portward's. Pure. */

import { isMap, isScalar, type Node } from "yaml";
import type { Place } from "../../base/diagnostic.ts";
import { quote } from "../../base/suggest.ts";
import { readDocuments } from "../documents.ts";
import type { Finding } from "../finding.ts";
import type { SourceText } from "../reading.ts";
import { harmless, lostSettings } from "./keys.ts";

export interface ImportedSettings {
	/** As config.yaml takes them. */
	readonly settings: Readonly<Record<string, unknown>>;
	readonly findings: readonly Finding[];
	/** Why the text is no settings file. */
	readonly problems: readonly Omit<Finding, "kind">[];
}

interface Entry {
	readonly name: string;
	readonly text: string;
	readonly place: Place;
}

const temporary = /^\/(?:tmp|var\/tmp|dev\/shm)\//;
const alertFile = "/var/lib/portward/alerts.json";

/** KubeArmor's own defaults hold for what the file does not say; without a file, for everything. */
export function importSettings(source: SourceText | null): ImportedSettings {
	const { sources, problems } = source === null ? { sources: [], problems: [] } : readDocuments(source);
	const [document] = sources;
	if (problems.length > 0) return { settings: {}, findings: [], problems };
	if (document !== undefined && !isMap(document.root)) {
		const message = "a settings file has NAME: VALUE lines";
		return { settings: {}, findings: [], problems: [{ ...document.place(document.root), message }] };
	}
	const entries = new Map<string, Entry>();
	if (document !== undefined && isMap(document.root)) {
		for (const { key, value } of document.root.items) {
			const name = isScalar(key) ? String(key.value) : "";
			const text = isScalar(value) && value.value !== null ? String(value.value) : "";
			const node = isScalar(key) ? (key as Node) : null;
			entries.set(name.toLowerCase(), { name, text, place: document.place(node) });
		}
	}
	const start: Place = { file: source?.file ?? "kubearmor.yaml", line: 1, column: 1 };
	return new Settings(entries, start).all();
}

class Settings {
	readonly #entries: ReadonlyMap<string, Entry>;
	readonly #start: Place;
	readonly #findings: Finding[] = [];
	readonly #known = new Set<string>();

	constructor(entries: ReadonlyMap<string, Entry>, start: Place) {
		this.#entries = entries;
		this.#start = start;
	}

	all(): ImportedSettings {
		const host = this.#value("host", "");
		if (host !== "")
			this.#changed(
				"host",
				`the host's own name is told in alerts; ${quote(host)} is kept as a label for nodeSelector`,
			);
		const settings = {
			clusterName: this.#value("cluster", "default") || "default",
			...(host === "" ? {} : { nodeLabels: { "kubearmor.io/hostname": host } }),
			enableNetworkPolicyEnforcer: this.#flag("enableNetworkPolicyEnforcer", true),
			hostDefaultNetworkPosture: this.#networkPosture(),
			// What is for virtual machines alone implies it.
			enableKubeArmorHostPolicy: this.#either("enableKubeArmorVm", "enableKubeArmorHostPolicy"),
			enableUSBDeviceHandler: this.#flag("enableUSBDeviceHandler", false),
			hostDefaultDevicePosture: this.#devicePosture(),
			...this.#throttling(),
			...this.#alerts(),
			kubearmorApi: this.#api(),
		};
		this.#rest();
		return { settings, findings: this.#findings, problems: [] };
	}

	#find(kind: Finding["kind"], name: string, message: string): void {
		const place = this.#entries.get(name.toLowerCase())?.place ?? this.#start;
		this.#findings.push({ ...place, kind, message: `${name}: ${message}` });
	}

	#changed(name: string, message: string): void {
		this.#find("changed", name, message);
	}

	#value(name: string, fallback: string): string {
		this.#known.add(name.toLowerCase());
		return this.#entries.get(name.toLowerCase())?.text ?? fallback;
	}

	/** As KubeArmor reads them (strconv.ParseBool); what it cannot read is false there. */
	#flag(name: string, fallback: boolean): boolean {
		return ["1", "t", "true"].includes(this.#value(name, String(fallback)).toLowerCase());
	}

	#either(...names: readonly string[]): boolean {
		return names.map((name) => this.#flag(name, false)).includes(true);
	}

	#networkPosture(): "audit" | "block" {
		const name = "hostDefaultNetworkPosture";
		const posture = this.#value(name, "audit");
		if (posture === "audit" || posture === "block") return posture;
		this.#changed(
			name,
			`block, as KubeArmor's firewall drops with ${quote(posture)} too; write audit to let pass and alert`,
		);
		return "block";
	}

	#devicePosture(): "audit" | "block" {
		const name = "hostDefaultDevicePosture";
		const posture = this.#value(name, "audit");
		if (posture === "audit" || posture === "block") return posture;
		this.#changed(
			name,
			`audit, so that what no rule matches is alerted; KubeArmor is silent with ${quote(posture)}`,
		);
		return "audit";
	}

	#throttling() {
		const alertThrottling = this.#flag("alertThrottling", true);
		const maxAlertPerSec = this.#number("maxAlertPerSec", 10, 100_000);
		const throttleSec = this.#number("throttleSec", 30, 3600);
		if (alertThrottling)
			this.#changed(
				"alertThrottling",
				"alerts are counted by policy, and one tells what was held back; KubeArmor counts by container",
			);
		return { alertThrottling, maxAlertPerSec, throttleSec };
	}

	#number(name: string, fallback: number, most: number): number {
		const text = this.#value(name, String(fallback));
		const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
		if (number >= 1 && number <= most) return number;
		this.#changed(name, `${fallback}, as ${quote(text)} is no number from 1 to ${most}`);
		return fallback;
	}

	#alerts() {
		const path = this.#value("logPath", "");
		if (path === "") return {};
		if (path === "stdout") return { alerts: { stdout: true } };
		if (path === "none") return { alerts: { stdout: false } };
		const fields = "each line has the fields that KubeArmor's clients see, not those of KubeArmor's file";
		if (path.startsWith("/") && !temporary.test(path)) {
			this.#changed("logPath", `${fields}; a unit of systemd has to let portward write there`);
			return { alerts: { stdout: false, file: path } };
		}
		this.#changed("logPath", `${alertFile}, as ${quote(path)} is no place of root's own; ${fields}`);
		return { alerts: { stdout: false, file: alertFile } };
	}

	/** KubeArmor listens everywhere. That asks for client certificates here, which no setting of KubeArmor names. */
	#api() {
		const address = this.#port("gRPC", "32767");
		const healthAddress = this.#port("gRPCHealthPort", "32766");
		const tls = this.#flag("tlsEnabled", false) ? "; its certificates are not taken over" : "";
		const message = `alerts are served on 127.0.0.1 alone${tls}: for clients elsewhere, set kubearmorApi.tls with a clientCa, and another address`;
		this.#changed("gRPC", message);
		if (address === null) return { address: null };
		return { address, ...(healthAddress === null || healthAddress === address ? {} : { healthAddress }) };
	}

	#port(name: string, fallback: string): string | null {
		const text = this.#value(name, fallback);
		if (/^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65_535) return `127.0.0.1:${text}`;
		this.#find("lost", name, `${quote(text)} is no port from 1 to 65535; nothing is served there`);
		return null;
	}

	#rest(): void {
		const lost = new Map(
			Object.entries(lostSettings).map(([name, why]) => [name.toLowerCase(), { name, why }]),
		);
		for (const [key, { name, text }] of this.#entries) {
			if (this.#known.has(key)) continue;
			const known = lost.get(key);
			if (known === undefined) this.#find("lost", name, "KubeArmor has no such setting that is known here");
			else if (harmless[known.name] !== text.toLowerCase()) this.#find("lost", name, known.why);
		}
	}
}

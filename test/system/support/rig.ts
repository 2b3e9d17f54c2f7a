/** What most system tests stand on: a lab, the directories of a daemon, and probes, anew for each test. */

import { afterEach, beforeEach } from "bun:test";
import { executable } from "./built.ts";
import { policy, port } from "./case.ts";
import { Home } from "./daemon.ts";
import { Lab } from "./netns.ts";
import { Prober } from "./probe.ts";

/** A policy that blocks a TCP port, or some. */
export const blocks = (name: string, first: number, last?: number) =>
	policy(name, { action: "Block", ingress: [{ ports: [port("TCP", first, last)] }] });

/** The ports among these that are blocked now. */
export async function blockedAmong(prober: Prober, ports: readonly number[]): Promise<number[]> {
	const passed = await prober.send(
		ports.map((one) => ({ direction: "ingress", protocol: "tcp", remote: "10.1.0.10", port: one })),
	);
	return ports.filter((_, index) => !passed[index]);
}

class Rig implements Disposable {
	readonly lab: Lab;
	readonly home = new Home();
	readonly prober: Prober;

	constructor(lab: Lab) {
		this.lab = lab;
		this.prober = new Prober(lab);
	}

	[Symbol.dispose](): void {
		this.prober[Symbol.dispose]();
		this.lab[Symbol.dispose]();
		this.home[Symbol.dispose]();
	}
}

/** Makes a rig before each test of the calling file and takes it away after it; what it gives is always of the test that runs. */
export function eachOnRig() {
	let rig: Rig | null = null;
	const now = (): Rig => {
		if (rig === null) throw new Error("no test runs");
		return rig;
	};
	beforeEach(async () => {
		rig = new Rig(await Lab.create());
	});
	afterEach(() => {
		rig?.[Symbol.dispose]();
		rig = null;
	});
	return {
		get lab() {
			return now().lab;
		},
		get home() {
			return now().home;
		},
		get prober() {
			return now().prober;
		},
		blockedPorts: (...ports: readonly number[]) => blockedAmong(now().prober, ports),
		/** A command of the executable on the guarded host, with the daemon's settings. */
		portward: (...argv: readonly string[]) =>
			now().lab.guarded.try([executable(), ...argv, "--config", now().home.config]),
	};
}

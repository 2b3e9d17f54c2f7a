/** A keeper of flows on a disk that fills up, dies and is back, by a clock of its own. Prints what came of it as JSON. */

import { readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { historyFile } from "../../../../../src/enforcers/network/history/saved-history.ts";
import { keyPlaces } from "../../../../../src/enforcers/network/observe/seen-sets.ts";
import { FlowKeeper } from "../../../../../src/enforcers/network/run/history/flow-keeper.ts";

const [directory = ""] = process.argv.slice(2);
const place = { direction: "ingress", forwarded: false, family: 4 } as const;
const at = keyPlaces(place, "named");
const lifeMs = 300_000;
let now = 5_000;
/** When each host's flow was seen. The kernel forgets it `lifeMs` later. */
const seen = new Map<number, number>();

function keyOf(host: number): Uint8Array {
	const key = new Uint8Array(at.length);
	const view = new DataView(key.buffer);
	view.setUint32(at.interface, 2, true);
	key.set([203, 0, 113, host], at.remote);
	key[at.protocol] = 6;
	if (at.port !== null) view.setUint16(at.port, 22);
	return key;
}

function begin() {
	const keeper = new FlowKeeper({
		stateDirectory: directory,
		maxFlows: 1000,
		read: (each) => {
			for (const [host, time] of seen) {
				const left = lifeMs - (now - time);
				if (left > 0) each(place, "named", { key: keyOf(host), count: 1, left });
			}
			return null;
		},
		unseen: () => 0,
		interfaceName: () => "eth0",
		time: () => 1_000_000_000 + now,
		now: () => now,
		seed: 1,
	});
	/** Looks every ten seconds, as the daemon does. */
	const watch = (seconds: number) => {
		for (const end = now + seconds * 1000; now < end; now += 10_000) {
			let polled = keeper.poll({ generation: 1 });
			while (polled.questions.length > 0) {
				const rows = polled.questions.map(({ row }) => row);
				const answers = rows.map(() => ({ action: "Allow", policy: "web" }) as const);
				polled = keeper.decided({ generation: 1, rows, answers });
			}
		}
	};
	const hosts = (): string[] => {
		const said = keeper.flows({ query: "" });
		if (!said.ok) throw new Error(said.message);
		const { flows }: { flows: { remote: string; count: number }[] } = JSON.parse(
			Buffer.from(said.body).toString(),
		);
		return flows.map(({ remote, count }) => `${remote} ${count}`).sort();
	};
	return { keeper, watch, hosts };
}

function fill(): void {
	const { bavail, bsize } = statfsSync(directory);
	writeFileSync(join(directory, "ballast"), Buffer.alloc(Number(bavail) * Number(bsize)));
}

const first = begin();
seen.set(1, now);
first.watch(60);
const saved = readFileSync(join(directory, historyFile), "utf8");
fill();
seen.set(2, now);
first.watch(60);
const full = { hosts: first.hosts(), unsaved: first.keeper.facts.unsaved };
const kept = readFileSync(join(directory, historyFile), "utf8") === saved;
// It is killed. What the kernel still has the next one sees, and what is on the disk it reads.
const second = begin();
second.watch(20);
const again = { hosts: second.hosts(), notice: second.keeper.notice };
rmSync(join(directory, "ballast"));
second.watch(60);
const unsaved = second.keeper.facts.unsaved;
now += lifeMs;
const third = begin();
console.log(JSON.stringify({ full, kept, again, unsaved, third: third.hosts() }));

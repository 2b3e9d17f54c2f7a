/** A group whose file is a feed of 100 000 blocks: from the file to the kernel, and what a change of 1 % costs. */

import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { policy } from "../test/system/support/case.ts";
import { Daemon, Home } from "../test/system/support/daemon.ts";
import { eventually, Lab, Namespace } from "../test/system/support/netns.ts";
import { memory, settle } from "./daemon.ts";
import { enforced } from "./many.ts";
import { atMost, type Figure, interleave, median, quantity, rounds } from "./report.ts";

const blocks = 100_000;
const changed = blocks / 100;
/** Beyond any target; what takes longer than this is broken. */
const patienceMs = 180_000;

/** No two meet, so that the kernel has to keep each. `from` moves those of a hundredth. */
function feed(from: number): string[] {
	return Array.from({ length: blocks }, (_, i) => {
		const at = i < changed ? blocks + from * changed + i : i;
		return `${10 + (at >> 18)}.${(at >> 10) & 255}.${(at >> 2) & 255}.${(at & 3) * 64}/27`;
	});
}

async function nftSeconds(directory: string): Promise<number> {
	using namespace = await Namespace.create();
	const file = join(directory, "feed.nft");
	writeFileSync(
		file,
		`table inet feed {
	set s { type ipv4_addr; flags interval; elements = { ${feed(0).join(", ")} } }
	chain in { type filter hook input priority 0; policy accept; ip saddr @s counter drop; }
}
`,
	);
	const start = performance.now();
	namespace.run(["nft", "-f", file]);
	return (performance.now() - start) / 1000;
}

/** While nobody on the host listens to nf_tables: the kernel makes a message of each element as soon as anybody does. */
async function nftAlone(): Promise<number> {
	const directory = mkdtempSync(join(tmpdir(), "portward-feed-"));
	try {
		const seconds: number[] = [];
		for (let round = 0; round < rounds; round++) seconds.push(await nftSeconds(directory));
		return median(seconds);
	} finally {
		rmSync(directory, { recursive: true });
	}
}

export async function feedFigures(): Promise<Figure[]> {
	const alone = await nftAlone();
	using lab = await Lab.create();
	using home = new Home();
	const directory = mkdtempSync(join(tmpdir(), "portward-feed-"));
	try {
		const feeds = join(home.path, "feeds");
		mkdirSync(feeds);
		const file = join(feeds, "list.txt");
		const put = (lines: readonly string[]) => {
			writeFileSync(`${file}.new`, `${lines.join("\n")}\n`);
			return () => renameSync(`${file}.new`, file);
		};
		put(["192.0.2.1"])();
		const spec = { file, maxShrink: 100 };
		const group = {
			apiVersion: "portward.io/v1",
			kind: "PortwardAddressGroup",
			metadata: { name: "bad" },
			spec,
		};
		home.put("group.json", JSON.stringify(group));
		home.put("policy.json", policy("bad", { action: "Block", ingress: [{ from: [{ group: "bad" }] }] }));
		await using daemon = await Daemon.start(lab.guarded, {}, home);
		await settle(daemon.pid);
		/** Seconds from the change of the file until it is enforced, the wait for more changes included. */
		const take = async (lines: readonly string[]): Promise<number> => {
			const change = put(lines);
			const before = enforced(daemon);
			const start = performance.now();
			change();
			await eventually("the feed", () => enforced(daemon) > before, patienceMs);
			return (performance.now() - start) / 1000;
		};
		const { portward = Number.NaN, nft = Number.NaN } = await interleave({
			portward: async () => {
				await take(["192.0.2.1"]);
				await settle(daemon.pid);
				return take(feed(0));
			},
			nft: () => nftSeconds(directory),
		});
		const { elements } = (await daemon.status()).enforcers.network;
		if (elements < blocks) throw new Error(`${elements} elements are enforced`);
		const changes: number[] = [];
		for (let round = 1; round <= rounds; round++) changes.push((await take(feed(round))) * 1000);
		await settle(daemon.pid);
		const of = `a feed of ${blocks} blocks`;
		return [
			quantity(`${of}: from the file to enforced`, portward, "s", null),
			quantity(`${of}: nft -f of the same set beside it`, nft, "s", null),
			quantity(`${of}: against nft -f beside it`, portward / nft, "×", null),
			quantity(`${of}: nft -f where nobody listens`, alone, "s", null),
			atMost(`${of}: against nft -f where nobody listens`, portward / alone, 1.2),
			quantity(`${of}: a change of 1 % to enforced`, median(changes), "ms", null),
			quantity(`${of}: memory at its peak`, memory(daemon.pid, "VmHWM"), "MB", null),
			quantity(`${of}: memory settled`, memory(daemon.pid, "VmRSS"), "MB", null),
		];
	} finally {
		rmSync(directory, { recursive: true });
	}
}

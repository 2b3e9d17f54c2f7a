/**
 * npm run bench [SECTION…]
 *
 * Medians of at least five interleaved rounds. Costs of the machine itself come
 * and go, so what is promised is ratios wherever it can be.
 */

import { blockedFlood } from "./alerts.ts";
import { daemonFigures } from "./daemon.ts";
import { diffFigures } from "./diff.ts";
import { feedFigures } from "./feed.ts";
import { tcpConnects, udpFlows } from "./flows.ts";
import { foreignFigures } from "./foreign.ts";
import { forwardedFigures } from "./forwarded.ts";
import { limitFigures } from "./limits.ts";
import { loadFigures } from "./load.ts";
import { manyFigures } from "./many.ts";
import { observeFigures } from "./observe.ts";
import { openFlowFigures } from "./open-flows.ts";
import { type Figure, print } from "./report.ts";
import { simulateFigures } from "./simulate.ts";
import { sinkFigures } from "./sinks.ts";
import { usbDecisionFigures } from "./usb-decision.ts";
import { usbVmFigures } from "./usb-vm.ts";

const sections: Readonly<Record<string, { title: string; run: () => Promise<Figure[]> }>> = {
	udp: { title: "Accepted UDP packets, each of a new flow", run: udpFlows },
	tcp: { title: "TCP connections, opened and reset", run: tcpConnects },
	forwarded: { title: "UDP packets to a guest's published port", run: forwardedFigures },
	limits: { title: "New flows of rules that limit them", run: limitFigures },
	observe: { title: "Watching flows", run: observeFigures },
	open: { title: "Open connections that a new Block ends", run: openFlowFigures },
	load: { title: "From the parsed policies to the kernel", run: loadFigures },
	daemon: { title: "The daemon", run: daemonFigures },
	foreign: { title: "Sets of others, and quotas", run: foreignFigures },
	many: { title: "Many policies, and what a change of one costs", run: manyFigures },
	feed: { title: "A group's file of 100 000 blocks", run: feedFigures },
	diff: { title: "What two sets of policies say differently", run: diffFigures },
	simulate: {
		title: "What other policies would have made of the flows that were seen",
		run: simulateFigures,
	},
	usb: {
		title: "USB devices",
		run: async () => [...(await usbDecisionFigures()), ...(await usbVmFigures())],
	},
	alerts: { title: "A flood of 400 000 blocked packets", run: blockedFlood },
	sinks: { title: "Sinks of alerts", run: sinkFigures },
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => sections[name] === undefined);
if (unknown.length > 0) {
	console.error(`bench: no section ${unknown.join(", ")}; there are ${Object.keys(sections).join(", ")}`);
	process.exit(64);
}

const missed: string[] = [];
for (const [name, { title, run }] of Object.entries(sections)) {
	if (wanted.length > 0 && !wanted.includes(name)) continue;
	const figures = await run();
	print(title, figures);
	missed.push(...figures.filter((figure) => figure.met === false).map((figure) => figure.what));
}
console.log(missed.length === 0 ? "\nEvery target is met." : `\nMissed: ${missed.join("; ")}.`);

/** Chooses where USB events come from, and proves that they arrive. */

import type { UsbEventHandlers, UsbEvents } from "../observe/observer.ts";
import type { UsbEvent } from "../observe/uevent.ts";
import type { Backend } from "../observe/uevent-source.ts";

export type SourceChoice =
	| {
			readonly ok: true;
			readonly source: UsbEvents;
			readonly backend: Backend;
			/** What is wrong with the sources that were tried before; "" for the first. */
			readonly fallback: string;
	  }
	| { readonly ok: false; readonly reason: string };

/** How long the event that we ask for may take. */
const testMs = 2000;

/**
 * Starts the sources in turn until one delivers. `provoke` asks the kernel for
 * an event; where it cannot, as no controller is there, listening has to do.
 */
export async function chooseSource(
	candidates: readonly UsbEvents[],
	handlers: UsbEventHandlers,
	provoke: () => Promise<boolean>,
): Promise<SourceChoice> {
	const failures: string[] = [];
	for (const source of candidates) {
		const arrived = Promise.withResolvers<true>();
		const started = await source.start({
			lost: () => handlers.lost(),
			changed: (state) => handlers.changed(state),
			event: (event: UsbEvent) => {
				if (event.synthetic) arrived.resolve(true);
				handlers.event(event);
			},
		});
		if (started.state === "listening") {
			const works =
				!(await provoke()) || (await Promise.race([arrived.promise, Bun.sleep(testMs).then(() => false)]));
			if (works) return { ok: true, source, backend: source.backend, fallback: failures.join("; ") };
			failures.push(`${source.backend}: the event that was asked for did not arrive`);
		} else failures.push(`${source.backend}: ${started.reason}`);
		await source.stop();
	}
	return { ok: false, reason: failures.join("; ") };
}

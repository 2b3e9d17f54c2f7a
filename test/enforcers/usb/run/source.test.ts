import { describe, expect, test } from "bun:test";
import type {
	SourceState,
	UsbEventHandlers,
	UsbEvents,
} from "../../../../src/enforcers/usb/observe/observer.ts";
import type { UsbEvent } from "../../../../src/enforcers/usb/observe/uevent.ts";
import { chooseSource } from "../../../../src/enforcers/usb/run/source.ts";

const synthetic: UsbEvent = {
	action: "change",
	kind: "device",
	device: "usb1",
	address: null,
	sequence: 1,
	synthetic: true,
	mark: "0",
	time: 0,
};

class Source implements UsbEvents {
	handlers: UsbEventHandlers | null = null;
	stopped = false;
	constructor(
		readonly backend: UsbEvents["backend"],
		private readonly state: SourceState,
	) {}
	async start(handlers: UsbEventHandlers): Promise<SourceState> {
		this.handlers = handlers;
		return this.state;
	}
	async stop(): Promise<void> {
		this.stopped = true;
	}
}

const listening = { state: "listening" } as const;
const handlers: UsbEventHandlers = { event: () => {}, lost: () => {}, changed: () => {} };

describe("the first source that delivers is taken", () => {
	test("when the event that is asked for arrives", async () => {
		const source = new Source("libudev", listening);
		const seen: string[] = [];
		const choice = await chooseSource(
			[source],
			{ ...handlers, event: ({ device }) => seen.push(device) },
			async () => {
				source.handlers?.event(synthetic);
				return true;
			},
		);
		expect(choice).toMatchObject({ ok: true, backend: "libudev", fallback: "" });
		expect(seen).toEqual(["usb1"]);
	});

	test("when there is no controller to ask", async () => {
		const choice = await chooseSource([new Source("libudev", listening)], handlers, async () => false);
		expect(choice.ok).toBe(true);
	});

	test("else the next, with the reason; the others are stopped", async () => {
		const absent = new Source("libudev", { state: "down", reason: "no library" });
		const works = new Source("netlink", listening);
		const choice = await chooseSource([absent, works], handlers, async () => false);
		expect(choice).toMatchObject({ ok: true, backend: "netlink", fallback: "libudev: no library" });
		expect([absent.stopped, works.stopped]).toEqual([true, false]);
	});

	test("and when none delivers there is a reason for each", async () => {
		const deaf = new Source("libudev", listening);
		const absent = new Source("netlink", { state: "down", reason: "EPERM" });
		const choice = await chooseSource([deaf, absent], handlers, async () => true);
		expect(choice).toEqual({
			ok: false,
			reason: "libudev: the event that was asked for did not arrive; netlink: EPERM",
		});
	});
});

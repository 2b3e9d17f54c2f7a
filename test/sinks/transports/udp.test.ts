import { expect, test } from "bun:test";
import { UdpTransport } from "../../../src/sinks/transports/udp.ts";
import { until } from "../support/receivers.ts";
import { numbered } from "../support/settings.ts";

const outgoing = (text: string) => ({ alert: numbered(0), text });

test("a datagram each; what no datagram holds is cut; a name is looked up", async () => {
	const got: string[] = [];
	const receiver = await Bun.udpSocket({
		hostname: "127.0.0.1",
		socket: { data: (_, data) => void got.push(data.toString()) },
	});
	const sender = new UdpTransport("127.0.0.1", receiver.port, ({ text }) => text);
	expect(await sender.send([outgoing("one"), outgoing("x".repeat(70_000))])).toMatchObject({
		done: 2,
		cut: 1,
		error: "",
	});
	await until(() => got.length === 2);
	expect(got.map((text) => text.length)).toEqual([3, 65_000]);
	sender.close();
	const named = new UdpTransport("localhost", receiver.port, ({ text }) => text);
	await named.send([outgoing("three")]);
	expect(named.addresses).toHaveLength(1);
	named.close();
	receiver.close();
});

test("nobody listens: some time that is an error, and never a throw", async () => {
	const gone = await Bun.udpSocket({ hostname: "127.0.0.1", socket: {} });
	const { port } = gone;
	gone.close();
	const sender = new UdpTransport("127.0.0.1", port, ({ text }) => text);
	let error = "";
	await until(() => {
		void sender.send([outgoing("a"), outgoing("b")]).then((sent) => {
			error ||= sent.error;
		});
		return error !== "";
	}, "an error");
	sender.close();
	expect(error).not.toBe("");
});

test("a name that leads nowhere is an error", async () => {
	const sender = new UdpTransport("no-such-host.invalid", 514, ({ text }) => text);
	expect(await sender.send([outgoing("a")])).toMatchObject({ done: 0 });
	sender.close();
});

import { describe, expect, test } from "bun:test";
import {
	inRole,
	judgeable,
	possibleFlows,
	type TrackedFlow,
} from "../../../../src/enforcers/network/flows/open-connections.ts";

const local = (address: string) => address === "192.0.2.1" || address === "2001:db8::1";

function tcp(source: string, sourcePort: number, destination: string, destinationPort: number): TrackedFlow {
	return {
		family: source.includes(":") ? 6 : 4,
		protocol: 6,
		original: { source, sourcePort, destination, destinationPort },
		reply: {
			source: destination,
			sourcePort: destinationPort,
			destination: source,
			destinationPort: sourcePort,
		},
	};
}

describe("judgeable", () => {
	test("a client's connection to this host is ingress, its own port is the destination port", () => {
		expect(judgeable(tcp("198.51.100.9", 40000, "192.0.2.1", 22), local)).toEqual({
			direction: "ingress",
			family: 4,
			local: "192.0.2.1",
			remote: "198.51.100.9",
			protocol: 6,
			destinationPort: 22,
			cut: { family: 4, remote: "198.51.100.9", protocol: 6, remotePort: 40000, localPort: 22 },
		});
	});

	test("this host's connection is egress, the server's port is the destination port", () => {
		const judged = judgeable(tcp("2001:db8::1", 50000, "2001:db8::53", 853), local);
		expect(judged).toMatchObject({
			direction: "egress",
			family: 6,
			remote: "2001:db8::53",
			destinationPort: 853,
		});
		expect(judged?.cut).toMatchObject({ remotePort: 853, localPort: 50000 });
	});

	test("destination translation: ingress is judged by the port that the input chain sees", () => {
		const flow = tcp("198.51.100.9", 40000, "203.0.113.5", 8080);
		const translated: TrackedFlow = {
			...flow,
			reply: { source: "192.0.2.1", sourcePort: 80, destination: "198.51.100.9", destinationPort: 40000 },
		};
		expect(judgeable(translated, local)).toMatchObject({ direction: "ingress", destinationPort: 80 });
	});

	test("loopback and forwarded flows are nobody's", () => {
		expect(judgeable(tcp("192.0.2.1", 1, "192.0.2.1", 2), local)).toBeNull();
		expect(judgeable(tcp("198.51.100.9", 1, "203.0.113.5", 2), local)).toBeNull();
	});
});

test("in the other role policies speak of the other end's port", () => {
	const flow = judgeable(tcp("192.0.2.1", 40000, "198.51.100.9", 443), local);
	if (flow === null) throw new Error("not judged");
	expect(inRole(flow, "egress")).toEqual(flow);
	expect(inRole(flow, "ingress")).toEqual({ ...flow, direction: "ingress", destinationPort: 40000 });
	expect(possibleFlows(flow.cut)).toEqual([
		{ ...flow, local: "", direction: "ingress", destinationPort: 40000 },
		{ ...flow, local: "" },
	]);
});

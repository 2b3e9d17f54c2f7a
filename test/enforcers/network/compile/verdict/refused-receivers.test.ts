import { expect, test } from "bun:test";
import { buildModel, ruleSets } from "../../../../../src/enforcers/network/compile/program.ts";
import {
	type RoutedReceiver,
	refusedReceivers,
	refusedText,
} from "../../../../../src/enforcers/network/compile/verdict/refused-receivers.ts";
import { policy, rule } from "../build.ts";

const root = { user: 0, group: 0, service: "portward.service" };
const siem: RoutedReceiver = {
	...{ name: "siem", protocol: "tcp", address: "192.0.2.10", port: 6514, interface: "eth0" },
};
const egress = (...rules: ReturnType<typeof rule>[]) => {
	const written = policy("p", ...rules);
	return { ...written, ingress: [], egress: written.ingress };
};
const model = (...rules: ReturnType<typeof rule>[]) =>
	buildModel(ruleSets([egress(...rules)], { resolve: () => 0 }), {
		posture: "block",
		allowlistScope: "direction",
		failsafe: { ingress: [], egress: [] },
	});

test("a Block and a posture are told with who decides; what passes is not", () => {
	const blocked = model(rule("Block", { peers: ["192.0.2.0/24"], ports: ["tcp/6514"] }));
	const [refused, ...rest] = refusedReceivers(blocked, [siem, { ...siem, port: 514 }], root);
	expect(rest).toEqual([]);
	expect(refused).toMatchObject({ name: "siem", policy: "p", rule: { index: 0 } });
	expect(refused && refusedText(refused)).toMatch(
		/^egress tcp 6514 to 192\.0\.2\.10 is blocked by p egress\[0\] \(/,
	);
	const allowlist = model(rule("Allow", { peers: ["198.51.100.0/24"] }));
	const [postured] = refusedReceivers(allowlist, [{ ...siem, address: "2001:db8::1" }], root);
	expect(postured).toMatchObject({ policy: "DefaultPosture", rule: null });
	expect(postured && refusedText(postured)).toBe(
		"egress tcp 6514 to 2001:db8::1 is blocked by DefaultPosture",
	);
});

test("interfaces and who sends count; what goes to this host itself passes", () => {
	const wire = model(rule("Block", { interfaces: ["eth0"] }));
	const asked = [
		siem,
		{ ...siem, interface: "eth1" },
		{ ...siem, interface: "lo" },
		{ ...siem, address: "siem" },
	];
	expect(refusedReceivers(wire, asked, root)).toHaveLength(1);
	const others = { users: [], groups: [], services: ["portward.service"] };
	const own = model(rule("Block"), { ...rule("Allow"), index: 1, sender: others });
	expect(refusedReceivers(own, [siem], root)).toEqual([]);
	expect(refusedReceivers(own, [siem], { ...root, service: null })).toHaveLength(1);
});

import { expect, test } from "bun:test";
import { SignatureDesk } from "../../src/daemon/signature-desk.ts";
import type { Alert } from "../../src/report/alert.ts";

test("a refusal is alerted once for each reason, and again when it has gone and come back", () => {
	const alerts: Alert[] = [];
	const desk = new SignatureDesk(
		{ publish: (more) => void alerts.push(...more) },
		{ clusterName: "c", hostName: "h", nodeId: "n" },
	);
	const refused = (problem: string) => ({ ok: false, offered: null, accepted: 4, problem });
	expect([desk.state, desk.warnings]).toEqual([null, []]);
	desk.read({ ok: true, offered: 5, accepted: 4, problem: null }, "/p");
	expect(desk.state).toEqual({ ok: true, serial: 5, problem: null });
	expect(desk.warnings).toEqual([]);
	for (let again = 0; again < 3; again++) desk.read(refused("a"), "/p");
	expect(desk.state).toEqual({ ok: false, serial: 4, problem: "a" });
	expect(desk.warnings).toEqual(["the policy directory is refused: a"]);
	desk.read(refused("b"), "/p");
	desk.read({ ok: true, offered: 5, accepted: 5, problem: null }, "/p");
	desk.read(refused("b"), "/p");
	expect(alerts.map(({ Message }) => Message.slice(-1))).toEqual(["a", "b", "b"]);
	desk.read(null, "/p");
	expect(desk.state).toBeNull();
});

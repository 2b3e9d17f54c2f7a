import { expect, test } from "bun:test";
import { join } from "node:path";
import { violations } from "../../support/json-schema.ts";
import { block, documents, policy, port } from "../../system/support/case.ts";
import { Files, portward } from "../support/portward.ts";

test("explain names the quotas that a packet counts for, and none where it does not pass", async () => {
	const quota = { limit: "2MB", duration: "90m" };
	using files = new Files({
		"a.yaml": documents(
			policy("cap", { action: "Block", egress: [{ to: [block("10.0.0.0/8")], ...quota }] }),
			policy("watch", { action: "Audit", egress: [{ ports: [port("UDP", 53)], ...quota }] }),
			policy("closed", { action: "Block", egress: [{ to: [block("10.9.0.0/16")] }] }),
		),
	});
	files.config({});
	const common = ["--policy-dir", files.path, "--config", join(files.path, ".config")];
	const asked = ["egress", "udp", "10.1.2.3", "53"];
	const { code, out } = await portward("explain", ...common, ...asked);
	expect(code).toBe(0);
	expect(out).toContain(
		"counts for the quota of cap egress[0], 2MB in 1h30m: what comes beyond is blocked\n",
	);
	expect(out).toContain(
		"counts for the quota of watch egress[0], 2MB in 1h30m: what comes beyond is told of\n",
	);
	const answer = JSON.parse((await portward("explain", ...common, "--json", ...asked)).out);
	expect(answer).toMatchObject({
		action: "Allow",
		policy: null,
		quotas: [
			{ policy: "cap", rule: 0, action: "Block", limitBytes: 2_097_152, windowSeconds: 5400 },
			{ policy: "watch", action: "Audit" },
		],
	});
	expect(violations(answer, "explain")).toEqual([]);
	const refused = JSON.parse(
		(await portward("explain", ...common, "--json", "egress", "udp", "10.9.2.3", "53")).out,
	);
	expect(refused).toMatchObject({ action: "Block", policy: "closed" });
	expect(refused).not.toHaveProperty("quotas");
});

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { probeConcatenation } from "../../../src/enforcers/network/apply/probes.ts";
import { planText } from "../../../src/enforcers/network/apply/table-objects.ts";
import { compileNetwork } from "../../../src/enforcers/network/compile/network.ts";
import { networkPart } from "../../../src/enforcers/network/model.ts";
import { parsePolicyFile } from "../../../src/engine/parse.ts";
import { script } from "../../../src/kernel/nftables/writer.ts";
import { options } from "../../enforcers/network/compile/options.ts";

let directory: string;
beforeAll(() => {
	directory = mkdtempSync(join(tmpdir(), "portward-minimal-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

const policy = `apiVersion: security.kubearmor.com/v1
kind: KubeArmorNetworkPolicy
metadata: { name: all-protocols }
spec:
  nodeSelector: { matchLabels: { a: b } }
  ingress:
  - ports: [{ protocol: TCP }, { protocol: UDP, port: 53 }, { protocol: SCTP, port: 1, endPort: 9 }]
  - from: [{ ipBlock: { cidr: 192.0.2.0/24 } }]
    action: Allow
    ports: [{ protocol: TCP, port: 22 }, { protocol: SCTP }]
`;

/** Loads commands where /etc/protocols and /etc/services are empty, as on a system without the netbase package. */
function loadWithoutNames(commands: string): string {
	const file = join(directory, "rules.nft");
	writeFileSync(file, commands);
	const hide = ["/etc/protocols", "/etc/services"].map(
		(path) => `[ ! -e ${path} ] || mount --bind /dev/null ${path}`,
	);
	const script = `${hide.join("; ")}; exec nft --check -f ${file}`;
	const result = Bun.spawnSync(["unshare", "--net", "--mount", "sh", "-ec", script], { stderr: "pipe" });
	return result.stderr.toString();
}

test.each(["concatenated", "nested"] as const)("the %s form needs no table of protocol names", (form) => {
	const [parsed] = networkPart.in(parsePolicyFile("a.yaml", policy).documents);
	if (parsed === undefined) throw new Error("the sample does not parse");
	const compiled = compileNetwork([parsed], { ...options, form });
	if (!compiled.ok) throw new Error("the sample does not compile");
	expect(loadWithoutNames(planText(compiled.plan, "t"))).toBe("");
});

test("the probe needs none either, and a name would not do", () => {
	expect(loadWithoutNames(script("scratch", probeConcatenation))).toBe("");
	expect(
		loadWithoutNames(
			"add table inet t\nadd chain inet t c\nadd rule inet t c meta l4proto ipv6-icmp accept\n",
		),
	).not.toBe("");
});

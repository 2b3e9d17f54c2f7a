import { expect, test } from "bun:test";
import { join } from "node:path";
import { violations } from "../../support/json-schema.ts";
import { block, policy } from "../../system/support/case.ts";
import { Files, portward } from "../support/portward.ts";

const group = (name: string, spec: string) =>
	`apiVersion: portward.io/v1\nkind: PortwardAddressGroup\nmetadata: {name: ${name}}\nspec:\n${spec}`;

const naming = policy("bad", {
	action: "Block",
	ingress: [{ from: [block("203.0.113.0/24"), { group: "list" }, { group: "some" }] }],
});

function directory(): Files {
	const files = new Files({
		"a.yaml": naming,
		"groups.yaml": `${group("some", "  cidrs:\n  - 10.0.0.0/8\n  - 192.0.2.7\n  except: [10.9.0.0/16]\n")}---\n${group("list", "  file: list.txt\n  cidrs: [10.2.0.0/16]\n")}`,
		"list.txt": "# who is meant\n198.51.100.0/24\n2001:db8::/32 # all\n",
		"office.yaml": policy("office", { action: "Allow", ingress: [{ from: [block("192.0.2.7/32")] }] }),
	});
	files.config({});
	return files;
}

async function explain(files: Files, address: string, ...more: string[]) {
	const common = ["--policy-dir", files.path, "--config", join(files.path, ".config"), ...more];
	const { code, out, error } = await portward("explain", ...common, "ingress", "tcp", address, "80");
	expect([code, error]).toEqual([0, ""]);
	return out;
}

const entriesAt = async (files: Files, address: string) =>
	JSON.parse(await explain(files, address, "--json")).entries;

test("the member of a group that matched is told with its file and line", async () => {
	using files = directory();
	const at = (name: string) => join(files.path, name);
	const entry = (group: string | null, text: string, file: string, line: number) => [
		{ block: text, group, file: at(file), line },
	];
	expect(await entriesAt(files, "10.1.2.3")).toEqual(entry("some", "10.0.0.0/8", "groups.yaml", 6));
	expect(await entriesAt(files, "10.2.0.1")).toEqual(entry("list", "10.2.0.0/16", "groups.yaml", 15));
	expect(await entriesAt(files, "198.51.100.9")).toEqual(entry("list", "198.51.100.0/24", "list.txt", 2));
	expect(await entriesAt(files, "2001:db8::9")).toEqual(entry("list", "2001:db8::/32", "list.txt", 3));
	expect(await entriesAt(files, "203.0.113.9")).toMatchObject([{ group: null, block: "203.0.113.0/24" }]);
	expect(await entriesAt(files, "10.9.0.1")).toBeUndefined();
	expect(await explain(files, "198.51.100.9")).toContain(
		`\n  by the group list: 198.51.100.0/24 (${at("list.txt")}:2)\n`,
	);
	expect(await explain(files, "203.0.113.9")).not.toContain("  by ");
});

test("so is that of a rule that does not decide", async () => {
	using files = directory();
	const { entries, overridden, policy: by } = JSON.parse(await explain(files, "192.0.2.7", "--json"));
	const place = { file: join(files.path, "groups.yaml"), line: 7 };
	expect(by).toBe("bad");
	expect(entries).toEqual([{ block: "192.0.2.7/32", group: "some", ...place }]);
	expect(overridden).toMatchObject([{ policy: "office", entries: [{ block: "192.0.2.7/32", group: null }] }]);
});

test("an alert's explanation tells it, too", async () => {
	using files = directory();
	const alert = {
		PolicyName: "bad",
		Action: "Block",
		Type: "MatchedNetworkPolicy",
		Operation: "NetworkFirewall",
		Resource: "INGRESS",
		EventData: {
			SourceIP: "198.51.100.9",
			SourcePort: "40000",
			DestinationIP: "10.0.9.9",
			DestinationPort: "80",
			Protocol: "TCP",
			RuleIndex: "0",
		},
	};
	const common = ["--policy-dir", files.path, "--config", join(files.path, ".config")];
	const ask = async (...more: string[]) => {
		const { out } = await portward("explain", ...common, "--from-alert", JSON.stringify(alert), ...more);
		return out;
	};
	expect(await ask()).toContain(`  by the group list: 198.51.100.0/24 (${join(files.path, "list.txt")}:2)\n`);
	const answer = JSON.parse(await ask("--json"));
	expect(answer.entries).toMatchObject([{ group: "list", line: 2 }]);
	expect(violations(answer, "explain-alert")).toEqual([]);
});

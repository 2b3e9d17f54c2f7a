/**
 * The Ansible role, with the real Ansible and the real release, on a host of its own: check mode changes nothing, a run
 * installs and enforces, a second one changes nothing, and what is broken never gets to the policies in force.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { signedRelease } from "../install/signed-release.ts";
import { policy, port } from "../system/support/case.ts";

const made = signedRelease();
const roles = resolve(import.meta.dir, "../../packaging/ansible/roles");
/** Each of six runs takes Ansible some seconds, and many times that on a busy machine. */
const limit = 840_000;

let folder: string;
let log = "";
beforeAll(() => {
	folder = mkdtempSync(join(tmpdir(), "portward-ansible-"));
	for (const name of ["work", "out", "one", "two", "two/deep", "broken"]) mkdirSync(join(folder, name));
	const blocks = (name: string, number: number) =>
		policy(name, { action: "Block", ingress: [{ ports: [port("TCP", number)] }] });
	writeFileSync(join(folder, "one/a.yaml"), blocks("a", 1001));
	writeFileSync(join(folder, "one/b.yaml"), blocks("b", 1002));
	writeFileSync(join(folder, "two/a.yaml"), blocks("a", 1003));
	writeFileSync(join(folder, "two/deep/c.yaml"), blocks("c", 1004));
	writeFileSync(join(folder, "broken/a.yaml"), blocks("a", 1005).replace("Block", "Blokc"));
	const play = [
		{
			hosts: "localhost",
			gather_facts: false,
			roles: [
				{
					role: "portward",
					portward_release: made.real,
					portward_public_key: made.publicKey,
					portward_policies: "{{ policies }}",
					portward_config: { nodeLabels: { role: "test" }, guests: { forwarded: "enforce" } },
				},
			],
		},
	];
	writeFileSync(join(folder, "play.yml"), JSON.stringify(play));
	const { exitCode, stdout, stderr } = Bun.spawnSync(
		[
			...["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"],
			...["sh", join(import.meta.dir, "host.sh"), join(folder, "work")],
		],
		{ stdin: Buffer.from(script()), env: { ...process.env, LC_ALL: "C.UTF-8" } },
	);
	log = stdout.toString() + stderr.toString();
	if (exitCode !== 0) throw new Error(log);
}, limit);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What happens on the host; each step leaves its answer in a file. */
function script(): string {
	return `
export ANSIBLE_NOCOLOR=1 ANSIBLE_PIPELINING=True ANSIBLE_ROLES_PATH=${roles} ANSIBLE_LOCALHOST_WARNING=False ANSIBLE_NOCOWS=1
play() {
	name=$1 policies=$2
	shift 2
	ansible-playbook -i localhost, -c local -e ansible_python_interpreter=/usr/bin/python3 -e "policies=${folder}/$policies" \\
		"$@" ${folder}/play.yml >${folder}/out/$name.txt 2>&1 || true
	host >${folder}/out/$name.host
}
# What a run may change.
host() {
	ls -lR --time-style=full-iso /etc/portward /usr/local/bin /etc/systemd/system /var/lib/portward-ansible 2>/dev/null | grep -v '^total' || true
	sha256sum /etc/portward/config.yaml /etc/portward/policies/*.yaml /etc/portward/policies/*/*.yaml 2>/dev/null || true
	portward status --json 2>/dev/null | sed -n '/"generation"/p;/"ready": {/,/}/p' || true
}
host >${folder}/out/bare.host
play check one --check
play first one
portward status --json >${folder}/out/status.json
cat /run/systemctl.log >${folder}/out/systemctl
play second one
play check-change two --check --diff
play change two
portward render >${folder}/out/ruleset
play broken broken
`;
}

/** What Ansible says at the end, and all that it said. */
function run(name: string) {
	const text = out(`${name}.txt`);
	const recap = /localhost\s+: ok=\d+\s+changed=(\d+)\s+unreachable=0\s+failed=(\d+)/.exec(text);
	if (recap === null) throw new Error(text);
	return { changed: Number(recap[1]), failures: Number(recap[2]), text };
}
const host = (name: string) => readFileSync(join(folder, "out", `${name}.host`), "utf8");
const out = (name: string) => readFileSync(join(folder, "out", name), "utf8");

describe("check mode", () => {
	test("on a host without Portward changes nothing, and says that something would", () => {
		const { changed, failures } = run("check");
		expect([changed > 0, failures]).toEqual([true, 0]);
		expect(host("check")).toBe(host("bare"));
	});

	test("on a host that differs changes nothing, and says so", () => {
		const { changed, failures } = run("check-change");
		expect([changed > 0, failures]).toEqual([true, 0]);
		expect(host("check-change")).toBe(host("second"));
	});
});

test("the first run installs, configures, starts, and waits until policies are in force", () => {
	const { changed, failures, text } = run("first");
	expect({ failures, text: failures === 0 ? "" : text }).toEqual({ failures: 0, text: "" });
	expect(changed).toBeGreaterThan(3);
	const status = JSON.parse(out("status.json"));
	expect(status).toMatchObject({ ready: { ready: true }, nodeLabels: { role: "test" } });
	const names = status.policies.map(({ name, enforced }: { name: string; enforced: boolean }) => [
		name,
		enforced,
	]);
	expect(names.sort()).toEqual([
		["a", true],
		["b", true],
	]);
	expect(out("systemctl")).toContain("enable");
});

test("the second run changes nothing", () => {
	const { changed, failures, text } = run("second");
	expect({ changed, failures, text: changed === 0 ? "" : text }).toEqual({
		changed: 0,
		failures: 0,
		text: "",
	});
	expect(host("second")).toBe(host("first"));
});

test("a change is brought, what is gone is removed, and the daemon has it in force", () => {
	const { changed, failures } = run("change");
	expect([changed > 0, failures]).toEqual([true, 0]);
	expect(out("ruleset")).toContain("1003");
	expect(out("ruleset")).toContain("1004");
	expect(out("ruleset")).not.toMatch(/\b100[12]\b/);
	expect(host("change")).toContain("policies/deep/c.yaml");
	expect(host("change")).not.toContain("/etc/portward/policies/b.yaml");
});

test("policies that are broken are refused before they are in force", () => {
	const { failures, text } = run("broken");
	expect(failures).toBe(1);
	expect(text).toContain("Blokc");
	const inForce = (name: string) => host(name).match(/[0-9a-f]{64} {2}.*|"generation".*/g);
	expect(inForce("broken")).toEqual(inForce("change"));
});

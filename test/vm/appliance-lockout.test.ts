/** Drills against lock-out: whoever cuts his own connection gets it back without touching the machine. */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Vm } from "./lab/vm.ts";
import { until } from "./lab/wait.ts";
import { Appliance, networkPolicy } from "./support/appliance.ts";
import { releases } from "./support/releases.ts";

setDefaultTimeout(600_000);

/** For what starts the agent, on a slow machine. */
const patience = { timeout: 300_000 };

const port = 2222;
const other = 3333;

/** Blocks a TCP port from wherever. */
const closes = (name: string, tcp: number) =>
	networkPolicy(name, `  ingress:\n  - action: Block\n    ports:\n    - { protocol: TCP, port: "${tcp}" }\n`);

/** Two shells on the guest, which an operator reaches over a link from another network namespace. */
async function openShells(vm: Vm): Promise<void> {
	await vm.put(
		"/etc/systemd/system/operator.socket",
		`[Socket]\nListenStream=${port}\nListenStream=${other}\nAccept=yes\n[Install]\nWantedBy=sockets.target\n`,
	);
	await vm.put(
		"/etc/systemd/system/operator@.service",
		"[Service]\nExecStart=-/bin/sh\nStandardInput=socket\nStandardOutput=socket\nStandardError=socket\n",
	);
	await vm.sh("systemctl daemon-reload; systemctl enable --now operator.socket");
}

async function openLink(vm: Vm): Promise<void> {
	await vm.sh(`ip netns add client
		ip link add near type veth peer name far netns client
		ip addr add 10.77.0.1/24 dev near; ip addr add fd77::1/64 dev near nodad; ip link set near up
		ip -n client addr add 10.77.0.2/24 dev far; ip -n client addr add fd77::2/64 dev far nodad; ip -n client link set far up`);
}

/** Whether a new connection from the operator's side comes about within some seconds. */
async function reaches(vm: Vm, address: string, tcp = port, seconds = 10): Promise<boolean> {
	const { code } = await vm.run(
		`ip netns exec client timeout ${seconds} bash -c 'exec 3<>/dev/tcp/${address}/${tcp}'`,
	);
	return code === 0;
}

/** Whether it is dropped on the way, as a Block does; a port that nobody listens on is refused at once. */
async function dropped(vm: Vm, address: string, tcp = port): Promise<boolean> {
	const { code } = await vm.run(
		`ip netns exec client timeout 2 bash -c 'exec 3<>/dev/tcp/${address}/${tcp}'`,
	);
	// timeout(1) says 124 when it had to end the command.
	return code === 124;
}

interface Status {
	readonly pending: { readonly id: string } | null;
	readonly policies: readonly { readonly name: string; readonly enforced: boolean }[];
}

describe("the appliance and an operator who is far away", () => {
	let appliance: Appliance;
	let vm: Vm;
	beforeAll(async () => {
		const { release, publicKey } = await releases();
		appliance = await Appliance.boot({ release, "public.pem": publicKey });
		vm = appliance.vm;
		await appliance.install("");
		await appliance.policies({ closed: closes("closed", other) });
		await openShells(vm);
		await openLink(vm);
		await vm.sh("mkdir /root/new");
		await vm.put("/root/new/cut.yaml", closes("cut", port));
	});
	afterAll(async () => await appliance?.vm.stop());

	async function status(): Promise<Status> {
		return JSON.parse(
			await vm.sh("curl -fsS --unix-socket /var/lib/portward/status.sock http://localhost/v1/status"),
		);
	}

	/** Only what was confirmed is in force: the first shell answers, the second does not, over IPv4 and IPv6. */
	async function expectConfirmed(): Promise<void> {
		await until(150_000, "the confirmed policies", async () => {
			const now = await status();
			const names = now.policies.map(({ name }) => name).join();
			return now.pending === null && names === "closed" && (await reaches(vm, "10.77.0.1", port, 2));
		});
		for (const address of ["10.77.0.1", "fd77::1"]) {
			expect(await reaches(vm, address)).toBe(true);
			expect(await dropped(vm, address, other)).toBe(true);
		}
		expect(await vm.sh("ls /etc/portward/policies")).toBe("closed.yaml");
	}

	/** `portward apply` in a shell on the guest; resolves when it is in force. */
	async function apply(within: string): Promise<void> {
		await expectConfirmed();
		await vm.sh(`portward apply --policy-dir /root/new --confirm-within ${within}`, patience);
		expect((await status()).pending).not.toBeNull();
		expect(await dropped(vm, "10.77.0.1")).toBe(true);
	}

	test("a policy that cuts the operator's own connection rolls back by itself", async () => {
		await expectConfirmed();
		const operator = vm.spawn(
			`exec ip netns exec client bash -c 'exec 3<>/dev/tcp/10.77.0.1/${port}; cat <&3 & cat >&3'`,
		);
		operator.write("echo here\n");
		await operator.lines.find((line) => line === "here", "the shell");
		operator.write("portward apply --policy-dir /root/new --confirm-within 45s; echo over\n");
		await until(60_000, "the change", async () => (await status()).pending !== null);
		await until(20_000, "the way in to be closed", () => dropped(vm, "10.77.0.1"));
		// His connection is cut: what he types goes nowhere.
		operator.write("touch /root/typed\n");
		expect(await dropped(vm, "10.77.0.1")).toBe(true);
		expect((await vm.run("[ -e /root/typed ]")).code).toBe(1);
		await expectConfirmed();
		operator.kill(9);
	});

	test("the daemon is killed while a change is pending: it rolls back all the same", async () => {
		await apply("90s");
		await appliance.kill();
		expect((await status()).pending).not.toBeNull();
		expect(await dropped(vm, "10.77.0.1")).toBe(true);
		await expectConfirmed();
	});

	test("a change whose time was up while no daemon ran is not in force afterwards", async () => {
		await apply("30s");
		await vm.sh(
			"systemctl kill -s KILL portward; systemctl stop portward; sleep 31; systemctl start portward",
		);
		await expectConfirmed();
	});

	test("the machine reboots while a change is pending: the confirmed policies are in force", async () => {
		await apply("1h");
		await vm.reboot();
		await openLink(vm);
		// Before the agent is there the early loader has put back what was confirmed.
		await appliance.ready();
		await expectConfirmed();
	});

	test("a change that is confirmed stays", async () => {
		await vm.sh("mkdir /root/kept");
		await vm.put("/root/kept/closed.yaml", closes("closed", other));
		await vm.put("/root/kept/also.yaml", closes("also", 4444));
		await vm.sh("portward apply --policy-dir /root/kept --confirm-within 60s && portward confirm");
		await appliance.enforced(["/etc/portward/policies/also.yaml", "/etc/portward/policies/closed.yaml"]);
		await vm.sh("rm /etc/portward/policies/also.yaml");
		await expectConfirmed();
	});

	test("panic-open holds over restart and reboot, and resume ends it", async () => {
		const open = async () => {
			for (const address of ["10.77.0.1", "fd77::1"]) {
				expect(await reaches(vm, address)).toBe(true);
				expect(await reaches(vm, address, other)).toBe(true);
			}
			expect(await vm.sh("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:9755/readyz")).toBe("503");
		};
		await vm.sh("portward panic-open --reason 'a drill'");
		await open();
		await vm.sh("systemctl restart portward", patience);
		await open();
		await vm.reboot();
		await appliance.ready();
		await openLink(vm);
		await open();
		await vm.sh("portward resume");
		await expectConfirmed();
		expect(await vm.sh("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:9755/readyz")).toBe("200");
	});
});

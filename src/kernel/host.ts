/** What this host is: names, kernel, forwarding. Read afresh at each call; nothing here fails. */

import { readdirSync, readFileSync } from "node:fs";
import { arch, hostname, release } from "node:os";

export interface HostFacts {
	/** The kernel's host name, gethostname(2). */
	readonly hostname: string;
	/** machine-id(5): 32 hexadecimal digits, "" when the host has none. */
	readonly machineId: string;
	/** As `uname -r` prints it. */
	readonly kernelRelease: string;
	/** Kubernetes' name of the architecture: amd64, arm64, … */
	readonly architecture: string;
}

/** Whether the kernel forwards packets between interfaces (ip-sysctl.rst), per family. */
export interface Forwarding {
	readonly ipv4: boolean;
	readonly ipv6: boolean;
}

const MACHINE_ID_FILES = ["/etc/machine-id", "/var/lib/dbus/machine-id"];
const KUBERNETES_ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386" };

export function hostFacts(): HostFacts {
	const machineId = MACHINE_ID_FILES.map(readLine).find((line) => /^[0-9a-f]{32}$/.test(line)) ?? "";
	const architecture = arch();
	return {
		hostname: hostname(),
		machineId,
		kernelRelease: release(),
		architecture: KUBERNETES_ARCHITECTURES[architecture] ?? architecture,
	};
}

/** Of this thread's network namespace. One interface that forwards is enough, whatever `all` says. */
export function forwarding(): Forwarding {
	return {
		ipv4: readLine("/proc/sys/net/ipv4/ip_forward") === "1" || someInterfaceForwards("ipv4"),
		ipv6: /^[12]$/.test(readLine("/proc/sys/net/ipv6/conf/all/forwarding")) || someInterfaceForwards("ipv6"),
	};
}

/** `all` is among them; `default` is for interfaces that are yet to come. */
function someInterfaceForwards(family: "ipv4" | "ipv6"): boolean {
	const directory = `/proc/sys/net/${family}/conf`;
	try {
		// 2 is forwarding that still takes router advertisements.
		return readdirSync(directory).some(
			(name) => name !== "default" && /^[12]$/.test(readLine(`${directory}/${name}/forwarding`)),
		);
	} catch {
		return false;
	}
}

function readLine(path: string): string {
	try {
		return readFileSync(path, "utf8").split("\n", 1)[0]?.trim() ?? "";
	} catch {
		return "";
	}
}

/** KubeArmor's settings that have no counterpart, with what to know about each. Names are compared without regard to case. */

const containers = "portward guards hosts, not containers";
const inside = "portward enforces with nftables and sysfs, not inside the kernel's security modules";

export const lostSettings: Readonly<Record<string, string>> = {
	visibility: containers,
	enableKubeArmorPolicy: containers,
	defaultFilePosture: containers,
	defaultNetworkPosture: containers,
	defaultCapabilitiesPosture: containers,
	untrackedNs: containers,
	criSocket: containers,
	nriSocket: containers,
	nriIndex: containers,
	enableNRI: containers,
	useOCIHooks: containers,
	annotateResources: containers,
	k8s: "policies come from a directory, not from a cluster",
	hostVisibility:
		"processes, files and capabilities are not watched; new flows are, unless observe.enabled is false",
	hostDefaultFilePosture: "portward has no rules for files",
	hostDefaultCapabilitiesPosture: "portward has no rules for capabilities",
	lsm: inside,
	bpfFsPath: inside,
	seLinuxProfileDir: inside,
	enforcerAlerts: inside,
	defaultPostureLogs: "what a posture decides is always alerted",
	matchArgs: "portward has no rules for processes",
	enableIMA: "portward has no rules for files",
	dropResourceFromProcessLogs: "portward tells nothing of processes",
	procfsMount: "/proc is where it is",
	machineIDPath: "the number of the machine is that of /etc/machine-id",
	initTimeout: "the start has its own bounds",
	coverageTest: "it is for KubeArmor's own tests",
	debug: "WatchMessages of kubearmorApi tells the daemon's log in any case",
	enablePprof: "portward has no profiler",
	pprofAddr: "portward has no profiler",
	enableKubeArmorStateAgent: "there is no state agent",
	managementGRPC: "there is no policy service: policies come from a directory",
	tlsCertPath: "portward makes no certificates: name files in kubearmorApi.tls",
	tlsCertProvider: "portward makes no certificates: name files in kubearmorApi.tls",
};

/** Those of these that are often there, and mean nothing where they have this value. */
export const harmless: Readonly<Record<string, string>> = {
	k8s: "false",
	coverageTest: "false",
	debug: "false",
	enablePprof: "false",
	enableKubeArmorStateAgent: "false",
	enableIMA: "false",
	enableNRI: "false",
	useOCIHooks: "false",
	annotateResources: "false",
	dropResourceFromProcessLogs: "false",
};

/** Every setting in words: what docs/settings.md and the man page say. */

export interface Setting {
	/** The path in the file, as `status.address`. */
	readonly key: string;
	/** As it would be written in the file; "" where there is none. */
	readonly fallback: string;
	readonly meaning: string;
}

function setting(key: string, fallback: string, meaning: string): Setting {
	return { key, fallback, meaning };
}

export const settings: readonly Setting[] = [
	setting(
		"enforcement",
		"enforce",
		"`audit`: refuse nothing, neither by a `Block` nor by a posture, and alert of what would be refused",
	),
	setting("enableNetworkPolicyEnforcer", "true", "enforce network policies"),
	setting(
		"hostDefaultNetworkPosture",
		"block",
		"`block` or `audit`: what becomes of packets that no rule matches where an `Allow` is in force",
	),
	setting(
		"stagedNetworkPosture",
		"none",
		"`block`: judge packets beside what is in force as if `hostDefaultNetworkPosture` were `block`, and alert of what that would block; `none`: as it is",
	),
	setting(
		"allowlistScope",
		"direction",
		"`direction`: an `Allow` counts for its own direction; `host`: for both",
	),
	setting("essentials", "true", "always accept what a host needs to stay on its network"),
	setting(
		"related",
		"policy",
		"`policy`: policies judge what belongs to another flow, as data connections of FTP and TFTP do; `accept`: it passes where a helper of connection tracking expects it",
	),
	setting(
		"invalidPackets",
		"drop",
		"`drop` or `accept`: whether packets that belong to no flow are dropped, where a direction has rules, or judged like others",
	),
	setting(
		"endRefusedAtStart",
		"false",
		"end connections that were open before the first start, where no table was in force, if the policies refuse them, the default posture included; `false`: only a `Block` ends them",
	),
	setting(
		"failsafe.ingress",
		"[]",
		"new flows that no policy can refuse, each a rule of `protocol`, `icmpType`, `cidr` (the remote end), `port` and `interface`",
	),
	setting("failsafe.egress", "[]", "the same for flows that this host opens"),
	setting(
		"guests.forwarded",
		"audit",
		"`off`, `audit` or `enforce`: whether policies hold for what this host forwards to and from containers and other guests behind its bridges; `audit` alerts of what would be dropped and lets it pass",
	),
	setting(
		"guests.interfaces",
		"[]",
		"further interfaces behind which guests are, as names or beginnings such as `ve-*`",
	),
	setting(
		"guests.uplinks",
		"[]",
		"bridges that lead to other hosts and not to guests, beside those that are found, such as `vmbr0`",
	),
	setting(
		"enableKubeArmorHostPolicy",
		"true",
		"enforce device policies; `enableUSBDeviceHandler` must be on too",
	),
	setting(
		"enableUSBDeviceHandler",
		"true",
		"enforce device policies; `enableKubeArmorHostPolicy` must be on too",
	),
	setting(
		"hostDefaultDevicePosture",
		"audit",
		"`audit` or `block`: what becomes of functions that no entry matches where an `Allow` is in force",
	),
	setting(
		"stagedDevicePosture",
		"none",
		"`block`: judge devices beside what is in force as if `hostDefaultDevicePosture` were `block`, and alert of what that would block; `none`: as it is",
	),
	setting(
		"presentDevices",
		"apply",
		"`apply` or `audit`: whether devices that were there before Portward are refused or only reported",
	),
	setting(
		"protectConsoleKeyboard",
		"true",
		"spare boot keyboards that were there at this boot's first start, unless an entry names `HID`",
	),
	setting("policyDir", "/etc/portward/policies", "read with its subdirectories: `.yaml`, `.yml`, `.json`"),
	setting(
		"ignoreUnknownKinds",
		"false",
		"`true`: pass over documents of other products in policyDir (kustomization.yaml, values.yaml) instead of refusing them",
	),
	setting(
		"stateDir",
		"/var/lib/portward",
		"what must outlive the process: last good policies, the confirmed ruleset, the control socket",
	),
	setting(
		"confinement",
		"enforce",
		"`enforce`: the daemon can run no other program, load no module and write only where its settings say; `off`: the unit's limits alone hold",
	),
	setting("nodeLabels", "{}", "labels of this host, for `nodeSelector`"),
	setting("clusterName", "default", "goes into alerts"),
	setting(
		"confirm",
		"optional",
		"`required`: every change of the policy directory rolls back unless it is confirmed",
	),
	setting(
		"confirmWithin",
		"60",
		"seconds that a change waits for `portward confirm`, where nothing else is said; 10 to 86400",
	),
	setting(
		"policySignature",
		"off",
		"`required`: only policy directories that one of `trustedKeys` has signed are enforced",
	),
	setting(
		"policyTests",
		"warn",
		"test cases (`kind: PortwardTest`) beside the policies run before these are taken; where one fails, `enforce` refuses the whole set and what was good before stays, `warn` takes it and tells",
	),
	setting("trustedKeys", "[]", "public keys, as `portward policy keygen` prints them"),
	setting(
		"bootPolicy",
		"last-good",
		"what `portward restore` does at boot without a usable saved ruleset: `last-good` compiles the last good policies, `block` shuts both directions, `open` loads nothing",
	),
	setting("table", "kubearmor", "name of the nftables table, family `inet`; no other is ever touched"),
	setting("nflogGroup", "9755", "kernel log group that carries the alerts, 1 to 65535"),
	setting("maxElements", "1000000", "policies that need more kernel elements are refused"),
	setting(
		"rulesetForm",
		"auto",
		"`concatenated` or `nested`: for kernels that are not what they say; `auto` tries",
	),
	setting(
		"status.address",
		"127.0.0.1:9755",
		"`ADDRESS:PORT`, or `unix:/path` (mode 0600, root's). Others than loopback only with TLS or a token",
	),
	setting(
		"status.detail",
		"metrics-only",
		"`metrics-only`: TCP tells `/healthz`, `/readyz` and `/metrics`, and the rest to root alone (`portward page`, `stateDir/status.sock`); `full`: everybody who can connect reads all",
	),
	setting("status.tls.cert", "", "PEM file: the certificate with those that signed it"),
	setting("status.tls.key", "", "PEM file: the certificate's key"),
	setting("status.tls.clientCa", "", "PEM file: only clients with a certificate of this CA are let in"),
	setting(
		"status.tokenFile",
		"",
		"root's own file with one token of at least 32 characters, which every request over TCP must carry",
	),
	setting(
		"observe.enabled",
		"true",
		"whether new flows are counted in the kernel and kept, for `flows`, `recommend` and `simulate`",
	),
	setting(
		"observe.maxFlows",
		"100000",
		"flows that are kept apart; beyond it the rarest are merged into blocks of addresses; 1000 to 1000000",
	),
	setting(
		"metrics.maxRuleSeries",
		"2000",
		"rules up to which each has metrics of its own; with more, each policy has, and with more of these, each action; 0 to 10000",
	),
	setting("alerts.stdout", "true", "alerts on standard output"),
	setting("alerts.file", "", "alerts to a file as well"),
	setting("alerts.fileMaxBytes", "104857600", "when the file is rotated"),
	setting("alerts.fileKeep", "5", "how many old files are kept"),
	setting(
		"alerts.perSecond",
		"1000",
		"alerts of packets a second, in fair shares for all rules; the rest is counted and summed up, 10 to 100000",
	),
	setting("alerts.buffer", "10000", "alerts kept for `/v1/alerts`"),
	setting(
		"alerts.sinks",
		"[]",
		"journald, syslog and webhooks that alerts go to as well, each with a filter, a format and a queue; docs/alerts.md has their keys",
	),
	setting(
		"kubearmorApi.address",
		"",
		"`ADDRESS:PORT` or `unix:/path` (mode 0600, root's): where KubeArmor's clients read alerts over gRPC; others than loopback only with `kubearmorApi.tls.clientCa` ([kubearmor-api.md](kubearmor-api.md))",
	),
	setting("kubearmorApi.healthAddress", "", "the same, where `grpc.health.v1` alone is told as well"),
	setting(
		"kubearmorApi.tls.cert",
		"",
		"PEM file: the certificate with those that signed it; TLS is for TCP alone",
	),
	setting("kubearmorApi.tls.key", "", "PEM file: the certificate's key"),
	setting("kubearmorApi.tls.clientCa", "", "PEM file: only clients with a certificate of this CA are let in"),
	setting(
		"alertThrottling",
		"false",
		"`true`: a policy that raises more than `maxAlertPerSec` alerts in a second raises none for `throttleSec` seconds, and one alert then tells how many were held back",
	),
	setting("maxAlertPerSec", "10", "alerts a second of one policy, beyond which it is throttled; 1 to 100000"),
	setting("throttleSec", "30", "seconds for which it is; 1 to 3600"),
];

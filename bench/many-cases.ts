/** Policy directories of many files, and of one large file. */

/** Policy files of the large directory, and the rules of each. */
export const manyFiles = 10_000;
export const rulesPerFile = 5;

/** Address blocks of the large file. */
export const manyBlocks = 100_000;

/** One file of the directory, as people write it. `port` is what its first rule names. */
export function policyFile(index: number, port: number): string {
	const rules = Array.from({ length: rulesPerFile }, (_, rule) => {
		const number = index * rulesPerFile + rule;
		const block = `10.${number >> 14}.${(number >> 6) & 255}.${(number & 63) * 4}/30`;
		return (
			`  - from:\n    - ipBlock:\n        cidr: ${block}\n` +
			`    ports:\n    - protocol: TCP\n      port: ${rule === 0 ? port : 1000 + rule}\n`
		);
	});
	return (
		"apiVersion: security.kubearmor.com/v1\nkind: KubeArmorNetworkPolicy\n" +
		`metadata:\n  name: policy-${index}\n` +
		'spec:\n  nodeSelector:\n    matchLabels:\n      kubernetes.io/hostname: "*"\n' +
		`  severity: 5\n  action: Block\n  ingress:\n${rules.join("")}`
	);
}

/** A file of `manyBlocks` addresses, one a line; `last` is the last one's final byte. */
export function blocklistFile(last: number): string {
	const lines = Array.from({ length: manyBlocks }, (_, index) => {
		const low = index === manyBlocks - 1 ? last : (index & 63) * 4;
		return `{"ipBlock":{"cidr":"10.${index >> 14}.${(index >> 6) & 255}.${low}/32"}}`;
	});
	return (
		'{"apiVersion":"security.kubearmor.com/v1","kind":"KubeArmorNetworkPolicy",' +
		'"metadata":{"name":"blocklist"},"spec":{"nodeSelector":{"matchLabels":{"kubernetes.io/hostname":"*"}},' +
		`"action":"Block","ingress":[{"from":[\n${lines.join(",\n")}\n]}]}}\n`
	);
}

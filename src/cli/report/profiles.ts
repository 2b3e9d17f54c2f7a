/** Which controls of known catalogues a line of the report is evidence for. Nothing here says that a control is met. */

import type { LineId } from "./lines.ts";

export interface Profile {
	/** The catalogue, with the version whose numbers these are. */
	readonly title: string;
	readonly note: string;
	readonly controls: Readonly<Partial<Record<LineId, readonly string[]>>>;
}

const firewall = "4.4 Implement and manage a firewall on servers";
const endUser = "4.5 Implement and manage a firewall on end-user devices";
const asCode = "4.6 Securely manage enterprise assets and software";
const denyAll = "V-257937 (RHEL-09-251020) deny-all, allow-by-exception";
const peripherals =
	"V-258038 (RHEL-09-291030) block unauthorized peripherals before establishing a connection";
const otherMeans = "V-258035, V-258036 (RHEL-09-291015, 291020): evidence where USBGuard is not what blocks";

export const profiles: Readonly<Record<"cis" | "stig-rhel9" | "pci", Profile>> = {
	cis: {
		title: "CIS Controls v8",
		note: "Safeguards of the CIS Controls, not of a CIS Benchmark of a distribution.",
		controls: {
			"network-enforced": [firewall, endUser],
			"default-deny-ingress": [firewall, endUser],
			"default-deny-egress": [firewall],
			exposure: ["4.8 Uninstall or disable unnecessary services"],
			changes: [asCode],
			"change-control": [asCode],
			signature: [asCode],
			tests: [asCode],
			"alerts-kept": ["8.2 Collect audit logs"],
		},
	},
	"stig-rhel9": {
		title: "DISA STIG for Red Hat Enterprise Linux 9, V2",
		note: "V-257936 (RHEL-09-251015) asks for firewalld itself, and V-257937 is checked there with firewalld: an assessor decides whether Portward stands in for it.",
		controls: {
			"network-enforced": [denyAll],
			"default-deny-ingress": [denyAll],
			"default-deny-egress": [denyAll],
			"usb-lock": [peripherals, otherMeans],
			"usb-default-deny": [peripherals, otherMeans],
			"usb-refusals": [peripherals],
		},
	},
	pci: {
		title: "PCI DSS v4.0.1",
		note: "Of requirement 1 alone, and for this host: which hosts are in the cardholder data environment nobody here knows.",
		controls: {
			"network-enforced": ["1.5.1 Security controls on computing devices"],
			"default-deny-ingress": [
				"1.3.1 Inbound traffic is restricted to what is necessary, all other is denied",
			],
			"default-deny-egress": [
				"1.3.2 Outbound traffic is restricted to what is necessary, all other is denied",
			],
			exposure: ["1.2.5 Services, protocols and ports allowed are identified"],
			changes: ["1.2.2 Changes are approved and managed"],
			"change-control": ["1.2.2 Changes are approved and managed"],
			signature: ["1.2.2 Changes are approved and managed", "1.2.8 Configuration files are secured"],
			"policy-files": ["1.2.8 Configuration files are secured"],
			"policies-in-force": ["1.2.8 Configuration files are kept consistent with active configurations"],
			drift: ["1.2.8 Configuration files are kept consistent with active configurations"],
		},
	},
};

export type ProfileName = keyof typeof profiles;
export const profileNames = Object.keys(profiles) as ProfileName[];

import { resolve } from "node:path";
import type { Enforcer } from "../../enforcers/contract/enforcer.ts";
import { sysfsRoot } from "../../enforcers/usb/observe/present.ts";
import { enforcers } from "../../engine/enforcers.ts";
import { makePlan, planChanges } from "../../engine/plan-make.ts";
import { type Command, exit, UsageError } from "../command.ts";
import { printDiagnostics, sorted } from "../diagnostics.ts";
import { prettyJson } from "../json.ts";
import { parseOnlyOptions, policyOptions } from "../options.ts";
import { readSettings } from "../settings.ts";
import { planJson, printPlan } from "./plan-text.ts";

const help = `Usage: portward plan --policy-dir NEW [--config FILE] [--state-dir DIR]
                     [--json]

What would change if NEW were the policies: rule by rule, for which new
connections the verdict changes, what becomes of what no rule matches, who
reaches ports that are published for guests, which open connections would be
ended and which USB devices that are plugged in would be refused or work again.
NEW is held against what is in force: the configured policyDir with the last
good versions of what is broken there, or what is confirmed while another
change waits for its confirmation. Reads the host, changes nothing, and needs
no daemon. As another user than root it cannot read connection tracking, and
says so.

It warns where this SSH session, or the next one like it, would be refused, and
where the USB adapter would that it comes through.

  --policy-dir NEW  a directory of policies
  --config FILE     settings (default /etc/portward/config.yaml)
  --state-dir DIR   the daemon's state (default: stateDir of the settings)
  --json            print one document:
    changes      whether anything changes
    directory, against, pending
                 NEW, what it is held against, and whether a change is pending
    unselected   null, or how many of the policies do not select this host
    rules, usbEntries
                 [{change: added|removed|changed, before, after}], each side
                 null or {policy, direction, index, action, severity, tags,
                 message, conditions: {FIELD: [VALUE]}, file, line}
    verdicts     the boxes of portward diff; null for more than some thousand
                 rules
    forwarded    the same about what is forwarded to guests and from them;
                 absent where it is as for the host
    defaults     {ingress, egress, device: {before, after}}, each side
                 {allowlistMode, unmatched: accept|audit|block}
    connections  {checked, reason, total, cut: [{direction, protocol, local,
                 localPort, remote, remotePort, cause, someInterfaces,
                 guest}],
                 refusedAtStart}, at most 1000 of them in cut, and how many
                 more endRefusedAtStart would end, or null where it is off
    published    {forwarded, checked, reason, more, changes: [{port, before,
                 after, ends}]}: ports that are published for guests and are
                 reached by others than before
    seen         null, or {since, flows, wouldBlock, wouldAllow, unchanged}:
                 flows that were seen, as portward simulate judges them
    usbDevices   {checked, reason, changes: [{port, vendorId, productId,
                 manufacturer, product, before, after, reason, functions:
                 [{interface, configurations, alternate, className, refused,
                 reason, cause}]}], session: null or {netdev, adapter, port,
                 reason, cause}}
    session      null, or {client, clientPort, server, serverPort, cut,
                 refused, cause}
    failsafe     [{direction, index, protocol, icmpType, cidr, port,
                 interface}]
    diagnostics  warnings, as validate prints them
                 A cause is null or {policy, direction, index, action, file,
                 line}. Where NEW has errors it is {diagnostics} alone.

Exit code: 0 nothing changes, 2 something does, 1 NEW has errors or what is in
force cannot be read, 64 wrong usage.
`;

export const plan: Command = {
	name: "plan",
	summary: "what a directory of policies would change, and whom it would cut off",
	help,
	run: async (args, io) => runPlan(args, io),
};

/** `sysRoot` is where sysfs is mounted, `registered` are the enforcers that are asked. */
export async function runPlan(
	args: readonly string[],
	io: Parameters<Command["run"]>[1],
	sysRoot = sysfsRoot,
	registered: readonly Enforcer[] = enforcers,
): Promise<number> {
	const values = parseOnlyOptions(args, {
		...policyOptions,
		"state-dir": { type: "string" },
		json: { type: "boolean" },
	});
	const { "policy-dir": directory, ...flags } = values;
	if (directory === undefined)
		throw new UsageError("name the new policies, such as: portward plan --policy-dir new-policies");
	const settings = readSettings(flags, false);
	if (!settings.config) {
		printDiagnostics(settings.diagnostics, io);
		return exit.failure;
	}
	const result = makePlan({ config: settings.config, directory: resolve(directory), sysRoot, registered });
	if (!result.ok) {
		if (values.json) io.out(prettyJson({ diagnostics: sorted(result.diagnostics) }));
		else printDiagnostics(result.diagnostics, io);
		return exit.failure;
	}
	const plan = { ...result.plan, diagnostics: [...settings.diagnostics, ...result.plan.diagnostics] };
	if (values.json) io.out(prettyJson(planJson(plan)));
	else printPlan(plan, io);
	return planChanges(result.plan) ? exit.changes : exit.ok;
}

/** Which quotas a packet counts for. */

import { escapeForTerminal } from "../../base/terminal.ts";
import { quotaText } from "../../enforcers/network/compile/describe.ts";
import type { NetworkModel, Packet } from "../../enforcers/network/compile/program.ts";
import type { CompiledQuota } from "../../enforcers/network/compile/quota.ts";
import { quotasAt } from "../../enforcers/network/compile/verdict/explain.ts";
import type { Place } from "./explain-place.ts";

/** None of what is blocked, or accepted before any policy. */
export function quotasOf(
	model: NetworkModel,
	packet: Packet,
	{ hook, unasked }: Pick<Place, "hook" | "unasked">,
	{
		action,
		rule,
	}: { readonly action: string; readonly rule: { readonly place: unknown; readonly index: number } | null },
): readonly CompiledQuota[] {
	const failsafe = rule !== null && rule.place === null && rule.index >= 0;
	if (action === "Block" || failsafe || unasked !== null) return [];
	return quotasAt(model, packet, hook === "forward" ? "guests" : "host");
}

export function describeQuotas(quotas: readonly CompiledQuota[]): string {
	return quotas
		.map(({ rule, written }) => {
			const then = rule.action === "Block" ? "what comes beyond is blocked" : "what comes beyond is told of";
			const name = `${rule.policy} ${rule.direction}[${rule.index}]`;
			return escapeForTerminal(`  counts for the quota of ${name}, ${quotaText(written)}: ${then}`);
		})
		.map((line) => `${line}\n`)
		.join("");
}

/** The field of `--json`. */
export function quotasJson(quotas: readonly CompiledQuota[]) {
	if (quotas.length === 0) return {};
	return {
		quotas: quotas.map(({ rule, bytes, seconds }) => ({
			policy: rule.policy,
			rule: rule.index,
			action: rule.action,
			limitBytes: bytes,
			windowSeconds: seconds,
		})),
	};
}

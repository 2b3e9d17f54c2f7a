/** Who sends what an egress rule is about: `user`, `group` and `service`. */

import { isScalar, isSeq, type Node } from "yaml";
import type { Action, Direction } from "../../../base/model.ts";
import type { Path } from "../../../base/path.ts";
import { quote } from "../../../base/suggest.ts";
import { presentList } from "../../../document/empty.ts";
import type { Fields, NodeReader, Remedies } from "../../../document/nodes.ts";
import { describeTemplate } from "../../../document/template.ts";
import type { Account, AppliesTo, RuleSender } from "../model.ts";
import { appliesToAnnotation } from "./applies-to.ts";

/** The greatest number of a user or a group: one more stands for nobody (chown(2)). */
export const lastAccount = 2 ** 32 - 2;

/** As useradd(8) and systemd take them, domains of directory services included. */
const accountName = /^[A-Za-z_][A-Za-z0-9_.@+-]{0,63}\$?$/;

/** systemd.unit(5): the characters of a unit's name, and its length. */
const unitName = /^[A-Za-z0-9:_.\\@-]+$/;
const longestUnit = 255;
const suffix = ".service";
const otherUnits = /\.(?:socket|device|mount|automount|swap|target|path|timer|slice|scope|snapshot|busname)$/;

export const senderFields = ["user", "group", "service"] as const;

const ingressSender = (name: string) => ({
	code: "wrong-direction",
	message: `an ingress rule has no ${name}: who sends is on another host, and no packet says who it is`,
	hint: `leave ${name} out, or move the rule to egress`,
});

/** What is said of the fields in rules that cannot have them. */
export const senderRemedies: Record<Direction, Remedies> = {
	ingress: {
		user: ingressSender("user"),
		group: ingressSender("group"),
		service: ingressSender("service"),
	},
	egress: {
		users: { code: "unknown-field", message: "there is no field users", hint: "write user: [NAME, …]" },
		groups: { code: "unknown-field", message: "there is no field groups", hint: "write group: [NAME, …]" },
		services: {
			code: "unknown-field",
			message: "there is no field services",
			hint: "write service: [NAME, …]",
		},
	},
};

/** The rule's senders; null where it names none. What is wrong is reported. */
export function readSender(
	reader: NodeReader,
	fields: Fields,
	action: Action,
	appliesTo: AppliesTo,
): RuleSender | null {
	const list = <T>(name: (typeof senderFields)[number], read: (node: Node, path: Path) => T | null): T[] => {
		const field = presentList(reader, fields, name, action);
		if (field === null) return [];
		if (appliesTo === "guests") {
			const message = `the policy holds for guests alone, and what is forwarded has no ${name} of this host`;
			const hint = `leave ${name} out, or write the annotation ${appliesToAnnotation}: host`;
			reader.error(field.node, field.path, "sender-of-guests", message, hint);
		}
		const items = isSeq(field.node) ? reader.items(field.node, field.path, "[NAME]") : [field];
		return items.flatMap(({ node, path }) => read(node, path) ?? []);
	};
	const users = list("user", (node, path) => readAccount(reader, node, path, "user"));
	const groups = list("group", (node, path) => readAccount(reader, node, path, "group"));
	const services = list("service", (node, path) => readService(reader, node, path));
	if (users.length + groups.length + services.length === 0) return null;
	return { users, groups, services };
}

/** One user or group; null where it is none, which is reported. */
export function readAccount(
	reader: NodeReader,
	node: Node,
	path: Path,
	kind: "user" | "group",
): Account | null {
	const bare = isScalar(node) && typeof node.value === "number";
	const text = bare ? (node.source ?? String(node.value)) : reader.text(node, path);
	if (text === null) return null;
	if (bare || /^\d+$/.test(text)) {
		const number = Number(text);
		if (number <= lastAccount && /^(?:0|[1-9]\d{0,9})$/.test(text)) return number;
		const message = `${quote(text)} is no number of a ${kind}`;
		reader.error(node, path, `bad-${kind}`, message, `write a whole number from 0 to ${lastAccount}`);
		return null;
	}
	if (accountName.test(text)) return text;
	const { message, hint } = describeTemplate(text) ?? accountProblem(text, kind);
	reader.error(node, path, `bad-${kind}`, `${quote(text)}: ${message}`, hint);
	return null;
}

function accountProblem(text: string, kind: string): { readonly message: string; readonly hint: string } {
	if (/^\*$/.test(text))
		return { message: `${kind}s are named one by one`, hint: `leave ${kind} out to match every sender` };
	if (/^(!|-)/.test(text))
		return {
			message: "a name cannot be negated, nor a number be negative",
			hint: `list the ${kind}s that are meant, or write a broader rule and an exception beside it`,
		};
	const parts = text.split(/[\s,;|:]+/).filter((part) => part !== "");
	if (parts.length > 1 && parts.every((part) => accountName.test(part) || /^\d+$/.test(part)))
		return { message: "this is a list in one text", hint: `write ${JSON.stringify(parts)}` };
	return {
		message: `this is no name of a ${kind}`,
		hint: `write the name as in /etc/${kind === "user" ? "passwd" : "group"}, or the number`,
	};
}

/** The unit's whole name; null where it is none, which is reported. */
export function readService(reader: NodeReader, node: Node, path: Path): string | null {
	const text = reader.text(node, path);
	if (text === null) return null;
	const problem = describeTemplate(text) ?? serviceProblem(text);
	if (problem === null) return text.endsWith(suffix) ? text : text + suffix;
	reader.error(node, path, "bad-service", `${quote(text)}: ${problem.message}`, problem.hint);
	return null;
}

/** Why a text names no unit that a rule may name; null where it does. */
export function serviceProblem(text: string): { readonly message: string; readonly hint: string } | null {
	if (text.includes("/"))
		return {
			message: "a unit is named without its path",
			hint: "write the unit's name, such as nginx.service",
		};
	if (text.includes("*"))
		return { message: "units are named one by one", hint: "list the units, such as [web@1, web@2]" };
	if (!unitName.test(text) || text === suffix || /^\.+$/.test(text))
		return {
			message: "this is no name of a unit",
			hint: "write the name as systemctl shows it, such as nginx.service",
		};
	const kind = otherUnits.exec(text)?.[0];
	if (kind !== undefined)
		return {
			message: `a ${kind.slice(1)} unit sends nothing that a rule could name`,
			hint: "write the .service unit that runs the processes",
		};
	if (/@(?:\.service)?$/.test(text))
		return {
			message: "this is a template, of which no process runs",
			hint: "write its instances, such as web@1.service",
		};
	const whole = text.endsWith(suffix) ? text : text + suffix;
	if (whole.length > longestUnit)
		return {
			message: `a unit's name has at most ${longestUnit} characters`,
			hint: "write the name as systemctl shows it",
		};
	return null;
}

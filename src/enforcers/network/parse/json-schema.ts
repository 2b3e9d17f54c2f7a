/** JSON Schema of the documents that the network enforcer reads, made of the tables that it reads them by. */

import { directions } from "../../../base/model.ts";
import { protocolNames } from "../../../base/protocol.ts";
import { actionNames } from "../../../document/action.ts";
import {
	anything,
	head,
	type JsonSchema,
	labels,
	list,
	mapping,
	matching,
	neededFields,
	nodeSelector,
	ruleDefaults,
	text,
	whole,
	words,
} from "../../../document/json-schema.ts";
import { longestName, nameForm } from "../../../document/metadata.ts";
import { annotationsSchema } from "./applies-to.ts";
import { groupFields, groupKind, groupSpecFields, groupVersion } from "./group.ts";
import {
	connectionLimitFields,
	exceedActions,
	mostBurst,
	mostOpen,
	pers,
	rateLimitFields,
	rateUnits,
} from "./limits.ts";
import { documentFields, specFields } from "./network.ts";
import { blockFields, peerFields } from "./peers.ts";
import { portEntryFields } from "./port-entry.ts";
import { levelSchema, quotaSchemas } from "./quota.ts";
import { ruleFields } from "./rule.ts";
import { lastAccount } from "./sender.ts";
import { caseFields, neededCaseFields } from "./test-case.ts";
import { testFields, testKind, testSpecFields, testVersion } from "./test-document.ts";
import { neededTableFields, tableFields } from "./test-table.ts";

/** Whether there is such a service is for the validator to say. */
const service = matching("^[A-Za-z_][\\w.+-]{0,63}$");
const port: JsonSchema = { anyOf: [whole(1, 65_535), matching("^[1-9]\\d{0,4}$"), service] };
const lastPort: JsonSchema = { anyOf: [whole(1, 65_535), matching("^[1-9]\\d{0,4}$")] };
const protocol: JsonSchema = {
	anyOf: [words(protocolNames), whole(0, 255), matching("^(?:0|[1-9]\\d{0,2})$")],
};
const icmpType: JsonSchema = { anyOf: [whole(0, 255), matching("^(?:\\d{1,3}|[A-Za-z][A-Za-z-]*)$")] };
const block = matching("^[0-9A-Fa-f.:]{2,45}(?:/\\d{1,3})?$");
const blockOrSuffix = matching("^[0-9A-Fa-f.:]{2,45}(?:/(?:\\d{1,3}|[0-9A-Fa-f.:]{2,45}))?$");
const networkInterface = matching("^(?:\\*|[A-Za-z0-9_.@+-]{1,15}\\*?)$");

const groupName: JsonSchema = { ...matching(nameForm.source), maxLength: longestName };

const peer: JsonSchema = {
	...mapping(peerFields, {
		ipBlock: mapping(blockFields, { cidr: blockOrSuffix, except: list(block) }, ["cidr"]),
		group: groupName,
	}),
	anyOf: [{ required: ["ipBlock"] }, { required: ["group"] }],
};

const portEntry = mapping(portEntryFields, {
	protocol,
	port,
	endPort: lastPort,
	sourcePort: port,
	sourceEndPort: lastPort,
	icmpType,
});

/** Whether the host knows it is for the host to say. */
const account: JsonSchema = {
	anyOf: [whole(0, lastAccount), matching("^(?:\\d{1,10}|[A-Za-z_][A-Za-z0-9_.@+-]{0,63}\\$?)$")],
};
const unit = matching("^[A-Za-z0-9:_.\\\\@-]{1,255}$");
/** An empty list is refused in an Allow alone. */
const oneOrAny = (item: JsonSchema): JsonSchema => ({ anyOf: [item, list(item)] });
const senders = { user: oneOrAny(account), group: oneOrAny(account), service: oneOrAny(unit) } as const;

const counted = { per: words(pers), prefix6: whole(1, 128) } as const;

const conditions = {
	iface: list(networkInterface),
	ports: list(portEntry),
	...quotaSchemas,
	rateLimit: mapping(
		rateLimitFields,
		{
			connections: matching(`^[1-9]\\d{0,6}/(?:${rateUnits.join("|")})$`),
			burst: whole(1, mostBurst),
			...counted,
		},
		["connections"],
	),
	connectionLimit: mapping(connectionLimitFields, { max: whole(1, mostOpen), ...counted }, ["max"]),
	exceedAction: words(exceedActions),
	...ruleDefaults,
} as const;

export const networkPolicySchema: JsonSchema = mapping(
	documentFields,
	{
		...head("KubeArmorNetworkPolicy", undefined, annotationsSchema),
		spec: mapping(specFields, {
			nodeSelector,
			...ruleDefaults,
			level: levelSchema,
			ingress: list(mapping(ruleFields.ingress, { from: list(peer), ...conditions })),
			egress: list(mapping(ruleFields.egress, { to: list(peer), ...senders, ...conditions })),
		}),
		status: anything,
	},
	neededFields,
);

/** `maxShrink`: a number of percent, or a text with its sign. */
const percent: JsonSchema = { anyOf: [whole(0, 100), matching("^(?:\\d|[1-9]\\d|100) ?%$")] };

export const addressGroupSchema: JsonSchema = mapping(
	groupFields,
	{
		...head(groupKind, groupVersion),
		spec: {
			...mapping(groupSpecFields, {
				cidrs: list(block),
				file: { ...text, minLength: 1 },
				except: list(block),
				maxShrink: percent,
				unsigned: { type: "boolean" },
			}),
			anyOf: [{ required: ["cidrs"] }, { required: ["file"] }],
		},
		status: anything,
	},
	neededFields,
);

const address = matching("^[0-9A-Fa-f.:]{2,45}$");
const testPort: JsonSchema = { anyOf: [whole(0, 65_535), matching("^\\d{1,5}$"), service] };

/** A case without a value for a field that it needs is passed over, with a warning. */
const testCase: JsonSchema = {
	...mapping(caseFields, {
		name: text,
		direction: words(directions),
		protocol,
		address,
		port: testPort,
		sourcePort: testPort,
		icmpType,
		interface: networkInterface,
		guest: address,
		user: account,
		group: account,
		service: unit,
		expect: words(actionNames),
		policy: text,
	}),
	required: neededCaseFields,
};

const signs = "[.XA-]";

const testTable: JsonSchema = {
	...mapping(tableFields, {
		name: text,
		direction: words(directions),
		interface: networkInterface,
		user: account,
		group: account,
		service: unit,
		columns: list(text, 1),
		rows: { type: "object", additionalProperties: matching(`^\\s*${signs}(?:\\s+${signs})*\\s*$`) },
	}),
	required: neededTableFields,
};

/**
 * The settings of a test are judged when it runs, over those of the host.
 * @param otherCase cases that are not about packets
 */
export function policyTestSchema(otherCase: JsonSchema): JsonSchema {
	const spec = mapping(testSpecFields, {
		nodeLabels: labels,
		settings: { type: "object" },
		cases: list({ anyOf: [testCase, otherCase] }, 1),
		tables: list(testTable, 1),
	});
	const either = { anyOf: [{ required: ["cases"] }, { required: ["tables"] }] };
	return mapping(testFields, { ...head(testKind, testVersion), spec: { ...spec, ...either } }, neededFields);
}

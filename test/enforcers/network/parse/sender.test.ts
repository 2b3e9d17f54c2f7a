import { describe, expect, test } from "bun:test";
import type { NetworkRule } from "../../../../src/enforcers/network/model.ts";
import { expectRefused, expectWarned, only, policyText, valid } from "../../../engine/support/policy.ts";

const at = "spec.egress[0]";
const text = (rule: string) => policyText(`egress: [${rule}]`);

function sender(rule: string): NetworkRule["sender"] {
	return valid(text(rule)).egress[0]?.sender;
}

describe("what a sender means", () => {
	test("names and numbers, one or a list, with the units' whole names", () => {
		expect(sender("{user: root}")).toEqual({ users: ["root"], groups: [], services: [] });
		expect(sender('{user: [alice, 0, "4294967294", svc$, a.b@corp], group: 65534}')).toEqual({
			users: ["alice", 0, 4294967294, "svc$", "a.b@corp"],
			groups: [65534],
			services: [],
		});
		expect(sender("{service: [nginx, web@1.service, 'dev-sda\\x2d1']}")).toEqual({
			users: [],
			groups: [],
			services: ["nginx.service", "web@1.service", "dev-sda\\x2d1.service"],
		});
		expect(sender("{}")).toBeUndefined();
	});

	test("an empty list names nobody, so a Block holds for all and an Allow is refused", () => {
		expect(sender("{user: [], action: Block}")).toBeUndefined();
		expectRefused(text("{user: [], action: Allow}"), `empty-list ${at}.user`, "user");
	});
});

test("the place is that of the name, and not of the rule", () => {
	const [found] = only(text("{user: [root, 'al ice']}")).diagnostics;
	expect(found).toMatchObject({ file: "p.yaml", line: 9, column: 26, path: `${at}.user[1]` });
});

test.each([
	["user: 4294967295", "user", "from 0 to 4294967294"],
	["user: -1", "user", "from 0 to 4294967294"],
	["user: 1.5", "user", "from 0 to 4294967294"],
	["user: 1e3", "user", "from 0 to 4294967294"],
	["user: 0x10", "user", "from 0 to 4294967294"],
	["user: 0o17", "user", "from 0 to 4294967294"],
	["user: '007'", "user", "from 0 to 4294967294"],
	["user: '*'", "user", "leave user out"],
	["user: '!root'", "user", "an exception beside it"],
	["user: 'root, 1000'", "user", 'write ["root","1000"]'],
	["user: ''", "user", "/etc/passwd"],
	["user: 'DOMAIN\\alice'", "user", "/etc/passwd"],
	['user: "alice\\u001b[2J"', "user", "/etc/passwd"],
	["group: 'wh eel!'", "group", "/etc/group"],
	["group: 4294967295", "group", "from 0 to 4294967294"],
	["service: /usr/sbin/nginx", "service", "nginx.service"],
	["service: 'web@*'", "service", "list the units"],
	["service: web@", "service", "instances"],
	["service: web@.service", "service", "instances"],
	["service: nginx.socket", "service", ".service unit"],
	["service: user-1000.slice", "service", ".service unit"],
	["service: session-1.scope", "service", ".service unit"],
	["service: .service", "service", "systemctl"],
	["service: '..'", "service", "systemctl"],
	["service: 'ng inx'", "service", "systemctl"],
	["service: ''", "service", "systemctl"],
	[`service: ${"a".repeat(248)}`, "service", "systemctl"],
])("%s is refused, with what to write", (field, kind, hint) => {
	expectRefused(text(`{${field}}`), `bad-${kind} ${at}.${kind}`, hint);
});

test.each(["user: {name: root}", "user: [[root]]", "service: 7.5", "user: true"])(
	"%s is no policy",
	(field) => {
		const { policy, diagnostics } = only(text(`{${field}}`));
		expect(diagnostics[0]).toMatchObject({ severity: "error", path: expect.stringContaining(at) });
		expect(diagnostics[0]?.message).toStartWith("expected text, found ");
		expect(policy).toBeNull();
	},
);

test.each(["user", "group", "service"])("%s in ingress says where it belongs", (field) => {
	const finding = `wrong-direction spec.ingress[0].${field}`;
	expectRefused(policyText(`ingress: [{${field}: root}]`), finding, "move the rule to egress");
});

test.each(["users", "groups", "services"])("%s is told its name", (field) => {
	expectRefused(
		text(`{${field}: [root]}`),
		`unknown-field ${at}.${field}`,
		`write ${field.slice(0, -1)}: [NAME`,
	);
});

test("a policy for guests alone has no senders", () => {
	const guests = text("{service: nginx}").replace(
		"  name: p\n",
		"  name: p\n  annotations: {portward.io/applies-to: guests}\n",
	);
	expectRefused(guests, `sender-of-guests ${at}.service`, "applies-to: host");
});

test("a quota counts what all send together", () => {
	expectRefused(text("{user: root, limit: 1GB, duration: 1h}"), `sender-with-quota ${at}`, "two rules");
});

test("a field without a value is warned of", () => {
	expectWarned(text("{group: }"), `empty-field ${at}.group`);
});

import { expect, test } from "bun:test";
import { brief, only, policyText } from "../../../engine/support/policy.ts";

const found = (entry: string) => brief(only(policyText(`ingress: [{ports: [${entry}]}]`)).diagnostics);

test.each([53, 67, 68, 69, 123, 161, 500, 514, 1194, 4500, 51820, "dns", '"53"'])(
	"port %s without a protocol",
	(port) => {
		expect(found(`{port: ${port}}`)).toEqual(["warning tcp-assumed spec.ingress[0].ports[0]"]);
		expect(found(`{protocol: TCP, port: ${port}}`)).toEqual([]);
	},
);

test.each(["{port: 22}", "{port: 443}", "{port: 1, endPort: 65535}", "{protocol: UDP, port: 53}"])(
	"%s is as it says",
	(entry) => {
		expect(found(entry)).toEqual([]);
	},
);

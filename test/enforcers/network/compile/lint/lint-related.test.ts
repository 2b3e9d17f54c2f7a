import { expect, test } from "bun:test";
import { compileNetwork } from "../../../../../src/enforcers/network/compile/network.ts";
import { policy, rule } from "../build.ts";
import { options } from "../options.ts";

function found(related: "policy" | "accept", ...rules: Parameters<typeof policy>[1][]) {
	const compiled = compileNetwork([policy("p", ...rules)], { ...options, related });
	return compiled.diagnostics.filter(({ code }) => code === "related-by-policy").map(({ path }) => path);
}

test("an Allow for FTP or TFTP alone says that the data are judged, once a rule", () => {
	const ftp = rule("Allow", { peers: ["10.0.0.0/8", "192.0.2.0/24"], ports: ["tcp/21"] });
	const tftp = rule("Allow", { ports: ["udp/69"] });
	expect(found("policy", ftp, tftp)).toEqual(["spec.ingress[0]", "spec.ingress[1]"]);
	expect(found("accept", ftp, tftp)).toEqual([]);
});

test("other ports, ranges and actions do not", () => {
	const others = [
		rule("Allow", { ports: ["udp/21"] }),
		rule("Allow", { ports: ["tcp/20-21"] }),
		rule("Allow"),
		rule("Block", { ports: ["tcp/21"] }),
	];
	expect(found("policy", ...others)).toEqual([]);
	// Without an Allow the data pass as well.
	expect(found("policy", rule("Audit", { ports: ["tcp/21"] }))).toEqual([]);
});

import { expect, test } from "bun:test";
import { lastAccount } from "../../../src/enforcers/network/parse/sender.ts";
import { testAccounts } from "../../../src/engine/testing/accounts.ts";

test("whom the host knows has his number, and every other name one of its own", () => {
	const accounts = testAccounts({
		number: (kind, name) => (kind === "user" && name === "alice" ? 1000 : null),
	});
	expect(accounts("user", "alice")).toBe(1000);
	const bob = accounts("user", "bob");
	expect(bob).toBe(lastAccount);
	expect(accounts("user", "carol")).not.toBe(bob);
	expect(accounts("user", "bob")).toBe(bob);
	expect(accounts("service", "web.service")).toBe(0);
});

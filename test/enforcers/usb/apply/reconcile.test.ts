import { expect, test } from "bun:test";
import fc from "fast-check";
import {
	type AuthorizationState,
	isPermitted,
	nextStep,
} from "../../../../src/enforcers/usb/apply/reconcile.ts";
import type { DeviceDecision } from "../../../../src/enforcers/usb/compile/decide.ts";

function decision(
	device: DeviceDecision["device"],
	permitted: readonly (readonly [number, boolean])[] = [],
): DeviceDecision {
	const partial = permitted.some(([, allowed]) => !allowed);
	return {
		device,
		state: device === "refuse" ? "refused" : partial ? "partial" : "authorized",
		refusal: device === "refuse" ? "device-triple" : null,
		exemption: null,
		interfaces: permitted.map(([number, allowed]) => ({
			configuration: 1,
			number,
			permitted: allowed,
			functions: [],
		})),
		functions: [],
		malformed: null,
		odd: [],
	};
}

const item = (number: number, authorized: boolean) => ({
	name: `1-1:1.${number}`,
	configuration: 1,
	number,
	authorized,
	driver: null,
});

test.each<[string, AuthorizationState, DeviceDecision, ReturnType<typeof nextStep>]>([
	[
		"a refused device that is authorized",
		{ authorized: true, interfaces: [] },
		decision("refuse"),
		{ kind: "refuse-device" },
	],
	["a refused device that is not", { authorized: false, interfaces: [] }, decision("refuse"), null],
	[
		"an allowed device that is not authorized",
		{ authorized: false, interfaces: [] },
		decision("authorize", [[0, true]]),
		{ kind: "authorize" },
	],
	[
		"an interface that is still missing",
		{ authorized: true, interfaces: [item(0, false)] },
		decision("authorize", [[0, true]]),
		{ kind: "authorize" },
	],
	[
		"an interface too many, before one too few",
		{ authorized: true, interfaces: [item(0, false), item(1, true)] },
		decision("authorize", [
			[0, true],
			[1, false],
		]),
		{ kind: "refuse-interfaces", names: ["1-1:1.1"] },
	],
	[
		"all as it should be",
		{ authorized: true, interfaces: [item(0, true), item(1, false)] },
		decision("authorize", [
			[0, true],
			[1, false],
		]),
		null,
	],
])("%s", (_what, state, wanted, step) => {
	expect(nextStep(state, wanted)).toEqual(step);
});

test("an interface that no descriptor announced is not permitted", () => {
	const wanted = decision("authorize", [[0, true]]);
	expect(isPermitted(wanted, { configuration: 1, number: 7 })).toBe(false);
	expect(isPermitted(wanted, { configuration: 2, number: 0 })).toBe(false);
	expect(nextStep({ authorized: true, interfaces: [item(0, true), item(7, false)] }, wanted)).toBeNull();
});

test("doing what it says leads to where nothing is left to do, and only permitted interfaces are authorized", () => {
	const interfaces = fc.uniqueArray(fc.tuple(fc.nat(5), fc.boolean(), fc.boolean()), {
		selector: ([number]) => number,
	});
	fc.assert(
		fc.property(
			fc.constantFrom("authorize" as const, "refuse" as const),
			fc.boolean(),
			interfaces,
			(device, authorized, list) => {
				const wanted = decision(
					device,
					list.map(([number, allowed]) => [number, allowed]),
				);
				let state: AuthorizationState = {
					authorized,
					interfaces: authorized ? list.map(([number, , now]) => item(number, now)) : [],
				};
				let steps = 0;
				for (let step = nextStep(state, wanted); step !== null; step = nextStep(state, wanted)) {
					expect(++steps).toBeLessThanOrEqual(3);
					if (step.kind === "refuse-device") state = { authorized: false, interfaces: [] };
					else if (step.kind === "refuse-interfaces") {
						const { names } = step;
						state = {
							...state,
							interfaces: state.interfaces.map((one) =>
								names.includes(one.name) ? { ...one, authorized: false } : one,
							),
						};
					} else {
						const present = state.authorized ? state.interfaces : list.map(([number]) => item(number, false));
						state = {
							authorized: true,
							interfaces: present.map((one) => ({
								...one,
								authorized: one.authorized || isPermitted(wanted, one),
							})),
						};
					}
				}
				expect(state.authorized).toBe(device === "authorize");
				for (const one of state.interfaces) expect(one.authorized).toBe(isPermitted(wanted, one));
			},
		),
	);
});

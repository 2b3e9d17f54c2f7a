/** The bill of materials of a release: CycloneDX 1.5, https://cyclonedx.org/docs/1.5/json/ */

import { createHash } from "node:crypto";
import { type Lock, locked, sha512, shippedPackages } from "./release-lock.ts";
import type { Target } from "./release-targets.ts";

export interface Release {
	readonly version: string;
	readonly commit: string;
	/** When the commit was made, ISO 8601, or null outside a checkout. */
	readonly date: string | null;
	readonly targets: readonly Target[];
}

/** A package URL of npm: https://github.com/package-url/purl-spec */
function packageUrl(name: string, version: string): string {
	return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}

/** A UUID that the same text always gives, in the form of version 8: RFC 9562. */
function uuidOf(text: string): string {
	const bytes = createHash("sha256").update(text).digest();
	bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
	bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
	const hex = bytes.toString("hex");
	return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
		"-",
	);
}

export function sbom(lock: Lock, { version, commit, date, targets }: Release): object {
	const application = `portward@${version}`;
	const component = (name: string, type: "library" | "platform", description?: string) => {
		const found = locked(lock, name);
		const purl = packageUrl(name, found.version);
		return {
			type,
			"bom-ref": purl,
			name,
			version: found.version,
			...(description === undefined ? {} : { description }),
			hashes: [{ alg: "SHA-512", content: sha512(found.integrity) }],
			licenses: [{ license: { id: found.license } }],
			purl,
		};
	};
	const components = [
		...shippedPackages(lock).map((name) => component(name, "library")),
		...targets.map((target) =>
			component(
				target.package,
				"platform",
				`Bun, the JavaScript runtime in the executable for ${target.name}`,
			),
		),
	];
	return {
		$schema: "http://cyclonedx.org/schema/bom-1.5.schema.json",
		bomFormat: "CycloneDX",
		specVersion: "1.5",
		serialNumber: `urn:uuid:${uuidOf(JSON.stringify([version, commit, targets, components]))}`,
		version: 1,
		metadata: {
			...(date === null ? {} : { timestamp: date }),
			component: {
				type: "application",
				"bom-ref": application,
				name: "portward",
				version,
				licenses: [{ license: { id: "Apache-2.0" } }],
				properties: [{ name: "portward:commit", value: commit }],
			},
		},
		components,
		dependencies: [
			{ ref: application, dependsOn: components.map((each) => each["bom-ref"]) },
			...components.map((each) => ({ ref: each["bom-ref"], dependsOn: [] })),
		],
	};
}

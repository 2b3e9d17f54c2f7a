/** Test cases for policies: what some connections are expected to meet. */

import type { Place } from "../../../base/diagnostic.ts";
import type { Action, Direction, Family, Protocol } from "../../../base/model.ts";

export interface PolicyTestCase {
	/** As written, or what is asked in short. */
	readonly name: string;
	readonly place: Place;
	readonly direction: Direction;
	readonly protocol: Protocol;
	readonly family: Family;
	/** The remote end, as an unsigned integer. */
	readonly address: bigint;
	/** The destination port, 0..65535; 0 for protocols without ports. */
	readonly port: number;
	/** The source port, or the type of ICMP and ICMPv6. Null: one that no rule names. */
	readonly source: number | null;
	/** "" for one that no rule names. */
	readonly interface: string;
	readonly expect: Action;
	/** Who is expected to decide; null where that does not matter. */
	readonly policy: string | null;
}

/** A valid PortwardTest document. */
export interface PolicyTest {
	readonly name: string;
	readonly place: Place;
	/** Labels of the host for which the cases hold; over those of the settings. */
	readonly nodeLabels: Readonly<Record<string, string>>;
	/** Settings over those of the configuration, as JSON text. */
	readonly settings: string;
	readonly cases: readonly PolicyTestCase[];
}

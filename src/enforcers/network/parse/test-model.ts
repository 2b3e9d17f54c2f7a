/** Test cases for policies: what some connections are expected to meet. */

import type { Place } from "../../../base/diagnostic.ts";
import type { Action, Direction, Family, Protocol } from "../../../base/model.ts";
import type { Account } from "../model.ts";

/** Who sends; null of each: one that no rule names. */
export interface CaseSender {
	/** Names as they are written: the number is for who runs the case. */
	readonly user: Account | null;
	readonly group: Account | null;
	/** The unit's whole name. */
	readonly service: string | null;
}

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
	/** The guest that sends or receives, of the same family, so that this host forwards; null where the host itself does. */
	readonly guest: bigint | null;
	/** Null: nobody whom a rule names, or what comes in. */
	readonly by: CaseSender | null;
	readonly expect: Action;
	/** Who is expected to decide; null where that does not matter. */
	readonly policy: string | null;
}

/** Addresses in rows, ports in columns. */
export interface PolicyTestTable {
	/** As written, or what it is about. */
	readonly name: string;
	readonly place: Place;
	readonly direction: Direction;
	/** As written. */
	readonly columns: readonly string[];
	readonly rows: readonly {
		/** The address, as written. */
		readonly label: string;
		/** One for each column; null where nothing is expected, or the column's protocol is of the other family. */
		readonly cells: readonly (PolicyTestCase | null)[];
	}[];
}

/** A valid PortwardTest document. `Other` is what cases say that are not about packets. */
export interface PolicyTest<Other = unknown> {
	readonly name: string;
	readonly place: Place;
	/** Labels of the host for which the cases hold; over those of the settings. */
	readonly nodeLabels: Readonly<Record<string, string>>;
	/** Settings over those of the configuration, as JSON text. */
	readonly settings: string;
	readonly cases: readonly PolicyTestCase[];
	readonly tables: readonly PolicyTestTable[];
	readonly otherCases: readonly Other[];
}

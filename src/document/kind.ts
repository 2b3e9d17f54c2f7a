/**
 * What a kind of document is to the parser. Kinds are registered: the parser knows none by itself. A policy yields
 * parts, each for one enforcer, so that several can read blocks of one document.
 */

import type { Node } from "yaml";
import type { Diagnostic, Place } from "../base/diagnostic.ts";
import type { Action, NodeSelector } from "../base/model.ts";
import type { JsonSchema } from "./json-schema.ts";
import type { NodeReader } from "./nodes.ts";

/** What one enforcer reads out of a policy. Its content is plain data that only this enforcer understands. */
export interface Part {
	readonly enforcer: string;
	readonly content: unknown;
}

/** What every policy has, whoever enforces it. */
export interface PolicyHead {
	readonly kind: string;
	readonly name: string;
	readonly place: Place;
	readonly nodeSelector: NodeSelector;
	/** What its rules do that say nothing else; null where it has none, as a group of addresses. */
	readonly action: Action | null;
	/** It is judged beside what is in force, and decides nothing. */
	readonly staged?: true;
}

/** A valid document of a kind that is enforced. */
export interface Policy extends PolicyHead {
	readonly parts: readonly Part[];
}

/** The parts of one enforcer: what is wrapped is what is found again. */
export class PartType<Content> {
	readonly enforcer: string;

	constructor(enforcer: string) {
		this.enforcer = enforcer;
	}

	/** The policy that has one part alone. */
	policy({ kind, name, place, nodeSelector, action, staged }: PolicyHead, content: Content): Policy {
		const mode = staged === undefined ? {} : { staged };
		return { kind, name, place, nodeSelector, action, ...mode, parts: [this.wrap(content)] };
	}

	wrap(content: Content): Part {
		return { enforcer: this.enforcer, content };
	}

	/** Of the policies that are to be in force, in their order: staged ones decide nothing. */
	of(policies: readonly Policy[]): Content[] {
		return this.all(policies.filter(({ staged }) => staged === undefined));
	}

	/** Of the staged ones alone. */
	staged(policies: readonly Policy[]): Content[] {
		return this.all(policies.filter(({ staged }) => staged === true));
	}

	/** Of all, whether they are to be in force or not. */
	all(policies: readonly Policy[]): Content[] {
		const found: Content[] = [];
		for (const { parts } of policies) {
			// Nobody else wraps a part in this enforcer's name.
			for (const part of parts) if (part.enforcer === this.enforcer) found.push(part.content as Content);
		}
		return found;
	}

	/** Those of the documents that are valid. */
	in(documents: readonly { readonly policy: Policy | null }[]): Content[] {
		return this.of(documents.flatMap(({ policy }) => policy ?? []));
	}
}

interface Kind {
	readonly name: string;
	/** The kind of a list of them, as `kubectl get -o yaml` prints it; null where there is none. */
	readonly list: string | null;
	/** For editors and other tools; null where no document of the kind is right. */
	readonly schema: JsonSchema | null;
}

/** Documents that are enforced, or would be. */
export interface PolicyKind extends Kind {
	readonly role: "policy";
	/** Null when anything in it is an error, all of which is reported. */
	read(reader: NodeReader, root: Node): Policy | null;
	/** Warnings about a valid one by itself. */
	lint(policy: Policy): readonly Diagnostic[];
}

/** Documents that lie beside policies and are none, such as test cases: the daemon has no use for them. */
export interface AsideKind<Content = unknown> extends Kind {
	readonly role: "aside";
	/** Null when anything in it is an error, all of which is reported. */
	read(reader: NodeReader, root: Node): Content | null;
}

export type DocumentKind = PolicyKind | AsideKind;

/** The kinds that are registered, in the order in which they are told. */
export class Kinds {
	readonly #byName: ReadonlyMap<string, DocumentKind>;
	readonly #lists: ReadonlySet<string>;

	constructor(kinds: readonly DocumentKind[]) {
		this.#byName = new Map(kinds.map((kind) => [kind.name, kind]));
		this.#lists = new Set(["List", ...kinds.flatMap(({ list }) => list ?? [])]);
	}

	get(name: string | null): DocumentKind | undefined {
		return name === null ? undefined : this.#byName.get(name);
	}

	/** Of every kind that has one. */
	get schemas(): Readonly<Record<string, JsonSchema>> {
		const known = [...this.#byName.values()];
		return Object.fromEntries(known.flatMap(({ name, schema }) => (schema === null ? [] : [[name, schema]])));
	}

	get names(): readonly string[] {
		return [...this.#byName.keys()];
	}

	/** Whether documents of this kind hold others. */
	isList(name: string | null): boolean {
		return name !== null && this.#lists.has(name);
	}

	/** Whether documents of this kind are something else than policies, be they broken or not. */
	isAside(name: string | null): boolean {
		return this.get(name)?.role === "aside";
	}
}

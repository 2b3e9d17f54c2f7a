/**
 * The YAML library's nodes, made without its constructors: those define a
 * hidden property on each node, which costs more than all the rest of reading
 * a large file. Here the prototypes have it.
 */

import { Pair, type ParsedNode, Scalar, YAMLMap, YAMLSeq } from "yaml";

/** How the library tells its nodes apart. */
const nodeType = Symbol.for("yaml.node.type");

type Maker<Node, Arguments extends readonly unknown[]> = new (...values: Arguments) => Node;

/** A class of the library's whose instances are made by `fill` alone. */
function light<Node extends object, Arguments extends readonly unknown[]>(
	original: { readonly prototype: Node },
	type: string,
	fill: (this: Node, ...values: Arguments) => void,
): Maker<Node, Arguments> {
	fill.prototype = Object.create(original.prototype, { [nodeType]: { value: Symbol.for(type) } });
	// A function is a constructor; only the types of functions do not say so.
	return fill as unknown as Maker<Node, Arguments>;
}

/** The last of the arguments is where it stands in the text; the end of what follows a node is its own end. */
export const LightScalar = light(
	Scalar,
	"yaml.scalar",
	function (this: Scalar, value: unknown, source: string, type: Scalar.Type, start: number, end: number) {
		this.value = value;
		this.source = source;
		this.type = type;
		this.range = [start, end, end];
	},
);

export const LightMap = light(YAMLMap, "yaml.map", function (this: YAMLMap, flow: boolean, start: number) {
	this.items = [];
	this.flow = flow;
	this.range = [start, start, start];
});

export const LightSeq = light(YAMLSeq, "yaml.seq", function (this: YAMLSeq, flow: boolean, start: number) {
	this.items = [];
	this.flow = flow;
	this.range = [start, start, start];
});

export const LightPair = light(Pair, "yaml.pair", function (this: Pair, key: unknown, value: unknown) {
	this.key = key;
	this.value = value;
});

/** They have what a parsed node has: a range, and parsed nodes below. */
export function asParsed(contents: Scalar | YAMLMap | YAMLSeq): ParsedNode {
	return contents as ParsedNode;
}

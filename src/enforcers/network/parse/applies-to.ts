/** Whether a policy holds for the host, for its guests, or for both. */

import { readAnnotation } from "../../../document/annotation.ts";
import { type JsonSchema, optional } from "../../../document/json-schema.ts";
import type { Fields, NodeReader } from "../../../document/nodes.ts";
import type { AppliesTo } from "../model.ts";

export const appliesToAnnotation = "portward.io/applies-to";

const values = ["host", "guests", "all"] as const satisfies readonly AppliesTo[];

/** `all` where the policy does not say. */
export function readAppliesTo(reader: NodeReader, fields: Fields): AppliesTo {
	return readAnnotation(reader, fields, appliesToAnnotation, values) ?? "all";
}

/** Of the annotations of a network policy. Others' may be anything. */
export const annotationsSchema: JsonSchema = {
	properties: { [appliesToAnnotation]: optional({ enum: values }) },
};

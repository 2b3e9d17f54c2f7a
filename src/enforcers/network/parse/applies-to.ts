/** Whether a policy holds for the host, for its guests, or for both. */

import { type Annotations, modeSchema } from "../../../document/annotation.ts";
import { type JsonSchema, optional } from "../../../document/json-schema.ts";
import type { AppliesTo } from "../model.ts";

export const appliesToAnnotation = "portward.io/applies-to";

const values = ["host", "guests", "all"] as const satisfies readonly AppliesTo[];

/** `all` where the policy does not say. */
export function readAppliesTo(annotations: Annotations): AppliesTo {
	return annotations.value(appliesToAnnotation, values) ?? "all";
}

/** Of the annotations of a network policy. Others' may be anything. */
export const annotationsSchema: JsonSchema = {
	properties: { [appliesToAnnotation]: optional({ enum: values }), ...modeSchema },
};

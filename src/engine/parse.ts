/** Policy files of the kinds that are registered. */

import { type ParsedFile, type ParseOptions, parseDocuments } from "../document/parse.ts";
import { registeredKinds } from "./enforcers.ts";

/** See parseDocuments. */
export function parsePolicyFile(file: string, text: string, options?: ParseOptions): ParsedFile {
	return parseDocuments(file, text, registeredKinds, options);
}

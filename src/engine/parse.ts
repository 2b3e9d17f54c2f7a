/** Policy files of the kinds that are registered. */

import {
	type ParsedDocument,
	type ParsedFile,
	type ParseOptions,
	parseDocuments,
	parseOneDocument,
} from "../document/parse.ts";
import { registeredKinds } from "./enforcers.ts";

/** See parseDocuments. */
export function parsePolicyFile(file: string, text: string, options?: ParseOptions): ParsedFile {
	return parseDocuments(file, text, registeredKinds, options);
}

/** See parseOneDocument. */
export function parseSavedDocument(
	file: string,
	source: string,
	firstLine: number,
	index: number,
): ParsedDocument | null {
	return parseOneDocument(file, source, firstLine, index, registeredKinds);
}

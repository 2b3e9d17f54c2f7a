/** `metadata`: the name identifies a policy; everything else is accepted for kubectl's sake. */

import type { Node } from "yaml";
import { quote } from "../base/suggest.ts";
import type { Fields, NodeReader } from "./nodes.ts";

export const apiVersion = "security.kubearmor.com/v1";

/** RFC 1123 subdomain as Kubernetes checks it, at most 253 bytes. */
export const nameForm = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
export const longestName = 253;

/** ObjectMeta's fields other than the name; nothing here changes what a policy means. */
export const otherMetadataFields = [
	"namespace",
	"labels",
	"annotations",
	"generateName",
	"creationTimestamp",
	"deletionTimestamp",
	"deletionGracePeriodSeconds",
	"finalizers",
	"generation",
	"managedFields",
	"ownerReferences",
	"resourceVersion",
	"selfLink",
	"uid",
];

/** Whether a text may be a policy's name. */
export function isPolicyName(text: string): boolean {
	return text.length <= longestName && nameForm.test(text);
}

/** Checks apiVersion and metadata; the name, or null when it is missing or unusable (reported). */
export function readMetadata(
	reader: NodeReader,
	root: Node,
	fields: Fields,
	wanted = apiVersion,
): string | null {
	const version = reader.present(fields, "apiVersion");
	const versionText = version && reader.text(version.node, version.path);
	if (version === null) {
		reader.error(root, null, "missing-field", "apiVersion is missing", `write apiVersion: ${wanted}`);
	} else if (versionText !== null && versionText !== wanted) {
		const message = `${quote(versionText)} is not ${wanted === apiVersion ? "a version of KubeArmor's policies" : "the version of this kind"}`;
		reader.error(version.node, version.path, "bad-api-version", message, `write apiVersion: ${wanted}`);
	}
	const metadata = reader.present(fields, "metadata");
	if (metadata === null) {
		reader.error(root, null, "missing-field", "metadata is missing", "write metadata: {name: NAME}");
		return null;
	}
	const entries = reader.fields(metadata.node, metadata.path, ["name", ...otherMetadataFields]);
	if (entries === null) return null;
	const namespace = entries.get("namespace");
	if (namespace !== undefined) {
		const message = "hosts have no namespaces, so this is ignored";
		reader.warn(namespace.key, namespace.path, "namespace-ignored", message, "leave namespace out");
	}
	const name = reader.present(entries, "name");
	if (name === null) {
		reader.error(
			metadata.node,
			metadata.path,
			"missing-field",
			"name is missing",
			"write metadata: {name: NAME}",
		);
		return null;
	}
	const text = reader.text(name.node, name.path);
	if (text === null || isPolicyName(text)) return text;
	const message = `${quote(text)} is not a name: lower-case letters, digits, - and ., at most ${longestName} characters`;
	reader.error(name.node, name.path, "bad-name", message, `write name: ${usableName(text)}`);
	return null;
}

/** The nearest name that is allowed. */
function usableName(text: string): string {
	const parts = text.slice(0, longestName).toLowerCase().split(/\.+/);
	const clean = parts.map((part) => part.replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, ""));
	return clean.filter((part) => part !== "").join(".") || "my-policy";
}

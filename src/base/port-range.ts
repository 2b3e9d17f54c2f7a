/** `22`, `1024-65535`: a range of ports, or of anything with a first and a last number. */
export function rangeText({ first, last }: { readonly first: number; readonly last: number }): string {
	return first === last ? String(first) : `${first}-${last}`;
}

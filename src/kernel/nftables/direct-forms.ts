/** The forms that matches of rules have: see direct-matches.ts. */

const address = "(?<version>ip6?) (?<side>saddr|daddr)";
const forms = {
	lookup:
		`(?<count>counter name )?${address}(?: & (?<mask>[0-9a-f.:]+))?` +
		"(?<tail>(?: \\. (?:meta l4proto|th dport|th sport|ct original proto-dst))*) (?<use>vmap |map |!= )?@\0",
	block: `${address} (?<first>[0-9a-f.:]+)(?:/(?<length>\\d{1,3}))?`,
	ports: "(?<both>tcp|udp) sport (?<from>\\d{1,5}) \\k<both> dport (?<to>\\d{1,5})",
	port: "(?<one>tcp|udp) (?<which>sport|dport) (?<number>\\d{1,5})",
	protocol: "meta l4proto (?:(?<by>!=|<) )?(?<value>\\d{1,3})",
	family: "meta nfproto ipv(?<number>[46])",
	state: "ct state (?<state>\\w+)",
	flags: "tcp flags & (?<bits>syn|\\(syn \\| ack\\)) (?<by>==|!=) (?<wanted>syn|0)",
	tally:
		`update @\0 \\{ meta (?<key>iif|oif) \\. ${address}(?: \\. \\k<version> (?<other>saddr|daddr))? \\. meta l4proto` +
		"(?: \\. (?<port>th dport|th sport|ct original proto-dst))? counter \\}",
	protocols: "meta l4proto \\{ (?<protocols>\\d{1,3}(?:, \\d{1,3})*) \\}",
	icmp: "(?<icmp>icmp|icmpv6) type \\{ (?<types>[a-z-]+(?:, [a-z-]+)*) \\}",
	translated: "ct status dnat",
	confirmed: "ct status confirmed",
	meter:
		`(?:update|add) @\0 \\{ (?:${address}(?: & (?<mask>[0-9a-f.:]+))?|meta mark & 0x00000000) ` +
		"(?:limit rate (?<rate>\\d{1,9})/(?<unit>second|minute|hour|day) burst (?<burst>\\d{1,9}) packets|" +
		"ct count (?<most>\\d{1,9})) \\}",
	index: "meta (?<key>[io]if) != 0",
	kind: 'meta (?<key>[io]ifkind) "(?<kind>[a-z0-9_-]{1,15})"',
	named: "(?<key>[io]ifname) (?<inverted>!= )?@\0",
} as const;

export type Form = keyof typeof forms;

/** What the text of a match may look like, from a place on. */
export const patterns = (Object.keys(forms) as Form[]).map((form) => ({
	form,
	pattern: new RegExp(`(?:${forms[form]})(?= |$)`, "y"),
}));

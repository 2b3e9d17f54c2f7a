/** What an alert says as a sentence, for `portward alerts` and the page. Pure. Whoever shows it escapes it. */

import { auditedBlock } from "./alert.ts";

/** What a sentence is made of: fields of an alert, perhaps of another version's. */
export interface ToldAlert {
	readonly Operation?: string | undefined;
	readonly Resource: string;
	readonly PolicyName: string;
	readonly Action: string;
	readonly Result?: string | undefined;
	readonly Message: string;
	readonly EventData?: Readonly<Record<string, string>> | undefined;
}

export interface AlertSentence {
	/** Such as `10.0.1.200 → tcp 5432 on eth0: blocked by database-only`. */
	readonly sentence: string;
	/** What the policy says beside; "" where there is nothing, or the sentence says it. */
	readonly note: string;
}

export function alertSentence(alert: ToldAlert): AlertSentence {
	const { Operation, Message } = alert;
	if (Operation === "NetworkFirewall") return { sentence: packetSentence(alert), note: Message };
	if (Operation === "Device") return { sentence: functionSentence(alert), note: Message };
	return { sentence: eventSentence(alert), note: "" };
}

type Data = Readonly<Record<string, string | undefined>>;

function packetSentence(alert: ToldAlert): string {
	const data: Data = alert.EventData ?? {};
	const { SourceIP, DestinationIP, Interface, Hook, GuestIP, GuestPort } = data;
	const forwarded = Hook === "forward";
	const link = Interface === undefined ? "" : ` on ${Interface}`;
	const guest = `guest ${GuestIP ?? "without an address"}${containerText(data)}`;
	if (alert.Resource === "EGRESS") {
		const from = forwarded ? guest : "this host";
		const to = DestinationIP === undefined ? "" : ` of ${DestinationIP}`;
		return `${from} → ${serviceText(data)}${to}${link}: ${packetVerdict(alert, data)}`;
	}
	const port = GuestPort === undefined || GuestPort === data.DestinationPort ? "" : ` port ${GuestPort}`;
	const to = forwarded ? ` for ${guest}${port}` : "";
	return `${SourceIP ?? "somebody"} → ${serviceText(data)}${link}${to}: ${packetVerdict(alert, data)}`;
}

/** `tcp 5432`, `icmp`, `protocol 253`. */
function serviceText({ Protocol, DestinationPort }: Data): string {
	if (Protocol === undefined) return "what cannot be read";
	const name = Protocol.replace(/^Proto-/u, "protocol ").toLowerCase();
	return DestinationPort === undefined ? name : `${name} ${DestinationPort}`;
}

/** As many digits of a container's id as its engine prints. */
const shownId = 12;

function containerText({ Container }: Data): string {
	if (Container === undefined) return "";
	const ids = Container.split(",").map((id) => id.slice(0, shownId));
	return ` (container ${ids.join(", ")})`;
}

function packetVerdict({ Action, PolicyName }: ToldAlert, { WouldBe, Staged }: Data): string {
	const policy = PolicyName === "" ? "no policy" : PolicyName;
	if (Action === auditedBlock || (Action !== "Block" && WouldBe === "Block"))
		return `passed, would be blocked by ${policy}${stagedText(Staged, policy)}`;
	return `${verdictWords.get(Action) ?? Action} by ${policy}`;
}

/** What would have to be promoted first, of what is staged. */
function stagedText(staged: string | undefined, policy: string): string {
	if (staged === undefined) return "";
	if (staged === policy) return ", which is staged";
	const names = staged.split(",");
	return `, once ${names.join(" and ")} ${names.length === 1 ? "is" : "are"} promoted`;
}

const verdictWords: ReadonlyMap<string, string> = new Map([
	["Allow", "allowed"],
	["Audit", "passed, audited"],
	["Block", "blocked"],
]);

function functionSentence(alert: ToldAlert): string {
	const data: Data = alert.EventData ?? {};
	const what = alert.Resource.replace(/^USB /u, "");
	const place = data.Interface === undefined ? "" : ` (interface ${data.Interface})`;
	return `USB ${what}${place} of ${deviceText(data)}: ${functionVerdict(alert, data)}`;
}

/** Such as `ACME Stick 0781:5567 (4C53) on port 1-4.1`. */
function deviceText({ Manufacturer, Product, VendorID, ProductID, Serial, Port }: Data): string {
	const ids = VendorID === undefined || ProductID === undefined ? undefined : `${VendorID}:${ProductID}`;
	const words = [Manufacturer, Product, ids].filter((word) => word !== undefined && word !== "");
	const name = words.length === 0 ? "a device" : words.join(" ");
	const serial = Serial === undefined || Serial === "" ? "" : ` (${Serial})`;
	return `${name}${serial} on port ${Port ?? "unknown"}`;
}

function functionVerdict({ Action, Result, PolicyName }: ToldAlert, { WouldBe, Staged }: Data): string {
	if (Result === "Removed") return "unplugged";
	const refused = Result === "Permission denied";
	const by = PolicyName === "" ? "" : ` by ${PolicyName}`;
	if (Action === "Block") {
		if (refused) return `refused${by}`;
		return PolicyName === "" ? "let in" : `let in, though ${PolicyName} refuses it`;
	}
	if (refused) return PolicyName === "" ? "refused" : `refused, though ${PolicyName} lets it in`;
	if (Action === auditedBlock || WouldBe === "Block")
		return `let in, would be refused${by}${stagedText(Staged, PolicyName)}`;
	return Action === "Audit" ? `let in, audited${by}` : `allowed${by}`;
}

const deviceFields: readonly string[] = [
	"Port",
	"VendorID",
	"ProductID",
	"Serial",
	"Product",
	"Manufacturer",
];

/** What happened, and its details in words. */
function eventSentence({ Message, Resource, EventData = {} }: ToldAlert): string {
	// Ports of other alerts are those of services.
	const about = EventData.Port !== undefined && /^USB\b/u.test(Resource);
	const device = about ? `${deviceText(EventData)}: ` : "";
	const details = Object.entries(EventData)
		.filter(([key]) => device === "" || !deviceFields.includes(key))
		.filter(([key, value]) => !(saidInMessages.includes(key) && says(Message, value)))
		.map(([key, value]) => `${words(key)} ${value.replaceAll("\n", " ")}`);
	const rest = details.length === 0 ? "" : ` (${details.join(", ")})`;
	return `${device}${Message === "" ? Resource : Message}${rest}`;
}

/**
 * Details that messages have in their own words. All others stand behind every message: who chose the name of a process
 * may have chosen a word of the message.
 */
const saidInMessages: readonly string[] = [
	"Direction",
	"Protocol",
	"Remote",
	"Port",
	"Interface",
	"Guest",
	"Problem",
	"Reason",
];

/** Whether a message has a detail already, as words of its own. */
function says(message: string, detail: string): boolean {
	if (detail === "") return false;
	const inWord = (character: string | undefined) =>
		character !== undefined && /[\p{L}\p{N}_:]/u.test(character);
	for (let at = message.indexOf(detail); at >= 0; at = message.indexOf(detail, at + 1))
		if (!inWord(message[at - 1]) && !inWord(message[at + detail.length])) return true;
	return false;
}

/** `RuleIndex` → `rule index`; `PID` stays. */
function words(key: string): string {
	return key
		.replaceAll(/([a-z])([A-Z])/gu, "$1 $2")
		.split(" ")
		.map((word) => (/^[A-Z]{2,}$/u.test(word) ? word : word.toLowerCase()))
		.join(" ");
}

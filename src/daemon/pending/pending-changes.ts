/**
 * A change of policies that rolls back unless it is confirmed in time. One at
 * a time; the clock is the one that counts sleep and that nobody can set; what
 * is to become of the change is on disk before anything is done about it.
 */

import type { PeerCredentials } from "../../../ffi/peer.ts";
import type { PendingState } from "../../report/status.ts";
import type { ControlReply, RequestOf } from "../../serve/control/control-protocol.ts";
import { systemError } from "../../state/pending-files.ts";
import { type PendingChange, settledPolicies } from "../../state/pending-record.ts";
import type { Confirmed } from "../../state/pending-store.ts";
import { PendingClock } from "./pending-clock.ts";
import type { PendingOptions } from "./pending-options.ts";
import { type AskedChange, prepareChange } from "./pending-prepare.ts";
import { checkSession, inForceAlready, refusal } from "./pending-session.ts";
import { type PolicySource, stateOf } from "./pending-stager.ts";
import { PendingTargets } from "./pending-targets.ts";
import { describePending, wrongChange } from "./pending-text.ts";

/** What is said of a change that changes nothing that is enforced. */
const onlyForm = "nothing is to be confirmed: comments and formatting alone differ";

/** What is said of a policy directory whose change was rolled back. */
const rolledBack = "what is in the policy directory was rolled back, as nobody confirmed it";

export class PendingChanges {
	readonly #options: PendingOptions;
	readonly #targets: PendingTargets;
	readonly #clock: PendingClock;
	#change: PendingChange | null = null;
	/** The policy directory changed while a change was pending. */
	#waiting = false;
	/** With `confirm: required`: why what is in the policy directory is not in force, or "". */
	#complaint = "";
	#queue: Promise<unknown> = Promise.resolve();

	constructor(options: PendingOptions) {
		this.#options = options;
		this.#targets = new PendingTargets(options);
		this.#clock = new PendingClock(() => options.clock());
	}

	/** Where the policies to enforce are. */
	get source(): PolicySource {
		const { store, config } = this.#options;
		if (this.#change !== null) return stateOf(store.policies(this.#change.id));
		const { policyDir, stateDir } = config();
		return this.#targets.required
			? settledPolicies(stateDir)
			: { directory: policyDir, stateDirectory: stateDir };
	}

	/** Whether what is enforced is meant to stay. */
	get confirmed(): boolean {
		return this.#change === null;
	}

	/** Why what is in the policy directory is not in force though nothing is pending, or "". */
	get complaint(): string {
		return this.#complaint;
	}

	get state(): PendingState | null {
		const change = this.#change;
		if (change === null) return null;
		const { id, source, from, seconds, asker } = change;
		const secondsLeft = this.#clock.secondsLeft(change);
		return { id, source, from, seconds, secondsLeft, asker, waiting: this.#waiting };
	}

	/** Finds what an earlier process left. To be called before anything is enforced. */
	start(): Promise<void> {
		return this.#exclusive(async () => {
			const { store, log } = this.#options;
			const read = store.read();
			if (read.state === "damaged") {
				await this.#forget(null);
				this.#options.events.settled("rolled_back", null, read.problem);
			} else if (read.state === "known" && !(await this.#resume(read.change))) return;
			if (this.#targets.required) {
				const problem = await store.beginSnapshot().then(() => "", systemError);
				if (problem !== "") log.error("the confirmed policies cannot be kept", { reason: problem });
			}
			const targets = await this.#targets.directories().catch(() => []);
			for (const warning of await store.cleanUp(this.#change?.id ?? null, targets)) {
				log.warn("what an earlier process left could not be removed", { reason: warning });
			}
		});
	}

	/** To be called once what `source` names has been enforced for the first time. */
	enforced(): Promise<void> {
		return this.#exclusive(async () => {
			if (this.#change?.enforced === null) await this.#inForce(this.#change);
			if (this.#targets.required && this.#change === null) await this.#consider(false);
		});
	}

	/** The policy directory changed, or `anew`: somebody asked for it to be read again. */
	changed(anew: boolean): Promise<void> {
		return this.#exclusive(async () => {
			const change = this.#change;
			if (change !== null) {
				// Who asks for a reading anew may have changed the settings alone.
				if (!anew || (await this.#targets.differs(change))) {
					if (!this.#waiting)
						this.#options.log.warn("a change of the policy directory waits for the pending one");
					this.#waiting = true;
				}
				if (anew) await this.#options.enforce();
			} else if (this.#targets.required) {
				if (anew) await this.#options.enforce();
				await this.#consider(anew);
			} else await this.#options.enforce();
		});
	}

	apply(request: RequestOf<"apply">, peer: PeerCredentials): Promise<ControlReply> {
		return this.#exclusive(async () => {
			const { config, obstacle, session } = this.#options;
			const blocked = obstacle() ?? describePending(this.state);
			if (blocked !== null) return this.#refuse(blocked);
			const seconds = request.seconds ?? config().confirmWithin;
			const asker = { uid: peer.uid, pid: peer.pid, session: session(peer.pid) ?? request.session };
			const { directory, from } = request;
			return this.#begin({ directory, from, source: "apply", seconds, asker });
		});
	}

	confirm(request: RequestOf<"confirm">, peer: PeerCredentials): Promise<ControlReply> {
		return this.#exclusive(async () => {
			const change = this.#change;
			const wrong = wrongChange(this.#change, request.id);
			if (change === null || wrong !== null) return refusal(wrong ?? "");
			const blocked = this.#options.obstacle();
			if (blocked !== null) return refusal(blocked);
			if (this.#clock.expired(change)) {
				await this.#rollBack("it was not confirmed in time");
				return refusal(`change ${change.id} was not confirmed in time, and is rolled back`);
			}
			const sessions = [this.#options.session(peer.pid), request.session] as const;
			const checked = checkSession(change, sessions, request.sameSession);
			if (!checked.ok) return refusal(checked.message);
			return this.#confirm(change, `${checked.message}; by process ${peer.pid} of user ${peer.uid}`);
		});
	}

	rollback(request: RequestOf<"rollback">, peer: PeerCredentials): Promise<ControlReply> {
		return this.#exclusive(async () => {
			const wrong = wrongChange(this.#change, request.id);
			const change = this.#change;
			if (change === null || wrong !== null) return refusal(wrong ?? "");
			const problem = await this.#rollBack(`asked for by process ${peer.pid} of user ${peer.uid}`);
			const message = `change ${change.id} is rolled back`;
			return problem === ""
				? { ok: true, message }
				: refusal(`${message}, but what was in force before is not: ${problem}`);
		});
	}

	stop(): void {
		this.#clock.stop();
	}

	/** One thing after the other, whoever asks. */
	#exclusive<T>(work: () => Promise<T>): Promise<T> {
		const done = this.#queue.then(work);
		this.#queue = done.catch(() => {});
		return done;
	}

	/** False where a confirmed change is left as it is, for the next start. */
	async #resume(change: PendingChange): Promise<boolean> {
		const { store, log, events } = this.#options;
		if (change.confirming !== null) {
			try {
				this.#report(await store.finish(change));
				events.settled("confirmed", change, "it had been confirmed when the daemon ended");
			} catch (error) {
				log.error("a change that was confirmed cannot be put in place; the next start tries again", {
					change: change.id,
					reason: systemError(error),
				});
				return false;
			}
			return true;
		}
		const reason = await this.#whyLost(change);
		if (reason === "") {
			this.#change = change;
			this.#watchClock();
			events.started(change, true);
		} else {
			await this.#forget(change);
			events.settled("rolled_back", change, reason);
		}
		return true;
	}

	/** Why a change that an earlier process began does not go on, or "". */
	async #whyLost(change: PendingChange): Promise<string> {
		const { store, stager, boot } = this.#options;
		if (boot === "" || change.boot !== boot) return "the machine was started anew before it was confirmed";
		if (this.#clock.expired(change)) return "it was not confirmed in time";
		const whole = (await stager.digest(store.policies(change.id), true)) === change.digest;
		return whole ? "" : "its copy is damaged";
	}

	/** Copies the directory and puts the copy in force until the deadline. */
	async #begin(asked: AskedChange): Promise<ControlReply> {
		const { enforce, events } = this.#options;
		const prepared = await prepareChange(this.#options, this.#targets, asked);
		if (!prepared.ok) {
			if (prepared.copy !== null) await this.#forget(prepared.copy);
			if (prepared.refused !== null) return this.#refuse(prepared.refused);
			return inForceAlready("nothing changes: these policies are the ones in force");
		}
		const { change } = prepared;
		this.#change = change;
		this.#complaint = "";
		if (prepared.onlyForm) {
			const taken = await this.#confirm(change, onlyForm);
			// What could not be put in place pends like any other change.
			if (this.#change === null) return taken.ok ? inForceAlready(`${onlyForm}, and are taken over`) : taken;
		}
		const problem = await enforce();
		if (problem !== "") {
			await this.#rollBack(`it could not be enforced: ${problem}`);
			return refusal(`change ${change.id} could not be enforced, and is rolled back: ${problem}`);
		}
		await this.#inForce(change);
		events.started(this.#change ?? change, false);
		const message = `change ${change.id} is in force and rolls back in ${change.seconds} s unless it is confirmed`;
		return { ok: true, message, values: { change: change.id, seconds: change.seconds } };
	}

	/** Its time counts from now on. */
	async #inForce(change: PendingChange): Promise<void> {
		const { clock, store, log } = this.#options;
		const enforced = clock();
		this.#change = { ...change, enforced, deadline: enforced + change.seconds };
		const problem = await store.write(this.#change).then(() => "", systemError);
		if (problem !== "")
			log.warn("when a pending change was enforced cannot be written down", { reason: problem });
		this.#watchClock();
	}

	#watchClock(): void {
		const late = () => this.#change !== null && this.#clock.expired(this.#change);
		const rollBack = async () => (late() ? this.#rollBack("it was not confirmed in time") : "");
		this.#clock.watch(() => late() && void this.#exclusive(rollBack));
	}

	/** Returns why what was in force before is not in force again, or "". */
	async #rollBack(reason: string): Promise<string> {
		const change = this.#change;
		if (change === null) return "";
		await this.#forget(change);
		const problem = await this.#settled();
		this.#options.events.settled("rolled_back", change, reason);
		if (problem !== "") {
			this.#options.log.error("what was in force before the change cannot be enforced; it is tried again", {
				problem,
			});
		}
		return problem;
	}

	/** Removes what is known of a change on disk. What cannot be removed is past its deadline at the next start. */
	async #forget(change: Pick<PendingChange, "id"> | PendingChange | null): Promise<void> {
		const { store, log } = this.#options;
		const problem = await store.drop(change?.id ?? null).then(() => "", systemError);
		if (problem !== "") log.error("a change that is not in force cannot be forgotten", { reason: problem });
		if (change === null || !("source" in change) || change.source !== "directory") return;
		this.#complaint = rolledBack;
		await store.reject(change.digest).catch((error: unknown) => {
			log.warn("that a change was rolled back cannot be written down", { reason: systemError(error) });
		});
	}

	/** Nothing is pending any more: enforces what now is in force, and looks at what waited. */
	async #settled(): Promise<string> {
		this.#change = null;
		this.stop();
		this.#waiting = false;
		const problem = await this.#options.enforce();
		// What waited may have come while no daemon ran.
		if (this.#targets.required) void this.#exclusive(() => this.#consider(false));
		return problem;
	}

	async #confirm(change: PendingChange, how: string): Promise<ControlReply> {
		const { store } = this.#options;
		let confirmed: Confirmed;
		try {
			confirmed = await store.confirm(change, await this.#targets.takeovers(change));
		} catch (error) {
			return refusal(
				`change ${change.id} could not be confirmed and still is pending: ${systemError(error)}`,
			);
		}
		this.#report(confirmed);
		const problem = await this.#settled();
		this.#options.events.settled("confirmed", change, how);
		const kept = confirmed.kept.map((path) => `; what had changed meanwhile is kept in ${path}`).join("");
		if (problem !== "")
			return refusal(`change ${change.id} is confirmed, but not in force: ${problem}${kept}`);
		return { ok: true, message: `change ${change.id} is confirmed (${how})${kept}` };
	}

	/** With `confirm: required`: makes what is in the policy directory pend where it is not what was confirmed. */
	async #consider(anew: boolean): Promise<void> {
		const { config, log } = this.#options;
		const { policyDir, confirmWithin } = config();
		if (this.#change !== null) return;
		const standing = await this.#targets.standing();
		if (standing === "confirmed" || (standing === "rejected" && !anew)) {
			this.#complaint = standing === "rejected" ? rolledBack : "";
			return;
		}
		const blocked = this.#options.obstacle();
		const begun =
			blocked === null
				? await this.#begin({
						directory: policyDir,
						from: policyDir,
						source: "directory",
						seconds: confirmWithin,
						asker: null,
					})
				: refusal(blocked);
		if (begun.ok) return;
		this.#complaint = begun.message.replaceAll("\n", " ");
		log.error("the change of the policy directory is not taken over", { reason: begun.message });
	}

	#report({ warnings }: Confirmed): void {
		for (const reason of warnings) this.#options.log.warn("something old could not be removed", { reason });
	}

	#refuse(reason: string): ControlReply {
		this.#options.events.refused(reason);
		return refusal(reason);
	}
}

/** Processes that send as a user, a group and a unit of systemd. */

import { mkdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { hierarchyRoot } from "../../../src/kernel/senders/control-groups.ts";
import { type Namespace, spawnBound } from "./netns.ts";
import { lines } from "./probe.ts";

export interface Identity {
	readonly user: number;
	readonly group: number;
	/** The control group; "" for this process's own. */
	readonly controlGroup: string;
}

export interface Target {
	readonly address: string;
	readonly port: number;
}

export class SenderProcess implements Disposable {
	readonly #process: ReturnType<typeof spawnBound>;
	readonly #answers: AsyncIterator<string>;

	constructor(namespace: Pick<Namespace, "inside">, { user, group, controlGroup }: Identity) {
		const script = join(import.meta.dir, "sender-child.ts");
		const argv = [process.execPath, script, String(user), String(group), controlGroup];
		this.#process = spawnBound(namespace.inside(argv));
		this.#answers = lines(this.#process.stdout)[Symbol.asyncIterator]();
	}

	/** Which of the datagrams, each of a flow of its own, left the host. */
	async send(targets: readonly Target[]): Promise<boolean[]> {
		return await this.#ask(targets);
	}

	/** Whether a TCP connection comes about. */
	async connect(target: Target): Promise<boolean> {
		return await this.#ask(target);
	}

	/** Whether a byte on the connection comes back in time. */
	async echoed(milliseconds: number): Promise<boolean> {
		return await this.#ask(milliseconds);
	}

	async #ask<T>(question: unknown): Promise<T> {
		this.#process.stdin.write(`${JSON.stringify(question)}\n`);
		await this.#process.stdin.flush();
		const step = await this.#answers.next();
		if (step.done) throw new Error(await new Response(this.#process.stderr).text());
		return JSON.parse(step.value);
	}

	get exited(): Promise<number> {
		return this.#process.exited;
	}

	[Symbol.dispose](): void {
		this.#process.kill("SIGKILL");
	}
}

/** Control groups of units, made by hand as systemd makes them. */
export class Units implements Disposable {
	readonly #made: string[] = [];

	private constructor(readonly slice: string) {}

	/** Null where this machine lets nobody make control groups in the one hierarchy. */
	static create(name: string): Units | null {
		const root = hierarchyRoot();
		if (root === null) return null;
		const units = new Units(join(root, name));
		try {
			units.#make(units.slice);
		} catch {
			return null;
		}
		return units;
	}

	/** Makes the control group of a path below the slice. */
	make(path: string): string {
		const made = join(this.slice, path);
		this.#make(made);
		return made;
	}

	/** As soon as nobody is in it any more. */
	async remove(path: string): Promise<void> {
		const at = this.#made.indexOf(path);
		if (at >= 0) this.#made.splice(at, 1);
		for (let tries = 0; ; tries++) {
			try {
				rmdirSync(path);
				return;
			} catch (error) {
				if (tries > 1000) throw error;
				await Bun.sleep(10);
			}
		}
	}

	#make(path: string): void {
		mkdirSync(path);
		this.#made.push(path);
	}

	[Symbol.dispose](): void {
		for (const path of this.#made.reverse()) {
			try {
				rmdirSync(path);
			} catch {
				// Somebody is still in it.
			}
		}
	}

	async [Symbol.asyncDispose](): Promise<void> {
		for (const path of [...this.#made].reverse()) await this.remove(path);
	}
}

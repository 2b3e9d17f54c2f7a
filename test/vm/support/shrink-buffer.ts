import { mkdirSync, renameSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Vm } from "../lab/vm.ts";

const root = resolve(import.meta.dir, "../../..");

/** The program that makes a process lose events, for Vm.boot({ files }). */
export function shrinkBufferFile(): { readonly "shrink-buffer": string } {
	const cache = join(root, "node_modules/.cache");
	const output = join(cache, "shrink-buffer");
	mkdirSync(cache, { recursive: true });
	// Renamed into place, because test files run in parallel.
	const staged = `${output}.${process.pid}`;
	const argv = ["gcc", "-static", "-O2", "-Wall", "-Wextra", "-Werror", "-o", staged];
	const built = Bun.spawnSync([...argv, join(import.meta.dir, "shrink-buffer.c")], { stderr: "pipe" });
	if (!built.success) throw new Error(built.stderr.toString());
	renameSync(staged, output);
	return { "shrink-buffer": output };
}

/** Gives the uevent sockets of a process of the guest room for so many bytes of events. */
export async function shrinkBuffer(vm: Vm, pid: string, bytes: number): Promise<void> {
	await vm.sh(`/host/shrink-buffer ${pid} ${bytes}`);
}

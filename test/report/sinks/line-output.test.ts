import { describe, expect, test } from "bun:test";
import { fstatSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sendNow } from "../../../ffi/stream.ts";
import { LineOutput, openInheritedOutput } from "../../../src/report/sinks/line-output.ts";

describe("LineOutput", () => {
	test("drops whole lines when the reader has no room, and none that fit", () => {
		let room = 4;
		const got: Buffer[] = [];
		const output = new LineOutput((bytes) => {
			const taken = Math.min(room, bytes.length);
			got.push(Buffer.from(bytes.subarray(0, taken)));
			room -= taken;
			return taken;
		}, 10);
		expect(output.write(["aaaaa\n", "bbb\n", "c\n"])).toBe(1);
		room = 1000;
		expect(output.write(["d\n"])).toBe(0);
		output.close();
		expect(Buffer.concat(got).toString()).toBe("aaaaa\nbbb\nd\n");
	});

	test("passes on what is queued when the reader has room again", async () => {
		let open = false;
		let got = "";
		const done = Promise.withResolvers<void>();
		const output = new LineOutput((bytes) => {
			if (!open) return 0;
			got += Buffer.from(bytes).toString();
			done.resolve();
			return bytes.length;
		});
		output.write(["late\n"]);
		expect(got).toBe("");
		open = true;
		const keepAlive = setTimeout(() => {}, 4000);
		await done.promise;
		clearTimeout(keepAlive);
		expect(got).toBe("late\n");
	});

	test("writes whole lines that a pipe takes at once, so that no end of the process leaves half of one", () => {
		const pieces: string[] = [];
		const output = new LineOutput((bytes) => {
			pieces.push(Buffer.from(bytes).toString());
			return bytes.length;
		});
		const line = `${"x".repeat(999)}\n`;
		const long = `${"y".repeat(9999)}\n`;
		output.write([...Array.from({ length: 10 }, () => line), long, line]);
		expect(pieces.map((piece) => piece.length)).toEqual([4000, 4000, 2000, 10_000, 1000]);
		for (const piece of pieces) expect(piece).toEndWith("\n");
	});

	test("counts every line once the reader is gone, those in the queue as well", () => {
		const output = new LineOutput(() => -1);
		expect(output.write(["a\n", "b\n"])).toBe(2);
		expect(output.write(["c\n"])).toBe(1);
		let answer = 0;
		const queued = new LineOutput(() => answer);
		expect(queued.write(["a\n", "b\n"])).toBe(0);
		answer = -1;
		expect(queued.write(["c\n"])).toBe(3);
		expect(queued.write(["d\n"])).toBe(1);
		expect(queued.close()).toBe(0);
	});

	test("says at the end how many lines found no room", () => {
		let room = 2;
		const output = new LineOutput((bytes) => {
			const taken = Math.min(room, bytes.length);
			room -= taken;
			return taken;
		});
		expect(output.write(["a\n", "b\n", "c\n"])).toBe(0);
		expect(output.close()).toBe(2);
		expect(output.close()).toBe(0);
	});
});

const source = (path: string) => JSON.stringify(join(import.meta.dir, "../../..", path));
const imports = `const { LineOutput, openInheritedOutput } = await import(${source("src/report/sinks/line-output.ts")});
		const { sendNow } = await import(${source("ffi/stream.ts")});`;

/** Runs a child whose stdout nobody reads and returns what it reports on stderr. */
async function floodUnreadStdout(stdout: "pipe" | "socket"): Promise<{ dropped: number; turns: number }> {
	const code = `
		${imports}
		const opened = openInheritedOutput(1, sendNow);
		const output = new LineOutput(opened.write);
		const line = "x".repeat(999) + "\\n";
		let dropped = 0, turns = 0;
		for (; turns < 20; turns++) {
			dropped += output.write(Array(200).fill(line));
			await new Promise((resolve) => setImmediate(resolve));
		}
		require("node:fs").writeSync(2, JSON.stringify({ dropped, turns }));
		process.exit(0);`;
	const script =
		stdout === "pipe"
			? "import os,subprocess,sys\nr,w=os.pipe()"
			: "import socket,subprocess,sys\nr,s=socket.socketpair()\nw=s.fileno()";
	const python = `${script}\np=subprocess.run([sys.argv[1],"-e",sys.argv[2]],stdout=w,stderr=subprocess.PIPE,timeout=20)\nsys.stdout.buffer.write(p.stderr)`;
	const child = Bun.spawn(["python3", "-c", python, process.execPath, code], {
		stdout: "pipe",
		stderr: "inherit",
	});
	return JSON.parse(await child.stdout.text());
}

describe("openInheritedOutput", () => {
	test.each(["pipe", "socket"] as const)(
		"a %s that nobody reads never holds the writer up",
		async (kind) => {
			const { dropped, turns } = await floodUnreadStdout(kind);
			expect(turns).toBe(20);
			// 4 MB were written; the buffer is 1 MiB and the kernel holds a fraction of that.
			expect(dropped).toBeGreaterThan(2000);
			expect(dropped).toBeLessThan(4000);
		},
		30_000,
	);

	test("the journal's socket, which is shut in the other direction, takes every line", async () => {
		const code = `
			${imports}
			const output = new LineOutput(openInheritedOutput(1, sendNow).write);
			for (let i = 0; i < 3; i++) {
				output.write(["line " + i + "\\n"]);
				await Bun.sleep(20);
			}`;
		const python = `import socket,subprocess,sys
r,s=socket.socketpair()
s.shutdown(socket.SHUT_RD)
subprocess.run([sys.argv[1],"-e",sys.argv[2]],stdout=s.fileno(),timeout=20,check=True)
s.close()
sys.stdout.buffer.write(r.makefile("rb").read())`;
		const child = Bun.spawn(["python3", "-c", python, process.execPath, code], { stdout: "pipe" });
		expect(await child.stdout.text()).toBe("line 0\nline 1\nline 2\n");
	});

	test("a regular file is written where its offset stands", async () => {
		const dir = mkdtempSync(join(tmpdir(), "portward-output-"));
		const fd = openSync(join(dir, "f"), "w", 0o600);
		const opened = openInheritedOutput(fd, sendNow);
		expect(new LineOutput(opened.write).write(["a\n", "b\n"])).toBe(0);
		expect(readFileSync(join(dir, "f"), "utf8")).toBe("a\nb\n");
		expect(fstatSync(fd).size).toBe(4);
		rmSync(dir, { recursive: true });
	});

	test("a descriptor that is not open loses lines, not the daemon", async () => {
		const opened = openInheritedOutput(987_654, sendNow);
		expect(new LineOutput(opened.write).write(["a\n"])).toBe(1);
	});
});

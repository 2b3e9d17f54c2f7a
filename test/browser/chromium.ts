/** A headless Chromium with a profile of its own, driven over the DevTools protocol. */

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const chromiumPath = ["chromium", "chromium-browser", "google-chrome"]
	.map((name) => Bun.which(name))
	.find((path) => path !== null);

interface Message {
	readonly id?: number;
	readonly method?: string;
	readonly params?: unknown;
	readonly result?: unknown;
	readonly error?: { readonly message: string };
}

export interface Page {
	/** The value of an expression, which must be JSON. */
	evaluate(expression: string): Promise<unknown>;
	/** A key that is pressed and let go. */
	press(key: "Enter"): Promise<void>;
	screenshot(): Promise<Buffer>;
	/** Console messages, exceptions and Content-Security-Policy reports so far. */
	readonly messages: string[];
	/** URLs that the page asked for. */
	readonly requests: string[];
	close(): Promise<void>;
}

/** Polls for a value; fails after 60 s. */
export async function eventually<T>(get: () => T | undefined | Promise<T | undefined>): Promise<T> {
	const end = performance.now() + 60_000;
	for (;;) {
		const value = await get();
		if (value !== undefined && value !== false) return value;
		if (performance.now() > end) throw new Error("waited for 60 s in vain");
		await Bun.sleep(50);
	}
}

export interface PageOptions {
	readonly dark?: boolean;
	readonly scripts?: boolean;
	readonly width?: number;
}

export async function openPage(url: string, options: PageOptions = {}): Promise<Page> {
	if (chromiumPath === undefined || chromiumPath === null) throw new Error("Chromium is not installed");
	const profile = mkdtempSync(join(tmpdir(), "portward-chromium-"));
	const child = Bun.spawn(
		[
			chromiumPath,
			"--headless",
			"--no-sandbox",
			"--disable-gpu",
			"--disable-quic",
			"--no-first-run",
			"--disable-background-networking",
			"--disable-component-update",
			"--disable-sync",
			"--disable-dev-shm-usage",
			"--remote-debugging-port=0",
			`--window-size=${options.width ?? 1200},1000`,
			`--user-data-dir=${profile}`,
			"about:blank",
		],
		{ stdout: "ignore", stderr: "ignore" },
	);
	const portFile = join(profile, "DevToolsActivePort");
	const port = await eventually(() =>
		existsSync(portFile) ? readFileSync(portFile, "utf8").split("\n")[0] || undefined : undefined,
	);
	const target = await eventually(async () => {
		const pages = (await (await fetch(`http://127.0.0.1:${port}/json`)).json()) as {
			type: string;
			webSocketDebuggerUrl: string;
		}[];
		return pages.find(({ type }) => type === "page")?.webSocketDebuggerUrl;
	});
	const socket = new WebSocket(target);
	await new Promise((resolve, reject) => {
		socket.onopen = resolve;
		socket.onerror = reject;
	});
	const waiting = new Map<number, PromiseWithResolvers<unknown>>();
	const messages: string[] = [];
	const requests: string[] = [];
	socket.onmessage = (event) => {
		const message = JSON.parse(String(event.data)) as Message;
		const pending = message.id === undefined ? undefined : waiting.get(message.id);
		if (message.error !== undefined) pending?.reject(new Error(message.error.message));
		else pending?.resolve(message.result);
		if (/^(Runtime\.(consoleAPICalled|exceptionThrown)|Log\.entryAdded)$/.test(message.method ?? "")) {
			messages.push(JSON.stringify(message.params));
		}
		if (message.method === "Network.requestWillBeSent") {
			requests.push((message.params as { request: { url: string } }).request.url);
		}
	};
	let next = 0;
	const call = (method: string, params: object = {}): Promise<unknown> => {
		const id = ++next;
		const pending = Promise.withResolvers<unknown>();
		waiting.set(id, pending);
		socket.send(JSON.stringify({ id, method, params }));
		return pending.promise;
	};
	for (const domain of ["Runtime", "Log", "Network", "Page"]) await call(`${domain}.enable`);
	if (options.scripts === false) await call("Emulation.setScriptExecutionDisabled", { value: true });
	await call("Emulation.setEmulatedMedia", {
		features: [{ name: "prefers-color-scheme", value: options.dark ? "dark" : "light" }],
	});
	await call("Page.navigate", { url });
	const evaluate = async (expression: string): Promise<unknown> => {
		const { result } = (await call("Runtime.evaluate", { expression, returnByValue: true })) as {
			result: { value: unknown };
		};
		return result.value;
	};
	const there =
		"document.querySelector('footer') !== null || (document.contentType === 'image/svg+xml' && document.readyState === 'complete')";
	await eventually(async () => (await evaluate(there)) === true);
	return {
		evaluate,
		messages,
		requests,
		async press(key) {
			const event = { key, code: key, windowsVirtualKeyCode: 13, text: "\r" };
			await call("Input.dispatchKeyEvent", { type: "keyDown", ...event });
			await call("Input.dispatchKeyEvent", { type: "keyUp", ...event });
		},
		async screenshot() {
			const { data } = (await call("Page.captureScreenshot", { captureBeyondViewport: true })) as {
				data: string;
			};
			return Buffer.from(data, "base64");
		},
		async close() {
			socket.close();
			child.kill();
			await child.exited;
			rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
		},
	};
}

/** libnftables: runs nft commands in this process (libnftables(3)). */

import type { FFIFunction, Library, Pointer } from "bun:ffi";
import { NETLINK_NETFILTER } from "./constants.ts";
import { type LibraryFailure, type LibrarySpec, openLibrary } from "./library.ts";
import { NetlinkSocket } from "./netlink.ts";

const FUNCTIONS = {
	nft_ctx_new: { args: ["u32"], returns: "ptr" },
	nft_ctx_free: { args: ["ptr"], returns: "void" },
	nft_ctx_set_dry_run: { args: ["ptr", "bool"], returns: "void" },
	nft_ctx_output_set_flags: { args: ["ptr", "u32"], returns: "void" },
	nft_ctx_buffer_output: { args: ["ptr"], returns: "int" },
	nft_ctx_buffer_error: { args: ["ptr"], returns: "int" },
	nft_ctx_get_output_buffer: { args: ["ptr"], returns: "cstring" },
	nft_ctx_get_error_buffer: { args: ["ptr"], returns: "cstring" },
	nft_run_cmd_from_buffer: { args: ["ptr", "ptr"], returns: "int" },
} as const satisfies Record<string, FFIFunction>;

const SPEC: LibrarySpec = {
	fileNames: ["libnftables.so.1"],
	remedy:
		"install libnftables: `apt install libnftables1` (Debian, Ubuntu), `dnf install nftables` (Fedora, RHEL), " +
		"`zypper install libnftables1` (SUSE), `apk add nftables` (Alpine), `pacman -S nftables` (Arch)",
};

type Symbols = Library<typeof FUNCTIONS>["symbols"];

/** nftables/libnftables.h */
const NFT_CTX_DEFAULT = 0;
const NFT_CTX_OUTPUT_STATELESS = 1 << 2;
const NFT_CTX_OUTPUT_HANDLE = 1 << 3;
const NFT_CTX_OUTPUT_JSON = 1 << 4;
const NFT_CTX_OUTPUT_TERSE = 1 << 11;

export interface RunOptions {
	/** Check against the kernel without committing. */
	readonly dryRun?: boolean;
	/** Leave set elements out of listings. Versions before 0.9.7 list them all the same. */
	readonly terse?: boolean;
	/** Leave counter values out of listings. */
	readonly stateless?: boolean;
	/** Print handles in listings. */
	readonly handles?: boolean;
	/** Listings as JSON, libnftables-json(5). An error text where the library was built without it. */
	readonly json?: boolean;
}

export type RunResult =
	| { readonly ok: true; readonly output: string }
	/** The library's own text, of one line or several. */
	| { readonly ok: false; readonly error: string };

/** One libnftables context. It belongs to the thread that made it, and every call blocks that thread. */
export class Nftables {
	readonly #symbols: Symbols;
	#context: Pointer | null;

	private constructor(
		symbols: Symbols,
		context: Pointer,
		/** Where the library was found. */
		readonly path: string,
	) {
		this.#symbols = symbols;
		this.#context = context;
	}

	/** Fails when the library is missing, or when the kernel gives this process no netfilter socket. */
	static open(
		directories?: readonly string[],
	): { readonly ok: true; readonly nftables: Nftables } | LibraryFailure {
		const result = openFunctions(directories);
		if (!result.ok) return result;
		const failure = (reason: string, remedy: string): LibraryFailure => ({
			ok: false,
			tried: [result.path],
			reason,
			remedy,
		});
		// nft_ctx_new() exits the whole process where it cannot open its socket, so that is tried here first.
		const probe = NetlinkSocket.open({ protocol: NETLINK_NETFILTER });
		if (!probe.ok)
			return failure(probe.error, "run a kernel with CONFIG_NETFILTER_NETLINK (modprobe nfnetlink)");
		probe.socket.close();
		const context = result.symbols.nft_ctx_new(NFT_CTX_DEFAULT);
		if (typeof context !== "number")
			return failure("nft_ctx_new gave no context", "see whether memory is exhausted");
		if (
			result.symbols.nft_ctx_buffer_output(context) !== 0 ||
			result.symbols.nft_ctx_buffer_error(context) !== 0
		) {
			result.symbols.nft_ctx_free(context);
			return failure("libnftables could not allocate its buffers", "see whether memory is exhausted");
		}
		return { ok: true, nftables: new Nftables(result.symbols, context, result.path) };
	}

	/**
	 * Runs commands in nft syntax, one to a line, as a single transaction: all of them take effect or none.
	 * @throws TypeError after close() and for a NUL in the commands, both bugs of the caller.
	 */
	run(commands: string, options: RunOptions = {}): RunResult {
		const context = this.#context;
		if (context === null) throw new TypeError("this libnftables context is closed");
		if (commands.includes("\0")) throw new TypeError("nft commands cannot hold a NUL character");
		this.#symbols.nft_ctx_set_dry_run(context, options.dryRun ?? false);
		this.#symbols.nft_ctx_output_set_flags(context, outputFlags(options));
		const buffer = terminated(commands);
		const code = this.#symbols.nft_run_cmd_from_buffer(context, buffer);
		// Reading a buffer also rewinds it: both are read each time, or one would go into the next run's text.
		const output = this.#symbols.nft_ctx_get_output_buffer(context) ?? "";
		const error = this.#symbols.nft_ctx_get_error_buffer(context) ?? "";
		if (code === 0) return { ok: true, output };
		return {
			ok: false,
			error: error.trim() === "" ? `libnftables failed with code ${code}` : error.trimEnd(),
		};
	}

	/** Frees the context. A second call does nothing. */
	close(): void {
		if (this.#context !== null) this.#symbols.nft_ctx_free(this.#context);
		this.#context = null;
	}
}

function openFunctions(directories?: readonly string[]) {
	return openLibrary(directories === undefined ? SPEC : { ...SPEC, directories }, FUNCTIONS);
}

function outputFlags(options: RunOptions): number {
	return (
		(options.terse === true ? NFT_CTX_OUTPUT_TERSE : 0) |
		(options.stateless === true ? NFT_CTX_OUTPUT_STATELESS : 0) |
		(options.handles === true ? NFT_CTX_OUTPUT_HANDLE : 0) |
		(options.json === true ? NFT_CTX_OUTPUT_JSON : 0)
	);
}

/** The text as a C string in one allocation of the exact size, as generations run to many megabytes. */
function terminated(text: string): Uint8Array {
	const bytes = new Uint8Array(Buffer.byteLength(text) + 1);
	new TextEncoder().encodeInto(text, bytes);
	return bytes;
}

/** Leaves its network and makes an interface there; prints what came of it. Where it may not leave, it makes nothing. */

import { constants, openSync, readFileSync, readlinkSync } from "node:fs";
import { leaveNetwork, makeTunnel } from "../../../ffi/namespace.ts";

const own = () => readlinkSync("/proc/thread-self/ns/net");
const names = () =>
	readFileSync("/proc/thread-self/net/dev", "utf8")
		.split("\n")
		.flatMap((line) => /^\s*([^:\s]+):/u.exec(line)?.[1] ?? [])
		.sort();

const home = own();
const left = leaveNetwork();
const moved = own() !== home;
const before = moved ? names() : [];
const open = () => openSync("/dev/net/tun", constants.O_RDWR | constants.O_NONBLOCK);
const tunnel = moved ? makeTunnel(open(), "pw0") : null;
const again = moved ? makeTunnel(open(), "pw0") : null;
const after = moved ? names() : [];
process.stdout.write(JSON.stringify({ left, moved, before, tunnel, again, after }));

/** All attacks, one after the other, on a port of 127.0.0.1 in whatever network namespace this runs. */

import { attack, attacks } from "./frames.ts";

const port = Number(process.argv[2]);
for (const [, act] of attacks) await attack(port, act);
process.exit(0);

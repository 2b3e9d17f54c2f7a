/** An HTTP receiver for a network namespace: `ADDRESS PORT FILE`. What it is sent it appends to the file. */

import { appendFileSync } from "node:fs";

const [hostname = "127.0.0.1", port = "0", file = "/dev/null"] = process.argv.slice(2);
Bun.serve({
	hostname,
	port: Number(port),
	fetch: async (request) => {
		appendFileSync(file, await request.text());
		return new Response("");
	},
});
process.stdout.write("ready\n");

/** Asks an HTTP server for each path on standard input, one a line, and prints the answers' JSON, one a line. */

const [base = ""] = Bun.argv.slice(2);
for (const path of (await Bun.stdin.text()).split("\n")) {
	if (path === "") continue;
	const answer = await fetch(base + path);
	console.log(JSON.stringify(await answer.json()));
}

export {};

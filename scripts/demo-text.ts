/** How the demo prints. */

const terminal = process.stdout.isTTY;
const style = (code: number) => (text: string) => (terminal ? `\x1b[${code}m${text}\x1b[0m` : text);

export const bold = style(1);
export const dim = style(2);
export const red = style(31);
export const yellow = style(33);
export const green = style(32);

export function say(text = ""): void {
	console.log(text);
}

export function heading(text: string): void {
	say(`\n${bold(text)}\n`);
}

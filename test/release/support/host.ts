/**
 * This machine once more, in namespaces of its own: its files under an overlay, another network, no processes but its
 * own. Packages are installed there for real, and their scripts run; systemctl is a stub that starts the agent itself.
 */

import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Knows the one service, and the links by which it is enabled. */
const systemctl = `#!/bin/sh
echo "$*" >>/run/stub/log
verb= units= now=
for word; do
	case $word in
	--now) now=1 ;;
	-*) ;;
	*) if [ -z "$verb" ]; then verb=$word; else units="$units $word"; fi ;;
	esac
done
wants=/etc/systemd/system/multi-user.target.wants/portward.service
alive() { grep -qs '^State:.[^Z]' "/proc/$(cat /run/stub/pid 2>/dev/null || echo none)/status"; }
stop() {
	alive || return 0
	kill "$(cat /run/stub/pid)"
	while alive; do sleep 0.05; done
}
start() {
	mkdir -p /run/portward
	setsid portward run >/run/stub/out 2>&1 </dev/null &
	echo $! >/run/stub/pid
	until portward status >/dev/null 2>&1; do alive || return 1; sleep 0.1; done
}
case " $units " in *" portward "* | *" portward.service "*) ;; *) case $verb in start | restart | try-restart | stop | enable | preset | disable) exit 0 ;; esac ;; esac
case $verb in
start) alive || start ;;
restart) stop; start ;;
try-restart) if alive; then stop; start; fi ;;
stop) stop ;;
is-active) alive ;;
is-enabled) if [ -L $wants ]; then echo enabled; else echo disabled; exit 1; fi ;;
enable | preset) mkdir -p "\${wants%/*}" && ln -sf /usr/lib/systemd/system/portward.service $wants; [ -z "$now" ] || alive || start ;;
disable) rm -f $wants; [ -z "$now" ] || stop ;;
esac
`;

export interface Said {
	readonly code: number;
	readonly out: string;
}

export class Host implements AsyncDisposable {
	private constructor(
		private readonly directory: string,
		private readonly holder: Bun.Subprocess,
		private readonly inside: number,
	) {}

	/** @param files name below /given in the host → path of a file or folder here */
	static async start(files: Readonly<Record<string, string>>): Promise<Host> {
		const directory = mkdtempSync(join(tmpdir(), "portward-host-"));
		await Bun.write(join(directory, "given/systemctl"), systemctl);
		for (const [name, path] of Object.entries(files))
			cpSync(path, join(directory, "given", name), { recursive: true });
		// Everything in it is gone with the mount namespace. The last command waits for what lost its parents.
		const script = `set -e; cd "$1"; mkdir layer; mount -t tmpfs none layer; mkdir layer/upper layer/work layer/root
			mount -t overlay overlay -o "lowerdir=/,upperdir=$1/layer/upper,workdir=$1/layer/work" layer/root
			cd layer/root; mount -t proc proc proc; mount --rbind /dev dev
			for each in run sys tmp; do mount -t tmpfs none $each; done
			mkdir given run/stub run/lock; mount --bind "$1/given" given
			rm -f usr/bin/systemctl usr/sbin/policy-rc.d; cp given/systemctl usr/bin/systemctl; chmod 0755 usr/bin/systemctl
			rm -rf etc/portward var/lib/portward usr/local/bin/portward
			ip link set lo up
			: >"$1/ready"; exec chroot . /bin/sh -c 'while :; do sleep 1; done'`;
		const isolation = ["--mount", "--net", "--pid", "--ipc", "--fork", "--kill-child"];
		const holder = Bun.spawn(["unshare", ...isolation, "sh", "-c", script, "sh", directory], {
			stdout: "ignore",
			stderr: "pipe",
		});
		const children = `/proc/${holder.pid}/task/${holder.pid}/children`;
		while (!existsSync(join(directory, "ready"))) {
			if (holder.exitCode !== null) throw new Error(await holder.stderr.text());
			await Bun.sleep(20);
		}
		return new Host(directory, holder, Number(readFileSync(children, "utf8").trim()));
	}

	/** Runs a shell script there, with both outputs as one. */
	async run(script: string): Promise<Said> {
		const enter = ["nsenter", "-t", String(this.inside), "-m", "-n", "-p", "-i", "-r", "-w"];
		const child = Bun.spawn([...enter, "/bin/sh", "-c", `cd /; exec 2>&1; ${script}`], {
			env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" },
			stdin: "ignore",
			stdout: "pipe",
		});
		const out = await child.stdout.text();
		return { code: await child.exited, out: out.trimEnd() };
	}

	/** The same for what has to go well. */
	async sh(script: string): Promise<string> {
		const { code, out } = await this.run(script);
		if (code !== 0) throw new Error(`${script}\nended with ${code}\n${out}`);
		return out;
	}

	/** Writes a file there. */
	async put(path: string, text: string): Promise<void> {
		await this.sh(`mkdir -p "$(dirname ${path})" && cat >${path} <<'END_OF_FILE'\n${text}END_OF_FILE\n`);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.holder.kill("SIGKILL");
		await this.holder.exited;
		rmSync(this.directory, { recursive: true, force: true });
	}
}

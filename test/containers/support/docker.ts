/** Debian's Docker with containerd and runc, which also translates IPv6. */

import { eventually } from "../../system/support/netns.ts";
import { container, type Engine, imageName, runArguments } from "./engine.ts";

const docker = ["docker"];

export const dockerEngine: Engine = {
	name: "docker",
	async start(world, image) {
		world.start("dockerd", [
			"dockerd",
			"--exec-opt=native.cgroupdriver=cgroupfs",
			"--experimental",
			"--ip6tables",
			"--data-root=/var/lib/docker",
		]);
		await eventually("an answer of dockerd", () => world.try([...docker, "info"]).code === 0, 60_000).catch(
			(error: unknown) => {
				throw new Error(`${error}\n${world.try(["tail", "-n", "20", "/run/dockerd.log"]).out}`);
			},
		);
		world.run([...docker, "import", image, imageName]);
	},
	createNetwork(world, { name, subnet4, subnet6 }) {
		world.run([
			...docker,
			"network",
			"create",
			"--ipv6",
			`--subnet=${subnet4}`,
			`--subnet=${subnet6}`,
			`--opt=com.docker.network.bridge.name=br-${name}`,
			name,
		]);
	},
	createMacvlan(world, name, parent, subnet4) {
		const options = ["--driver=macvlan", `--opt=parent=${parent}`, `--subnet=${subnet4}`];
		world.run([...docker, "network", "create", ...options, name]);
	},
	runContainer(world, name, options) {
		const id = world.run([...docker, ...runArguments(name, options)]).trim();
		return container(world, docker, id);
	},
};

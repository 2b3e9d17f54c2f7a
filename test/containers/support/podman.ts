/** Debian's podman with crun and netavark. */

import { container, type Engine, imageName, runArguments } from "./engine.ts";

/** Neither systemd nor its journal is there. */
const podman = ["podman", "--cgroup-manager=cgroupfs", "--events-backend=file"];

export const podmanEngine: Engine = {
	name: "podman",
	async start(world, image) {
		world.run([...podman, "import", "--quiet", image, imageName]);
	},
	createNetwork(world, { name, subnet4, subnet6 }) {
		world.run([...podman, "network", "create", "--ipv6", `--subnet=${subnet4}`, `--subnet=${subnet6}`, name]);
	},
	createMacvlan(world, name, parent, subnet4) {
		const options = ["--driver=macvlan", `--opt=parent=${parent}`, `--subnet=${subnet4}`];
		world.run([...podman, "network", "create", ...options, name]);
	},
	runContainer(world, name, options) {
		const id = world.run([...podman, ...runArguments(name, options)]).trim();
		return container(world, podman, id);
	},
};

import type { Vm } from "./vm.ts";
import { until } from "./wait.ts";

/** A composite device of the guest's own making, on a virtual controller (dummy_hcd). */
export interface GadgetOptions {
	/** "0x0781". */
	readonly vendor?: string;
	readonly product?: string;
	readonly serial?: string;
	readonly title?: string;
	/** In the order of their interfaces: "keyboard", "mouse", "disk", or a kernel function such as "ecm" or "acm". */
	readonly functions: readonly string[];
}

export interface Gadget {
	/** Its name in the guest's sysfs. "" when the kernel was not waited for. */
	readonly name: string;
	readonly mark: number;
	unplug(): Promise<void>;
}

const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

let count = 0;

/**
 * Loads dummy_hcd: four root hubs more, each with one port and the module parameter's authorized default. plugGadget
 * does it when needed; a test for controllers that come later does it itself.
 */
export async function loadGadgetHosts(vm: Vm): Promise<void> {
	const mark = vm.events.mark();
	await vm.sh("modprobe dummy_hcd is_super_speed=0 num=4");
	const hubs = () =>
		vm.events.uevents(
			({ action, devpath, name }) => action === "add" && /dummy_hcd/.test(devpath) && /^usb\d+$/.test(name),
			mark,
		);
	await until(60_000, "the root hubs of dummy_hcd", () => hubs().length === 4);
}

/** Builds a composite device and plugs it in. At most four at a time. */
export async function plugGadget(vm: Vm, options: GadgetOptions): Promise<Gadget> {
	if ((await vm.run("[ -d /sys/module/dummy_hcd ]")).code !== 0) await loadGadgetHosts(vm);
	const id = `gadget${++count}`;
	const mark = vm.events.mark();
	const { vendor = "0x0781", product = "0x5567", serial = "SN-0001", title = "Lab gadget" } = options;
	const words = [vendor, product, serial, title, ...options.functions].map(quote).join(" ");
	await vm.sh(`sh /run/lab/gadget.sh plug ${id} ${words}`);
	const added = await vm.events.uevent(
		({ action, devpath, properties }) =>
			action === "add" &&
			properties.get("DEVTYPE") === "usb_device" &&
			/dummy_hcd\.\d+\/usb\d+\/\d/.test(devpath),
		`the kernel to see ${id}`,
		{ mark },
	);
	return {
		name: added.name,
		mark,
		unplug: async () => {
			await vm.sh(`sh /run/lab/gadget.sh unplug ${id}`);
		},
	};
}

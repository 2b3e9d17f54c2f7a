/** `portward usb`: the USB devices of this machine, and what the policies do to them. */

import type { Command } from "./command.ts";
import { usbAllow } from "./usb-allow.ts";
import { usbExplain } from "./usb-explain.ts";
import { usbGeneratePolicy } from "./usb-generate-policy.ts";
import { usbList } from "./usb-list.ts";
import { runVerb, type Verbs } from "./verbs.ts";

const help = `Usage: portward usb list
       portward usb explain PORT
       portward usb explain --class CLASS [OPTION]...
       portward usb generate-policy
       portward usb allow PORT --for TIME

The USB devices of this machine, and what the policies do to them. list shows
them by port, with what became of each; explain says what the policies mean
for a device, present or only described, and changes nothing; generate-policy
prints a policy that allows what is plugged in now; allow lets a device through
for a time, whatever the policies say, and is for root alone. What a device
says of itself, its serial number included, can be forged.

  --class CLASS     a name such as HID, or a number
  --subclass N      0 to 255; what is not given meets no condition
  --protocol N      0 to 255
  --level N         1 on a root port, one more for every hub
  --vendor ID       in hexadecimal, as lsusb prints it
  --product ID      in hexadecimal
  --serial TEXT     the device's own serial number
  --product-name T  the device's own name
  --manufacturer T  the device's own word
  --port PORT       such as 1-4, or 1-4.2 behind a hub
  --connect-type T  hotplug or hardwired
  --for TIME        90s, 10m or 2h; at most a day
  --json            print JSON; list: {devices}; explain: {action, policy,
                    entry, overridden}, or {state, functions} for a PORT
  --policy-dir DIR  policies to explain (default /etc/portward/policies)
  --config FILE     settings (default /etc/portward/config.yaml)
  --state-dir DIR   where the daemon to ask keeps its state
  --status-address ADDRESS
                    where the daemon to ask listens
`;

const verbs: Verbs = {
	list: usbList,
	explain: usbExplain,
	"generate-policy": usbGeneratePolicy,
	allow: usbAllow,
};

export const usb: Command = {
	name: "usb",
	summary: "USB devices: list, explain, generate-policy, allow",
	help,
	run: runVerb(verbs),
};

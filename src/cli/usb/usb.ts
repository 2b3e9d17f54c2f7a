/** `portward usb`: the USB devices of this machine, and what the policies do to them. */

import type { Command } from "../command.ts";
import { telling } from "../outcome.ts";
import { runVerb, type Verbs } from "../verbs.ts";
import { usbAllow } from "./usb-allow.ts";
import { usbBlock } from "./usb-block.ts";
import { usbExplain } from "./usb-explain.ts";
import { usbGeneratePolicy } from "./usb-generate-policy.ts";
import { usbHistory } from "./usb-history.ts";
import { usbList } from "./usb-list.ts";

const help = `Usage: portward usb list [--blocked]
       portward usb history [--since TIME]
       portward usb explain PORT
       portward usb explain --class CLASS [OPTION]...
       portward usb explain --descriptors FILE [OPTION]...
       portward usb generate-policy [PORT]
       portward usb allow PORT --for TIME
       portward usb allow PORT --end
       portward usb allow PORT --permanent
       portward usb block PORT

The USB devices of this machine, and what the policies do to them. list shows
them by port, with what became of each and why; with --blocked those of which
something is refused. history shows every device that came, how often, when
first and last, and what was decided, also where no daemon runs. explain says
what the policies mean for a device, present or only described, and changes
nothing. generate-policy prints a policy that allows what is plugged in now,
with what is refused as a comment, or one device with everything that it shows.

allow and block are for root alone. allow lets the device on a port through,
whatever the policies say: for a time, or with --permanent for good, by a file
of its own. It also ends what somebody else refused, or block. block
refuses the device on a port until it is unplugged or allowed. What a device
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
  --connect-type T  hotplug, hardwired, not used or unknown
  --descriptors FILE
                    a copy of a device's descriptors file of sysfs, as it is or
                    in hexadecimal
  --for TIME        90s, 10m or 2h; at most a day
  --end             end what is allowed for a time
  --permanent       write a policy file; it is not written where it would not
                    let the device in, or would refuse other devices
  --blocked         only devices of which something is refused
  --since TIME      only devices seen since then: 90s, 2h, 7d, 4w, or a time
                    such as 2026-11-30T08:00
  --json            print JSON; list: {devices}; history: {since, devices,
                    lost}; explain: {action, policy, entry, overridden}, or
                    {state, reason, functions} for a device; others: {ok,
                    messages, problems, diagnostics}, with generatedPolicy
                    (generate-policy), file (--permanent) and until (--for)
  --policy-dir DIR  policies to explain or add to (default
                    /etc/portward/policies)
  --config FILE     settings (default /etc/portward/config.yaml)
  --state-dir DIR   where the daemon to ask keeps its state
  --status-address ADDRESS
                    where the daemon to ask listens
`;

const verbs: Verbs = {
	list: usbList,
	history: usbHistory,
	explain: usbExplain,
	"generate-policy": telling(usbGeneratePolicy),
	allow: telling(usbAllow),
	block: telling(usbBlock),
};

export const usb: Command = {
	name: "usb",
	summary: "USB devices: list, history, explain, generate-policy, allow, block",
	help,
	run: runVerb(verbs),
};

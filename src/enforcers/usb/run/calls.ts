/** What the USB Workers answer (src/enforcers/usb/run/usb.worker.ts). All arguments and results are plain data. */

import type { WriteResult } from "../../../kernel/sysfs.ts";
import type { Calls } from "../../../threads/rpc.ts";
import type { AuthorizeRequest } from "../apply/authorize.ts";
import type { LockResult, PriorDefaults } from "../apply/lock.ts";
import type { PresentDevice } from "../observe/devices.ts";

/** The outcome of a write, and the device as it is afterwards; null when it is not there any more. */
export interface Applied {
	readonly result: WriteResult;
	readonly present: PresentDevice | null;
	/** Whether the device itself was authorized by this write, even if what followed failed. */
	readonly given: boolean;
}

export interface UsbCalls extends Calls {
	/** Answers as soon as the Worker has started. */
	ready(argument: object): true;
	/** All devices, a hub before what hangs on it; null where the kernel has no USB. */
	list(argument: {
		readonly root: string;
	}): readonly { readonly name: string; readonly instance: string }[] | null;
	inspect(argument: { readonly root: string; readonly name: string }): PresentDevice | null;
	authorize(argument: {
		readonly root: string;
		readonly instance: string;
		readonly request: AuthorizeRequest;
	}): Applied;
	refuse(argument: {
		readonly root: string;
		readonly name: string;
		readonly instance: string;
		/** Null: the whole device. */
		readonly interfaces: readonly string[] | null;
	}): Applied;
	/** Instances of devices and interfaces that are not authorized where the bus opens what appears: somebody refused them. */
	refusedByOthers(argument: { readonly root: string }): readonly string[];
	/** The connect types that the machine's ports report. */
	connectTypes(argument: { readonly root: string }): readonly string[];
	readDefaults(argument: { readonly root: string; readonly known: PriorDefaults | null }): PriorDefaults;
	lock(argument: { readonly root: string }): LockResult;
	lockController(argument: { readonly root: string; readonly bus: string }): {
		readonly changed: boolean;
		readonly error: string;
	};
	unlock(argument: { readonly root: string; readonly prior: PriorDefaults }): readonly string[];
	/** Asks the kernel for a `change` event of a root hub. False when there is none. */
	testEvent(argument: { readonly root: string }): boolean;
}

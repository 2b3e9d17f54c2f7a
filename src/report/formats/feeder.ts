/** Alerts as KubeArmor's messages (protobuf/kubearmor.proto, package feeder), which its clients read over gRPC. Pure. */

import { type Alert, formatTime, type HostIdentity } from "../alert.ts";
import { ProtoWriter } from "./protobuf.ts";

/** KubeArmor always sends it, and its clients print it always. */
const noExecEvent = new Uint8Array(0);

/** Whether KubeArmor sends it as a Log, which is what no policy decided, and not as an Alert. */
export function isLog({ Type }: Pick<Alert, "Type">): boolean {
	return Type === "HostLog";
}

/** feeder.Alert. */
export function alertMessage(alert: Alert): Buffer {
	return new ProtoWriter()
		.int(1, alert.Timestamp)
		.text(2, alert.UpdatedTime)
		.text(3, alert.ClusterName)
		.text(4, alert.HostName)
		.text(13, alert.PolicyName)
		.text(14, alert.Severity)
		.text(15, alert.Tags)
		.text(16, alert.Message)
		.text(17, alert.Type)
		.text(19, alert.Operation)
		.text(20, alert.Resource)
		.text(21, alert.Data)
		.text(22, alert.Action)
		.text(23, alert.Result)
		.text(28, alert.Enforcer)
		.texts(30, alert.ATags)
		.message(36, noExecEvent)
		.text(38, alert.NodeID)
		.map(43, alert.EventData)
		.bytes();
}

/** feeder.Log, which has neither policy nor action. */
export function logMessage(alert: Alert): Buffer {
	return new ProtoWriter()
		.int(1, alert.Timestamp)
		.text(2, alert.UpdatedTime)
		.text(3, alert.ClusterName)
		.text(4, alert.HostName)
		.text(13, alert.Type)
		.text(15, alert.Operation)
		.text(16, alert.Resource)
		.text(17, alert.Data)
		.text(18, alert.Result)
		.message(27, noExecEvent)
		.text(28, alert.NodeID)
		.map(33, alert.EventData)
		.bytes();
}

/** One line of the daemon's own log. */
export interface LogRecord {
	/** Milliseconds since the epoch. */
	readonly time: number;
	readonly level: "INFO" | "WARN" | "ERROR";
	readonly message: string;
}

/** Who tells it. */
export interface MessageHost extends Pick<HostIdentity, "clusterName" | "hostName"> {
	/** One of its addresses, of which it may have many; "" where none is known. */
	readonly address: string;
}

/** feeder.Message. */
export function recordMessage(
	{ time, level, message }: LogRecord,
	{ clusterName, hostName, address }: MessageHost,
): Buffer {
	return new ProtoWriter()
		.int(1, Math.floor(time / 1000))
		.text(2, formatTime(time))
		.text(3, clusterName)
		.text(4, hostName)
		.text(5, address)
		.text(6, "Message")
		.text(7, level)
		.text(8, message)
		.bytes();
}

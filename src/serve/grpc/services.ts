/**
 * The methods that are served, written by hand: feeder.LogService as KubeArmor's log server has it (KubeArmor/feeder/
 * logServer.go), read-only by its nature, and grpc.health.v1. Messages go through as the bytes that they are.
 */

import { Status } from "@grpc/grpc-js/build/src/constants.js";
import type { ServiceDefinition } from "@grpc/grpc-js/build/src/make-client.js";
import { Metadata } from "@grpc/grpc-js/build/src/metadata.js";
import type { Server, UntypedServiceImplementation } from "@grpc/grpc-js/build/src/server.js";
import type {
	ServerUnaryCall,
	ServerWritableStream,
	sendUnaryData,
} from "@grpc/grpc-js/build/src/server-call.js";
import { ProtoWriter, readFirstField } from "../../report/formats/protobuf.ts";
import type { Feed } from "../../report/kubearmor-api-status.ts";
import type { FeedHub } from "./feed-hub.ts";

type Watch = ServerWritableStream<Buffer, Buffer>;

const logService = "feeder.LogService";
const healthService = "grpc.health.v1.Health";

/** grpc.health.v1.HealthCheckResponse.ServingStatus */
const serving = 1;
const serviceUnknown = 3;

/** What a filter may be for a feed to flow; with another the stream ends at once, and well. Null: whatever it is. */
const filters: Readonly<Record<Feed, readonly string[] | null>> = {
	alerts: ["all", "policy"],
	logs: ["all", "system"],
	messages: null,
};

function method(service: string, name: string, responseStream: boolean) {
	const same = (bytes: Buffer) => bytes;
	return {
		path: `/${service}/${name}`,
		requestStream: false,
		responseStream,
		requestSerialize: same,
		requestDeserialize: same,
		responseSerialize: same,
		responseDeserialize: same,
	};
}

const notReadable = { code: Status.INVALID_ARGUMENT, details: "the request is no message that can be read" };

/** Adds KubeArmor's log service. */
export function addLogService(server: Server, hub: FeedHub): void {
	const definition: ServiceDefinition = {
		HealthCheck: method(logService, "HealthCheck", false),
		WatchMessages: method(logService, "WatchMessages", true),
		WatchAlerts: method(logService, "WatchAlerts", true),
		WatchLogs: method(logService, "WatchLogs", true),
	};
	const implementation: UntypedServiceImplementation = {
		HealthCheck: (call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => {
			const nonce = readFirstField(call.request);
			if (nonce === null) answer(notReadable);
			else answer(null, new ProtoWriter().int(1, nonce.number).bytes());
		},
		WatchMessages: (call: Watch) => watch("messages", call, hub),
		WatchAlerts: (call: Watch) => watch("alerts", call, hub),
		WatchLogs: (call: Watch) => watch("logs", call, hub),
	};
	server.addService(definition, implementation);
}

function watch(feed: Feed, call: Watch, hub: FeedHub): void {
	const request = readFirstField(call.request);
	if (request === null) {
		call.destroy(Object.assign(new Error(notReadable.details), notReadable));
		return;
	}
	if (filters[feed]?.includes(request.text) === false) {
		call.end();
		return;
	}
	const subscription = hub.subscribe(feed, { peer: call.getPeer(), write: (bytes) => call.write(bytes) });
	if (subscription === null) {
		const details = "too many clients watch already";
		call.destroy(Object.assign(new Error(details), { code: Status.RESOURCE_EXHAUSTED, details }));
		return;
	}
	call.on("drain", () => subscription.drained());
	for (const end of ["cancelled", "close", "error", "finish"]) call.on(end, () => subscription.end());
	// A client that waits for the stream to begin shall not wait for the first alert.
	call.sendMetadata(new Metadata());
}

/** Adds grpc.health.v1, which knows the log service and the server as a whole. */
export function addHealthService(server: Server): void {
	const definition: ServiceDefinition = {
		Check: method(healthService, "Check", false),
		Watch: method(healthService, "Watch", true),
	};
	const known = (service: string) => service === "" || service === logService;
	const answerOf = (state: number) => new ProtoWriter().int(1, state).bytes();
	const implementation: UntypedServiceImplementation = {
		Check: (call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => {
			const request = readFirstField(call.request);
			if (request === null) answer(notReadable);
			else if (known(request.text)) answer(null, answerOf(serving));
			else answer({ code: Status.NOT_FOUND, details: "no such service" });
		},
		// The stream stays open: it ends with the server.
		Watch: (call: Watch) => {
			const request = readFirstField(call.request);
			if (request === null) call.destroy(Object.assign(new Error(notReadable.details), notReadable));
			else call.write(answerOf(known(request.text) ? serving : serviceUnknown));
		},
	};
	server.addService(definition, implementation);
}

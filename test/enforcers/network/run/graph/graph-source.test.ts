import { expect, test } from "bun:test";
import type { GraphDrawing } from "../../../../../src/enforcers/network/report/graph/graph-page.ts";
import { GraphSource } from "../../../../../src/enforcers/network/run/graph/graph-source.ts";

interface World {
	generation: number;
	/** Whether the thread that draws has policies. */
	remembers: boolean;
	failure: string;
	/** What the thread waits for before it answers. */
	gate: Promise<void>;
}

function source(given: Partial<World> = {}, waitMs?: number) {
	const asked: string[] = [];
	const world = { generation: 1, remembers: true, failure: "", gate: Promise.resolve(), ...given };
	const graph = new GraphSource({
		generation: () => world.generation,
		judge: {
			call: async (name: string): Promise<GraphDrawing | null> => {
				asked.push(name);
				await world.gate;
				if (world.failure !== "") throw new Error(world.failure);
				return world.remembers ? { ok: true, svg: `of ${world.generation}` } : null;
			},
		} as never,
		policies: {
			recall: async () => {
				asked.push("recall");
				world.remembers = true;
			},
		},
		...(waitMs === undefined ? {} : { waitMs }),
	});
	return { graph, asked, world };
}

test("nobody is asked before policies are in force", async () => {
	const { graph, asked } = source({ generation: 0 });
	expect([await graph.draw(), asked]).toEqual([{ ok: false, message: "no policies are in force" }, []]);
});

test("it is drawn once for each change, however many ask at a time", async () => {
	const { graph, asked, world } = source();
	const all = await Promise.all([graph.draw(), graph.draw(), graph.draw()]);
	const drawing = { ok: true, svg: "of 1" } as const;
	expect(all).toEqual([drawing, drawing, drawing]);
	await graph.draw();
	expect(asked).toEqual(["drawGraph"]);
	world.generation = 2;
	expect(await graph.draw()).toEqual({ ok: true, svg: "of 2" });
	expect(asked).toEqual(["drawGraph", "drawGraph"]);
});

test("a thread that rested reads the policies once more", async () => {
	const { graph, asked } = source({ remembers: false });
	expect(await graph.draw()).toEqual({ ok: true, svg: "of 1" });
	expect(asked).toEqual(["drawGraph", "recall", "drawGraph"]);
});

test("a thread that is gone or busy is told of, and asked again", async () => {
	const gone = source({ failure: "the policy thread ended" });
	expect(await gone.graph.draw()).toEqual({ ok: false, message: "the policy thread ended" });
	gone.world.failure = "";
	expect(await gone.graph.draw()).toEqual({ ok: true, svg: "of 1" });
	const gate = Promise.withResolvers<void>();
	const busy = source({ gate: gate.promise }, 5);
	expect(await busy.graph.draw()).toMatchObject({ ok: false, message: expect.stringContaining("busy") });
	gate.resolve();
	await gate.promise;
	while (!(await busy.graph.draw()).ok) await Bun.sleep(1);
	expect(busy.asked).toEqual(["drawGraph"]);
});

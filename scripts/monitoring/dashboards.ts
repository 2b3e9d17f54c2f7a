/** The three dashboards of packaging/monitoring; `npm run docs` writes them. */

import { fleet } from "./fleet.ts";
import { host } from "./host.ts";
import type { Dashboard } from "./panels.ts";
import { rollout } from "./rollout.ts";

/** By the name of its file. */
export const dashboards: Readonly<Record<string, Dashboard>> = { fleet, host, rollout };

/** The file of a dashboard, as Grafana imports and provisions it. */
export function dashboardText(one: Dashboard): string {
	return `${JSON.stringify(one, null, 2)}\n`;
}

/** Portward beside podman: rules hold for what it publishes, and for what its containers send. */

import { testEngine } from "./support/engine-tests.ts";
import { podmanEngine } from "./support/podman.ts";

testEngine(podmanEngine);

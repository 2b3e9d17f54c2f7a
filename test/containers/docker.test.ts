/** Portward beside Docker: rules hold for what it publishes, and what Docker drops stays dropped. */

import { dockerEngine } from "./support/docker.ts";
import { testEngine } from "./support/engine-tests.ts";

testEngine(dockerEngine);

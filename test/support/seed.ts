/** Has property tests begin with the seed of a run before, in $PORTWARD_SEED: scripts/test.sh loads this where it is set. */

import fc from "fast-check";

fc.configureGlobal({ seed: Number(process.env.PORTWARD_SEED) });

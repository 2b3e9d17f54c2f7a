/** `portward policy`: signing policy directories, and checking their signatures. */

import type { Command } from "../command.ts";
import { telling } from "../outcome.ts";
import { runVerb, type Verbs } from "../verbs.ts";
import { policyKeygen } from "./policy-keygen.ts";
import { policyResetSerial } from "./policy-reset-serial.ts";
import { policySign } from "./policy-sign.ts";
import { policyVerify } from "./policy-verify.ts";

const help = `Usage: portward policy keygen --out FILE
       portward policy sign DIR --key FILE [--serial N] [--force]
       portward policy verify DIR --trusted-key KEY...
       portward policy verify DIR --config FILE
       portward policy reset-serial [--config FILE] [--state-dir DIR]
       each with [--json]

Signed policies. With policySignature: required a host enforces a policy
directory only as a whole, as the owner of one of its trustedKeys signed it,
and never an older one than it enforced before. keygen makes an Ed25519 key
and prints its public form for trustedKeys. sign writes two hidden files into
DIR, a manifest with the hash of every policy file and its signature; sign
again after every change. verify says whether a host would take DIR. None of
these needs root or a daemon.

reset-serial is the way out where the record of the newest serial is damaged or
lost: as root it makes the host forget the serial, so that any set is taken
that a trusted key ever signed, also an old one. It says so, and it is alerted.

The manifest is .portward-manifest.json; .portward-manifest.sig holds the
public key, a space, and the signature over the manifest's bytes in base64.

  --out FILE         where the private key goes, for its owner alone (PEM)
  --key FILE         the private key: of keygen, or of openssl genpkey
  --serial N         which version this is (default: one more than before)
  --force            sign policies that have errors
  --trusted-key KEY  ed25519:BASE64, or a file with it or with PEM; may be
                     given several times
  --config FILE      settings whose trustedKeys and state directory count
  --state-dir DIR    the daemon's state (default: stateDir of the settings)
  --json             print {ok, messages, problems, diagnostics}, and what each
                     has: publicKey (keygen, sign), serial, files (sign,
                     verify), created, signer (verify)
`;

const verbs: Verbs = {
	keygen: telling(policyKeygen),
	sign: telling(policySign),
	verify: telling(policyVerify),
	"reset-serial": telling(policyResetSerial),
};

export const policy: Command = {
	name: "policy",
	summary: "signed policies: keygen, sign, verify, reset-serial",
	help,
	run: runVerb(verbs),
};

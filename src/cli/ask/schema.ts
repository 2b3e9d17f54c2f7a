import { suggest } from "../../base/suggest.ts";
import { documentSchema, schemaNames, schemaOfKind } from "../../engine/schemas.ts";
import { type Command, exit, UsageError } from "../command.ts";
import { prettyJson } from "../json.ts";
import { parseOnlyOptions } from "../options.ts";

const help = `Usage: portward schema [--kind KIND] [--json]

Prints a JSON Schema (draft 2020-12) by which editors complete and check. It is
made of the tables that the validators read by: what it refuses is wrong, and
\`portward validate\` knows more. Without a kind it is for every document of a
policy directory. A file names its schema in its first line:

  # yaml-language-server: $schema=FILE

  --kind KIND  ${schemaNames.slice(0, 2).join(", ")},
               ${schemaNames.slice(2, -1).join(", ")} or ${schemaNames.at(-1)}
  --json       the same: a schema is JSON
`;

export const schema: Command = {
	name: "schema",
	summary: "a JSON Schema of policies, tests and settings",
	help,
	async run(args, io) {
		const { kind } = parseOnlyOptions(args, {
			kind: { type: "string", offer: schemaNames },
			json: { type: "boolean" },
		});
		const found = kind === undefined ? documentSchema() : schemaOfKind(kind);
		if (found === null)
			throw new UsageError(
				`--kind is no ${JSON.stringify(kind)}; ${suggest(kind ?? "", schemaNames, "kinds")}`,
			);
		io.out(prettyJson(found));
		return exit.ok;
	},
};

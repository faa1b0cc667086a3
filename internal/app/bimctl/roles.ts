import { rolesText } from "../roles.ts";
import { type Command, UsageError } from "./command.ts";

/** What each role does, listens on, uses and keeps. */
export const rolesCommand: Command = {
  usage: "",
  summary: "the parts that a process may run, and what each needs",
  async run(args, { print }) {
    if (args.length > 0) throw new UsageError("roles takes nothing");
    print(rolesText());
    return 0;
  },
};

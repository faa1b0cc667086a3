import { flagUsage } from "../config/config-doc.ts";
import { ALL_ROLES, ROLES, type Role } from "./roles.ts";

/** What a role process is without: it has real engines, no demo, and is in no living room. */
const NOT_OF_A_ROLE = ["engines", "demo.enabled", "listen.lan"];

/** How a process of the service is started. @param name of the command */
export function serviceUsage(name: string, roles: ReadonlySet<Role>): string {
  const alone = roles !== ALL_ROLES;
  const does = alone ? [...roles].map((role) => ROLES[role].does).join("; ") : "everything in one process";
  return `usage: ${alone ? `node cmd/launch.js ${name}` : "npm start --"} [flags]
  ${does}
flags:
${flagUsage(alone ? NOT_OF_A_ROLE : [])}
These and all other settings are environment variables too: docs/CONFIG.md.`;
}

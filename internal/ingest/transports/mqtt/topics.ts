import type { Party } from "../../../core/fix.ts";

/** The two topics that a party has. */
export type PartyTopics = {
  /** It publishes PublishRequest messages here, and nobody reads them but this gateway. */
  fixes: string;
  /** It is told here, in PublishResponse messages. */
  down: string;
};

/** The topics of the party. */
export function topicsOf({ kind, id }: Party): PartyTopics {
  return { fixes: `v1/${kind}/${id}/fixes`, down: `v1/${kind}/${id}/down` };
}

/** Asking a plugin on its subjects, as hosts do. */

import { headers, type MsgHdrs, type NatsConnection } from "@nats-io/transport-node";
import type { Answer } from "./child.js";

/** What a request to this subject says of itself. */
export function labelled(subject: string): MsgHdrs {
  return labels({ "Snooze-Kind": subject.split(".").at(-1) ?? "", "Snooze-Version": "1" });
}

/** Headers of these names and values. */
export function labels(pairs: Record<string, string>): MsgHdrs {
  const said = headers();
  for (const [name, value] of Object.entries(pairs)) said.set(name, value);
  return said;
}

/** Asks with the headers of the subject's method, or with these. */
export async function ask(
  connection: NatsConnection,
  subject: string,
  body: unknown,
  said: MsgHdrs = labelled(subject),
): Promise<Answer["result"]> {
  const answer = await connection.request(subject, JSON.stringify(body), { timeout: 10_000, headers: said });
  return answer.json();
}

/**
 * The headers of a request on NATS: what has an effect says what it is.
 *
 * A server can be made to send a message that it stores to a subject whose sender may not publish there, so a
 * body alone proves nothing. This refuses such messages and looks at no body.
 */

import type { MsgHdrs } from "@nats-io/transport-node";
import { BadRequest, type Method } from "./dispatch.js";

const KIND = "Snooze-Kind";
const VERSION = "Snooze-Version";

/** The only version of the messages so far. */
const SPOKEN = "1";

const HAVE_EFFECT: ReadonlySet<Method> = new Set(["handle_event", "configure", "initialize", "shutdown"]);

/** What a server adds to what it stores. `Nats-Request-Info` says from which account a request came. */
const OF_A_SERVER = /^(?:nats-(?!request-info$)|kv-)/i;

/**
 * Checks whether a request is one to this method. Asking may come bare, and never mislabelled.
 *
 * @throws {BadRequest} when it is not
 */
export function check(method: Method, headers: MsgHdrs | undefined): void {
  const ofAServer = headers?.keys().find((name) => OF_A_SERVER.test(name));
  if (ofAServer !== undefined) throw new BadRequest(`the header ${ofAServer} is one that only a server adds`);
  for (const [name, value] of [
    [KIND, method],
    [VERSION, SPOKEN],
  ] as const) {
    if (HAVE_EFFECT.has(method) && !headers?.has(name)) {
      throw new BadRequest(`${method} has an effect and needs the header ${name}: ${value}`);
    }
  }
  const kind = headers?.has(KIND) ? headers.get(KIND) : method;
  if (kind !== method) throw new BadRequest(`the header ${KIND} says ${kind}, and the subject ${method}`);
  const version = headers?.has(VERSION) ? headers.get(VERSION) : SPOKEN;
  if (version !== SPOKEN) {
    throw new BadRequest(
      `version ${version} of ${method} is not known, this plugin speaks version ${SPOKEN}`,
    );
  }
}

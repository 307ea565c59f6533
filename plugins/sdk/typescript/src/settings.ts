/**
 * Which transport a plugin runs on, from its environment.
 *
 * Read once at the start; what is set wrongly is refused, and never guessed at.
 */

/** What the plugin or its environment says cannot be: starting again does not help. */
export class BadSettings extends Error {}

/** How to reach NATS, and for whom to answer there. */
export interface NatsSettings {
  readonly servers: readonly string[];
  /** A credentials file. */
  readonly credentials?: string;
  /** The host that the plugin runs on; absent where it serves the fleet. */
  readonly host?: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The settings for NATS, or undefined where the plugin is a child process.
 *
 * @throws {BadSettings} that names the variable
 */
export function natsSettings(environment: Environment): NatsSettings | undefined {
  const {
    SNOOZE_NATS_URL: url,
    SNOOZE_NATS_CREDENTIALS: credentials,
    SNOOZE_HOST: host,
  } = environment as {
    SNOOZE_NATS_URL?: string;
    SNOOZE_NATS_CREDENTIALS?: string;
    SNOOZE_HOST?: string;
  };
  if (url === undefined) return undefined;
  const servers = url.split(",").map((server) => server.trim());
  if (servers.includes("")) throw new BadSettings("SNOOZE_NATS_URL has an empty address in it");
  if (credentials === "")
    throw new BadSettings("SNOOZE_NATS_CREDENTIALS is empty: name a file or leave it out");
  // Empty is not absent: a plugin of one host must not answer for the whole fleet by a slip.
  if (host !== undefined && (!/^[A-Za-z0-9_-]{1,64}$/.test(host) || host === "fleet")) {
    throw new BadSettings(
      `SNOOZE_HOST ${JSON.stringify(host)} is no host id: 1 to 64 of A-Z a-z 0-9 _ -, and not fleet. ` +
        "Leave it out for a plugin that serves the fleet",
    );
  }
  return {
    servers,
    ...(credentials === undefined ? {} : { credentials }),
    ...(host === undefined ? {} : { host }),
  };
}

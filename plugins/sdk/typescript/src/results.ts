/**
 * What a plugin answers: votes and outcomes.
 *
 * They are made by the functions below and by nothing else: an object that merely looks like a vote is
 * none, so that no mistake in a plugin can count as idle.
 */

/** Anything that JSON can say; what it cannot say is left out when it is sent. */
export type Details = Readonly<Record<string, unknown>>;

/** What a plugin says of a host. Made by `idle` and `busy`. */
export class Vote {
  readonly #isIdle: boolean;

  private constructor(
    isIdle: boolean,
    readonly reason: string,
    readonly details: Details,
  ) {
    this.#isIdle = isIdle;
    Object.freeze(this);
  }

  /** Whether nobody uses what the plugin watches. */
  get isIdle(): boolean {
    return this.#isIdle;
  }

  /** Whether a value was made by `idle` or `busy`. */
  static is(value: unknown): value is Vote {
    return typeof value === "object" && value !== null && #isIdle in value;
  }

  /** @internal */
  static make(isIdle: boolean, reason: string, details: Details): Vote {
    return new Vote(isIdle, text("reason", reason), object(details));
  }
}

/** What a plugin made of an event. Made by `handled`, `failed` and `notHandled`. */
export class Outcome {
  readonly #handled: boolean;

  private constructor(
    handled: boolean,
    readonly succeeded: boolean,
    readonly message: string,
    readonly details: Details,
  ) {
    this.#handled = handled;
    Object.freeze(this);
  }

  /** Whether it did anything. */
  get handled(): boolean {
    return this.#handled;
  }

  /** Whether a value was made by `handled`, `failed` or `notHandled`. */
  static is(value: unknown): value is Outcome {
    return typeof value === "object" && value !== null && #handled in value;
  }

  /** @internal */
  static make(handled: boolean, succeeded: boolean, message: string, details: Details): Outcome {
    return new Outcome(handled, succeeded, text("message", message), object(details));
  }
}

/** Nobody uses what this plugin watches. */
export function idle(reason: string, details: Details = {}): Vote {
  return Vote.make(true, reason, details);
}

/** Somebody uses it: the machine keeps running. */
export function busy(reason: string, details: Details = {}): Vote {
  return Vote.make(false, reason, details);
}

/** The event was handled, and what was done succeeded. */
export function handled(message = "", details: Details = {}): Outcome {
  return Outcome.make(true, true, message, details);
}

/** The event was handled, and what was done failed. */
export function failed(message: string, details: Details = {}): Outcome {
  return Outcome.make(true, false, message, details);
}

/** The event is none of this plugin's. */
export function notHandled(message = ""): Outcome {
  return Outcome.make(false, true, message, {});
}

// JavaScript callers have no compiler to hold them to the types.
function text(what: string, value: unknown): string {
  if (typeof value !== "string") {
    throw new TypeError(`the ${what} of an answer is a string, and not ${describe(value)}`);
  }
  return value;
}

function object(value: unknown): Details {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(`the details of an answer are an object, and not ${describe(value)}`);
  }
  return value as Details;
}

function describe(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "an array" : `of type ${typeof value}`;
}

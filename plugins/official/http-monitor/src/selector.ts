/**
 * Selectors of time series, as Prometheus writes them: `http_requests_total{code!~"5..",handler="/api"}`.
 *
 * Only a name and matchers of labels; there are no expressions here.
 */

export type Labels = ReadonlyMap<string, string>;

/** One matcher of a label; a label that a series does not have is empty. */
interface Matcher {
  readonly label: string;
  readonly isWanted: boolean;
  readonly matches: (value: string) => boolean;
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/;
const MATCHER = /\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*(,|$)/sy;

export class Selector {
  readonly name: string;
  readonly #text: string;
  readonly #matchers: readonly Matcher[];

  /** @throws {SyntaxError} that says what is wrong */
  constructor(text: string) {
    this.#text = text.trim();
    const name = NAME.exec(this.#text)?.[0];
    if (name === undefined)
      throw new SyntaxError(`${JSON.stringify(text)} does not begin with a metric's name`);
    this.name = name;
    const rest = this.#text.slice(name.length).trim();
    if (rest !== "" && !(rest.startsWith("{") && rest.endsWith("}"))) {
      throw new SyntaxError(
        `behind ${name} come matchers as {code="200"} or nothing, and not ${JSON.stringify(rest)}`,
      );
    }
    this.#matchers = matchers(rest.slice(1, -1));
  }

  /** Whether a series has all that it should have and nothing that it should not have. */
  takes(labels: Labels): boolean {
    return this.#matchers.every((matcher) => matcher.isWanted === holds(matcher, labels));
  }

  /** Whether a series has all that it should have, whatever else it has. */
  wants(labels: Labels): boolean {
    return this.#matchers.every((matcher) => !matcher.isWanted || holds(matcher, labels));
  }

  /** Whether all series are asked for, or all but some. */
  get wantsAny(): boolean {
    return !this.#matchers.some(({ isWanted }) => isWanted);
  }

  /** The labels that it looks at. */
  get labels(): readonly string[] {
    return this.#matchers.map(({ label }) => label);
  }

  toString(): string {
    return this.#text;
  }
}

function holds({ label, matches }: Matcher, labels: Labels): boolean {
  return matches(labels.get(label) ?? "");
}

function matchers(text: string): Matcher[] {
  const found: Matcher[] = [];
  let at = 0;
  while (text.slice(at).trim() !== "") {
    MATCHER.lastIndex = at;
    const match = MATCHER.exec(text);
    if (match === null) {
      throw new SyntaxError(
        `${JSON.stringify(text.slice(at))} is no matcher, as code="200" or handler!~"/health.*"`,
      );
    }
    const [, label = "", operator = "", escaped = ""] = match;
    const value = escaped.replace(/\\(.)/gs, (_, named: string) =>
      named === "n" ? "\n" : keptEscape(operator, named),
    );
    found.push({ label, isWanted: !operator.startsWith("!"), matches: test(operator, value) });
    at = MATCHER.lastIndex;
  }
  return found;
}

/** `\\` and `\"` are the text's own escapes; `\.` is left to the pattern. */
function keptEscape(operator: string, named: string): string {
  return operator.endsWith("~") && named !== '"' && named !== "\\" ? `\\${named}` : named;
}

function test(operator: string, value: string): (value: string) => boolean {
  if (!operator.endsWith("~")) return (other) => other === value;
  // Prometheus anchors its patterns at both ends.
  const pattern = new RegExp(`^(?:${value})$`, "su");
  return (other) => pattern.test(other);
}

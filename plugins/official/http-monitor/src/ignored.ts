/**
 * Which requests do not count as use: configured paths, user agents and addresses, and the plugin's own.
 *
 * Pure; a request of which a line says too little counts.
 */

import { BlockList, isIP } from "node:net";
import type { Request } from "./request.js";

/** What this plugin calls itself when it asks for a metrics page: such requests never count. */
export const OWN_AGENT = "cloudsnooze-http-monitor";

/** A set of requests. */
export class Ignored {
  readonly #paths = new Set<string>();
  readonly #beginnings: string[] = [];
  readonly #agents: readonly string[];
  readonly #addresses: BlockList | undefined;

  /**
   * A path is the whole one, or the beginning of one with `*` behind; an agent is a part of it; an address is
   * one or a range, as `10.0.0.0/8`.
   *
   * @throws {RangeError} that names what is no address
   */
  constructor(paths: readonly string[], agents: readonly string[], addresses: readonly string[]) {
    for (const path of paths) {
      if (path.endsWith("*")) this.#beginnings.push(path.slice(0, -1));
      else this.#paths.add(path);
    }
    this.#agents = [...agents, OWN_AGENT];
    // To ask even an empty one takes longer than to read a line.
    if (addresses.length === 0) return;
    this.#addresses = new BlockList();
    for (const address of addresses) add(this.#addresses, address);
  }

  has({ path, agent, address }: Request): boolean {
    return (
      (path !== "" && (this.#paths.has(path) || this.#beginnings.some((begin) => path.startsWith(begin)))) ||
      (agent !== "" && this.#agents.some((part) => agent.includes(part))) ||
      (address !== "" && this.#holds(address))
    );
  }

  #holds(address: string): boolean {
    if (this.#addresses === undefined) return false;
    const version = isIP(address);
    return version !== 0 && this.#addresses.check(address, version === 6 ? "ipv6" : "ipv4");
  }
}

function add(list: BlockList, range: string): void {
  const [address = "", bits, ...more] = range.split("/");
  const version = isIP(address);
  const most = version === 6 ? 128 : 32;
  if (
    version === 0 ||
    more.length > 0 ||
    (bits !== undefined && !(/^\d{1,3}$/.test(bits) && Number(bits) <= most))
  ) {
    throw new RangeError(`${JSON.stringify(range)} is no address and no range of them, as 10.0.0.0/8`);
  }
  const family = version === 6 ? "ipv6" : "ipv4";
  if (bits === undefined) list.addAddress(address, family);
  else list.addSubnet(address, Number(bits), family);
}

/** Names of options: a misspelt one is an error, not a default. */
import { ConfigurationError } from "../errors.ts";

/** @throws {ConfigurationError} for a name that is none of these. */
export function checkOptionNames(options: object, names: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (names.includes(name)) continue;
    const meant = names.find((known) => known.toLowerCase() === name.toLowerCase());
    const hint = meant === undefined ? `There are: ${[...names].sort().join(", ")}` : `It is spelled ${meant}`;
    throw new ConfigurationError(`there is no option ${JSON.stringify(name)}. ${hint}`);
  }
}

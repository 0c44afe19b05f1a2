// What the contract names and this version does not carry out yet. It decides that such a rule is refused at load: a rule
// that would be ignored is worse than one that is missing.
const LATER = [
  "tasks/*/approval",
  "tasks/*/limits/uses",
  "tasks/*/limits/uses_of",
  "tasks/*/limits/at_limit",
].map((path) => path.split("/"))

/** Whether a member of a policy file is one that a later version brings. */
export function isLater(path: readonly PropertyKey[]): boolean {
  return LATER.some(
    (known) =>
      known.length === path.length && known.every((part, index) => part === "*" || part === path[index]),
  )
}

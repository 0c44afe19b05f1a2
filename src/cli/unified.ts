// Two texts as a unified diff, which `git apply` and `patch` read. It decides layout; it is not the shortest where much moved.

const CONTEXT = 3
/** How far ahead two texts are looked at for where they go on alike. */
const MOST_APART = 500

interface Line {
  readonly mark: " " | "-" | "+"
  readonly text: string
}

/** Nothing where both are the same. */
export function unifiedDiff(name: string, old: string, now: string): string[] {
  const lines = compareLines(linesOf(old), linesOf(now))
  const hunks = hunksOf(lines)
  return hunks.length === 0 ? [] : [`--- a/${name}`, `+++ b/${name}`, ...hunks]
}

/** The last line as the format has it, where no line break ends it. */
const linesOf = (text: string): string[] =>
  text.endsWith("\n")
    ? text.slice(0, -1).split("\n")
    : `${text}\n\\ No newline at end of file`.split(/\n(?!\\)/)

function compareLines(old: readonly string[], now: readonly string[]): Line[] {
  const lines: Line[] = []
  let [at, beside] = [0, 0]
  while (at < old.length || beside < now.length) {
    const [gone, come] = apartAt(old, now, at, beside)
    for (const text of old.slice(at, at + gone)) lines.push({ mark: "-", text })
    for (const text of now.slice(beside, beside + come)) lines.push({ mark: "+", text })
    at += gone
    beside += come
    const same = old[at]
    if (same !== undefined) lines.push({ mark: " ", text: same })
    at += 1
    beside += 1
  }
  return lines
}

/** How many lines of each come before both go on alike. */
function apartAt(
  old: readonly string[],
  now: readonly string[],
  at: number,
  beside: number,
): [number, number] {
  for (let both = 0; both <= MOST_APART; both += 1)
    for (let gone = both; gone >= 0; gone -= 1) {
      const [one, other] = [old[at + gone], now[beside + both - gone]]
      if (one !== undefined && one === other) return [gone, both - gone]
    }
  return [old.length - at, now.length - beside]
}

function hunksOf(lines: readonly Line[]): string[] {
  const near = lines.map((_, index) =>
    lines.slice(Math.max(0, index - CONTEXT), index + CONTEXT + 1).some((one) => one.mark !== " "),
  )
  const told: string[] = []
  let [before, after] = [1, 1]
  for (let at = 0; at < lines.length; ) {
    const length = near[at] ? lengthOf(near, at) : 1
    const some = lines.slice(at, at + length)
    const [mine, theirs] = ["+", "-"].map((other) => some.filter(({ mark }) => mark !== other).length)
    if (near[at])
      told.push(`@@ -${before},${mine} +${after},${theirs} @@`, ...some.map(({ mark, text }) => mark + text))
    before += mine ?? 0
    after += theirs ?? 0
    at += length
  }
  return told
}

function lengthOf(near: readonly boolean[], at: number): number {
  const end = near.indexOf(false, at)
  return (end < 0 ? near.length : end) - at
}

// What a reviewer says about conditions: those that decide nothing, and those that read another clock than people may think.
// Whether a condition is one at all is decided at load (condition.ts).
import { type ConditionSense, readCondition } from "./condition.ts"
import type { Condition } from "./policy.ts"
import type { Reviewed, ReviewRule, Spot } from "./review-rule.ts"

/** Each condition of a kind, where it stands. */
const conditions = (is: (sense: ConditionSense) => boolean, words: string) =>
  function* ({ tasks }: Reviewed): Iterable<Spot> {
    for (const { name, when, grants, inputs } of tasks) {
      const of = (what: string, one: Condition | undefined) => (one ? [{ what, one }] : [])
      const all = [
        ...of(`"${name}"`, when),
        ...grants.flatMap((grant) => of(`the grant of ${grant.operations.join(", ")}`, grant.when)),
      ]
      for (const { what, one } of all) {
        const sense = readCondition(one.source, inputs.keys())
        if (sense && is(sense)) yield { place: one.place, message: `the condition of ${what} ${words}` }
      }
    }
  }

export const CONDITION_RULES: readonly ReviewRule[] = [
  {
    id: "condition-always-holds",
    severity: "warning",
    summary: "A condition that holds whatever is asked",
    fix: "write what must hold, or take `when` out",
    find: conditions(({ constant }) => constant === true, "always holds"),
  },
  {
    id: "condition-never-holds",
    severity: "warning",
    summary: "A condition that never holds, so that nobody gets what it stands before",
    fix: "write what must hold; take a grant out that nobody is meant to have, set `enabled: false` on a task type",
    find: conditions(({ constant }) => constant === false, "never holds"),
  },
  {
    id: "condition-without-zone",
    severity: "note",
    summary: "A condition that asks for an hour or a day in no zone, which is UTC",
    fix: 'name the zone: `now.getHours("Europe/Berlin")`, or "UTC" where that is meant',
    find: conditions(({ withoutZone }) => withoutZone, "asks `now` for a clock of no zone"),
  },
]
